"""Axes of figures: densities, accuracies, shares, steps, whole numbers; what they say, where ticks are.

altair is imported when a chart is made: the command line starts without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

__all__ = [
    *("ACCURACY", "ACCURACY_SHORT", "DENSITY", "DENSITY_SHORT", "SIGNED", "Upright"),
    *("accuracy_axis", "density_axis", "percent", "share_left_axis", "step_axis", "whole_ticks"),
]

DENSITY = "weights kept (%, logarithmic: sparser to the right)"
ACCURACY = "test accuracy (%, spaced by the logarithm of the error)"
DENSITY_SHORT = "weights kept (%)"
ACCURACY_SHORT = "test accuracy (%)"
"""For panels, which have less room; their captions say how the axes are spaced."""

PADDING = 10
"""Pixels between the outermost points and the ends of an axis that begins nowhere in particular."""


SIGNED = "datum.value ? format(datum.value, '+.6~g') : '0'"
"""How labels of axes of differences are written."""


def density_axis(title: str = DENSITY) -> alt.X:
    """Return the axis of densities: logarithmic, dense networks to the left."""
    import altair as alt

    ticks = [m * 10**e for e in range(-6, 0) for m in (1, 2, 5)] + [1.0]
    return alt.X(
        "density:Q",
        scale=alt.Scale(type="log", reverse=True, nice=False, padding=PADDING),
        axis=alt.Axis(title=title, values=ticks, labelExpr="format(100 * datum.value, '.3~g')", grid=False),
    )


def step_axis(title: str) -> alt.X:
    """Return the axis of training steps: whole numbers, thousands apart."""
    import altair as alt

    axis = alt.Axis(title=title, grid=False, format=",d", tickMinStep=1, tickCount=6)
    return alt.X("step:Q", axis=axis, scale=alt.Scale(padding=PADDING, nice=False))


@dataclass(frozen=True)
class Upright:
    """A vertical axis: the columns of the mean and its interval, and how they are scaled and said."""

    mean: str
    low: str
    high: str
    title: str
    scale: Mapping[str, Any] = field(default_factory=dict)
    axis: Mapping[str, Any] = field(default_factory=dict)
    format: str = ".2f"

    def channel(self, column: str) -> alt.Y:
        """Return the channel of one of the columns."""
        import altair as alt

        return alt.Y(
            f"{column}:Q", scale=alt.Scale(**self.scale), axis=alt.Axis(title=self.title, **self.axis)
        )

    @property
    def logarithmic(self) -> bool:
        """True if values are spaced by their logarithm."""
        return self.scale.get("type") == "log"

    def down(self, column: str) -> str:
        """Return an expression that grows downwards with even steps, of a column."""
        value = f"datum.{column}"
        rising = f"log({value})" if self.logarithmic else value
        return rising if self.scale.get("reverse") else f"-({rising})"

    def back(self, place: str) -> str:
        """Return the expression of the value at a place of `down`."""
        rising = place if self.scale.get("reverse") else f"-({place})"
        return f"exp({rising})" if self.logarithmic else rising


def accuracy_axis(title: str, height: int, *, of: str = "y") -> Upright:
    """Return the axis of accuracies, spaced by the error: half a point at 93 % is seen beside 10 %.

    `height`: pixels of a panel; `of`: what Vega calls its scale, "child_y" where each panel has its own.
    """
    return Upright(
        "error",
        "error_low",
        "error_high",
        title,
        {"type": "log", "reverse": True, "nice": False, "padding": PADDING},
        {"values": {"expr": _accuracy_ticks(of, height)}, "labelExpr": "format(100 - datum.value, '.6~g')"},
    )


_WIDE = "[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 90]"
_NARROW = (
    "[0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, "
    "10, 15, 20, 30, 40, 50, 60, 70, 80, 90]"
)
_APART = 120
"""Pixels by which a factor of e lies apart where all of `_NARROW` have room."""


def _accuracy_ticks(scale: str, height: int) -> str:
    """Return the expression of errors that have a tick, by how far the axis reaches.

    Where the largest error is many times the smallest, errors of 1, 2, 5, 10, …; where it is a few times,
    more of them; else accuracies that are evenly apart, by 1, 2 or 5 of a power of ten.
    """
    return _ticks(scale, round(math.exp(height / _APART), 1), _WIDE, _NARROW)


def _ticks(scale: str, wide: float, few: str, more: str) -> str:
    """Return the expression of an axis' ticks: `few` where its end is `wide` times its beginning, `more`
    where it is twice that or more, else numbers that are evenly apart."""
    low, high = (f"domain('{scale}')[{end}]" for end in (0, 1))
    third = f"round(3 * log(({high} - {low}) / 5) / LN10) / 3"  # powers of 10^(1/3) begin with 1, 2, 5
    step = f"toNumber(format(pow(10, {third}), '.1r'))"
    even = f"sequence(ceil({low} / {step}) * {step}, {high}, {step})"
    return f"{high} > {wide} * {low} ? {few} : {high} > 2 * {low} ? {more} : {even}"


def share_left_axis(column: str, title: str, *, of: str) -> alt.X:
    """Return a logarithmic axis of shares in percent, less to the right; `of`: what Vega calls its scale."""
    import altair as alt

    few, more = (
        str([round(m * 10.0**e, 6) for e in range(-5, 1) for m in digits])
        for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))
    )
    return alt.X(
        f"{column}:Q",
        scale=alt.Scale(type="log", reverse=True, nice=False, padding=14),
        axis=alt.Axis(
            title=title,
            grid=False,
            values={"expr": _ticks(of, 8, few, more)},
            labelExpr="format(100 * datum.value, '.3~g')",
        ),
    )


def percent(mean: str, low: str, high: str, title: str, **scale: Any) -> Upright:
    """Return an axis of shares, which are shown in percent."""
    return Upright(
        mean,
        low,
        high,
        title,
        {"nice": True, **scale},
        {"labelExpr": "format(100 * datum.value, '.6~g')", "tickCount": 6},
    )


def whole_ticks(scale: str, first: int = 1) -> dict[str, str]:
    """Return values of ticks at whole numbers from `first`: each of few, of many every fifth or tenth."""
    most = f"domain('{scale}')[1]"
    coarse = {step: [first, *range(step, 40 * step, step)] for step in (5, 10, 50)}
    few = f"sequence({first}, floor({most}) + 1)"
    fifths, tenths = f"{most} < 31 ? {coarse[5]}", f"{most} < 101 ? {coarse[10]}"
    return {"expr": f"{most} < 11 ? {few} : {fifths} : {tenths} : {coarse[50]}"}
