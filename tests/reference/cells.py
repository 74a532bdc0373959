"""Tables of cells made by hand, and suites of checks over them: what checks are evaluated on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import measures, table

__all__ = ["cell", "cells", "measured", "suite_of"]

SETTING = {"architecture": "lenet", "dataset": "mnist", "recipe": "short", "split": "test", "matrix": "main"}


def cell(method: str, density: str, seed: int, accuracy: float | None, **more: Any) -> dict[str, Any]:
    """Return a row of the table; an accuracy of None is a run that diverged."""
    result = {"status": "diverged"} if accuracy is None else {"status": "finished", "accuracy": accuracy}
    row = {**SETTING, "method": method, "density": density, "seed": seed, "classes": 10, **result, **more}
    named = ("architecture", "dataset", "recipe", "find", "score_at", "ablations")
    row.setdefault("key", "-".join([method, density, str(seed), *(str(row.get(name, "")) for name in named)]))
    return row


def cells(
    methods: Mapping[str, Sequence[float | None]], density: str = "0.2", **more: Any
) -> list[dict[str, Any]]:
    """Return rows of methods at one density: an accuracy for each of the seeds 1, 2, …

    A method's ablations stand behind a plus: "snip+shuffle".
    """
    rows = []
    for name, values in methods.items():
        method, _, ablations = name.partition("+")
        for seed, value in enumerate(values, 1):
            rows.append(cell(method, density, seed, value, ablations=ablations, **more))
    return rows


def measured(rows: Sequence[Mapping[str, Any]], measure: str, values: Sequence[Any]) -> pd.DataFrame:
    """Return the table of one measure of these cells."""
    named = [{k: v for k, v in row.items() if k not in ("accuracy", "classes")} for row in rows]
    return measures(
        [{**row, "measure": measure, "measured": value} for row, value in zip(named, values, strict=True)]
    )


def suite_of(*checks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return what of a plan's suite evaluation reads; checks have the range [0.8] unless they say another."""
    plain = {"range": [0.8], "expect": "above"}
    whole = [dict(one) if "all" in one or "any" in one else {**plain, **one} for one in checks]
    return {"name": "by-hand", "version": "1", "margins": {"mnist": 0.5}, "checks": whole, **more}


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of cells."""
    return table(rows)
