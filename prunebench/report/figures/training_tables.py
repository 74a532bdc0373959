"""The tables of charts of training: when methods prune, what they cost, how many weights are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.analysis import SETTING, variant_name
from prunebench.labels import STEP
from prunebench.percent import percent_labels
from prunebench.report.escapes import plain
from prunebench.report.figures.tables import (
    DIGITS,
    empty_of,
    errors,
    labelled,
    places,
    variant_of,
)
from prunebench.report.naming import SettingName, setting_names

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.results import Results

__all__ = ["POINTS", "RETROACTIVE", "costs", "pruning_points", "remaining", "unmeasured"]


def pruning_points(results: Results) -> pd.DataFrame:
    """Return accuracies by the step at which methods prune, of settings that differ in nothing but that.

    `panel` is the network, data set and sparsity; `step` the training step, NaN for methods that have none
    (they are lines across). Methods called after the step that they rewind to ("ltr-1000") are one, `name`
    without the step.
    """
    import pandas as pd

    whole = _timed(results)
    if whole.empty:
        return pd.DataFrame()
    rewound = _rewound_to(whole)
    method = whole["method"].where(rewound.isna(), _REWINDING)
    variant = whole["ablations"].map(variant_of)
    points = whole.assign(
        **_homes(whole, method),
        method=method.map(plain),
        variant=variant,
        name=[plain(variant_name(m, a)) for m, a in zip(method, whole["ablations"], strict=True)],
        step=_steps(results, whole).fillna(rewound),
        **places(whole),
        absent=whole["missing"] + whole["failed"] + whole["unselected"],
        empty=list(map(empty_of, whole["empty_layers"], whole["planned"])),
    )
    ablated = (variant != "unmodified").groupby([points["panel"], method]).transform("any")
    points = points.assign(ablated=ablated, line=_labels(points), **errors(results, points, points["panel"]))
    return points[list(POINTS)].sort_values("step", kind="stable").reset_index(drop=True)


def _homes(whole: pd.DataFrame, method: pd.Series) -> dict[str, list[str]]:
    """Return the panel of each row, its network and sparsity, and the `part` of it, that of its method."""
    networks, labels = _networks(whole), percent_labels(whole["sparsity"])
    own = [networks[key] for key in whole[_HOME].itertuples(index=False, name=None)]
    at = [f"{labels[sparsity]} %" for sparsity in whole["sparsity"]]
    return {
        "panel": [f"{n.title}, {s} sparsity" for n, s in zip(own, at, strict=True)],
        "part": [f"{n.id}, {s}: {plain(m)}" for n, s, m in zip(own, at, method, strict=True)],
    }


def _labels(points: pd.DataFrame) -> pd.Series:
    """Return what is written beside lines: names, and of what has a step of its own beside others that."""
    places = list(zip(points["panel"], points["name"], strict=True))
    stepped = {place for place, step in zip(places, points["step"], strict=True) if step == step}
    beside = [place in stepped for place in places]
    own = points["step"].isna() & points.index.isin(points.index[beside])
    return points["name"].where(~own, points["name"] + " (own step)")


_HOME = [name for name in SETTING if name != "score_at"]
"""What settings agree in that are one network pruned at several steps."""

_REWINDING = "ltr"
"""Methods of this name and a step, as ltr-1000, are one that rewinds to several steps."""


def _timed(results: Results) -> pd.DataFrame:
    """Return rows of methods that prune at several steps, and of those without a step at the same places."""
    import pandas as pd

    rows = results.summary[results.summary["at"] == "sparsity"]
    rows = rows[rows["unselected"] < rows["planned"]]
    keys = [*SETTING, "method", "ablations", "density"]
    cells = results.board.cells
    rows = rows.merge(cells.loc[~cells["lent"], keys].drop_duplicates(), on=keys)
    timed = rows[(rows["score_at"] != "") & (rows["sparsity"] > 0)]
    several = timed.groupby([*_HOME, "method", "ablations", "density"])["score_at"].transform("nunique") > 1
    timed = timed[several]
    places = timed[[*_HOME, "density", "sparsity"]].drop_duplicates()
    untimed = rows[(rows["score_at"] == "") & (rows["ablations"] == "")]
    beside = untimed.merge(places[[*_HOME, "density"]], on=[*_HOME, "density"])
    dense = untimed[untimed["sparsity"] == 0].drop(columns=["density", "sparsity"]).merge(places, on=_HOME)
    return pd.concat([timed, beside, dense], ignore_index=True) if len(timed) else timed


def _rewound_to(rows: pd.DataFrame) -> pd.Series:
    """Return the step that a row's method is named after, as ltr-1000; NaN of others."""
    step = rows["method"].str.extract(rf"^{_REWINDING}-(\d+)$")[0]
    return step.where(rows["score_at"] == "").astype("float64")


