"""Checks that ask for an epoch that no measure has: refused when a suite is planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prunebench.checks.asked import field_of, name_of, selections_of
from prunebench.checks.cells import Cells
from prunebench.checks.grammar import Check
from prunebench.checks.quantified import asked_by
from prunebench.errors import SuiteError
from prunebench.host.registry import Host
from prunebench.plan.cells import PlannedCell
from prunebench.plan.job import Job
from prunebench.plan.params import MeasureParams

if TYPE_CHECKING:
    from prunebench.suite import Suite

__all__ = ["refuse_epochs"]


def refuse_epochs(suite: Suite, host: Host, cells: Sequence[PlannedCell], jobs: Mapping[str, Job]) -> None:
    """Look at the checks that ask for measures by epoch: the cells they name must have these, and the epoch.

    A whole number at the end of the name of a field is an epoch: `distance.3`.

    Raises: SuiteError naming the check, the key and what there is.
    """
    lines = []
    for check in suite.checks:
        for place, name, field, named in _asked(check, host):
            told = _wrong(name, field, named, _epochs(check, name, named, cells, jobs))
            lines += [f"{suite.file}: check '{check.name}': {place}: {told}"] if told else []
    if lines:
        raise SuiteError("\n".join(dict.fromkeys(lines)))


def _asked(check: Check, host: Host) -> Iterator[tuple[str, str, str, Cells]]:
    """Yield the key path, the measure by epoch, the field and the cells of each that a check asks for."""
    for place, asked, sides in () if check.group else asked_by(check):
        quantity = host.get("quantities", name_of(asked))
        measure, field = field_of(asked, quantity) or ("", "")
        if not measure or getattr(host.get("diagnostics", measure), "of", "") != "epochs":
            continue
        path = ".".join(map(str, place))
        for _, side in sides:
            yield path, measure, field, side
            for table in selections_of(asked, quantity).values():
                whole = table if "method" in table else side.changed(table)
                yield path, measure, field, Cells.model_validate(whole)


def _epochs(
    check: Check, name: str, named: Cells, cells: Sequence[PlannedCell], jobs: Mapping[str, Job]
) -> set[int] | None:
    """Return the epochs of which some of the cells have a measure; None where none has the measure."""
    mine = [
        cell
        for cell in cells
        if named.means(cell.labels, every_point=True)
        and check.where.has({**cell.labels, "matrix": cell.matrix}, but=named.setting)
    ]
    measures = (jobs[key].params for cell in mine for key in cell.targets[1:])
    own = [one for one in measures if isinstance(one, MeasureParams) and one.diagnostic.name == name]
    return {epoch for one in own for epoch in one.epochs or ()} if own else None


def _wrong(name: str, field: str, named: Cells, epochs: set[int] | None) -> str:
    method = f"'{named.method}'"
    if epochs is None:
        return (
            f"no cell of {method} has the measure '{name}': its matrix does not list it, or its masks are "
            "made while it trains, or with another method's counts"
        )
    last = field.rpartition(".")[2]
    if not last.isdecimal() or int(last) in epochs:
        return ""
    there = f"{min(epochs)} to {max(epochs)}" if epochs else "none"
    return f"found epoch {int(last)} of '{name}', which no network that {method} scores has; allowed: {there}"
