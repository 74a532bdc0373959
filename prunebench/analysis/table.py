"""The table everything else is computed from: a row per planned cell, whatever became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.errors import UsageError, nearest, readable
from prunebench.labels import SETTING

__all__ = [
    "COLUMNS",
    "MOST",
    "SETTING",
    "STATUSES",
    "VARIANT",
    "counted",
    "distinct",
    "guess",
    "lend_baselines",
    "table",
    "variant_name",
]

VARIANT = ("method", "ablations")
"""A row of a leaderboard: a method with its ablations ("" or "shuffle+reinit")."""

STATUSES = ("finished", "diverged", "missing", "failed", "unselected")
"""What became of a cell; "unselected": nothing, and nobody asked (a missing one was asked for)."""

_TEXT, _TEXTS, _WHOLE, _MAYBE_WHOLE, _REAL = "text", "texts", "int64", "Int64", "float64"

COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("matrix", "cell", "key", *SETTING, *VARIANT, "density"), _TEXT),
    "sparsity": _REAL,
    "seed": _WHOLE,
    "status": _TEXT,
    "correct": _MAYBE_WHOLE,
    "examples": _MAYBE_WHOLE,
    "loss": _REAL,
    "accuracy": _REAL,
    "diverged_run": _TEXT,
    "diverged_step": _MAYBE_WHOLE,
    "numerics": _TEXT,
    "classes": _MAYBE_WHOLE,
    "empty_layers": _TEXTS,
    "output_layer": _TEXT,
    "by_position": _REAL,
    "reached": _REAL,
}
"""Every column of the table and its kind; text that is absent is "", never NaN, so that grouping keeps it.

`classes` is how many the data set has, `empty_layers` the layers in which the mask leaves no weight (a tuple
of names), `output_layer` the last layer's name where that is known, `by_position` the share of the weights
kept that were chosen by position, because their scores were equal, `reached` the density of a mask that keeps
fewer weights than were asked for (NaN where it keeps as many): whole filters reach no other count.
"""

MOST = 0.5
"""Of more than this share of the weights kept it is told that position chose them."""

_REQUIRED = ("architecture", "dataset", "method", "density", "seed", "status")


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of `rows`, in their order, with every column of `COLUMNS` and its type.

    Needed in each row: architecture, dataset, method, density, seed, status. `sparsity` is 1 − density, and
    `accuracy` (percent) is 100 · correct / examples, where a row does not give them; the accuracy of a cell
    that is not finished is NaN, whatever the row says.

    Raises: ValueError for a column that does not exist, a needed one that is absent, an unknown status, or
    counts and accuracies that cannot be (more correct than there are examples).

    >>> cell = {"architecture": "lenet", "dataset": "mnist", "method": "snip", "density": "0.2", "seed": 1,
    ...         "status": "finished", "correct": 9750, "examples": 10000}
    >>> table([cell])[["method", "sparsity", "accuracy"]].to_dict("records")
    [{'method': 'snip', 'sparsity': 0.8, 'accuracy': 97.5}]
    """
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    for name in names:
        if name not in COLUMNS:
            raise ValueError(f"no column {name!r} in the table of cells{nearest(name, COLUMNS)}")
    for name in _REQUIRED:
        lacking = [i for i, row in enumerate(rows) if row.get(name) in (None, "")]
        if lacking:
            raise ValueError(f"row {lacking[0]} of the table of cells has no {name}")
    frame = pd.DataFrame(
        {name: _column(kind, [row.get(name) for row in rows]) for name, kind in COLUMNS.items()}
    )
    unknown = set(frame["status"]) - set(STATUSES)
    if unknown:
        raise ValueError(f"unknown status {min(unknown)!r}{nearest(min(unknown), STATUSES)}")
    _check_counts(frame)
    density = pd.to_numeric(frame["density"]).astype("float64")
    frame["sparsity"] = frame["sparsity"].fillna((1 - density).round(12))
    counted = (100 * frame["correct"] / frame["examples"]).astype("float64")
    frame["accuracy"] = frame["accuracy"].fillna(counted).where(frame["status"] == "finished")
    return frame


def _check_counts(frame: pd.DataFrame) -> None:
    """Raises: ValueError for counts and accuracies that cannot be, naming the first row."""
    correct, examples = frame["correct"], frame["examples"]
    impossible = (correct < 0) | (correct > examples) | (examples < 1)
    for i in frame.index[impossible.fillna(False)][:1]:
        raise ValueError(f"row {i} of the table of cells has {correct[i]} correct of {examples[i]} examples")
    accuracy = frame["accuracy"]
    for i in frame.index[accuracy.notna() & ~accuracy.between(0, 100)][:1]:
        raise ValueError(f"row {i} of the table of cells has an accuracy of {accuracy[i]:g} %")


