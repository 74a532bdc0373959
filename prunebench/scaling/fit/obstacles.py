"""What keeps points from determining a form: columns that must agree and differ, or must differ and agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from prunebench.scaling.form import Coefficient, Form
from prunebench.scaling.points import Points
from prunebench.scaling.points.columns import in_words

__all__ = ["differing", "untold"]


def differing(form: Form, points: Points) -> Iterator[str]:
    """Yield that points have several values of a column of which a form takes one: what follows its name."""
    for name in form.constant:
        values = np.unique(points.column(name)[~np.isnan(points.column(name))])
        if len(values) > 1:
            listed = ", ".join(f"{value:g}" for value in values[:6])
            yield f"is of one {in_words(name)}; the points have {len(values)}: {listed}"


def untold(coefficients: Iterable[Coefficient], points: Points) -> Iterator[tuple[Coefficient, float]]:
    """Yield the coefficients that nothing tells, with the value that their column has at every point.

    The columns that they are of are known.
    """
    for one in coefficients:
        if one.varies and len(np.unique(points.column(one.varies))) < 2:
            yield one, float(points.column(one.varies)[0])
