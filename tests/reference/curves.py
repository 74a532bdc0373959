"""Curves made by hand: what quantities and the gathering of curves are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prunebench import Curves

NAN = float("nan")


def curves(
    accuracy: Any, sparsities: Sequence[float], steps: Sequence[float] | None = None, **more: Any
) -> Curves:
    """Return curves of accuracies, places × seeds; an unpruned network has 90 %, δ is 0.5."""
    values = np.array(accuracy, dtype=np.float64)
    shared: dict[str, Any] = {
        "diverged": np.where(np.isnan(values), NAN, 0.0),
        "planned": np.ones(values.shape, dtype=bool),
        "seeds": tuple(range(values.shape[1])),
        "dense": np.full(values.shape[1], 90.0),
        "margin": 0.5,
        "weights": np.ones((1, values.shape[1])),
    }
    at = [NAN] * len(values) if steps is None else steps
    return Curves(np.array(sparsities), np.array(at), accuracy=values, **{**shared, **more})
