"""What all figures of a law share: its tables, made once, and the colours of depths, widths and data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.report.figures.law.scales import log_axis, span
from prunebench.report.figures.palette import palette
from prunebench.report.figures.reader import Column
from prunebench.report.figures.style import COLOURS
from prunebench.scaling.drawing import SCALES, Study
from prunebench.scaling.points import Floats, Points
from prunebench.scaling.studies.invariant import invariant

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = [
    *("ONE", "SAID", "Source", "Values", "amount", "columns", "frame_of", "percent", "place"),
    "value_axis",
]

ONE = "network"
"""What stands in place of a scale where there is one network, and nothing varies."""

SAID = {"width": "width", "depth": "depth", "examples": "training examples", ONE: "network"}
"""What scales are called in figures."""

_MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")


def amount(name: str, value: float) -> str:
    """Return a value of a scale as figures have it.

    >>> amount("width", 0.0625), amount("width", 1.5), amount("examples", 60000.0), amount("depth", 20.0)
    ('1/16', '1.5', '60,000', '20')
    """
    if name == "width" and 0 < value < 1 and abs(1 / value - round(1 / value)) < 1e-9:
        return f"1/{round(1 / value)}"
    return f"{value:,.0f}" if value == round(value) else f"{value:.4g}"


def place(names: Sequence[str], values: Sequence[float]) -> str:
    """Return where other scales are fixed, as a panel's heading: "depth 20, 50,000 training examples"."""
    parts = []
    for name, value in zip(names, values, strict=True):
        if value == value:
            text = amount(name, value)
            parts.append(f"{text} {SAID[name]}" if name == "examples" else f"{SAID[name]} {text}")
    return ", ".join(parts)


def percent(share: float, *, sign: bool = False) -> str:
    """Return a share in percent with two digits.

    >>> percent(0.0614), percent(-0.0041, sign=True), percent(1.0)
    ('6.1 %', '−0.41 %', '100 %')
    """
    digits = ".2g" if abs(share) < 0.995 else ".0f"
    text = f"{100 * share:+{digits}}" if sign else f"{100 * share:{digits}}"
    return f"{text} %".replace("-", "\u2212")


def value_axis(channel: Any, column: str, name: str, values: Sequence[float]) -> Any:
    """Return a logarithmic axis of a scale with a label at each of its values, widths as fractions."""
    import altair as alt

    texts = " : ".join(f"abs(datum.value - {value!r}) < 1e-9 ? '{amount(name, value)}'" for value in values)
    axis = alt.Axis(title=SAID[name], values=list(values), labelExpr=f"{texts} : ''", gridOpacity=0.6)
    return channel(
        f"{column}:Q", scale=alt.Scale(type="log", domain=list(span(values)), nice=False), axis=axis
    )


@dataclass(frozen=True)
class Values:
    """The values that a scale has, rising, each with its colour and mark."""

    name: str
    values: tuple[float, ...]
    shown: tuple[float, ...] = ()
    """Those that the legend has, where a figure has not all of them."""

    @property
    def texts(self) -> list[str]:
        """The values as legends have them."""
        return [amount(self.name, value) for value in self.values]

    def _told(self, legend: alt.Legend) -> alt.Legend | None:
        if self.shown:
            legend.values = [amount(self.name, value) for value in self.values if value in self.shown]
        return None if self.name == ONE else legend

    def colour(self) -> alt.Color:
        """Return the colour of the scale's column of texts."""
        import altair as alt

        scale = alt.Scale(domain=self.texts, range=palette(len(self.values)))
        told = alt.Legend(title=SAID[self.name], symbolOpacity=1, symbolType="circle")
        return alt.Color(f"{self.name}_text:N", scale=scale, legend=self._told(told), sort=self.texts)

    def shape(self, *, alone: bool = False) -> alt.Shape:
        """Return the mark of the scale's column of texts; `alone`: its colour says something else."""
        import altair as alt

        marks = [_MARKS[i % len(_MARKS)] for i in range(len(self.values))]
        told = alt.Legend(title=SAID[self.name], symbolOpacity=1)
        if alone:
            told.symbolFillColor = told.symbolStrokeColor = COLOURS["grey"]
        scale = alt.Scale(domain=self.texts, range=marks)
        return alt.Shape(f"{self.name}_text:N", scale=scale, legend=self._told(told), sort=self.texts)


