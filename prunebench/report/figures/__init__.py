"""Figures of a suite's results as altair charts: for notebooks, files and the page.

Each reads what the tables say (`prunebench.report.results.Results`): no interval and no mean is computed
here. What diverged, is missing or lost all weights of a layer is drawn, not left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.style import COLOURS, GROUNDS, MARKS, Style, config, styles

if TYPE_CHECKING:
    from prunebench.report.results import Results
else:
    Results = Any

__all__ = ["COLOURS", "GROUNDS", "MARKS", "Figure", "Style", "config", "figures", "styles"]


def figures(results: Results) -> list[Figure]:
    """Return the figures for which there are data, in the order in which a reader wants them."""
    from prunebench.report.figures.ablations import ablations, best_variants, variants
    from prunebench.report.figures.accuracy import accuracy, differences
    from prunebench.report.figures.source import Source

    source = Source(results)
    made = [make(source) for make in (accuracy, differences, ablations, variants, best_variants)]
    return [figure for figure in made if figure is not None]
