"""The points of a law from a store's records: a row a finished cell of one method on a family of networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from prunebench.checks.kin import scales_of
from prunebench.errors import FitError, nearest
from prunebench.host.datasets import examples_of, number_of_examples, spell_dataset, whole_of
from prunebench.inventory.average import average_weights
from prunebench.inventory.rows import reached
from prunebench.inventory.snapshot import Snapshot
from prunebench.labels import FAMILY
from prunebench.plan.cells import PlannedCell
from prunebench.plan.facts import training_examples
from prunebench.plan.kin import SCALED
from prunebench.plan.params import RecordedCell, RecordParams
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected
from prunebench.scaling.law import Family
from prunebench.scaling.points import Points, points_of
from prunebench.scaling.points.unpruned import with_unpruned

__all__ = ["FamilyCells", "Measured", "NoResult", "examples_of_plan", "families_of", "measured_points"]

_MUST_AGREE = {
    "architecture": "architecture", "dataset": "data set", "split": "split", "recipe": "recipe",
    "find": "find changes", "score_at": "pruning step",
}  # fmt: skip
"""What the cells of a law agree in, and what it is called."""


class NoResult(FitError):
    """No cell of a family has been run."""


class Measured(NamedTuple):
    """Points of a family, which family it is, of what method, and what was left out."""

    points: Points
    family: Family
    method: str
    dataset: str
    left: Sequence[str]


class FamilyCells(NamedTuple):
    """The pruned cells of one method on networks that differ in depth, width and training examples alone."""

    title: str
    """Architecture, data set and method, in words."""
    method: str
    cells: Sequence[PlannedCell]


_FEWEST_NETWORKS, _FEWEST_DENSITIES = 3, 3
"""What a plan must have of a method for a family to which a law is fitted without being asked."""


@uncollected()
def families_of(plan: Plan) -> list[FamilyCells]:
    """Return the families of a plan: three networks or more, at three densities or more, of one method."""
    groups: dict[tuple[str, ...], dict[str, PlannedCell]] = {}
    for cell in plan.cells:
        if _pruned(plan, cell) and cell.density != "1":
            groups.setdefault(_family_key(plan, cell), {})[cell.key] = cell
    kept = {key: list(cells.values()) for key, cells in groups.items() if _is_family(plan, cells.values())}
    short = [key[:_NAMED] for key in kept]
    return [
        FamilyCells(
            title=_title(key if short.count(key[:_NAMED]) > 1 else key[:_NAMED]),
            method=key[2],
            cells=cells,
        )
        for key, cells in kept.items()
    ]


_NAMED = 3
"""So many of a family's fields name it where no other has the same ones."""


def _family_key(plan: Plan, cell: PlannedCell) -> tuple[str, ...]:
    recorded = _cell(plan, cell)
    other = ("recipe", "split", "find", "score_at")
    named = (_alike(recorded), whole_of(recorded.dataset), _method(cell))
    return (*named, *(cell.labels.get(name, "") for name in other))


def _is_family(plan: Plan, cells: Collection[PlannedCell]) -> bool:
    networks = {_network(_cell(plan, cell)) for cell in cells}
    densities = {cell.density for cell in cells}
    return len(networks) >= _FEWEST_NETWORKS and len(densities) >= _FEWEST_DENSITIES


def _title(fields: Sequence[str]) -> str:
    architecture, dataset, method, *rest = fields
    return ", ".join([f"{architecture} on {dataset}", method, *filter(None, rest)])