class Source:
    """A law as its figures see it."""

    def __init__(self, study: Study, prefix: str = "law") -> None:
        self.study = study
        self.prefix = prefix

    def name(self, table: str) -> str:
        """Return what a table or figure of the law is called."""
        return f"{self.prefix}-{table}"

    @cached_property
    def values(self) -> dict[str, Values]:
        """Of each scale in which networks differ its values; of one network itself."""
        if self.study.points.networks() == 1:
            return {ONE: Values(ONE, (float(self.study.points.network[0]),))}
        known = {name: np.unique(self.study.points.column(name)) for name in self.study.varied}
        return {name: Values(name, tuple(map(float, values))) for name, values in known.items()}

    @cached_property
    def points(self) -> pd.DataFrame:
        """A row a network and density: measured, predicted, and by how much that is off."""
        points, predicted = self.study.points, self.study.predicted
        more = {
            "error": points.error,
            "low": points.extra["low"],
            "high": points.extra["high"],
            "seeds": points.extra["seeds"],
            "error_unpruned": points.error_unpruned,
            "predicted": predicted,
            "relative": predicted / points.error - 1,
            "kept": self.study.size(points),
        }
        if self.study.rosenfeld:
            more["invariant"] = invariant(self.study.law.fit, points)
        return frame_of(points, **more)

    @property
    def share(self) -> bool:
        """True if errors are fractions, which are said in percent; False of laws of a loss."""
        return self.study.law.fit.form.most == 1

    def error(self, channel: Any, column: str, ends: tuple[float, float], title: str = "test error") -> Any:
        """Return a logarithmic axis of errors in a column."""
        title = f"{title} (%)" if self.share else title.replace("error", "loss")
        return log_axis(channel, column, title, ends, share=self.share)

    def said(self, error: float) -> str:
        """Return an error as texts have it."""
        return percent(error) if self.share else f"{error:.3g}"

    def told(self, column: str, title: str) -> alt.Tooltip:
        """Return the tooltip of an error."""
        import altair as alt

        return alt.Tooltip(f"{column}:Q", title=title, format=".3~%" if self.share else ".4~g")

    @property
    def weights(self) -> str:
        """What `Study.size` counts."""
        return "weights that are left" if self.study.counted else "depth · width² · density"

    @property
    def quality(self) -> tuple[float, float]:
        """µ and σ of the points that are drawn, means over seeds."""
        relative = self.study.predicted / self.study.points.error - 1
        return float(relative.mean()), float(relative.std())


def frame_of(points: Points, **columns: Floats) -> pd.DataFrame:
    """Return points as a table: the network and its scales, also as texts, the density, and columns."""
    import pandas as pd

    frame = pd.DataFrame({"network": points.network, "density": points.density})
    for name in SCALES:
        values = points.column(name)
        frame[name] = values
        frame[f"{name}_text"] = [amount(name, value) if value == value else "" for value in values]
    frame[f"{ONE}_text"] = [amount(ONE, float(value)) for value in points.network]
    return frame.assign(**columns)


def columns(*more: Column, seeds: bool = True) -> tuple[Column, ...]:
    """Return the columns of a reader's table of points; `more` stand last."""
    return (
        Column("depth", "depth", "layers, shortcuts not counted", "number"),
        Column("width", "width", "factor of the channels", "number"),
        Column("examples", "training examples", form="count"),
        Column("density", "density", "share of the prunable weights that is kept", "number"),
        Column("error", "error", "top-1 error on the test set, a share; mean over seeds", "number"),
        *([Column("seeds", "seeds", "in the mean", "count")] if seeds else []),
        *more,
    )
