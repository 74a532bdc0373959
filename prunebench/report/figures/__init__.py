"""Figures of a suite's results as altair charts: for notebooks, files and the page.

Each reads what the tables say (`prunebench.report.results.Results`): no interval and no mean is computed
here. What diverged, is missing or lost all weights of a layer is drawn, not left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures.figure import Figure
from prunebench.report.figures.files import FORMATS, can_convert, picture
from prunebench.report.figures.notebook import curve, figure, find_eval, mediation
from prunebench.report.figures.style import COLOURS, GROUNDS, MARKS, Style, config, styles

if TYPE_CHECKING:
    from prunebench.report.figures.source import Source
    from prunebench.report.results import Results
else:
    Results = Source = Any

__all__ = [
    "COLOURS", "FORMATS", "GROUNDS", "MARKS", "Figure", "Style",
    "can_convert", "config", "curve", "figure", "figures", "figures_of", "find_eval", "mediation", "picture",
    "styles",
]  # fmt: skip


def figures(results: Results) -> list[Figure]:
    """Return the figures for which there are data, in the order in which a reader wants them."""
    from prunebench.report.figures.source import Source

    return figures_of(Source(results))


def figures_of(source: Source) -> list[Figure]:
    """Return the figures of results, those of scaling laws last."""
    from prunebench.report.figures import (
        ablations,
        accuracy,
        baselines,
        finds,
        places,
        ratio_effects,
        smaller,
        structure,
        training,
    )

    makers = (
        accuracy.accuracy,
        accuracy.differences,
        places.places,
        ablations.ablations,
        ablations.variants,
        ablations.best_variants,
        training.pruning_time,
        training.pruning_time_ablations,
        structure.layers,
        structure.neurons,
        structure.collapsed,
        finds.find_curves,
        finds.find_eval,
        finds.ratios,
        finds.distances,
        ratio_effects.effects,
        smaller.smaller,
        training.weights,
        structure.effective,
        structure.effective_share,
        baselines.extreme,
        baselines.baselines,
        training.cost,
        places.across,
        places.profiles,
    )
    made = [make(source) for make in makers]
    return [*(each for each in made if each is not None), *source.laws.figures]
