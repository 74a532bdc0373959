"""What decides the accuracy of two finds: their ratios or their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.report.figures.axes import ACCURACY_SHORT, DENSITY_SHORT, SIGNED, Upright, density_axis
from prunebench.report.figures.captions import caption
from prunebench.report.figures.effect_tables import EFFECTS, NETWORKS, effects_of_networks
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.find_tables import among
from prunebench.report.figures.marks import chart, panels
from prunebench.report.figures.reader import Column, interval
from prunebench.report.figures.series import across, of_lines, series
from prunebench.report.figures.words import listed, number

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["asked", "effects", "effects_of"]

PANEL = (335, 240)


def effects(source: Source) -> Figure | None:
    """Return the networks that the suite's checks of `mediation` name, and what ratios and weights add."""
    return effects_of(source) if "mediation" in str(source.results.suite.get("checks")) else None


def effects_of(source: Source, checks: Sequence[Mapping[str, Any]] | None = None) -> Figure | None:
    """Return the figure of the networks that checks name (the suite's own); None where none has a result."""
    accuracies, rows = effects_of_networks(source, checks)
    if accuracies.empty:
        return None
    import altair as alt

    parts = [_accuracies(accuracies), *([] if rows.empty else [_worth(rows)])]
    whole = alt.vconcat(*parts, spacing=36).resolve_scale(color="independent", shape="independent")
    return Figure(
        "mediation",
        "Whose layerwise pruning ratios, whose weights",
        caption("mediation"),
        {"": _words(accuracies, rows)},
        whole,
        {"mediation": accuracies, "mediation-effects": rows},
        (),
        (
            Column("panel", "setting"),
            Column("sides", "finds"),
            Column("network", "network"),
            Column("method", "method"),
            Column("percent", "sparsity, %", "share of the prunable weights that is removed", "number"),
            Column("mean", "accuracy, %", "mean over the seeds", "points"),
            *interval("accuracy", "points", ", %"),
            Column("n", "seeds", "runs in the mean", "count"),
        ),
        among=among(source, accuracies),
    )


def asked(
    base: Any, ratios: Any, weights: Any, both: Any, random: tuple[Any, Any] | None
) -> list[dict[str, Any]]:
    """Return checks that name these cells: methods, or selections."""
    base, ratios, weights, both = map(_selection, (base, ratios, weights, both))
    four = {"base": base, "ratios": ratios, "weights": weights}
    rest = {"range": "all", "expect": "above", "margin": 0}
    total = {**both, "quantity": {"name": "mediation:total", **four}}
    tables = [{"name": "mediation", "of": total, "against": 0, **rest}]
    if random is not None:
        a, b = map(_selection, random)
        mine, other = ({**one, "quantity": {"name": "drop", "to": to}} for one, to in ((b, a), (both, base)))
        tables.append({"name": "random", "of": mine, "against": other, **rest})
    return tables


def _selection(cells: Any) -> dict[str, Any]:
    return {"method": cells} if isinstance(cells, str) else dict(cells)


def _accuracies(rows: pd.DataFrame) -> Any:
    y = Upright("mean", "low", "high", ACCURACY_SHORT, {"zero": False, "nice": True}, {"tickCount": 6})
    present = set(rows["network"])
    names = [name for name in NETWORKS.values() if name in present]
    look = of_lines("network", f"masks with weights and ratios of two finds; {_sides(rows)}", names)
    told = across(("network", "network", ""), ("method", "method", ""), *_MEANS)
    return _panels("mediation", rows, look, y, told)


def _worth(rows: pd.DataFrame) -> Any:
    axis = {"labelExpr": SIGNED, "tickCount": 6}
    y = Upright("mean", "low", "high", "change of test accuracy (points)", {"nice": True}, axis)
    present = set(rows["effect"])
    names = [name for name in EFFECTS.values() if name in present]
    look = of_lines("effect", f"what changes when B's take the place of A's; {_sides(rows)}", names)
    return _panels("mediation-effects", rows, look, y, across(("effect", "effect", ""), *_MEANS), zero=True)


def _sides(rows: pd.DataFrame) -> str:
    """Return which methods A and B are, where they are the same everywhere; else each panel says it."""
    sides = list(dict.fromkeys(rows["sides"]))
    return sides[0] if len(sides) == 1 else "A and B by panel"


_MEANS = (
    ("sides", "where", ""),
    ("percent", "sparsity (%)", ".4~r"),
    ("mean", "mean", ".2f"),
    ("low", "95 % interval from", ".2f"),
    ("high", "to", ".2f"),
    ("n", "seeds", ""),
)


def _panels(table: str, rows: pd.DataFrame, look: Any, y: Upright, told: Any, *, zero: bool = False) -> Any:
    import altair as alt

    base = chart(table)
    layers = series(base, look, density_axis(DENSITY_SHORT), y, told)
    if zero:
        layers.insert(0, base.mark_rule(strokeDash=[4, 3]).encode(y=alt.datum(0)))
    by = "panel" if rows["sides"].nunique() == 1 else "heading"
    return panels(layers, by, PANEL, columns=2, sort=list(dict.fromkeys(rows[by])))


def _words(accuracies: pd.DataFrame, effects: pd.DataFrame) -> str:
    said = [
        "Test accuracy of networks with the weights and the ratios of two finds, and what each accounts for."
    ]
    for panel, part in effects.groupby("panel", sort=False) if len(effects) else ():
        last = float(part["percent"].max())
        own = accuracies[accuracies["panel"] == panel]
        networks = [
            f"{row['network']} {number(row['mean'])} %" for _, row in own[own["percent"] == last].iterrows()
        ]
        ends = [
            f"{row['effect']} {number(row['mean'])} ({number(row['low'])} to {number(row['high'])})"
            for _, row in part[part["percent"] == last].iterrows()
        ]
        said.append(
            f"{panel} ({', '.join(dict.fromkeys(own['sides']))}), at {number(last, 1)} % sparsity: "
            f"{listed(networks)}. Effects in points: {listed(ends)}."
        )
    return " ".join(said)