def _steps(results: Results, rows: pd.DataFrame) -> pd.Series:
    """Return the step at which each row's method prunes; NaN where it has none."""
    import pandas as pd

    known = {tuple(labels): float(step) for *labels, step in results.suite.get("steps") or ()}
    labels = rows[list(STEP)].to_dict("records")
    at = [_step(known, each["score_at"], each) for each in labels]
    step = pd.Series(at, index=rows.index, dtype="float64")
    return step.fillna(_after_the_last(step, rows))


def _networks(rows: pd.DataFrame) -> dict[tuple[str, ...], SettingName]:
    """Return what each setting is called when the step of pruning is left open."""
    distinct = rows[_HOME].drop_duplicates().itertuples(index=False, name=None)
    labels = [tuple(map(str, row)) for row in distinct]
    names = setting_names([{**dict(zip(_HOME, row, strict=True)), "score_at": ""} for row in labels])
    return dict(zip(labels, names, strict=True))


def _step(steps: Mapping[tuple[str, ...], float], point: str, labels: Mapping[Any, Any]) -> float:
    """Return the step of a point; NaN where only the recipe knows it, or a method has its own."""
    known = steps.get(tuple(labels[name] for name in STEP))
    if known is not None or point in ("", "init"):
        return float("nan") if not point else known or 0.0
    kind, _, number = point.partition(" ")
    return float(number) if kind == "step" and number.isdigit() else float("nan")


