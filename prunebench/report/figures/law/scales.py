"""Axes of figures of a law: densities, errors and weights on logarithmic scales, and words beside them.

Their ends are computed here, not by Vega: panels that stand side by side have the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

__all__ = ["DENSITY", "ERROR", "log_axis", "lone", "percent_axis", "span", "ticks", "titled"]

DENSITY = "density: weights kept (%)"
ERROR = "test error (%)"

_AIR = 0.05
"""Of a logarithmic axis, the share beyond the outermost values at each end."""


def span(*columns: Iterable[float], air: float = _AIR) -> tuple[float, float]:
    """Return the ends of a logarithmic axis that has room for all of some columns of positive numbers."""
    values = [math.log(value) for column in columns for value in column if value > 0 and math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (math.log(0.5), 0.0)
    more = max(air * (high - low), 0.02)
    return math.exp(low - more), math.exp(high + more)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two positive ones, so many at most and none close to the next.

    There are none where nothing lies between, `high` not being above `low`.
    """
    ticks: list[float] = []
    if not low < high:
        return ticks
    if high < _NARROW * low:
        return _even(low, high)
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        apart = [math.log(b / a) for a, b in pairwise(ticks)]
        if len(ticks) <= most and min(apart, default=1.0) >= _APART * math.log(high / low):
            return ticks
    return ticks[:: math.ceil(len(ticks) / most) or 1]


_NARROW = 2.0
"""Where the greatest value is less than so many times the least, ticks are evenly apart."""


def _even(low: float, high: float) -> list[float]:
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = power * next(digit for digit in (10, 5, 2, 1) if digit * power <= (high - low) / 3)
    return [count * step for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


_APART = 0.07
"""Of an axis, the least share between two of its labels."""


def log_axis(
    channel: Any,
    column: str,
    title: str | None,
    ends: tuple[float, float],
    *,
    share: bool = True,
    scientific: bool = False,
    reverse: bool = False,
    most: int = 7,
    labels: bool = True,
) -> Any:
    """Return a logarithmic axis of a column between two ends.

    channel: `alt.X` or `alt.Y`; share: numbers are shares, and said in percent; scientific: small
    numbers that are not, without prefixes of units; most: as many labels at most;
    labels: False for an axis whose labels another one below has
    """
    import altair as alt

    axis = alt.Axis(
        title=title,
        values=ticks(*ends, most),
        labels=labels,
        labelExpr="format(100 * datum.value, '.3~g')" if share else _PLAIN[scientific],
        grid=True,
        gridOpacity=0.6,
        ticks=labels,
    )
    scale = alt.Scale(type="log", domain=list(ends), nice=False, reverse=reverse)
    return channel(f"{column}:Q", scale=scale, axis=axis)


_PLAIN = {False: "format(datum.value, '.3~s')", True: "format(datum.value, datum.value < 1 ? '.2~g' : ',')"}


def percent_axis(column: str, title: str, most: float) -> alt.Y:
    """Return a vertical axis of shares around 0, from −most to most, said in percent."""
    import altair as alt

    axis = alt.Axis(
        title=title,
        values=[-most, -most / 2, 0, most / 2, most],
        grid=True,
        gridOpacity=0.6,
        labelExpr="datum.value ? format(100 * datum.value, '+.3~g') : '0'",
    )
    return alt.Y(f"{column}:Q", scale=alt.Scale(domain=[-most, most], nice=False, clamp=True), axis=axis)


def lone(table: str) -> alt.Chart:
    """Return a chart of one row of a table: for lines and words that stand in a figure once."""
    import altair as alt

    return (
        alt.Chart(alt.NamedData(table))
        .transform_window(lone="row_number()")
        .transform_filter("datum.lone == 1")
    )


def titled(chart: Any, text: str) -> Any:
    """Return a chart with a heading of a panel."""
    import altair as alt

    return chart.properties(title=alt.Title(text, fontSize=11, anchor="middle", offset=6))
