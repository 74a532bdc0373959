"""What pruning at initialisation is compared with, and what others report of the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.report.figures.accuracy import SIZE
from prunebench.report.figures.captions import caption
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.marks import (
    ACCURACY_SHORT,
    DENSITY_SHORT,
    MEANS,
    accuracy_axis,
    accuracy_lines,
    density_axis,
    headed,
    layered,
    lines,
    matching_range,
    odd_marks,
    panels,
    tooltips,
)
from prunebench.report.figures.tables import OURS, reported
from prunebench.report.figures.words import by_setting, curves_in_words, reported_in_words

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["baselines", "extreme"]


def baselines(source: Source) -> Figure | None:
    """Return random pruning and what prunes after or during training."""
    roles = source.results.baselines
    accuracies = source.accuracies
    names = [
        n for n in dict.fromkeys(accuracies["name"]) if _is_baseline(n, roles.random, roles.after_training)
    ]
    rows = accuracies[
        accuracies["name"].isin([*names, roles.none]) & accuracies["setting"].isin(source.curved)
    ]
    if len(names) < 2 or rows.empty:
        return None
    where = f"indexof({[*names, roles.none]!r}, datum.name) >= 0"
    layers = [*matching_range(), *accuracy_lines(source.look(rows["name"]), where)]
    return Figure(
        "baselines",
        "Baselines",
        caption("baselines"),
        by_setting(rows, curves_in_words),
        headed(layered(layers, *SIZE)),
        {"accuracy": accuracies, "ranges": source.spans},
        tuple(s for s in source.curved if s in set(rows["setting"])),
    )


def _is_baseline(name: str, random: str, after: str) -> bool:
    words = name.split("-")
    return (
        name in (random, after)
        or words[0] in ("ltr", "gradual", "imp")
        or (" + " not in name and "training" in words)
    )


def extreme(source: Source) -> Figure | None:
    """Return our means beside numbers that others report, a panel a source."""
    import altair as alt

    rows = reported(source.results, source.accuracies)
    if rows.empty:
        return None
    base, where = alt.Chart(alt.NamedData("extreme")), "datum.sparsity > 0"
    look = source.look(rows.loc[rows["sparsity"] > 0, "name"])
    x, y = density_axis(title=DENSITY_SHORT), accuracy_axis(ACCURACY_SHORT)
    drawn = lines(base, look, x, y, tooltips(*MEANS))
    layers: list[Any] = [*drawn, *odd_marks(base, x, y.channel("place"))]
    pruned = rows[rows["sparsity"] > 0]
    if pruned.empty:
        return None
    order = [OURS, *(s for s in dict.fromkeys(rows["source"]) if s != OURS)]
    return Figure(
        "extreme",
        "Beside reported numbers",
        caption("extreme"),
        by_setting(pruned, reported_in_words),
        panels(layers, "source", (330, 300), where=where, columns=2, sort=order),
        {"extreme": rows},
        _settings(source, pruned),
    )


def _settings(source: Source, rows: pd.DataFrame) -> tuple[str, ...]:
    having = set(rows["setting"])
    return tuple(setting for setting in source.titles.values() if setting in having)
