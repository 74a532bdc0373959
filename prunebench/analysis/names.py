"""One cell under two names is one method: in n, in Holm's count, in places and in tables.

`grasp-inverted` and `grasp` under the ablation `invert` resolve to the same form, so to the same cells. What
counts methods counts cells; the other names stand beside the first one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prunebench.analysis.table import SETTING, VARIANT, variant_name

__all__ = ["ALSO", "one_name"]

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
        return _with_also(frame, {})
    group = frame.groupby([*SETTING, *at], sort=False, dropna=False).ngroup().to_numpy()
    named = frame.groupby([*SETTING, *VARIANT], sort=False, dropna=False).ngroup().to_numpy()
    involved = pd.Series(list(zip(group, named, strict=True)), index=frame.index)
    involved = involved[involved.isin(set(involved[shared]))]
    places = list(frame.loc[involved.index, list(cell)].itertuples(index=False, name=None))
    found: dict[int, dict[int, dict[tuple[object, ...], str]]] = {}
    for (g, name), place, key in zip(involved, places, frame.loc[involved.index, "key"], strict=True):
        found.setdefault(g, {}).setdefault(name, {})[place] = key
    kept_as = {(g, name): first for g, methods in found.items() for name, first in _merged(methods).items()}
    texts = dict(
        zip(
            named,
            (variant_name(m, a) for m, a in zip(frame["method"], frame["ablations"], strict=True)),
            strict=True,
        )
    )
    also: dict[tuple[int, int], tuple[str, ...]] = {}
    for (g, name), first in kept_as.items():
        if name != first:
            also[g, first] = (*also.get((g, first), ()), texts[name])
    first = np.array([kept_as.get(pair, pair[1]) for pair in zip(group, named, strict=True)])
    again = pd.Series(first != named, index=frame.index)
    names_of = frame[list(VARIANT)].groupby(named).first()
    frame = frame.assign(**{name: names_of[name].reindex(first).to_numpy() for name in VARIANT})
    frame = _with_also(frame, also, list(zip(group, first, strict=True)))
    repeated = frame.assign(again=again).sort_values("again", kind="stable")
    repeated = repeated.duplicated([*SETTING, *at, *VARIANT, *cell]).reindex(frame.index)
    return frame[~(repeated & again)]


def _merged(methods: dict[int, dict[tuple[object, ...], str]]) -> dict[int, int]:
    """Return for each method, named by its place in the setting, the one that it counts as."""
    classes: dict[int, dict[tuple[object, ...], str]] = {}
    result = {}
    for name in sorted(methods):
        cells = methods[name]
        for first, known in classes.items():
            common = cells.keys() & known.keys()
            if common and all(cells[place] == known[place] != "" for place in common):
                known.update(cells)
                result[name] = first
                break
        else:
            classes[name] = dict(cells)
            result[name] = name
    return result


def _with_also(
    frame: pd.DataFrame,
    also: dict[tuple[int, int], tuple[str, ...]],
    places: Sequence[tuple[int, int]] | None = None,
) -> pd.DataFrame:
    column = np.empty(len(frame), dtype=object)
    column[:] = [()] * len(frame) if places is None else [also.get(place, ()) for place in places]
    return frame.assign(**{ALSO: pd.Series(column, index=frame.index, dtype=object)})