def guess(frame: pd.DataFrame) -> pd.Series:
    """Return the accuracy of a guess in percent, 100 / classes; NaN where the classes are not known."""
    if "classes" not in frame:
        return pd.Series(float("nan"), index=frame.index)
    return (100 / frame["classes"].astype("float64")).where(frame["classes"] > 0)


def counted(frame: pd.DataFrame) -> pd.Series:
    """Return each row's accuracy as it counts in differences, places and ranges.

    A finished run counts with its own, a diverged one with that of a guess, or with none (NaN) where the
    number of classes is not known; missing and failed cells are no results. A column `counted` goes before.
    """
    if "counted" in frame:
        return frame["counted"]
    finished, diverged = frame["status"] == "finished", frame["status"] == "diverged"
    values = frame["accuracy"].astype("float64").where(finished)
    return values.where(~diverged, guess(frame)) if diverged.any() else values


def _column(kind: str, values: list[Any]) -> pd.Series:
    if kind == _TEXTS:
        return pd.Series([tuple(value or ()) for value in values], dtype=object)
    if kind == _TEXT:
        return pd.Series(["" if value is None else text_of(value) for value in values], dtype=object)
    return pd.Series(
        [pd.NA if value is None and kind == _MAYBE_WHOLE else value for value in values], dtype=kind
    )


def text_of(value: object) -> str:
    """Return a text as tables hold it: NUL, and bytes that are no UTF-8, are spelled out.

    Some releases of pandas take texts for one another that differ only behind such a character.

    >>> text_of("a\\0b")
    'a\\\\x00b'
    """
    return readable(str(value)).replace("\0", "\\x00")


def variant_name(method: str, ablations: str = "") -> str:
    """Return how a method with its ablations is shown.

    >>> variant_name("snip"), variant_name("snip", "shuffle+reinit")
    ('snip', 'snip + shuffle + reinit')
    """
    return " + ".join([method, *(ablations.split("+") if ablations else [])])


def distinct(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with each cell once: two matrices may hold the same one.

    Raises: UsageError where two *different* cells would stand in one place of the leaderboard, because a
    mean over both would count a seed twice.
    """
    place = [*SETTING, *VARIANT, "density", "seed"]
    again = frame.duplicated(place)
    if not again.any():
        return frame
    same = frame.duplicated([*place, "key"]) & (frame["key"] != "")
    if (again & ~same).any():
        second = frame[again & ~same].iloc[0]
        first = frame[(frame[place] == second[place]).all(axis=1)].iloc[0]
        raise UsageError(
            f"two different cells have the same setting, method, density and seed: "
            f"{first['matrix']}::{first['cell']} and {second['matrix']}::{second['cell']}; "
            f"give the recipe or the architecture of one of them another name"
        )
    return frame[~again]


def lend_baselines(frame: pd.DataFrame, methods: Sequence[str], *, dense: str = "none") -> pd.DataFrame:
    """Return the table where every setting has the baseline `methods`, with a new column `lent` (bool).

    A baseline is planned once, without find changes and without a pruning step. A setting that has such
    and lacks the baseline's rows gets copies of those of the same architecture, dataset, recipe and split.
    The unpruned network (`dense`) knows neither find nor pruning step, so any sibling lends it.
    """
    frame = frame.assign(lent=False)
    if frame.empty:
        return frame
    family = list(SETTING[:4])
    settings = frame[list(SETTING)].drop_duplicates()
    extra = []
    for method in methods:
        own = frame[(frame["method"] == method) & (frame["ablations"] == "")]
        home = own[(own["find"] == "") & (own["score_at"] == "")]
        if method == dense:
            others = own.merge(home[family].drop_duplicates(), on=family, how="left", indicator=True)
            others = others[others["_merge"] == "left_only"].drop(columns="_merge")
            home = pd.concat([home, others.drop_duplicates([*family, "seed"])])
        having = own[list(SETTING)].drop_duplicates()
        lacking = settings.merge(having, on=list(SETTING), how="left", indicator=True)
        lacking = lacking[lacking["_merge"] == "left_only"].drop(columns="_merge")
        lent = lacking.merge(home.drop(columns=["find", "score_at"]), on=family).assign(lent=True)
        if len(lent):
            extra.append(lent[frame.columns])
    return pd.concat([frame, *extra], ignore_index=True) if extra else frame
