"""Some methods against others: setting by setting, sparsity by sparsity and range by range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from prunebench.analysis import (
    AT_RANGE,
    AT_SPARSITY,
    RANGES,
    SETTING,
    VARIANT,
    compare,
    holm,
    over_ranges,
    paired,
    variant_name,
)
from prunebench.analysis.power import seeds_to_decide
from prunebench.errors import UsageError, nearest
from prunebench.report.results import Results
from prunebench.report.standings import all_pairs

__all__ = [
    "VERDICTS",
    "VERSUS",
    "Pair",
    "Variant",
    "counts",
    "default_pairs",
    "pairs_of",
    "variant_of",
    "versus",
]

Variant = tuple[str, str]
"""A method, and its ablations joined by "+"; "" for none."""

VERSUS = (
    *SETTING,
    "at",
    *AT_SPARSITY,
    "range",
    "of",
    "against",
    "of_mean",
    "against_mean",
    "n",
    "diverged",
    "difference",
    "sd",
    "low",
    "high",
    "p",
    "p_holm",
    "p_holm_all",
    "margin",
    "verdict",
    "seeds_needed",
)
"""Columns of `versus`: docs/compare.md says what each one holds."""

VERDICTS = ("better", "worse", "same", "undecided", "not run")


class Pair(NamedTuple):
    """A method, and the one that it is compared with: what is shown is of − against."""

    of: Variant
    against: Variant

    @property
    def names(self) -> tuple[str, str]:
        """Both as tables show them."""
        return variant_name(*self.of), variant_name(*self.against)


def variant_of(text: str, results: Results) -> Variant:
    """Return the method that a text names, as "snip" or "snip+shuffle", blanks or not.

    Raises: UsageError with the nearest name where the results have no such method.
    """
    method, _, ablations = "+".join(part.strip() for part in text.split("+")).partition("+")
    known = {tuple(names) for names in results.cells[list(VARIANT)].itertuples(index=False, name=None)}
    if (method, ablations) not in known:
        names = sorted(variant_name(*variant).replace(" + ", "+") for variant in known)
        raise UsageError(
            f"suite {results.name} has no method '{text}'{nearest(text.replace(' ', ''), names)}"
        )
    return method, ablations


def pairs_of(of: Sequence[Variant], against: Sequence[Variant]) -> list[Pair]:
    """Return every pair of the two lists, each once, none of a method with itself."""
    return list(dict.fromkeys(Pair(one, other) for one in of for other in against if one != other))


def default_pairs(results: Results, methods: Sequence[Variant]) -> list[Pair]:
    """Return what is compared where nobody said against what.

    Of several methods all later ones against the first; one alone against its own ablations, and the methods
    that stand for magnitude after training and random pruning.

    Raises: UsageError where there is nothing to compare with.
    """
    if len(methods) > 1:
        return pairs_of(methods[1:], methods[:1])
    (method,) = methods
    there = list(dict.fromkeys(results.cells[list(VARIANT)].itertuples(index=False, name=None)))
    ablated = [one for one in there if one[0] == method[0] and one[1] not in ("", method[1])]
    plain = [(method[0], "")] if method[1] else []
    baselines = [(results.baselines.after_training, ""), (results.baselines.random, "")]
    pairs = pairs_of([method], [*plain, *ablated, *(one for one in baselines if one in there)])
    if not pairs:
        raise UsageError(
            f"suite {results.name} has no ablation of {variant_name(*method)} and no baseline beside it: say "
            "with --against METHOD what to compare it with"
        )
    return pairs


def versus(results: Results, pairs: Iterable[Pair]) -> pd.DataFrame:
    """Return a row a pair, setting and sparsity or range, ranges first; columns: VERSUS.

    `p_holm` is adjusted over the pairs that are asked here, within one setting and sparsity or range;
    `p_holm_all` is the leaderboard's, over all pairs of methods.

    Raises: UsageError for a pair that never stands in one setting, or is one cell under two names.
    """
    parts = [_rows(results, pair) for pair in pairs]
    if not parts:
        return pd.DataFrame(columns=list(VERSUS))
    frame = pd.concat(parts, ignore_index=True)
    place = [*SETTING, "at", *AT_SPARSITY, "range"]
    adjusted = frame.groupby(place, sort=False, dropna=False)["p"].transform(lambda p: holm(p.to_numpy()))
    frame["p_holm"] = adjusted.astype("float64")
    frame["tests"] = frame.groupby(place, sort=False, dropna=False)["p"].transform("count")
    verdicts = [_verdict(row) for row in frame.to_dict("records")]
    frame["verdict"] = pd.Series(verdicts, dtype=object, index=frame.index)
    frame["seeds_needed"] = pd.array([_needed(row) for row in frame.to_dict("records")], dtype="Int64")
    return _in_order(frame, results)[list(VERSUS)]


def counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return how many rows have each of VERDICTS."""
    numbers = frame["verdict"].value_counts()
    return {verdict: int(numbers.get(verdict, 0)) for verdict in VERDICTS}


