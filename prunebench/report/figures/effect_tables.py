"""The tables of the chart of mediation: four networks of two finds, random masks, and the effects."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.analysis.student import t_quantile
from prunebench.report.figures.tables import DIGITS, shown

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source

__all__ = ["EFFECTS", "NETWORKS", "effects_of_networks"]

NETWORKS: Mapping[str, str] = {
    "base": "A's weights, A's ratios",
    "ratios": "A's weights, B's ratios",
    "weights": "B's weights, A's ratios",
    "both": "B's weights, B's ratios",
    "random_a": "random at A's ratios",
    "random_b": "random at B's ratios",
}
"""What each network is called in the figure."""

EFFECTS: Mapping[str, str] = {
    "total": "weights and ratios",
    "ratios": "ratios alone",
    "weights": "weights alone",
    "random": "ratios of random masks",
}
"""What each effect is called."""


def effects_of_networks(
    source: Source, checks: Sequence[Mapping[str, Any]] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return accuracies and effects of the networks that checks of `mediation` name: a row a density.

    Means are over the seeds, intervals 95 % t intervals; effects are computed at each seed that has all the
    networks. A diverged run counts with the accuracy of a guess, as it does in checks.

    checks: as suites have them; None: the suite's own
    """
    import pandas as pd

    results = source.results
    mediated = importlib.import_module("prunebench.checks.mediation").mediated  # it reads points of recipes
    accuracies: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    for one in mediated(results.suite, results.cells, results.quantities, checks):
        panel, sides = shown(one.setting), _sides(one.methods)
        where = {
            "setting": _title(source, one.family),
            "panel": panel,
            "sides": sides,
            "heading": f"{panel}\n{sides}",
        }
        for density, values in one.accuracies.items():
            at = {**where, **_at(density)}
            for name, by_seed in values.items():
                called = {"network": NETWORKS[name], "method": shown(one.methods[name])}
                accuracies.append({**at, **called, **_mean(list(by_seed.values()))})
            for name, numbers in _effects(values).items():
                effects.append({**at, "effect": EFFECTS[name], **_mean(numbers)})
    return tuple(pd.DataFrame([row for row in each if row["n"]]) for each in (accuracies, effects))  # type: ignore[return-value]


def _title(source: Source, family: Sequence[str]) -> str:
    """Return what the first setting is called of a network, data, recipe and split."""
    titles = source.titles.items()
    return next((title for labels, title in titles if labels[: len(family)] == tuple(family)), "")


def _at(density: str) -> dict[str, float]:
    value = float(density)
    return {"density": value, "sparsity": round(1 - value, 12), "percent": round(100 * (1 - value), 10)}


def _sides(methods: Mapping[str, str]) -> str:
    """Return which methods A and B are."""
    return f"A: {shown(methods['base'])}, B: {shown(methods['both'])}"


def _effects(values: Mapping[str, Mapping[int, float]]) -> dict[str, list[float]]:
    """Return each effect at each seed, as the quantity `mediation` has them."""
    four = [values[name] for name in ("base", "ratios", "weights", "both")]
    seeds = [seed for seed in four[0] if all(seed in one for one in four)]
    aa, ab, ba, bb = (np.array([one[seed] for seed in seeds]) for one in four)
    effects = {"total": bb - aa, "ratios": (ab + bb - aa - ba) / 2, "weights": (ba + bb - aa - ab) / 2}
    if "random_a" in values and "random_b" in values:
        a, b = values["random_a"], values["random_b"]
        effects["random"] = np.array([b[seed] - a[seed] for seed in a if seed in b])
    return {name: [float(each) for each in numbers] for name, numbers in effects.items()}


def _mean(numbers: Sequence[float]) -> dict[str, Any]:
    """Return the mean with its 95 % t interval; NaN of none, and ends of one."""
    n = len(numbers)
    mean = float(np.mean(numbers)) if n else math.nan
    half = math.nan
    if n > 1:
        half = float(t_quantile(n - 1, 0.975)) * float(np.std(numbers, ddof=1)) / math.sqrt(n)
    ends = {"mean": mean, "low": mean - half, "high": mean + half}
    return {**{name: round(value, DIGITS) for name, value in ends.items()}, "n": n}
