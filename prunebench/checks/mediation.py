"""The networks that checks of `mediation` name: four of two finds, and random masks; their accuracies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import ValidationError

from prunebench.baselines import Baselines
from prunebench.checks.asked import name_of
from prunebench.checks.frozen import thawed_checks
from prunebench.checks.gather import steps_of
from prunebench.checks.grammar import Check
from prunebench.checks.lanes import Table
from prunebench.checks.quantified import asked_by
from prunebench.checks.sides import Pick, Setting, Side, settings_of
from prunebench.errors import UsageError

__all__ = ["Mediated", "mediated"]

Picks = Mapping[str, Pick]


@dataclass(frozen=True)
class Mediated:
    """Four networks of two finds, A and B, in one setting, and two with random masks where there are such.

    base, ratios, weights, both: the weights of A, A, B, B at the ratios of A, B, A, B
    random_a, random_b: random masks at A's and at B's ratios
    """

    family: tuple[str, ...]
    setting: str
    """The setting in words."""
    methods: Mapping[str, str]
    """What each network is called in its suite."""
    accuracies: Mapping[str, Mapping[str, Mapping[int, float]]]
    """By density and network, of each seed; a diverged run has the accuracy of a guess."""


def mediated(
    suite: Mapping[str, Any],
    cells: pd.DataFrame,
    quantities: Callable[[str], Any] | Mapping[str, Any],
    checks: Sequence[Mapping[str, Any]] | None = None,
) -> list[Mediated]:
    """Return the networks of each check of `mediation` in each of its settings, once.

    Random masks are those whose `drop` a check sets beside that of the two finds.

    Args:
        suite: a plan's `suite`; its `margin` has the margins.
        cells: the table of cells.
        quantities: the component of a quantity's name.
        checks: as suites have them; None: the suite's own.

    Raises: UsageError for checks that are none.
    """
    asked = thawed_checks(suite)[0] if checks is None else [_check(one) for one in checks]
    asked = [one for one in asked if {"mediation", "drop"} & _names(one)]
    if not any("mediation" in _names(one) for one in asked):
        return []
    get = quantities.__getitem__ if isinstance(quantities, Mapping) else quantities
    dense = Baselines.of(suite.get("baselines")).none
    table = Table(cells, None, margins=suite.get("margin"), dense=dense, step=steps_of(suite))
    return list(_found(asked, table, get))


def _check(table: Mapping[str, Any]) -> Check:
    try:
        return Check.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"no selection of cells: {error.errors(include_url=False)[0]['msg']}") from None


def _names(check: Check) -> set[str]:
    return set() if check.group else {name_of(asked) for _, asked, _ in asked_by(check)}


def _found(checks: Sequence[Check], table: Table, get: Callable[[str], Any]) -> Iterator[Mediated]:
    sides = [
        (setting, [*of, *against])
        for check in checks
        for same in (False, True)
        for setting, of, against in settings_of(check, table, get, itself=same)
    ]
    seen: set[tuple[int, ...]] = set()
    for setting, both in sides:
        for side in both:
            if side.quantity.name == "mediation":
                picks = {**side.others, "both": side.pick, **_random(side, setting, sides)}
                lanes = tuple(id(pick.lane) for pick in picks.values())
                if lanes not in seen:
                    seen.add(lanes)
                    yield _of(setting, picks)


def _random(side: Side, setting: Setting, sides: Iterable[tuple[Setting, list[Side]]]) -> Picks:
    """Return the random masks at both ratios: a check sets their `drop` beside that of the two finds."""
    for other, both in sides:
        drops = [one for one in both if one.quantity.name == "drop"]
        mine = [one for one in drops if _is_total(one, side)]
        if other == setting and len(drops) == 2 and mine:
            (rest,) = (one for one in drops if one is not mine[0])
            return {"random_a": rest.others["to"], "random_b": rest.pick}
    return {}


def _is_total(drop: Side, side: Side) -> bool:
    """True if a drop is from the network with both of B to that with both of A."""
    return drop.pick.lane is side.pick.lane and drop.others["to"].lane is side.others["base"].lane


def _of(setting: Setting, picks: Picks) -> Mediated:
    methods = {
        name: pick.lane.line.method + (f" found with {pick.lane.line.find}" if pick.lane.line.find else "")
        for name, pick in picks.items()
    }
    accuracies = {
        density: {name: _by_seed(pick, density) for name, pick in picks.items()}
        for density in picks["both"].places
    }
    return Mediated(setting.family, setting.words, methods, accuracies)


def _by_seed(pick: Pick, density: str) -> dict[int, float]:
    if density not in pick.places:
        return {}
    curves = pick.lane.curves
    values = curves.accuracy[list(pick.places[density])].mean(axis=0)
    return {seed: float(value) for seed, value in zip(curves.seeds, values, strict=True) if value == value}