@uncollected()
def measured_points(
    plan: Plan,
    snapshot: Snapshot,
    cells: Sequence[PlannedCell],
    method: str | None,
    examples_of: Callable[[str, str], float],
    *,
    needs_unpruned: bool = True,
    averages: bool = False,
    unpruned: bool = False,
) -> Measured:
    """Return the points of the cells that have a record, with the unpruned networks of the same family.

    The error is 1 − correct / examples. `parameters` and `prunable` are the prunable weights, `nonzero` those
    that the mask keeps; the density of whole filters is the one that they reach. A diverged run is no point
    of a law: it is left out and counted.

    method: as a leaderboard spells it, "imp" or "snip + shuffle"; None where the cells have but one
    examples_of: of a data set's spelling and a split, how many training examples there are
    averages: True for a column `average_parameters`, the weights that were there on average over all training
    unpruned: True for the unpruned networks alone, whatever the methods beside them

    Raises: FitError where the cells are of several methods, data sets or the like, or nothing is there.
    """
    chosen = _unpruned(plan, cells) if unpruned else _of_method(cells, method)
    name = _method(chosen[0])
    _check_alike(plan, chosen)
    networks = {_network(_cell(plan, cell)) for cell in chosen}
    dense = [
        cell
        for cell in plan.cells
        if not _pruned(plan, cell)
        and _network(_cell(plan, cell)) in networks
        and cell.labels.get("recipe") == chosen[0].labels.get("recipe")
    ]
    rows = [
        row
        for cell in {cell.key: cell for cell in (*dense, *chosen)}.values()
        if (row := _row(plan, snapshot, cell))
    ]
    done = [row for row in rows if "error" in row]
    if not done:
        raise NoResult(f"no cell of {name} has a result yet: `prunebench run` makes them")
    sizes = {key: examples_of(*key) for key in {(row["dataset"], row["split"]) for row in done}}
    if averages:
        done = [
            {**row, "average_parameters": average_weights(plan, row["key"], row["prunable"])} for row in done
        ]
    columns = {
        **{field: [row[field] for row in done] for field in (*_FIELDS, *["average_parameters"] * averages)},
        "examples": [min(sizes[row["dataset"], row["split"]], row["limit"]) for row in done],
    }
    points = with_unpruned(points_of(columns), needed=False)
    points, left = _complete(points, needs_unpruned)
    missing = len({cell.key for cell in (*dense, *chosen)}) - len(rows)
    diverged = len(rows) - len(done)
    said = [(missing, "no result yet"), (diverged, "diverged"), (left, "no unpruned network beside it yet")]
    example = _cell(plan, chosen[0])
    return Measured(
        points,
        _family(plan, chosen[0], example),
        name,
        whole_of(example.dataset),
        [f"{count:,} left out: {why}" for count, why in said if count],
    )


def examples_of_plan(plan: Plan, whole: Callable[[str], float]) -> Callable[[str, str], float]:
    """Return what says of a data set's spelling and a split how many training examples there are.

    What the plan has for its checks is taken; else a part that is a number of examples says it itself; else
    `whole` is asked for the number of examples of the data set, by its spelling.
    """
    known = dict(_examples_in(plan))

    def examples(dataset: str, split: str) -> float:
        part = examples_of(dataset)
        if (dataset, split) in known:
            return known[dataset, split]
        if isinstance(part, int):
            return float(training_examples(part, split))
        train = int(whole(whole_of(dataset)))
        part = train if part is None else int(number_of_examples(part, train, dataset))
        return float(training_examples(part, split))

    return examples


def _examples_in(plan: Plan) -> Iterator[tuple[tuple[str, str], float]]:
    scales = scales_of(plan.suite)
    for cell in plan.cells if scales else ():
        labels = tuple(cell.labels.get(name, "") for name in FAMILY)
        if labels in scales:
            recorded = _cell(plan, cell)
            yield (recorded.dataset, recorded.split), float(scales[labels][1]["examples"])


_FIELDS = ("density", "error", "depth", "width", "seed", "parameters", "prunable", "nonzero")


def _complete(points: Points, needs_unpruned: bool) -> tuple[Points, int]:
    known = ~np.isnan(points.error_unpruned) if needs_unpruned else np.ones(len(points), dtype=np.bool_)
    if not known.any():
        raise FitError(
            "no network has its unpruned error yet: `prunebench run` makes the cells of method none"
        )
    return points.rows(known), int((~known).sum())


def _cell(plan: Plan, cell: PlannedCell) -> RecordedCell:
    return plan.jobs[cell.key].params_as(RecordParams).cell


def _pruned(plan: Plan, cell: PlannedCell) -> bool:
    return _cell(plan, cell).form is not None


def _unpruned(plan: Plan, cells: Sequence[PlannedCell]) -> Sequence[PlannedCell]:
    """Return the cells of the unpruned networks of some cells. Raises: FitError where there are none."""
    networks = {_network(_cell(plan, cell)) for cell in cells}
    recipes = {cell.labels.get("recipe") for cell in cells}
    dense = [
        cell
        for cell in plan.cells
        if not _pruned(plan, cell)
        and _network(_cell(plan, cell)) in networks
        and cell.labels.get("recipe") in recipes
    ]
    if not dense:
        raise FitError("no unpruned network is among the cells")
    return dense