def _after_the_last(step: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Return for points of unknown step, as "end", a place one grid step after the last that is known."""
    of_family = step.groupby([rows[name] for name in _HOME])
    last = of_family.transform("max")
    before = of_family.transform(lambda known: known[known < known.max()].max())
    return (2 * last - before.fillna(0)).where(rows["score_at"] != "")


POINTS = (
    *("panel", "part", "name", "line", "method", "variant", "ablated", "step", "density", "sparsity"),
    *("percent", "planned", "n", "mean", "low", "high", "diverged", "absent", "empty", "error", "place"),
    *("error_low", "error_high"),
)
"""Columns of `pruning_points`."""


def remaining(results: Results, within: float) -> pd.DataFrame:
    """Return the course of the weights of each method at its sparsest network of full accuracy.

    That is the highest sparsity whose mean is at most `within` points below the unpruned network's mean, of
    those of which the course was measured.
    """
    courses = results.courses
    if courses.empty:
        return courses
    keys = [*SETTING, "method", "ablations", "density"]
    weights = courses.merge(_near_dense(results, courses, within)[[*keys, "mean"]], on=keys)
    first = weights.groupby(keys[:-1])["seed"].transform("min")
    weights = labelled(weights[weights["seed"] == first], results)
    weights = _distinct_parts(weights.assign(**places(weights)))
    columns = ["setting", "name", "part", "step", "share", "density", "sparsity", "percent", "mean"]
    return weights[columns].round({"share": DIGITS})


RETROACTIVE = "retroactive"


def _distinct_parts(weights: pd.DataFrame) -> pd.DataFrame:
    """Return courses without the retroactive ones that are as those of all trainings."""
    points: list[Any] = list(zip(weights["step"], weights["share"], strict=True))
    rows = weights.assign(course=points)
    whole = rows.groupby(["setting", "name", "part"], sort=False)["course"].agg(tuple).unstack("part")
    if RETROACTIVE not in whole:
        return weights
    same = set(whole.index[whole[RETROACTIVE] == whole["all"]]) if "all" in whole else set()
    both = zip(weights["setting"], weights["name"], weights["part"], strict=True)
    return weights[[part != RETROACTIVE or (setting, name) not in same for setting, name, part in both]]


def _near_dense(results: Results, courses: pd.DataFrame, within: float) -> pd.DataFrame:
    """Return of each method the measured row of highest sparsity near the unpruned network, and that one."""
    import pandas as pd

    home = list(SETTING)
    keys = [*home, "method", "ablations", "density"]
    rows = results.summary[results.summary["at"] == "sparsity"]
    dense = rows[rows["sparsity"] == 0].drop_duplicates(home).set_index(home)["mean"]
    rows = rows.join(dense.rename("dense"), on=home).merge(courses[keys].drop_duplicates(), on=keys)
    near = rows[(rows["sparsity"] > 0) & (rows["mean"] >= rows["dense"] - within)]
    by_method = near.sort_values("sparsity", kind="stable").groupby(keys[:-1], sort=False)
    return pd.concat([rows[rows["sparsity"] == 0], by_method.tail(1)])


def unmeasured(
    results: Results, shown: pd.DataFrame, within: float
) -> dict[str, tuple[list[str], list[str]]]:
    """Return for each setting the methods that `shown` has no course of: far from the unpruned network at
    every sparsity, and near it somewhere, but not measured there.
    """
    accuracies = results.summary[(results.summary["at"] == "sparsity") & (results.summary["ablations"] == "")]
    rows = labelled(accuracies, results)
    told = {}
    for setting, mine in rows[rows["setting"].isin(shown["setting"])].groupby("setting", sort=False):
        dense = mine.loc[mine["sparsity"] == 0, "mean"].max()
        pruned = mine[(mine["sparsity"] > 0) & mine["mean"].notna()]
        names = set(pruned["name"]) - set(shown.loc[shown["setting"] == setting, "name"])
        best = pruned.groupby("name", sort=False)["mean"].max()
        left = [name for name in best.index if name in names]
        far = [name for name in left if best[name] < dense - within]
        told[str(setting)] = (far, [name for name in left if name not in far])
    return told


def costs(results: Results, curves: pd.DataFrame) -> pd.DataFrame:
    """Return `accuracies` with what each row costs, as multiples of training the unpruned network once.

    A row a setting, method, sparsity and `kind`: every weight is counted, or those alone that are there.
    """
    import pandas as pd

    frame = results.costs
    keys = [*SETTING, "method", "ablations", "density"]
    if frame.empty:
        return pd.DataFrame()
    means = frame.groupby(keys, sort=False)[["macs", "relative_sparse"]].mean().reset_index()
    dense = means[means["method"] == results.baselines.none]
    once = dense.groupby(list(SETTING[:4]))["macs"].mean().rename("once")
    means = means.join(once, on=list(SETTING[:4]))
    means = labelled(means.assign(every=means["macs"] / means["once"]), results)
    means = means.assign(density=means["density"].astype("float64"))
    beside = [*("setting", "name", "density"), "every", "relative_sparse"]
    both = curves.merge(means[beside], on=beside[:3])
    both = both[(both["variant"] == "unmodified") & (both["n"] + both["diverged"] > 0)]
    parts = [
        both.assign(cost=both[column], kind=said)
        for column, said in (("every", EVERY), ("relative_sparse", THERE))
    ]
    whole = pd.concat(parts, ignore_index=True).dropna(subset=["cost"]).sort_values("sparsity", kind="stable")
    unused = ["every", "relative_sparse", "ablated", "family", "best_variant", "also"]
    return whole.drop(columns=unused).round({"cost": DIGITS})


EVERY, THERE = "with all weights, as computed", "with the kept weights alone, in theory"
