"""One cell under two names is one method: in n, in Holm's count, in places and in tables.

`grasp-inverted` and `grasp` under the ablation `invert` resolve to the same form, so to the same cells. What
counts methods counts cells; the other names stand beside the first one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis.table import SETTING, VARIANT, variant_name

__all__ = ["ALSO", "one_name", "same_bits"]

ALSO = "also"
"""The column with a method's other names, as they are shown: a tuple of texts, empty for most."""


def one_name(frame: pd.DataFrame, at: Sequence[str], cell: Sequence[str]) -> pd.DataFrame:
    """Return the table with every cell under one name within each setting and `at`, and a column `also`.

    `cell` are the columns that tell a method's cells apart within one setting and `at` (its seed, say). Two
    methods are one there when they share a cell and have the same key wherever both are planned; so they
    may be one at some sparsities and two at others. The name that comes first in the setting stays; rows of
    the others that are not the same cell again (more seeds, say) go on under it. Cells without a key are
    told apart by their names alone.
    """
    shared = (frame["key"] != "") & frame.duplicated([*SETTING, *at, *cell, "key"], keep=False)
    if not shared.any():
        return frame.assign(**{ALSO: pd.Series([()] * len(frame), index=frame.index, dtype=object)})
    places = _numbers(frame, [*SETTING, *at])
    names = _numbers(frame, [*SETTING, *VARIANT])
    pairs = list(zip(places, names, strict=True))
    involved = {pair for pair, is_shared in zip(pairs, shared, strict=True) if is_shared}
    cells = list(frame[[*cell]].itertuples(index=False, name=None))
    planned: dict[int, dict[int, dict[Any, str]]] = {}
    for pair, where, key in zip(pairs, cells, frame["key"], strict=True):
        if pair in involved:
            planned.setdefault(pair[0], {}).setdefault(pair[1], {})[where] = key
    counted_as = {
        (place, name): first
        for place, methods in planned.items()
        for name, first in _merged(methods).items()
        if name != first
    }
    shown = dict(zip(names, zip(frame["method"], frame["ablations"], strict=True), strict=True))
    also: dict[tuple[int, int], tuple[str, ...]] = {}
    for (place, name), first in sorted(counted_as.items()):
        also[place, first] = (*also.get((place, first), ()), variant_name(*shown[name]))
    ends = [(pair[0], counted_as.get(pair, pair[1])) for pair in pairs]
    renamed = np.array([pair in counted_as for pair in pairs])
    there = {(end, where) for end, where, other in zip(ends, cells, renamed, strict=True) if not other}
    keep = ~renamed
    for i in np.flatnonzero(renamed):
        if (ends[i], cells[i]) not in there:
            there.add((ends[i], cells[i]))
            keep[i] = True
    columns = {
        name: pd.Series([shown[end[1]][i] for end in ends], index=frame.index, dtype=object)
        for i, name in enumerate(VARIANT)
    }
    also_column = pd.Series([also.get(end, ()) for end in ends], index=frame.index, dtype=object)
    return frame.assign(**columns, **{ALSO: also_column})[keep]


def _numbers(frame: pd.DataFrame, keys: list[str]) -> list[int]:
    """Return each row's group as a number, in the order of first appearance."""
    return [int(n) for n in frame.groupby(keys, sort=False, dropna=False).ngroup()]


def _merged(methods: dict[int, dict[Any, str]]) -> dict[int, int]:
    """Return for each method, named by its place in the setting, the one that it counts as."""
    classes: dict[int, dict[Any, str]] = {}
    result: dict[int, int] = {}
    for name in sorted(methods):
        cells = methods[name]
        one = dict(cells)
        first = name
        for other, known in list(classes.items()):  # a name may join two that share no cell themselves
            common = one.keys() & known.keys()
            if common and all(one[place] == known[place] != "" for place in common):
                one = {**classes.pop(other), **one}
                first = min(first, other)
        classes[first] = one
        result = {own: first if end not in classes else end for own, end in result.items()}
        result[name] = first
    return result


def same_bits(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[tuple[str, ...], list[tuple[str, str]]]]:
    """Return the table in which methods with the same results share keys, and by setting who is whom.

    Two methods of a setting have the same results when both have finished the same cells, two or more, and
    correct answers and loss agree in each to the last bit: two ways to ask for one training, such as
    rewinding to step 0 and starting from the initial weights. Networks that compute the same only where both
    have collapsed differ elsewhere, and stay two.
    """
    done = frame[(frame["status"] == "finished") & frame["loss"].notna() & (frame["key"] != "")]
    results: dict[tuple[str, ...], dict[tuple[str, str], dict[Any, Any]]] = {}
    columns = [*SETTING, *VARIANT, "density", "seed", "correct", "loss", "key"]
    for *names, density, seed, correct, loss, key in done[columns].itertuples(index=False, name=None):
        setting, variant = tuple(names[: len(SETTING)]), (names[-2], names[-1])
        results.setdefault(setting, {}).setdefault(variant, {})[density, seed] = (correct, loss, key)
    planned = frame.groupby([*SETTING, *VARIANT], sort=False, dropna=False)["key"].nunique()
    keys: dict[str, str] = {}
    same: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for setting, methods in results.items():
        firsts: dict[Any, tuple[str, str]] = {}
        for variant, cells in methods.items():
            bits = frozenset((place, *values[:2]) for place, values in cells.items())
            whole = len(cells) > 1 and planned[(*setting, *variant)] == len({v[2] for v in cells.values()})
            first = firsts.setdefault(bits, variant) if whole else variant
            others = {v[2]: methods[first][place][2] for place, v in cells.items()}
            if first != variant and any(key != other for key, other in others.items()):
                keys |= others
                same.setdefault(setting, []).append((variant_name(*variant), variant_name(*first)))
    if not keys:
        return frame, same
    return frame.assign(key=[keys.get(key, key) for key in frame["key"]]), same
