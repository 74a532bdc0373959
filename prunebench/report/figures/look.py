"""Channels that give each row of a figure its colour, mark and dash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.style import Style

if TYPE_CHECKING:
    import altair as alt

__all__ = ["Look"]


@dataclass(frozen=True)
class Look:
    """How the rows of a figure are drawn; `legend`: they are listed beside it, by colour and mark."""

    styles: Mapping[str, Style]
    legend: bool = False

    def _told(self, part: str) -> dict[str, Any]:
        import altair as alt

        parts = [getattr(style, part) for style in self.styles.values()]
        values = [list(each) if isinstance(each, tuple) else each for each in parts]
        columns = -(-len(values) // 25)
        legend = alt.Legend(title="method", columns=columns, symbolOpacity=1)
        return {
            "scale": alt.Scale(domain=list(self.styles), range=values),
            "legend": legend if self.legend and part != "dash" else None,
        }

    @property
    def colour(self) -> alt.Color:
        """The colour of a line or mark."""
        import altair as alt

        return alt.Color("name:N", **self._told("colour"))

    @property
    def shape(self) -> alt.Shape:
        """The mark of a point."""
        import altair as alt

        return alt.Shape("name:N", **self._told("mark"))

    @property
    def dash(self) -> alt.StrokeDash:
        """The dash of a line."""
        import altair as alt

        return alt.StrokeDash("name:N", **self._told("dash"))
