"""The tables that charts read, made of what Results say: nothing is averaged or estimated here.

Columns that several have: `setting` (its title), `name` (a method with its ablations), `density` (share of
the prunable weights that is kept), `n` (finished runs), `mean`, `low`, `high` (the t interval of the mean).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench.analysis import RANGES, SETTING, variant_name
from prunebench.report.escapes import plain
from prunebench.report.naming import setting_names

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.results import Results

__all__ = [
    *(
        "ACCURACIES",
        "DIFFERENCES",
        "DIGITS",
        "OURS",
        "accuracies",
        "cut",
        "differences",
        "empty_of",
        "errors",
        "families",
    ),
    *("half_an_example", "labelled", "places", "range_spans", "reported", "titles", "variant_of"),
]

DIGITS = 7


ACCURACIES = (
    *("setting", "name", "method", "variant", "also", "ablated", "family", "best_variant"),
    *("density", "sparsity", "percent", "range", "planned", "n", "mean", "sd", "low", "high"),
    *("diverged", "absent", "empty", "guess", "error", "place", "error_low", "error_high"),
)
"""Columns of `accuracies`."""


DIFFERENCES = (
    *("setting", "name", "density", "sparsity", "percent", "planned", "n", "diverged"),
    *("difference", "low", "high", "difference_low", "difference_high", "p", "p_holm"),
)
"""Columns of `differences`."""


@lru_cache(maxsize=4096)
def shown(text: str) -> str:
    """Return somebody's text made harmless; names come again and again."""
    return plain(text)


def titles(results: Results) -> dict[tuple[str, ...], str]:
    """Return what each setting is called, by its labels, in the suite's order."""
    labels = [standing.labels for standing in results.standings]
    return {
        tuple(each[name] for name in SETTING): name.title
        for each, name in zip(labels, setting_names(labels), strict=True)
    }


