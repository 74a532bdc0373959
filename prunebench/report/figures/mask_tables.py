"""The tables of charts of masks: layers, neurons, weights on a path."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prunebench.analysis import SETTING, ratios, summarize_measures
from prunebench.report.escapes import plain
from prunebench.report.figures.tables import DIGITS, labelled, places, titles, variant_of

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.report.results import Results

__all__ = ["MEASURED", "effective_ratios", "measured", "of_telling", "telling"]


def measured(
    results: Results, measure: str, fields: Iterable[str], *, at_telling: bool = False
) -> pd.DataFrame:
    """Return `Results.measured` of methods without ablations, named, and `absent` as in `accuracies`.

    `at_telling`: of some sparsities alone, those that are the telling one of some setting (`of_telling`).

    `lower` and `upper` are the interval as it is drawn: within 0 and 1.
    """
    frame = results.measures
    frame = frame[(frame["measure"] == measure) & (frame["ablations"] == "") & (frame["sparsity"] > 0)]
    if at_telling:
        frame = frame[frame["sparsity"].isin(_near(results, frame))]
    summed = summarize_measures(frame, measure=measure, fields=tuple(fields))
    rows = labelled(_in_order(summed, frame), results)
    return rows.assign(
        **places(rows),
        variant=rows["ablations"].map(variant_of),
        absent=rows["missing"] + rows["failed"] + rows["unselected"],
        lower=rows["low"].clip(0, 1),
        upper=rows["high"].clip(0, 1),
    )[list(MEASURED)].round(dict.fromkeys(MEASURED[-6:], DIGITS))


def _in_order(summed: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return sums with fields as each setting's own cells have them: layers from the input to the output.

    Networks share names of layers, so an order of names over all settings is none of theirs.
    """
    place = [*SETTING, "field"]
    first = frame.assign(at=range(len(frame))).groupby(place, sort=False)["at"].min().reset_index()
    return summed.merge(first, on=place, how="left").sort_values("at", kind="stable").drop(columns="at")


MEASURED = (
    *(
        "setting",
        "name",
        "method",
        "variant",
        "density",
        "sparsity",
        "percent",
        "field",
        "planned",
        "n",
        "diverged",
    ),
    *("absent", "mean", "sd", "low", "high", "lower", "upper"),
)
"""Columns of `measured`."""


def _near(results: Results, frame: pd.DataFrame) -> set[float]:
    """Return of the sparsities that were measured those nearest to a setting's telling one."""
    points = frame["sparsity"].unique()
    return (
        {float(min(points, key=lambda point: abs(point - aim))) for aim in telling(results).values()}
        if len(points)
        else set()
    )


def telling(results: Results) -> dict[str, float]:
    """Return for each setting the sparsity at which its masks are looked at.

    The highest matching one; where nothing matches the middle of the grid.
    """
    known = titles(results)
    chosen = {}
    for standing in results.standings:
        grid, matching = standing.ranges.grid, standing.ranges.matching
        if grid:
            title = known[tuple(standing.labels[label] for label in SETTING)]
            chosen[title] = matching[-1] if matching else grid[len(grid) // 2]
    return chosen


def of_telling(found: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Return the rows at each setting's telling sparsity, with `order`, the number of a field in its setting.

    Where nothing was measured there, those at the next sparsity that has something.
    """
    import pandas as pd

    wanted = telling(results)
    parts: list[pd.DataFrame] = []
    for setting, rows in found[found["sparsity"] > 0].groupby("setting", sort=False):
        aim = wanted.get(str(setting), 0.0)
        there = rows.loc[rows["mean"].notna(), "sparsity"]
        if there.empty:
            continue
        nearest = there.iloc[int((there - aim).abs().argmin())]
        mine = rows[rows["sparsity"] == nearest]
        order = {field: place for place, field in enumerate(dict.fromkeys(mine["field"]))}
        parts.append(mine.assign(order=mine["field"].map(order)))
    if not parts:
        return found.iloc[:0].assign(order=0)
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True).sort_values("order", kind="stable")
    return whole.reset_index(drop=True)


def effective_ratios(results: Results) -> pd.DataFrame | None:
    """Return effective parameters of shuffled over unmodified networks, under the method's own name."""
    frame = results.measures
    frame = frame[(frame["measure"] == "effective-density") & (frame["field"] == "effective")]
    if not {"", "shuffle"} <= set(frame["ablations"]):
        return None
    shuffled = frame[frame["ablations"].isin(["", "shuffle"]) & (frame["sparsity"] > 0)]
    rows = labelled(summarize_measures(ratios(shuffled, "shuffle")), results)
    room = 0.05 * (rows["mean"].max() - rows["mean"].min()) + 0.005
    ends = {
        end: rows[end].clip(rows["mean"].min() - room, rows["mean"].max() + room) for end in ("low", "high")
    }
    return rows.assign(
        name=rows["method"].map(plain),
        **places(rows),
        absent=rows["missing"] + rows["failed"] + rows["unselected"],
        lower=ends["low"],
        upper=ends["high"],
    )[[name for name in MEASURED if name not in ("method", "variant", "field")]].round(
        dict.fromkeys(MEASURED[-6:], DIGITS)
    )
