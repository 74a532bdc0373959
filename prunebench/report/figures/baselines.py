"""What pruning at initialisation is compared with, and what others report of the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures import reader
from prunebench.report.figures.accuracy import curves
from prunebench.report.figures.axes import ACCURACY_SHORT, DENSITY_SHORT, accuracy_axis, density_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.labels import Ends, end_labels
from prunebench.report.figures.marks import MEANS, chart, headed, lines, odd_marks, panels, tooltips
from prunebench.report.figures.tables import OURS, reported
from prunebench.report.figures.words import by_setting, reported_in_words

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["baselines", "extreme"]


def baselines(source: Source) -> Figure | None:
    """Return random pruning and what prunes after or during training."""
    roles = source.results.baselines
    rows = source.accuracies
    names = [n for n in dict.fromkeys(rows["name"]) if _is_baseline(n, roles.random, roles.after_training)]
    settings = source.having(rows[rows["name"].isin(names)], source.curved)
    if len(names) < 2 or not settings:
        return None
    keep = {"name": [*names, roles.none]}
    return curves(source, ("baselines", "Baselines"), keep, settings, matching=True)


def _is_baseline(name: str, random: str, after: str) -> bool:
    words = name.split("-")
    return (
        name in (random, after)
        or words[0] in ("ltr", "gradual", "imp")
        or (" + " not in name and "training" in words)
    )


def extreme(source: Source) -> Figure | None:
    """Return our means beside numbers that others report, a panel a source."""
    rows = reported(source.results, source.accuracies)
    pruned = rows[rows["sparsity"] > 0] if len(rows) else rows
    if pruned.empty:
        return None
    return Figure(
        "extreme",
        "Beside reported numbers",
        caption("extreme"),
        by_setting(pruned, reported_in_words),
        _extreme_panels(source, pruned),
        {"extreme": pruned},
        source.having(pruned),
        reader.accuracies(reader.Column("source", "source")),
    )


def _extreme_panels(source: Source, rows: pd.DataFrame) -> Any:
    base, size = chart("extreme"), (330, 300)
    look = source.look(rows["name"])
    x, y = density_axis(DENSITY_SHORT), accuracy_axis(ACCURACY_SHORT, size[1])
    ends = Ends("density", "min", size[1], panel="source", place="place")
    layers = [
        *lines(base, look, x, y, tooltips(*MEANS)),
        *odd_marks(base, x, y.channel("place")),
        *end_labels(base, look, x, y, ends),
    ]
    order = [OURS, *(name for name in dict.fromkeys(rows["source"]) if name != OURS)]
    whole = panels(layers, "source", size, columns=2, sort=order, named=(y, ends))
    return headed(whole)
