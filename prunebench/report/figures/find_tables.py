"""The tables of charts of finds: accuracies by find and evaluation, ratios and distances by epoch.

A *place* is what such a figure is of: a network on a data set, under every recipe and find that it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prunebench.analysis import SETTING, summarize_measures
from prunebench.report.figures.tables import DIGITS, half_an_example, labelled, shown
from prunebench.report.finds import AS_EVAL

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.figures.source import Source
    from prunebench.report.results import Results

__all__ = ["among", "beside", "by_epoch", "by_find", "first_density", "of_layers", "scored"]

NO_FIND = "no find: {}"
"""What a method is called that no find concerns."""

PLACE = ("architecture", "dataset", "split")
_ALIKE = ("recipe", "score_at", "method")
_COUNT = 2
"""Finds from which on there is something to compare."""


def among(source: Source, rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the settings of the networks that rows are of, under whatever recipe and find: with any of them
    a page shows a figure of these rows."""
    there = set(rows["setting"])
    places = {_of(labels) for labels, title in source.titles.items() if title in there}
    return tuple(title for labels, title in source.titles.items() if _of(labels) in places)


def _of(labels: tuple[str, ...]) -> tuple[str, ...]:
    named = dict(zip(SETTING, labels, strict=True))
    return tuple(named[name] for name in PLACE)


def by_find(source: Source) -> pd.DataFrame:
    """Return `Source.accuracies` of methods that have results under several finds, with labels beside.

    place, eval (the recipe), find, panel (method and eval, with the pruning step where there is one). A find
    that changes nothing is one like any other. What does not depend on the find, as random pruning at
    initialization, is left out: its cells are the same. Methods and settings are in the suite's order.
    """
    rows = _in_order(source, _accuracies(source))
    rows = rows[(rows["variant"] == "unmodified") & (rows["sparsity"] > 0)]
    rows = rows[_depend(source.results, rows)]
    some = rows["place"] + rows["recipe"] + rows["at"] + rows["method"]
    rows = rows[(rows["n"] + rows["diverged"]).groupby(some).transform("sum") > 0]
    panel = (
        rows["method"] + ", " + rows["eval"] + rows["at"].map(lambda at: f", pruned at {at}" if at else "")
    )
    find = rows["find"].where(rows["find"] != "", AS_EVAL)
    return rows.assign(find=find, panel=panel).reset_index(drop=True)


