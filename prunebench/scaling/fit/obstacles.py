"""What keeps points from determining a form: columns that must agree and differ, or must differ and agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from prunebench.scaling.form import Coefficient, Form
from prunebench.scaling.points import Points
from prunebench.scaling.points.columns import in_words

__all__ = ["Untold", "differing", "untold"]


def differing(form: Form, points: Points) -> Iterator[str]:
    """Yield that points have several values of a column of which a form takes one: what follows its name."""
    for name in form.constant:
        values = np.unique(points.column(name)[~np.isnan(points.column(name))])
        if len(values) > 1:
            listed = ", ".join(f"{value:g}" for value in values[:6])
            yield f"is of one {in_words(name)}; the points have {len(values)}: {listed}"


class Untold(NamedTuple):
    """A coefficient that nothing tells."""

    coefficient: Coefficient
    everywhere: str
    """What every point has of the column that it is of: "width 0.5"."""
    given: str
    """The coefficient as it can be given instead: "psi=0 leaves width out", or "p=VALUE gives it"."""


def untold(coefficients: Iterable[Coefficient], points: Points) -> Iterator[Untold]:
    """Yield the coefficients that nothing tells. The columns that they are of are known."""
    for one in coefficients:
        if one.varies and len(np.unique(points.column(one.varies))) < 2:
            zero = one.low <= 0 <= one.high and not one.log
            way = f"=0 leaves {one.varies} out" if zero else "=VALUE gives it"
            yield Untold(one, f"{one.varies} {points.column(one.varies)[0]:g}", f"{one.name}{way}")
