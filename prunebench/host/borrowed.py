"""What a form borrows: the layers' counts of another method's mask, and what scores removed weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from prunebench.host.components import Method, Scorer
from prunebench.host.form import Form, Like, Regrowth, ScorerCall

__all__ = ["clash", "donor", "no_counts", "regrowth_call"]


class Methods(Protocol):
    """What knows methods by name: the host."""

    def method(self, name: str) -> Method:
        """Return the method of that name; a scorer is a method too."""


def donor(form: Form, like: Like, host: Methods) -> tuple[Form, Mapping[str, Any]]:
    """Return the form whose masks' layer counts `form` takes (its allocation), as a form and changes to it.

    A method that is named prunes the same weights as `form`; a table of changes is one to `form` itself, but
    for its allocation and for what is done to its masks afterwards.

    Raises: UsageError for the name of no method.
    """
    if isinstance(like.like, str):
        prunable = form.prunable.model_dump(by_alias=True)
        return host.method(like.like).form, {"prunable": prunable, "unit": form.unit}
    return form.changed(allocation="global", alter=()), like.like


def no_counts(form: Form, unit: Any) -> str | None:
    """Return why a form has no mask whose layers' counts one of that unit could take; None where it has."""
    if form.schedule.prunes_in_training:
        return "prunes while its network trains: it has no mask before training whose layers could be counted"
    if form.unit != unit:
        return (
            f"has unit = {form.unit!r}, and this one {unit!r}: what its layers keep is no number of "
            "whole filters"
        )
    return None


def regrowth_call(form: Form) -> ScorerCall:
    """Return what scores removed weights: one scorer for them and the others is one call."""
    assert isinstance(form.regrowth, Regrowth)
    call = form.regrowth.scorer
    if form.scorer is None or form.scorer.name != call.name:
        return call
    return call.model_copy(update={"parameters": {**form.scorer.parameters, **call.parameters}})


def clash(scorer: Scorer, other: Scorer) -> str | None:
    """Return why `other` cannot score the removed weights of a network that `scorer` scores, if it cannot."""
    if (other.mode, other.precision) != (scorer.mode, scorer.precision):
        return (
            f"'{other.name}' works in {other.mode} mode and {other.precision}, '{scorer.name}' in "
            f"{scorer.mode} mode and {scorer.precision}; they score one network: take two that agree"
        )
    if other.needs == "batch" and scorer.needs != "batch":
        return (
            f"'{other.name}' needs data and '{scorer.name}' has none: turn them round, or take two that agree"
        )
    return None
