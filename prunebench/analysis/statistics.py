"""Means over seeds, and differences paired by seed (reasons and formulas: docs/statistics.md).

The seed is the unit of replication. `at` says what one number belongs to within a setting: a sparsity
(the default) or, for a table made by `ranges.over_ranges`, a range. One cell under two names is one method
(`names.one_name`), and a diverged run counts with the accuracy of a guess (`table.counted`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from prunebench.analysis.multiple import Floats, holm
from prunebench.analysis.names import ALSO, one_name
from prunebench.analysis.student import t_quantile
from prunebench.analysis.table import SETTING, STATUSES, VARIANT, counted, distinct, guess, variant_name
from prunebench.errors import UsageError, nearest

__all__ = ["AT_SPARSITY", "ROUNDING", "against", "compare", "paired", "summarize"]

AT_SPARSITY = ("density", "sparsity")

Codes = npt.NDArray[np.intp]


def summarize(
    frame: pd.DataFrame, *, at: Sequence[str] = AT_SPARSITY, value: str = "accuracy", level: float = 0.95
) -> pd.DataFrame:
    """Return, for each setting, `at` and method with its ablations, what its seeds say together.

    Columns: those of SETTING, `at`, VARIANT; `also` (the method's other names, a tuple); `planned` (cells),
    `n` (finished ones, which are averaged), `mean`, `sd` (n − 1), `low` and `high` (t interval of the mean at
    `level`); `diverged`, `missing`, `failed`, `unselected` (cells, all out of the mean). With one seed sd,
    low and high are NaN, with none the mean is too. Of accuracies there are also `guess` (percent; NaN where
    the number of classes is not known) and `mean_with_diverged`, in which each diverged run counts with it.
    Rows are in the order of first appearance.

    Raises: UsageError where two different cells stand in one place.
    """
    frame = _checked(frame, at)
    keys = [*SETTING, *at, *VARIANT]
    group, first = _group(frame, keys)
    count = len(first)
    values = frame[value].to_numpy(np.float64, na_value=np.nan)
    used = (frame["status"] == "finished").to_numpy(bool) & ~np.isnan(values)
    owner, values = group[used], values[used]
    n = np.bincount(owner, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(owner, values, minlength=count) / n
        squares = np.bincount(owner, (values - mean[owner]) ** 2, minlength=count)
        sd = _cleaned(np.sqrt(np.where(n > 1, squares / (n - 1), np.nan)), mean)
        half = _t(level, n - 1) * sd / np.sqrt(n)
    result = frame[[*keys, ALSO]].iloc[first].reset_index(drop=True)
    result["planned"] = np.bincount(group, minlength=count)
    result = result.assign(n=n, mean=mean, sd=sd, low=mean - half, high=mean + half)
    for status in STATUSES[1:]:
        result[status] = np.bincount(group[(frame["status"] == status).to_numpy(bool)], minlength=count)
    if value == "accuracy":
        result["guess"] = guess(frame).iloc[first].to_numpy(np.float64)
        with_guess = counted(frame).to_numpy(np.float64)
        there = ~np.isnan(with_guess)
        counts = np.bincount(group[there], minlength=count)
        with np.errstate(invalid="ignore", divide="ignore"):
            whole = np.bincount(group[there], with_guess[there], minlength=count) / counts
        result["mean_with_diverged"] = np.where(counts == n + result["diverged"], whole, np.nan)
    return result


def compare(
    frame: pd.DataFrame, *, at: Sequence[str] = AT_SPARSITY, value: str = "accuracy", level: float = 0.95
) -> pd.DataFrame:
    """Return every pair of methods of each setting and `at`, compared seed by seed.

    A pair's difference is of − against at each seed at which both have a result; its spread is its own. Of
    accuracies a diverged run counts with that of a guess, where the number of classes is known. Two names of
    one cell are one method and no pair.

    Columns: those of SETTING, `at`; of_method, of_ablations, of_also, against_method, against_ablations,
    against_also; `n` (common seeds), `diverged` (those at which one or both diverged), `mean`, `sd`, `df`,
    `low`, `high` (t interval at `level`), `p` (two-sided t test of 0), `p_holm` (over all pairs of the
    setting and `at`).
    NaN: all but mean and n where a pair has one common seed; interval and p where several seeds give one and
    the same difference other than 0, because a spread of exactly 0 from a few seeds is no knowledge, and
    where a diverged run cannot count, because those that did not diverge decide nothing.
    Each pair stands once, in the order of first appearance; `against` and `paired` turn it around.

    Raises: UsageError where two different cells stand in one place.
    """
    frame = _checked(frame, at)
    keys = [*SETTING, *at]
    group, first = _group(frame, keys)
    variant, named = _group(frame, list(VARIANT))
    if value == "accuracy":
        values = counted(frame).to_numpy(np.float64)
        diverged = (frame["status"] == "diverged").to_numpy(bool)
    else:
        values = frame[value].where(frame["status"] == "finished").to_numpy(np.float64, na_value=np.nan)
        diverged = np.zeros(len(frame), dtype=bool)
    seed = pd.factorize(frame["seed"])[0]
    parts = [
        _pairs(number, members, block, marks)
        for number, members, block, marks in _blocks(group, variant, seed, values, diverged)
        if len(members) > 1
    ]
    raw = {name: np.concatenate([p[name] for p in parts]) if parts else np.array([]) for name in _PAIR}
    where = raw["group"].astype(np.intp)
    mean, sd, n = raw["mean"], raw["sd"], raw["n"]
    df = np.where(n > 1, n - 1, np.nan)
    known = ((sd > 0) | ((sd == 0) & (mean == 0))) & (raw["uncounted"] == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(known, sd / np.sqrt(n), np.nan)
        half = _t(level, df) * error
        ratio = np.where(mean == 0, 0.0, np.abs(mean) / error)
        p = np.where(known, 2 * special.stdtr(df, -ratio), np.nan)
    adjusted = np.full(len(p), np.nan)
    edges = np.flatnonzero(np.diff(where)) + 1
    for rows in np.split(np.arange(len(p)), edges):
        adjusted[rows] = holm(p[rows])
    result = frame[keys].iloc[first[where]].reset_index(drop=True)
    names = frame[list(VARIANT)].iloc[named].reset_index(drop=True)
    also = {(group[i], variant[i]): frame[ALSO].iloc[i] for i in np.flatnonzero(frame[ALSO].astype(bool))}
    for side in ("of", "against"):
        members = raw[side].astype(np.intp)
        for name in VARIANT:
            result[f"{side}_{name}"] = names[name].to_numpy()[members]
        others = [also.get(place, ()) for place in zip(where, members, strict=True)]
        result[f"{side}_{ALSO}"] = pd.Series(others, dtype=object)
    result = result.assign(
        n=n.astype(np.int64),
        diverged=raw["diverged"].astype(np.int64),
        mean=mean,
        sd=sd,
        df=df,
        low=mean - half,
        high=mean + half,
        p=p,
        p_holm=adjusted,
    )
    result.attrs[_ONE_CELL] = sorted(
        {(variant_name(*names.iloc[member]), *others) for (_, member), others in also.items()}
    )
    return result


def against(comparisons: pd.DataFrame, baseline: str | tuple[str, str]) -> pd.DataFrame:
    """Return the rows of `compare` that `baseline` is part of, all as method − baseline, in their order.

    `baseline` is a method, or a (method, ablations) pair, under any of its names. Holm's adjustment stays the
    one over all pairs.
    """
    ahead, behind = (_stands(comparisons, side, baseline) for side in ("of", "against"))
    turned = comparisons[ahead].copy()
    turned["mean"], turned["low"], turned["high"] = -turned["mean"], -turned["high"], -turned["low"]
    for name in (*VARIANT, ALSO):
        turned[f"of_{name}"], turned[f"against_{name}"] = turned[f"against_{name}"], turned[f"of_{name}"]
    return pd.concat([comparisons[behind], turned]).sort_index(kind="stable")


def paired(
    comparisons: pd.DataFrame, of: str | tuple[str, str], baseline: str | tuple[str, str]
) -> pd.DataFrame:
    """Return the rows of `compare` for of − baseline: at most one for each setting and sparsity or range.

    `of` and `baseline` are methods, or (method, ablations) pairs such as ("snip", "shuffle"), under any of
    their names.

    Raises: UsageError for a method that takes part in no comparison, for comparing one with itself, or for
    two names that are one cell wherever both are.
    """
    first, second = _variant(of), _variant(baseline)
    if first == second:
        raise UsageError(f"{variant_name(*first)} cannot be compared with itself")
    oriented = against(comparisons, second)
    chosen = oriented[_stands(oriented, "of", first)]
    if chosen.empty:
        wanted = [variant_name(*first), variant_name(*second)]
        one = comparisons.attrs.get(_ONE_CELL, ())
        if any(set(wanted) <= set(names) for names in one):
            raise UsageError(f"{wanted[0]} and {wanted[1]} are one cell under two names: nothing to compare")
        known = {name for names in one for name in names}
        for side in ("of", "against"):
            both = comparisons[[f"{side}_{name}" for name in VARIANT]].drop_duplicates()
            known |= {variant_name(*names) for names in both.itertuples(index=False, name=None)}
        for name in wanted:
            if name not in known:
                raise UsageError(f"{name!r} is compared with nothing{nearest(name, known)}")
    return chosen


_ONE_CELL = "one_cell"
"""Key in the attributes of what `compare` returns: names that are one cell, also where no pair is left."""


def _variant(name: str | tuple[str, str]) -> tuple[str, str]:
    return (name, "") if isinstance(name, str) else name


def _stands(comparisons: pd.DataFrame, side: str, name: str | tuple[str, str]) -> npt.NDArray[np.bool_]:
    method, ablations = _variant(name)
    rows = (comparisons[f"{side}_method"] == method) & (comparisons[f"{side}_ablations"] == ablations)
    shown = variant_name(method, ablations)
    others = np.array([shown in also for also in comparisons[f"{side}_also"]], dtype=np.bool_)
    return np.asarray(rows.to_numpy(np.bool_) | others, dtype=np.bool_)


_PAIR = ("group", "of", "against", "n", "diverged", "uncounted", "mean", "sd")


def _pairs(number: int, members: Codes, block: Floats, diverged: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    """Compare all pairs of one block (methods × seeds); every value an array over the pairs."""
    i, j = np.triu_indices(len(members), 1)
    difference = block[i] - block[j]
    common = ~np.isnan(difference)
    n = common.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n > 0, np.nansum(difference, axis=1) / n, np.nan)
        squares = np.nansum((difference - mean[:, None]) ** 2, axis=1)
        sd = np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)
    scale = np.nanmax(np.abs(block), initial=1.0)
    mean = np.where(np.abs(mean) < ROUNDING * scale, 0.0, mean)
    sd = np.where(sd < ROUNDING * scale, 0.0, sd)
    touched = (common & (diverged[i] | diverged[j])).sum(axis=1) if diverged.any() else np.zeros(len(i))
    lost = np.asarray((diverged & np.isnan(block)).any(axis=1))
    columns = (np.full(len(i), number), members[i], members[j], n, touched, lost[i] | lost[j], mean, sd)
    return {name: column.astype(np.float64) for name, column in zip(_PAIR, columns, strict=True)}


def _blocks(
    group: Codes, variant: Codes, seed: Codes, values: Floats, diverged: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, Codes, Floats, npt.NDArray[np.bool_]]]:
    """Yield each group's number, its methods, and as methods × seeds their values (NaN where absent) and
    whether they diverged.
    """
    order = np.argsort(group, kind="stable")
    edges = np.flatnonzero(np.diff(group[order])) + 1
    for rows in np.split(order, edges):
        if len(rows):
            members, row = np.unique(variant[rows], return_inverse=True)
            seeds, column = np.unique(seed[rows], return_inverse=True)
            block = np.full((len(members), len(seeds)), np.nan)
            block[row, column] = values[rows]
            marks = np.zeros(block.shape, dtype=bool)
            marks[row, column] = diverged[rows]
            yield int(group[rows[0]]), members, block, marks


ROUNDING = 1e-11
"""Relative to the values: what is smaller is rounding of floats, not a spread or a difference."""


def _cleaned(sd: Floats, mean: Floats) -> Floats:
    return np.where(sd < ROUNDING * np.maximum(np.abs(mean), 1), 0.0, sd)


def _t(level: float, df: npt.ArrayLike) -> Floats:
    """Return the two-sided critical value of Student's t; NaN where there are no degrees of freedom."""
    freedom = np.asarray(df, dtype=np.float64)
    return t_quantile(np.where(freedom > 0, freedom, np.nan), (1 + level) / 2)


def _group(frame: pd.DataFrame, keys: list[str]) -> tuple[Codes, Codes]:
    """Return each row's group number, in order of first appearance, and each group's first row."""
    numbers = frame.groupby(keys, sort=False, dropna=False).ngroup().to_numpy(np.intp)
    unique, first = np.unique(numbers, return_index=True)
    by_appearance = np.argsort(first, kind="stable")
    renumbered = np.empty(len(unique), dtype=np.intp)
    renumbered[by_appearance] = np.arange(len(unique))
    position = np.searchsorted(unique, numbers)
    return renumbered[position], first[by_appearance].astype(np.intp)


def _checked(frame: pd.DataFrame, at: Sequence[str]) -> pd.DataFrame:
    """Return the table with each cell once and under one name; one over ranges is so already."""
    if ALSO in frame:
        return frame.reset_index(drop=True)
    return one_name(distinct(frame), at, ("seed",)).reset_index(drop=True)