def _in_order(source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows by place, method and setting, each in the suite's order; of a line as they were."""
    methods = list(dict.fromkeys(map(shown, source.results.cells["method"])))
    setting = rows["setting"].map({title: i for i, title in enumerate(source.titles.values())})
    keys = rows.assign(
        place=setting.groupby(rows["place"]).transform("min"),
        method=rows["method"].map({method: i for i, method in enumerate(methods)}),
        setting=setting,
    )
    return rows.loc[keys.sort_values(["place", "method", "setting"], kind="stable").index]


def beside(source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the suite's baselines in each panel of `by_find`, at their place under their eval.

    The unpruned network is at sparsity 0. A baseline that has finds of its own there is none of these.
    """
    import pandas as pd

    every = _accuracies(source)
    names = [name for _, name in source.results.baselines]
    every = every[(every["variant"] == "unmodified") & every["name"].isin(names)]
    every = every[every["n"] + every["diverged"] > 0]
    every = every.sort_values(["at", "find"], kind="stable")
    every = every.drop_duplicates(["place", "recipe", "name", "density"])
    dense = source.results.baselines.none
    every = every.assign(find=every["name"].replace({dense: "unpruned"}).map(NO_FIND.format))
    shown = rows[["place", "recipe", "panel", "method"]].drop_duplicates()
    own = set(zip(rows["place"], rows["recipe"], rows["method"], strict=True))
    lent = [one not in own for one in zip(every["place"], every["recipe"], every["name"], strict=True)]
    every = every[pd.Series(lent, index=every.index, dtype=bool)]  # a list might be empty, and no mask
    joined = shown.drop(columns="method").merge(every, on=["place", "recipe"])
    least = pd.concat([rows, joined]).groupby("panel")["error"].min() / 1.2  # two seeds flatten no lines
    joined = joined.assign(error_low=joined["error_low"].clip(lower=joined["panel"].map(least)))
    return joined.reindex(columns=rows.columns)


def scored(source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of the unpruned network that each find of `by_find` scored, where it was measured.

    It is the network as it was when it was pruned: at the end of its training, or at an epoch of it.
    """
    frame, name = source.results.measures, "scored-network"
    frame = frame[(frame["measure"] == name) & (frame["ablations"] == "")]
    if frame.empty:
        return rows.iloc[:0]
    summed = summarize_measures(frame, measure=name, fields=("unpruned.accuracy",))
    own = labelled(summed, source.results).dropna(subset="mean").drop_duplicates(["setting", "name"])
    told = ["place", "method", "eval", "find", "at", "recipe", "panel"]
    networks = rows[["setting", "name", *told]].drop_duplicates()
    networks = networks.merge(own[["setting", "name", "planned", "n", "mean", "low", "high"]])
    error = (100 - networks["mean"]).clip(lower=half_an_example(source.results)).round(DIGITS)
    whole: dict[str, Any] = {
        "density": 1.0,
        "sparsity": 0.0,
        "percent": 0.0,
        "diverged": 0,
        "absent": 0,
        "empty": "",
    }
    networks = networks.assign(**whole, error=error)
    return networks.reindex(columns=rows.columns)


def _accuracies(source: Source) -> pd.DataFrame:
    """Return `Source.accuracies` with labels; `height` is where marks of what is odd stand."""
    return _with_labels(source, source.accuracies).assign(height=source.accuracies["place"])


def _with_labels(source: Source, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the parts of their settings as columns, harmless to show."""
    labels = {title: dict(zip(SETTING, values, strict=True)) for values, title in source.titles.items()}
    parts = {name: rows["setting"].map(lambda s, n=name: shown(labels[s][n])).astype(str) for name in SETTING}
    return rows.assign(
        place=_place(parts),
        eval=parts["recipe"],
        find=parts["find"],
        at=parts["score_at"],
        recipe=parts["recipe"],
    )


def _place(parts: Any) -> Any:
    split = parts["split"].map(lambda name: "" if name in ("", "test") else f", {name} split")
    return parts["architecture"] + " on " + parts["dataset"] + split


def _depend(results: Results, rows: pd.DataFrame) -> pd.Series:
    """Say of which rows the method's cells differ between finds, of which it has two or more."""
    cells = results.cells[results.cells["ablations"] == ""]
    at = [*PLACE, *_ALIKE, "density", "seed"]
    finds = (
        cells.groupby(at, sort=False).agg(keys=("key", "nunique"), finds=("find", "nunique")).reset_index()
    )
    several = finds[finds[["keys", "finds"]].min(axis=1) >= _COUNT]
    named = {
        (_place({n: several[n].map(shown) for n in PLACE})[i], *(shown(row[n]) for n in _ALIKE))
        for i, row in several.iterrows()
    }
    mine = zip(rows["place"], rows["recipe"], rows["at"], rows["method"], strict=True)
    import pandas as pd

    return pd.Series([one in named for one in mine], index=rows.index, dtype=bool)


_RATIOS = "ratios-by-epoch"


def by_epoch(source: Source) -> pd.DataFrame:
    """Return the distance to the final ratios by epoch: a row a place, method, find, density and epoch.

    `line` is the find, or the method where it has a single one that is not told; recipes share what does not
    depend on them, and are named beside the find where it does.
    """
    return _measured(source, ["distance.*"], r"distance\.(?P<epoch>\d+)")


def of_layers(source: Source) -> pd.DataFrame:
    """Return the ratio of each layer by epoch, with `order`, the layer's number from the input on."""
    rows = _measured(source, ["layers.*.at.*"], r"layers\.(?P<layer>.+)\.at\.(?P<epoch>\d+)")
    if rows.empty:
        return rows
    order = {name: i for _, part in rows.groupby("place", sort=False) for i, name in enumerate(_layers(part))}
    return rows.assign(
        layer=rows["layer"].map(lambda name: shown(name.removesuffix(".weight"))),
        order=rows["layer"].map(order),
    )


def _layers(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(rows["layer"]))


def _measured(source: Source, fields: list[str], pattern: str) -> pd.DataFrame:
    frame = source.results.measures
    frame = frame[(frame["measure"] == _RATIOS) & (frame["ablations"] == "")]
    if frame.empty:
        return frame
    summed = labelled(summarize_measures(frame, measure=_RATIOS, fields=tuple(fields)), source.results)
    if summed.empty:
        return summed
    rows = _with_labels(source, summed.join(summed["field"].str.extract(pattern)))
    rows = rows[rows["epoch"].notna() & rows["mean"].notna()]
    rows = rows.assign(
        epoch=rows["epoch"].astype(int),
        density=(1 - rows["sparsity"]).round(12),
        percent=(100 * rows["sparsity"]).round(10),
        lower=rows["low"].clip(0, 1),
        upper=rows["high"].clip(0, 1),
        method=rows["name"],
    )
    rows = rows.assign(**_lines(rows))
    return rows.drop_duplicates(["place", "method", "line", "sparsity", "field"])[
        list(_MEASURED) + (["layer"] if "layer" in rows else [])
    ].round(dict.fromkeys(("mean", "low", "high", "lower", "upper"), DIGITS))


def _lines(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what each row's line is called, two that differ by two names, and the heading of its panel."""
    several = rows.groupby(["place", "method"], sort=False)["find"].transform("nunique") > 1
    of_method = (rows["find"] == "") & ~several
    line = rows["find"].where(rows["find"] != "", AS_EVAL).mask(of_method, rows["method"])
    line_of = [rows["place"], rows["method"], line]
    means = rows["mean"].round(DIGITS)
    values = means.groupby([*line_of, rows["sparsity"], rows["field"]], sort=False).transform("nunique")
    differ = values.groupby(line_of, sort=False).transform("max") > 1
    line = line.mask(differ, line + ", " + rows["eval"])
    under = (rows["find"] != "").map({True: "found under ", False: "found "})
    return {"line": line, "heading": line.where(of_method, under + line)}


_MEASURED = (
    *("setting", "place", "method", "line", "heading", "density", "sparsity", "percent", "epoch"),
    *("planned", "n", "mean", "low", "high", "lower", "upper"),
)


def first_density(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each place and method at the highest density that it was measured at."""
    most = rows.groupby(["place", "method"], sort=False)["density"].transform("max")
    return rows[rows["density"] == most].reset_index(drop=True)
