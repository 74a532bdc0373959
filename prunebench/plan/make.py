"""Suite and host to plan: one function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench import smoke
from prunebench.checks.frozen import frozen_checks
from prunebench.checks.quantified import reads_kin
from prunebench.checks.reported import reported_rows
from prunebench.errors import UsageError
from prunebench.labels import STEP
from prunebench.plan.builder import Builder
from prunebench.plan.cells import plan_cells
from prunebench.plan.epoch_checks import refuse_epochs
from prunebench.plan.plan import Plan
from prunebench.plan.refusals import Refusals
from prunebench.plan.uncollected import uncollected
from prunebench.suite.references import kinds_of

if TYPE_CHECKING:
    from prunebench.host.registry import Host
    from prunebench.suite import Cell, Suite
    from prunebench.suite.schema import Matrix

__all__ = ["make_plan"]


@uncollected()
def make_plan(suite: Suite, host: Host, data_root: Path) -> Plan:
    """Return the plan of a suite: its cells, their jobs, their costs; reads no data but fingerprints.

    Raises: SuiteError naming file, key path and cell for all that cannot be planned; DataError.
    """
    builder, limit = Builder(host, data_root), suite.changes.limit
    cells = _one_spelling(suite.cells, builder)
    described: dict[str, Any] = {
        "name": suite.name,
        "version": suite.version if limit is None else smoke.version(suite.version, limit),
        "digest": suite.digest,
        "baselines": suite.baselines.model_dump(),
        "leaderboard": suite.leaderboard.model_dump(mode="json"),
        "margins": {
            label: host.dataset(spelled).margin
            for label, spelled in sorted({(c.labels["dataset"], c.dataset) for c in cells})
        },
    }
    if inferred := _inferred(cells, host):
        described["inferred"] = inferred
    if uneven := _uneven(suite.matrices):
        described["uneven"] = uneven
    described |= frozen_checks(suite.checks, suite.claims)
    if limit is not None:
        described["limit"] = limit
    elif suite.reported:  # what others report is nothing to hold a smoke run against
        described["reported"] = reported_rows(suite.reported, kinds_of(cells))
    refusals = Refusals(suite, builder)
    planned = plan_cells(builder, cells, refusals.add)
    refusals.raise_all()
    refuse_epochs(suite, host, planned, builder.jobs)
    described |= {"classes": {}, "examples": {}}
    for cell in cells:
        data = builder.facts.data(cell.dataset, cell.split)
        described["classes"][cell.labels["dataset"]] = data.classes
        described["examples"].setdefault(cell.dataset, {})[cell.split] = cell.recipe.limited(data.evaluated)
    if builder.fewest:
        described["fewest"] = builder.fewest
    if suite.checks:
        described["steps"] = _steps(cells, builder)
    if any(reads_kin(check, host) for check in suite.checks):
        from prunebench.checks.kin import SCALES  # bring in pandas, which planning does without
        from prunebench.plan.kin import scales

        described[SCALES] = scales(planned, builder)
    return Plan(
        described,
        planned,
        builder.jobs,
        builder.costs,
        builder.identities,
        builder.missing_data,
        may_keep_none=builder.may_keep_none,
    )


def _one_spelling(cells: Sequence[Cell], builder: Builder) -> Sequence[Cell]:
    """Return the cells with their data sets spelled as only the files can tell: a share of a folder's images
    is a number of them, and both are one cell."""
    spelled = {}
    for name in {cell.dataset for cell in cells}:
        with suppress(UsageError):  # it is said of the cells that cannot be planned
            spelled[name] = builder.facts.spelled(name)
    if all(spelled.get(name, name) == name for name in spelled):
        return cells
    return [replace(cell, dataset=spelled.get(cell.dataset, cell.dataset)) for cell in cells]


def _inferred(cells: Iterable[Cell], host: Host) -> dict[str, list[str]]:
    """Return by label which recipes have fields that their source does not state, and which."""
    known = host.names("recipes")
    named = {label: label.partition("[")[0] for label in sorted({cell.labels["recipe"] for cell in cells})}
    fields = {label: host.get("recipes", name).inferred for label, name in named.items() if name in known}
    return {label: list(names) for label, names in fields.items() if names}


def _uneven(matrices: Iterable[Matrix]) -> dict[str, str]:
    """Return of which matrices the suite leaves cells out: "methods" where of methods by name, else "any".

    Whoever publishes results is asked for all others.
    """
    return {
        one.name: "any" if one.only or not all(entry.method for entry in one.exclude or ()) else "methods"
        for one in matrices
        if one.only or one.exclude
    }


def _steps(cells: Iterable[Cell], builder: Builder) -> list[list[str | int]]:
    """Return the steps of an axis of pruning points: what "end" or {epoch = k} is, recipes know."""
    rows: dict[tuple[str, ...], int] = {}
    for cell in {id(cell.labels): cell for cell in cells if cell.labels["score_at"]}.values():
        examples = builder.facts.data(cell.dataset, cell.split).examples
        recipe = cell.recipe.changed(cell.form.find)
        labels = tuple(cell.labels[name] for name in STEP)
        rows[labels] = recipe.step_of(cell.form.score_at, examples)
    return [[*labels, step] for labels, step in rows.items()]
