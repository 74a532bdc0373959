"""Places without false precision: a method's place is an interval."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from prunebench.analysis.statistics import AT_SPARSITY
from prunebench.analysis.table import SETTING, VARIANT

__all__ = ["places"]


def places(
    summary: pd.DataFrame,
    comparisons: pd.DataFrame,
    *,
    at: Sequence[str] = AT_SPARSITY,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Return `summary` with three columns more: `best` and `worst` place, `of` how many (Int64).

    `best` is 1 + the number of methods significantly better, `worst` is `of` − the number significantly
    worse; significant means that Holm's adjusted p is below `alpha`. Methods of one setting and `at` of
    which at least one seed has a result take places; the others have none (NA). A diverged run is a result
    where the accuracy of a guess is known.
    """
    keys = [*SETTING, *at]
    result = summary.copy()
    seen = result["n"] > 0
    if "mean_with_diverged" in result:
        seen |= result["mean_with_diverged"].notna()
    result["of"] = seen.groupby([result[key] for key in keys], sort=False, dropna=False).transform("sum")
    decided = comparisons[comparisons["p_holm"] < alpha]
    of_won = decided["mean"] > 0
    wins, losses = _counted(decided, of_won, keys), _counted(decided, ~of_won, keys)
    index = pd.MultiIndex.from_frame(result[[*keys, *VARIANT]])
    result["best"] = 1 + losses.reindex(index, fill_value=0).to_numpy()
    result["worst"] = result["of"] - wins.reindex(index, fill_value=0).to_numpy()
    for name in ("best", "worst", "of"):
        result[name] = result[name].astype("Int64").where(seen)
    return result


def _counted(decided: pd.DataFrame, of_side: pd.Series, keys: list[str]) -> pd.Series:
    """Return how often each method stands on `of_side`'s "of" side or on the other's "against" side."""
    names = [*keys, *VARIANT]
    parts = []
    for side, rows in (("of", decided[of_side]), ("against", decided[~of_side])):
        part = rows[[*keys, *(f"{side}_{name}" for name in VARIANT)]]
        parts.append(part.set_axis(names, axis=1))
    return pd.concat(parts).groupby(names, sort=False, dropna=False).size()
