"""What a leaderboard shows, computed once for every format: a row per method and sparsity or range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from prunebench.analysis import (
    AT_RANGE,
    AT_SPARSITY,
    SETTING,
    VARIANT,
    Ranges,
    against,
    compare,
    empty_layers,
    find_ranges,
    lend_baselines,
    over_ranges,
    places,
    same_bits,
    seeds_needed,
    summarize,
    variant_name,
)
from prunebench.baselines import Baselines
from prunebench.numbers import spelled

__all__ = [
    "ALPHA",
    "BORDER",
    "LONG",
    "Board",
    "Seeds",
    "Standing",
    "all_pairs",
    "board",
    "seeds_words",
    "settled",
    "standings",
]

_DIFFERENCE = ("n", "diverged", "mean", "sd", "df", "low", "high", "p", "p_holm")
BORDER = ("lost_from", "lost_from_low", "lost_from_high")
"""Where the range of a row ends; none where it does not end on the grid."""

LONG = (
    *SETTING,
    *VARIANT,
    "also",
    "at",
    *AT_SPARSITY,
    "range",
    "planned",
    "n",
    "mean",
    "sd",
    "low",
    "high",
    "diverged",
    "missing",
    "failed",
    "unselected",
    "guess",
    "mean_with_diverged",
    "empty_layers",
    "best",
    "worst",
    "of",
    *(f"difference_{name}" for name in _DIFFERENCE),
    *BORDER,
    "against",
)
"""The columns of the long format: docs/statistics.md says what each one holds."""


ALPHA = 0.05
_LISTED = 1000


class Seeds(NamedTuple):
    """How many seeds would tell a difference of the margin apart, at a range's median spread of pairs."""

    needed: int
    """With 80 % power, two-sided at 5 % after Holm's first step over the pairs."""
    pairs: int
    """So many pairs of methods are tested."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One setting: its labels, the long rows, its ranges, and what a reader must be told of it."""

    labels: Mapping[str, str]
    rows: pd.DataFrame
    ranges: Ranges
    numerics: tuple[str, ...]
    lent: tuple[str, ...]
    """Baselines taken from a sibling setting."""
    seeds_needed: Mapping[str, Seeds]
    """For each range in which there are fewer: the seeds that would tell differences of the margin apart."""
    baselines: Baselines
    against: str
    """The method that differences are to, as tables show it."""
    same_bits: Sequence[tuple[str, str]] = ()
    """Methods whose results are those of another one, to the last bit, and whose: counted once, as that."""


class Board(NamedTuple):
    """Each setting's standing, and what all of them were computed from."""

    standings: list[Standing]
    cells: pd.DataFrame
    """The table of cells in which every setting has its baselines: a sibling's are marked as `lent`."""
    comparisons: pd.DataFrame
    """All pairs of methods at every sparsity and over every range: what `compare` returns, and `at`."""
    ranges: Mapping[tuple[str, ...], Ranges]
    over: pd.DataFrame
    """The table over ranges (`analysis.over_ranges`): a row a setting, range, method and seed."""


def standings(frame: pd.DataFrame, suite: Mapping[str, Any]) -> list[Standing]:
    """Return each setting's standing, as `board` has them."""
    return board(frame, suite).standings


def board(frame: pd.DataFrame, suite: Mapping[str, Any]) -> Board:
    """Return each setting's standing, in the table's order, with all comparisons.

    Differences are to `suite["against"]`, a method and its ablations, or else to magnitude after training. A
    setting of nothing but an unpruned network is left out where others are there, as it was planned for them,
    unless somebody reports a number of it.
    """
    baselines = Baselines.of(suite.get("baselines"))
    margins = suite.get("margin", suite.get("margins"))
    other = suite.get("against") or (baselines.after_training, "")
    full = lend_baselines(
        frame, (baselines.none, baselines.after_training, baselines.random), dense=baselines.none
    )
    counted, same = same_bits(full)
    ranges = find_ranges(counted, baselines=baselines, margins=margins)
    at_sparsity, points = _long(counted, AT_SPARSITY, other)
    over = over_ranges(counted, ranges)
    at_range, pairs = _long(over, AT_RANGE, other)
    at_sparsity = _with_empty_layers(at_sparsity, counted).assign(**dict.fromkeys(BORDER))
    at_range = _with_empty_layers(_with_borders(at_range, ranges), counted)
    long = pd.concat([part[list(LONG)] for part in (at_sparsity, at_range) if len(part)] or [at_sparsity])
    keys = list(SETTING)
    needed = _seeds_needed(pairs, ranges)
    by_setting = {_names(names): rows for names, rows in long.groupby(keys, sort=False, dropna=False)}
    cells = {_names(names): rows for names, rows in full.groupby(keys, sort=False, dropna=False)}
    reported = {tuple(str(row.get(name, "")) for name in SETTING) for row in suite.get("reported") or ()}
    shown = [names for names in ranges if ranges[names].grid or names in reported]
    standings = [
        Standing(
            labels=dict(zip(SETTING, names, strict=True)),
            rows=by_setting[names],
            ranges=ranges[names],
            numerics=tuple(sorted(set(cells[names]["numerics"]) - {""})),
            lent=tuple(cells[names].loc[cells[names]["lent"], "method"].unique()),
            seeds_needed=needed.get(names, {}),
            baselines=baselines,
            against=variant_name(*other),
            same_bits=same.get(names, ()),
        )
        for names in (shown or ranges)
    ]
    return Board(standings, full, all_pairs(points, pairs), ranges, over)


