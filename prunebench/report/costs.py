"""What each method costs, beside its accuracies: scoring, arithmetic, the weights that are left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import AT_SPARSITY, SETTING, VARIANT
from prunebench.numbers import spelled
from prunebench.report.document import Block, Cell, Table
from prunebench.report.fields import absent
from prunebench.report.results import COST_FORMS, COSTS, SHRUNK, Results

__all__ = ["COST_LEGEND", "cost_blocks", "with_costs"]

_ROW = [*SETTING, *VARIANT, *AT_SPARSITY]


def with_costs(results: Results) -> pd.DataFrame:
    """Return the table `results.summary` with the columns of costs: means over a row's seeds.

    A seed of which a cost is not known does not count in its mean; over ranges of sparsity costs are NaN.
    """
    names = [name for name in (*COSTS, *SHRUNK) if name in results.costs]
    by_key = results.costs.drop_duplicates("key").set_index("key")[names]
    cells = results.board.cells
    known = cells[cells["key"].isin(by_key.index) & (cells["key"] != "")]
    costs = by_key.loc[known["key"]].set_index(known.index)
    means = pd.concat([known[_ROW], costs], axis=1).groupby(_ROW, sort=False, dropna=False).mean()
    summary = results.summary.merge(means.reset_index(), on=_ROW, how="left")
    at_sparsity = summary["at"] == "sparsity"
    return summary.assign(**{name: summary[name].where(at_sparsity) for name in names})


_COLUMNS = {
    "scorings": "scoring_rounds",
    "scoring passes": "scoring_passes",
    "scoring time": "scoring_seconds",
    "MACs in all": "macs",
    "training FLOPs, dense": "training_flops_dense",
    "training FLOPs, sparse": "training_flops_sparse",
    "FLOPs of an example, sparse": "flops_sparse",
    "weights kept": "kept",
    "density reached": "reached",
    "effective density": "effective_density",
    "parameters, masked": "parameters_masked",
    "parameters, smaller": "parameters_shrunk",
    "FLOPs, masked": "flops_masked",
    "FLOPs, smaller": "flops_shrunk",
    "latency, masked": "seconds_masked",
    "latency, smaller": "seconds_shrunk",
}
"""Headings, and what stands below them."""

COST_LEGEND = (
    "Costs are those of a method that is run alone, from the first step on: means over seeds. Scorings: how "
    "often weights are scored; passes: in forward passes of one example. MACs (multiply-accumulates) are "
    "those of the plan, evaluations of the accuracy included; FLOPs are measured of training and scoring, "
    "dense with all weights, sparse with those that are there. They are counted, not timed: a mask by itself "
    "makes nothing faster. The effective density leaves out kept weights on no path from input to output."
)


def cost_blocks(
    rows: Sequence[Mapping[Any, Any]],
    names: Sequence[tuple[str, Mapping[Any, Any] | None]],
    label: str,
    why: str,
) -> list[Block]:
    """Return the table of costs of one setting at one sparsity; nothing where none is known.

    Args:
        rows: rows at the sparsity, with their costs.
        names: the methods as they are shown, each with its row; None: not planned there.
        label: the sparsity in percent; why: what is particular of it.
    """
    columns = {
        head: name for head, name in _COLUMNS.items() if any(not absent(row.get(name)) for row in rows)
    }
    if all(not absent(row["training_flops_dense"]) for row in rows):
        columns.pop("MACs in all", None)
    if not columns:
        return []
    body = tuple(
        (Cell(name), *(_cell(row.get(column), _FORMS[column]) for column in columns.values()))
        for name, row in names
        if row is not None
    )
    of = {spelled(row["prunable"], "count") for row in rows if not absent(row["prunable"])}
    weights = f", of {of.pop()} weights" if len(of) == 1 else ""
    heading = f"Costs at {label} %{why}{weights}:"
    return [heading, Table("cost", ("method", *columns), body)]


_FORMS = {**COST_FORMS, "reached": "share"}


def _cell(value: Any, form: str) -> Cell:
    return Cell() if absent(value) else Cell(spelled(value, form), True, value=float(value))