def _rows(results: Results, pair: Pair) -> pd.DataFrame:
    one = any({*names} == {*pair.names} for each in results.standings for names in each.same_bits)
    rows = paired(_of_the_same_bits(results, pair) if one else results.comparisons, pair.of, pair.against)
    of, against = pair.names
    margins = {names: ranges.margin for names, ranges in results.board.ranges.items()}
    frame = rows.rename(columns={"mean": "difference", "p_holm": "p_holm_all"}).assign(
        margin=[
            margins[tuple(map(str, names))]
            for names in rows[list(SETTING)].itertuples(index=False, name=None)
        ],
    )
    for side in ("of", "against"):
        frame = _with_mean(frame, results, side)
    if one:  # counted under one name, with one mean
        ours, theirs = frame["of_mean"], frame["against_mean"]
        frame = frame.assign(of_mean=ours.fillna(theirs), against_mean=theirs.fillna(ours))
    return _by_value(frame.assign(of=of, against=against))


def _of_the_same_bits(results: Results, pair: Pair) -> pd.DataFrame:
    """Return the comparisons of two methods that count as one elsewhere: all differences are 0."""
    cells = results.board.cells
    names = pd.Series(list(zip(cells["method"], cells["ablations"], strict=True)), index=cells.index)
    both = cells[names.isin([pair.of, pair.against])]
    points, ranges = compare(both), compare(over_ranges(both, results.board.ranges), at=AT_RANGE)
    return all_pairs(points, ranges)


def _by_value(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with those of which all seeds say the same decided by that, as checks of it are.

    There is no spread to estimate: the interval is the value, and p is 1 where that is 0, else 0.
    """
    alike = (frame["n"] > 1) & (frame["sd"] == 0)
    value = frame["difference"]
    decided = {"low": value, "high": value, "p": (value == 0).astype("float64")}
    return frame.assign(**{name: frame[name].mask(alike, number) for name, number in decided.items()})


def _with_mean(frame: pd.DataFrame, results: Results, side: str) -> pd.DataFrame:
    place = [*SETTING, "at", *AT_SPARSITY, "range"]
    means = results.summary[[*place, *VARIANT, "mean"]].rename(
        columns={**{name: f"{side}_{name}" for name in VARIANT}, "mean": f"{side}_mean"}
    )
    return frame.merge(means, on=[*place, *(f"{side}_{name}" for name in VARIANT)], how="left")


def _verdict(row: dict[Any, Any]) -> str:
    """Return what the seeds say of a pair, in one of VERDICTS."""
    if not row["n"]:
        return "not run"
    margin = row["margin"]
    if (-margin < row["low"] and row["high"] < margin) or row["low"] == row["high"] == 0:
        return "same"
    if row["p_holm"] < 0.05:
        return "better" if row["difference"] > 0 else "worse"
    return "undecided"


def _needed(row: dict[Any, Any]) -> int | None:
    """Return how many seeds would decide an undecided pair; None where it is decided, or nobody knows."""
    if row["verdict"] != "undecided" or np.isnan(row["p"]):
        return None
    return seeds_to_decide(row["difference"], row["sd"], row["margin"], pairs=row["tests"])


def _in_order(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Return the rows setting by setting, ranges before sparsities, pair by pair as they were asked."""
    settings = {tuple(map(str, names)): i for i, names in enumerate(results.board.ranges)}
    ranges = {name: i for i, name in enumerate(RANGES)}
    frame = frame.assign(
        _setting=[
            settings[tuple(map(str, names))]
            for names in frame[list(SETTING)].itertuples(index=False, name=None)
        ],
        _at=[ranges.get(name, len(ranges)) for name in frame["range"]],
    )
    return frame.sort_values(["_setting", "_at", "sparsity"], kind="stable").reset_index(drop=True)