def all_pairs(points: pd.DataFrame, ranges: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons at sparsities and over ranges as one table."""
    at_points = points.assign(at="sparsity", range="").sort_values("sparsity", kind="stable")
    over = ranges.assign(at="range", density="", sparsity=float("nan"))
    columns = [*SETTING, "at", *AT_SPARSITY, *AT_RANGE]
    columns += [name for name in points.columns if name not in columns]
    parts = [part[columns] for part in (at_points, over) if len(part)] or [at_points[columns]]
    return pd.concat(parts, ignore_index=True)


def settled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose points of accuracy have ten decimals: no order of adding shows in the last bits.

    Means of accuracies often end in a 5, halfway between two numbers with two decimals: whether that is
    rounded up or down is then the same from a table, its CSV and JSON, and on every machine.
    """
    points = [name for name in _POINTS if name in frame]
    attrs = frame.attrs
    settled = frame.assign(**{name: frame[name].round(10) for name in points})
    settled.attrs = attrs
    return settled


_POINTS = ("difference", "mean", "sd", "low", "high", "guess", "mean_with_diverged")


def _names(names: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in names)


def _long(
    frame: pd.DataFrame, at: tuple[str, ...], other: tuple[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the long rows, with differences to the `other` method, and all pairs of methods."""
    summary = settled(summarize(frame, at=at))
    comparisons = settled(compare(frame, at=at))
    placed = places(summary, comparisons, at=at)
    differences = against(comparisons, other).rename(
        columns={
            **{f"of_{name}": name for name in VARIANT},
            **{name: f"difference_{name}" for name in _DIFFERENCE},
        }
    )
    keys = [*SETTING, *at, *VARIANT]
    wanted = differences[[*keys, *(f"difference_{name}" for name in _DIFFERENCE)]]
    long = placed.merge(wanted, on=keys, how="left").assign(
        at="range" if at == AT_RANGE else "sparsity", against=variant_name(*other)
    )
    for name in ("n", "diverged"):
        long[f"difference_{name}"] = long[f"difference_{name}"].astype("Int64")
    if at == AT_RANGE:
        return long.assign(density="", sparsity=float("nan")), comparisons
    return long.assign(range="").sort_values("sparsity", kind="stable"), comparisons


def _with_empty_layers(long: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    empty = empty_layers(frame)
    keys = [*SETTING, *VARIANT, *AT_SPARSITY]
    places = long[keys].itertuples(index=False, name=None)
    return long.assign(
        empty_layers=pd.Series([empty.get(p, ()) for p in places], index=long.index, dtype=object)
    )


def _with_borders(long: pd.DataFrame, ranges: Mapping[tuple[str, ...], Ranges]) -> pd.DataFrame:
    """Return the rows over ranges with the border that ends theirs: trivial's and matching's have one."""
    rows = []
    for *names, name in long[[*SETTING, "range"]].itertuples(index=False, name=None):
        border = ranges[_names(names)].border_of(name)
        rows.append((border.lost_from, border.low, border.high) if border else (None, None, None))
    columns = zip(BORDER, zip(*rows, strict=True) if rows else ((), (), ()), strict=True)
    return long.assign(**{name: pd.Series(v, index=long.index, dtype=object) for name, v in columns})


def _seeds_needed(
    pairs: pd.DataFrame, ranges: Mapping[tuple[str, ...], Ranges]
) -> dict[tuple[str, ...], dict[str, Seeds]]:
    """Return where the seeds that are there are too few, how many would do."""
    by_setting: dict[tuple[str, ...], dict[str, Seeds]] = {}
    spread = pairs[pairs["sd"] > 0]
    for names, rows in spread.groupby([*SETTING, "range"], sort=False, dropna=False):
        setting, name = _names(names[:-1]), str(names[-1])
        tests = int(rows["p"].notna().sum())
        sd = float(rows["sd"].median())
        needed = seeds_needed(ranges[setting].margin, sd, alpha=ALPHA / max(tests, 1))
        if needed is not None and needed > rows["n"].max():
            by_setting.setdefault(setting, {})[name] = Seeds(needed, tests)
    return by_setting


def seeds_words(standing: Standing, names: Sequence[str]) -> str:
    """Return how many seeds would tell differences of the margin apart; "" where there are as many."""
    known = {name: standing.seeds_needed[name] for name in names if name in standing.seeds_needed}
    if not known:
        return ""
    seeds = ", ".join(f"{_many(each.needed)} seeds over {name}" for name, each in known.items())
    tests = " and ".join(dict.fromkeys(f"{each.pairs:,}" for each in known.values()))
    margin = spelled(standing.ranges.margin, "exact")
    return (
        f"About {seeds} would tell differences of {margin} points apart (at the pairs' median spread, with "
        f"80 % power, after Holm over {tests} pairs)."
    )


def _many(seeds: int) -> str:
    return f"{seeds:,}" if seeds <= _LISTED else f"more than {_LISTED:,}"
