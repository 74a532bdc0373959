"""Lines of charts that are told apart by another column than the method: finds, layers, networks.

altair is imported when a chart is made: the command line starts without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.report.figures.axes import Upright
from prunebench.report.figures.palette import palette
from prunebench.report.figures.style import COLOURS, MARKS

if TYPE_CHECKING:
    import altair as alt

__all__ = ["COLOUR_ORDER", "Lines", "across", "of_lines", "series"]

COLOUR_ORDER = ("blue", "orange", "green", "magenta", "red", "sky", "brown", "pink", "sand")
"""Colours of lines in order, as `style.COLOURS` names them."""
_COLOURS = [COLOURS[name] for name in COLOUR_ORDER]
_LISTED = 24
"""Of more lines a legend names some, evenly apart."""


@dataclass(frozen=True)
class Lines:
    """What lines are told apart by: a column, its values in order, and their colours and marks."""

    column: str
    title: str
    values: tuple[str, ...]
    colours: tuple[str, ...]
    marks: tuple[str, ...]

    def _legend(self) -> alt.Legend:
        import altair as alt

        listed = list(self.values)
        if len(listed) > _LISTED:
            places = np.linspace(0, len(listed) - 1, _LISTED).round().astype(int)
            listed = [listed[i] for i in places]
        columns = max(1, min(len(listed), 640 // (40 + 7 * max(map(len, listed)))))
        return alt.Legend(
            title=self.title,
            orient="top",
            columns=columns,
            values=listed,
            symbolOpacity=1,
            offset=10,
            titleLimit=600,
        )

    @property
    def colour(self) -> alt.Color:
        """The colour of a line."""
        import altair as alt

        scale = alt.Scale(domain=list(self.values), range=list(self.colours))
        return alt.Color(f"{self.column}:N", scale=scale, sort=list(self.values), legend=self._legend())

    @property
    def shape(self) -> alt.Shape:
        """The mark of a point."""
        import altair as alt

        scale = alt.Scale(domain=list(self.values), range=list(self.marks))
        return alt.Shape(f"{self.column}:N", scale=scale, sort=list(self.values), legend=self._legend())


def of_lines(
    column: str, title: str, values: Iterable[str], *, rising: bool = False, beside: Iterable[str] = ()
) -> Lines:
    """Return the look of the values of a column, in their order; `rising`: colours that follow it.

    beside: further values, which are grey
    """
    names = tuple(dict.fromkeys(values))
    others = tuple(name for name in dict.fromkeys(beside) if name not in names)
    colours = _rising(len(names)) if rising else [_COLOURS[i % len(_COLOURS)] for i in range(len(names))]
    colours = [*colours, *(COLOURS["grey"] for _ in others)]
    whole = names + others
    return Lines(column, title, whole, tuple(colours), tuple(MARKS[i % 8] for i in range(len(whole))))


_RISING = palette(13)


def _rising(count: int) -> list[str]:
    """Return colours that rise with the number of a line; of very many neighbours have the same."""
    places = np.linspace(0, len(_RISING) - 1, count).round().astype(int)
    return [_RISING[place] for place in places]


def across(*columns: tuple[str, str, str]) -> list[Any]:
    """Return tooltips of columns: name, title, format; "" of texts and whole numbers."""
    import altair as alt

    return [
        alt.Tooltip(f"{name}:Q", title=title, format=form) if form else alt.Tooltip(f"{name}:N", title=title)
        for name, title, form in columns
    ]


def series(
    base: alt.Chart, look: Lines, x: alt.X, y: Upright, told: Sequence[Any], *, marked: str = "true"
) -> list[Any]:
    """Return layers of lines, intervals of means and marks; a point without a mean breaks its line.

    marked: a condition: which points have a mark and an interval, where there are too many for all
    """
    width, size = (1.7, 42) if len(look.values) <= _LISTED else (1.1, 22)
    line = base.mark_line(strokeWidth=width, invalid="break-paths-show-domains")
    some = base.transform_filter(marked)
    whole = some.transform_filter(f"isValid(datum.{y.low}) && isValid(datum.{y.high})")
    points = some.transform_filter(f"isValid(datum.{y.mean})").mark_point(filled=True, size=size, opacity=1)
    return [
        whole.mark_rule(opacity=0.55, strokeWidth=1.1).encode(
            x=x, y=y.channel(y.low), y2=f"{y.high}:Q", color=look.colour
        ),
        line.encode(x=x, y=y.channel(y.mean), color=look.colour, detail=f"{look.column}:N"),
        points.encode(x=x, y=y.channel(y.mean), color=look.colour, shape=look.shape, tooltip=list(told)),
    ]