def _method(cell: PlannedCell) -> str:
    ablations = cell.labels.get("ablations", "")
    return " + ".join([cell.labels.get("method", ""), *(ablations.split("+") if ablations else [])])


def _of_method(cells: Sequence[PlannedCell], method: str | None) -> Sequence[PlannedCell]:
    names = dict.fromkeys(_method(cell) for cell in cells if cell.density != "1")
    if method is None:
        if len(names) > 1:
            raise FitError(f"the cells are of {len(names)} methods; say --method: {', '.join(names)}")
        if not names:
            raise FitError("no pruned network is among the cells")
        method = next(iter(names))
    wanted = " + ".join(part.strip() for part in method.split("+"))
    if wanted not in names:
        raise FitError(f"no cell is of method '{method}'{nearest(wanted, names)}")
    return [cell for cell in cells if cell.density != "1" and _method(cell) == wanted]


def _check_alike(plan: Plan, cells: Iterable[PlannedCell]) -> None:
    """Raises: FitError where the cells differ in more than what a law speaks of."""
    values: dict[str, dict[str, None]] = {name: {} for name in _MUST_AGREE}
    for cell in {id(cell.labels): cell for cell in cells}.values():
        recorded = _cell(plan, cell)
        labels = {**cell.labels, "architecture": _alike(recorded), "dataset": whole_of(recorded.dataset)}
        for name in _MUST_AGREE:
            values[name].setdefault(labels.get(name, ""))
    for name, several in values.items():
        if len(several) > 1:
            listed = ", ".join(repr(one) if one else "none" for one in list(several)[:6])
            raise FitError(
                f"the cells are of {len(several)} {_plural(_MUST_AGREE[name], name)}: {listed}; "
                f"a law is of one: choose with -k"
            )


def _plural(text: str, name: str) -> str:
    return text if name == "find" else f"{text}s"


def _alike(cell: RecordedCell) -> str:
    """Return an architecture's spelling without what the members of a family differ in."""
    parameters = cell.architecture["parameters"].items()
    return spell_dataset(cell.architecture["name"], {n: value for n, value in parameters if n not in SCALED})


def _network(cell: RecordedCell) -> tuple[str, str, str]:
    return repr(sorted(cell.architecture["parameters"].items())), cell.dataset, cell.split


def _row(plan: Plan, snapshot: Snapshot, cell: PlannedCell) -> Mapping[str, Any] | None:
    """Return a cell's row; without an error where its run diverged; None where it has no result."""
    record = snapshot.result(cell.key)
    if record is None:
        return None
    if record.result["outcome"] != "finished":
        return {"outcome": record.result["outcome"]}
    recorded, test = _cell(plan, cell), record.result["test"]
    parameters = recorded.architecture["parameters"]
    return {
        "key": cell.key,
        "density": reached(record, cell.target) or float(cell.density),
        "error": 1 - test["correct"] / test["examples"],
        "seed": cell.seed,
        "dataset": recorded.dataset,
        "split": recorded.split,
        "limit": recorded.recipe.get("limit") or float("inf"),
        "parameters": cell.prunable,
        "prunable": cell.prunable,
        "nonzero": (record.result.get("mask") or {}).get("kept", cell.prunable),
        **{name: float(parameters.get(name, float("nan"))) for name in SCALED},
    }


def _family(plan: Plan, cell: PlannedCell, recorded: RecordedCell) -> Family:
    use = next(job.params.network for key in (cell.key, *plan.ancestors(cell.key))
               if (job := plan.jobs[key]).params.network is not None)  # fmt: skip
    parameters = recorded.architecture["parameters"]
    form = recorded.form or {}
    return Family(
        architecture=use.name,
        parameters={name: value for name, value in parameters.items() if name not in SCALED},
        scales=tuple(name for name in SCALED if name in parameters),
        input=tuple(use.input),
        classes=use.classes,
        prunable=form.get("prunable") or {"of": "weights", "except": []},
    )