def labelled(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Return a table with `setting` and `name` in place of their labels; rows of no standing are left out."""
    known = titles(results)
    settings = [known.get(labels, "") for labels in zip(*(frame[name] for name in SETTING), strict=True)]
    pairs = zip(frame["method"], frame["ablations"], strict=True)
    spelled: dict[Any, str] = {}
    names = [spelled.setdefault(pair, shown(variant_name(*pair))) for pair in pairs]
    named = frame.assign(setting=settings, name=names)
    return named[named["setting"] != ""].drop(columns=list(SETTING)).reset_index(drop=True)


def places(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return `density` and `percent`, the sparsity in percent, of rows with a sparsity."""
    return {
        "density": (1 - rows["sparsity"]).round(12),
        "percent": (100 * rows["sparsity"].astype("float64")).round(10),
    }


def accuracies(results: Results) -> pd.DataFrame:
    """Return a row a setting, method and sparsity of `Results.summary`, with what charts need beside.

    `variant` is "unmodified" or the ablations; `range` the range of sparsities that the row is in ("" where
    none is known); `absent` how many runs are missing, failed or not selected; `empty` which layers keep no
    weight; `error` 100 − mean, and its interval, for axes that are logarithmic in the error: half an example
    where there is none.
    """
    rows = results.summary[results.summary["at"] == "sparsity"]
    points = labelled(rows, results)
    points = points[(points["unselected"] < points["planned"]) & (points["sparsity"] < 1)]
    points = points.sort_values("sparsity", kind="stable").reset_index(drop=True)
    ranges = _range_of(results)
    drawn = errors(results, points, points["setting"])  # of intervals as they are
    points[["low", "high"]] = points[["low", "high"]].clip(0, 100)  # no accuracy lies beyond
    family = families(points["method"])
    return points.assign(
        method=points["method"].map(shown),
        variant=points["ablations"].map(variant_of),
        **places(points),
        range=[ranges.get(key, "") for key in zip(points["setting"], points["sparsity"], strict=True)],
        absent=points["missing"] + points["failed"] + points["unselected"],
        empty=list(map(empty_of, points["empty_layers"], points["planned"])),
        also=points["also"].map(lambda names: plain(", ".join(names))),
        ablated=_ablated(points),
        family=_family(points, family).map(shown),
        best_variant=_best_variant(results, points, family),
        **drawn,
    )[list(ACCURACIES)]


def errors(results: Results, points: pd.DataFrame, home: pd.Series) -> dict[str, pd.Series]:
    """Return the errors that are drawn, their intervals as far as they are, and where marks stand.

    `home`: of which rows one is drawn with: intervals are cut by what these reach.
    """
    smallest = half_an_example(results)
    error = (100 - points["mean"]).clip(lower=smallest)
    lost = (100 - points["mean_with_diverged"]).clip(lower=smallest)
    return {
        "error": error.round(DIGITS),
        "place": error.fillna(lost).round(DIGITS),
        "error_low": cut(100 - points["high"], error, home).round(DIGITS),
        "error_high": cut(100 - points["low"], error, home).round(DIGITS),
    }


def variant_of(ablations: str) -> str:
    return plain(ablations.replace("+", " + ")) or "unmodified"


def families(methods: Iterable[str]) -> dict[str, str]:
    """Return for each method the one that it is a variant of, by its name, or that has variants; else "".

    >>> families(["snip", "iterative-snip", "grasp", "grasp-magnitude", "magnitude", "ltr", "ltr-1000"])
    {'snip': 'snip', 'iterative-snip': 'snip', 'grasp': 'grasp', 'grasp-magnitude': 'grasp', 'magnitude': '',
    'ltr': 'ltr', 'ltr-1000': 'ltr'}
    """
    names = list(dict.fromkeys(methods))
    parents = {}
    for name in names:
        words = name.split("-")
        inside = [other for other in names if other != name and other in words and "after" not in words]
        parents[name] = min(inside, key=words.index) if inside else ""
    having = set(parents.values()) - {""}
    return {name: parent or (name if name in having else "") for name, parent in parents.items()}


def _family(points: pd.DataFrame, parents: Mapping[str, str]) -> pd.Series:
    """Return the family of each unmodified row's method where its setting has another one of it; else ""."""
    family = points["method"].map(parents).where(points["ablations"] == "", "")
    members = points["method"].groupby([points["setting"], family]).transform("nunique")
    return family.where(members > 1, "")


def _ablated(found: pd.DataFrame) -> pd.Series:
    """Return whether the row's method has ablations in its setting."""
    some = (found["ablations"] != "").groupby([found["setting"], found["method"]])
    return some.transform("any")


def _best_variant(results: Results, found: pd.DataFrame, family: Mapping[str, str]) -> list[bool]:
    """Return whether the row's method is the best of its family in its setting, by the range of all."""
    whole = results.summary
    whole = labelled(whole[(whole["range"] == "all") & (whole["ablations"] == "")], results)
    whole = whole.assign(family=[family.get(m, "") for m in whole["method"]])
    whole = whole[(whole["family"] != "") & whole["mean"].notna()]
    best = whole.sort_values("mean", kind="stable").groupby(["setting", "family"], sort=False).tail(1)
    chosen = set(zip(best["setting"], best["name"], strict=True))
    return [place in chosen for place in zip(found["setting"], found["name"], strict=True)]


def differences(results: Results) -> pd.DataFrame:
    """Return a row a setting, method and sparsity: the difference to magnitude pruning after training.

    `difference_low` and `difference_high` are the interval as far as it is drawn.
    """
    rows = results.summary[(results.summary["at"] == "sparsity") & results.summary["difference_mean"].notna()]
    points = labelled(rows[rows["ablations"] == ""], results)
    mean, low, high = (points[f"difference_{end}"].astype("float64") for end in ("mean", "low", "high"))
    by_setting = mean.groupby(points["setting"])
    least, most = by_setting.transform("min"), by_setting.transform("max")
    room = 0.05 * (most - least) + 0.1
    return points.assign(
        **places(points),
        difference=mean,
        low=low,
        high=high,
        difference_low=low.clip(least - room, most + room).round(DIGITS),
        difference_high=high.clip(least - room, most + room).round(DIGITS),
        n=points["difference_n"],
        diverged=points["difference_diverged"],
        planned=points["difference_n"],
        p=points["difference_p"],
        p_holm=points["difference_p_holm"],
    )[list(DIFFERENCES)].sort_values("sparsity", kind="stable")


def cut(ends: pd.Series, error: pd.Series, setting: pd.Series) -> pd.Series:
    """Return ends of intervals as they are drawn: two seeds of one method flatten nobody's lines."""
    by_setting = error.groupby(setting)
    least, most = by_setting.transform("min") / 1.2, by_setting.transform("max") * 1.05
    return ends.clip(lower=least, upper=most.clip(upper=100))


def half_an_example(results: Results) -> float:
    examples = results.cells["examples"].dropna()
    return 50 / float(examples.max()) if len(examples) else 0.005


def _range_of(results: Results) -> dict[tuple[str, float], str]:
    known = titles(results)
    return {
        (known[tuple(standing.labels[label] for label in SETTING)], sparsity): name
        for standing in results.standings
        for name in RANGES[:3]
        for sparsity in standing.ranges.points(name)
    }


def empty_of(layers: Any, planned: int) -> str:
    if not isinstance(layers, tuple) or not layers:
        return ""
    named = [
        f"{'the output layer ' if layer.output else ''}{plain(layer.layer)} ({layer.seeds} of {planned})"
        for layer in sorted(layers, key=lambda layer: not layer.output)[:3]
    ]
    more = len(layers) - 3
    return ", ".join([*named, *([f"{more} more"] if more > 0 else [])])


def range_spans(results: Results) -> pd.DataFrame:
    """Return where ranges begin and end as densities: halfway, of logarithms, to the next grid point."""
    import pandas as pd

    known = titles(results)
    rows = []
    for standing in results.standings:
        grid = standing.ranges.grid
        for name in RANGES[:3]:
            points = standing.ranges.points(name)
            if points:
                first, last = grid.index(points[0]), grid.index(points[-1])
                start = _between(grid, first - 1, first)
                end = _between(grid, last, last + 1)
                title = known[tuple(standing.labels[label] for label in SETTING)]
                rows.append({"setting": title, "range": name, "from": start, "to": end})
    return pd.DataFrame(rows, columns=["setting", "range", "from", "to"])


def _between(grid: tuple[float, ...], before: int, after: int) -> float:
    """Return the density halfway between two grid points; beyond an end that end itself."""
    ends = [1 - grid[min(max(i, 0), len(grid) - 1)] for i in (before, after)]
    return float(np.round(np.sqrt(ends[0] * ends[1]), 9))


def reported(results: Results, curves: pd.DataFrame) -> pd.DataFrame:
    """Return our accuracies and those that others report, in settings that have such: `source` is whose."""
    import pandas as pd

    others = results.reported
    others = others[(others["quantity"] == "accuracy") & (others["against"] == "")]
    if others.empty:
        return pd.DataFrame()
    others = labelled(others, results)
    ours = curves[curves["setting"].isin(others["setting"]) & curves["name"].isin(others["name"])]
    ours = ours.assign(source=OURS)
    rows = others.assign(
        **places(others),
        source=others["source"].map(shown),
        mean=others["reported"],
        error=(100 - others["reported"]).clip(lower=0.005),
        n=0,
        planned=others["runs"].fillna(0).astype(int),
        low=float("nan"),
        high=float("nan"),
        error_low=float("nan"),
        error_high=float("nan"),
        diverged=others["reported"].isna().astype(int),
        absent=0,
        empty="",
    )
    rows = rows.assign(place=rows["error"])
    columns = list(REPORTED)
    whole = pd.concat([ours[columns], rows[columns]], ignore_index=True)
    return whole.sort_values("sparsity", kind="stable").reset_index(drop=True)


OURS = "ours"

REPORTED = (
    *(
        "setting",
        "source",
        "name",
        "density",
        "sparsity",
        "percent",
        "planned",
        "n",
        "mean",
        "low",
        "high",
        "diverged",
    ),
    *("absent", "empty", "error", "place", "error_low", "error_high"),
)
"""Columns of `reported`."""
