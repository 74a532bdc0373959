"""The tables of the chart of mediation: four networks of two finds, random masks, and the effects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.analysis.student import t_quantile
from prunebench.report.figures.tables import DIGITS, shown

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.checks.grammar import Check
    from prunebench.checks.sides import Pick, Setting, Side
    from prunebench.report.figures.source import Source

__all__ = ["EFFECTS", "NETWORKS", "Compared", "mediated"]

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
    "total": "both: BB − AA",
    "ratios": "of the ratios",
    "weights": "of the weights",
    "random": "of the ratios, random masks",
}
"""What each effect is called."""


@dataclass(frozen=True)
class Compared:
    """Four networks of two finds in one setting, by what they are (`NETWORKS`), and two with random masks."""

    setting: Setting
    networks: Mapping[str, tuple[str, Pick]]


def mediated(source: Source, checks: Sequence[Check]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return accuracies and effects of the networks that checks of `mediation` name: a row a density.

    Means are over the seeds, intervals 95 % t intervals; effects are computed at each seed that has all the
    networks. A diverged run counts with the accuracy of a guess, as it does in checks.
    """
    import pandas as pd

    accuracies: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    for one in _compared(source, checks):
        where = {"setting": _title(source, one), "panel": shown(one.setting.words), "sides": _sides(one)}
        for density in one.networks["both"][1].places:
            values = {name: _by_seed(pick, density) for name, (_, pick) in one.networks.items()}
            at = {**where, **_at(density)}
            for name, by_seed in values.items():
                called = {"network": NETWORKS[name], "method": shown(one.networks[name][0])}
                accuracies.append({**at, **called, **_mean(list(by_seed.values()))})
            for name, numbers in _effects(values).items():
                effects.append({**at, "effect": EFFECTS[name], **_mean(numbers)})
    known = [row for row in effects if row["n"]]
    return pd.DataFrame([row for row in accuracies if row["n"]]), pd.DataFrame(known)


def _title(source: Source, one: Compared) -> str:
    """Return what the first setting is called of this network, data, recipe and split."""
    family = tuple(one.setting.family)
    return next((title for labels, title in source.titles.items() if labels[: len(family)] == family), "")


def _at(density: str) -> dict[str, float]:
    value = float(density)
    return {"density": value, "sparsity": round(1 - value, 12), "percent": round(100 * (1 - value), 10)}


def _sides(one: Compared) -> str:
    """Return which methods A and B are."""
    a, b = (shown(one.networks[name][0]) for name in ("base", "both"))
    return f"A: {a}, B: {b}"


def _by_seed(pick: Pick, density: str) -> dict[int, float]:
    if density not in pick.places:
        return {}
    curves = pick.lane.curves
    values = curves.accuracy[list(pick.places[density])].mean(axis=0)
    return {seed: float(value) for seed, value in zip(curves.seeds, values, strict=True) if value == value}


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


def _compared(source: Source, checks: Sequence[Check]) -> Iterator[Compared]:
    """Yield the networks of each check of `mediation`, in each of its settings, once."""
    from prunebench.baselines import Baselines
    from prunebench.checks.gather import steps_of
    from prunebench.checks.lanes import Table
    from prunebench.checks.sides import settings_of

    results = source.results
    asked = [check for check in checks if not check.group and {"mediation", "drop"} & set(_quantities(check))]
    if not any("mediation" in _quantities(check) for check in asked):
        return
    get = results.quantities if callable(results.quantities) else results.quantities.__getitem__
    dense = Baselines.of(results.suite.get("baselines")).none
    table = Table(
        results.cells, None, margins=results.suite["margin"], dense=dense, step=steps_of(results.suite)
    )
    sides = [
        (setting, [*of, *against])
        for check in asked
        for same in (False, True)
        for setting, of, against in settings_of(check, table, get, itself=same)
    ]
    seen = set()
    for setting, both in sides:
        for side in both:
            if side.quantity.name == "mediation":
                one = Compared(setting, {**_four(side), **_random(side, setting, sides)})
                key = tuple((name, id(pick.lane)) for name, (_, pick) in one.networks.items())
                if key not in seen:
                    seen.add(key)
                    yield one


def _quantities(check: Check) -> list[str]:
    from prunebench.checks.asked import name_of
    from prunebench.checks.quantified import asked_by

    return [name_of(asked) for _, asked, _ in asked_by(check)]


def _four(side: Side) -> dict[str, tuple[str, Pick]]:
    named = {name: side.others[name] for name in ("base", "ratios", "weights")}
    return {name: (_called(pick), pick) for name, pick in {**named, "both": side.pick}.items()}


def _called(pick: Pick) -> str:
    line = pick.lane.line
    return line.method + (f" found with {line.find}" if line.find else "")


def _random(
    side: Side, setting: Setting, sides: Iterable[tuple[Setting, list[Side]]]
) -> dict[str, tuple[str, Pick]]:
    """Return the random masks at both ratios: a check sets their `drop` beside that of the two finds."""
    for other, both in sides:
        drops = [one for one in both if one.quantity.name == "drop"]
        if other == setting and len(drops) == 2:
            mine = [one for one in drops if one.pick.lane is side.pick.lane]
            if mine and mine[0].others["to"].lane is side.others["base"].lane:
                rest = next(one for one in drops if one is not mine[0])
                a, b = rest.others["to"], rest.pick
                return {"random_a": (_called(a), a), "random_b": (_called(b), b)}
    return {}
