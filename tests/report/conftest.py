"""Tables of cells written as mappings: method → sparsity → one entry a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from prunebench.analysis import table

Entry = float | str | None
Spelled = Mapping[str, Mapping[float, Sequence[Entry]]]


def _rows(methods: Spelled, **labels: Any) -> list[dict[str, Any]]:
    rows = []
    for name, points in methods.items():
        method, _, ablations = name.partition("+")
        for sparsity, entries in points.items():
            for seed, entry in enumerate(entries):
                finished = isinstance(entry, int | float)
                rows.append(
                    {
                        "matrix": "main",
                        "cell": f"{name}-{sparsity}-s{seed}",
                        "key": f"{labels}-{name}-{sparsity}-{seed}",
                        "architecture": "lenet",
                        "dataset": "mnist",
                        "method": method,
                        "ablations": ablations,
                        "density": f"{1 - sparsity:.12f}".rstrip("0").rstrip("."),
                        "seed": seed,
                        "status": "finished" if finished else entry or "missing",
                        "accuracy": entry if finished else None,
                        **labels,
                    }
                )
    return rows


@pytest.fixture
def cells() -> Callable[..., pd.DataFrame]:
    """Make a table: numbers are accuracies, None a missing cell, a word its status; labels for all rows."""

    def make(methods: Spelled, **labels: Any) -> pd.DataFrame:
        return table(_rows(methods, **labels))

    return make
