"""Forms whose masks give others their layers' counts: where their keys stand, and which have other layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prunebench.host.form import Form
from prunebench.plan.builder import Builder
from prunebench.plan.setting import Setting
from prunebench.schedules import Misfit
from prunebench.suite.cell import ArchitectureCall

__all__ = ["OF_DONOR", "naming_the_donor", "refuse_other_layers"]


OF_DONOR = "allocation.like."
"""Where the fields of the form stand whose counts another takes, within that."""


@contextmanager
def naming_the_donor() -> Iterator[None]:
    """Name a field of a donor of counts that does not fit by its place in the form that takes the counts."""
    try:
        yield
    except Misfit as error:
        if error.field == "density":
            raise Misfit(
                f"of the method whose counts are taken: {error}", field="density", powers=error.powers
            ) from None
        raise Misfit(str(error), field=f"{OF_DONOR}{error.field}") from None


def refuse_other_layers(builder: Builder, setting: Setting, donor: Form) -> None:
    """Raise Misfit where the masks of a donor of counts have other layers than those that are pruned."""
    network = ArchitectureCall(setting.architecture.name, setting.architecture.parameters)
    filters = donor.whole_filters
    theirs = builder.facts.network(network, setting.data, donor.prunable, filters=filters).shapes
    if differing := sorted(theirs.keys() ^ setting.network.shapes.keys()):
        raise Misfit(
            "the layers whose counts are taken are not those that are pruned: "
            f"{', '.join(differing[:4])}{', …' if len(differing) > 4 else ''} are in one of both alone; "
            "allowed: the same prunable",
            field="prunable",
        )
