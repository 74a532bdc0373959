"""Measures beside the records as a tidy table: a row per cell, measure and number in it.

`summarize_measures` says what the seeds say together, `ratios` sets an ablation's numbers over those of the
unmodified method at the same seed, as Frankle et al. 2021 do with effective parameters (App. M, Fig. 16).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis.names import ALSO, one_name
from prunebench.analysis.statistics import AT_SPARSITY, summarize
from prunebench.analysis.table import SETTING, STATUSES, VARIANT, distinct, table
from prunebench.errors import UsageError, nearest

__all__ = ["MEASURE", "fields_of", "measures", "ratios", "summarize_measures"]

MEASURE = ("measure", "field")
"""What a number is: the diagnostic's name, and the number's place in its value."""

_CELL = ("matrix", "cell", "key", *SETTING, *VARIANT, "density", "sparsity", "seed", "status")


def fields_of(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in a measure's value with their places, as checks spell them.

    A table's entries are joined by points, and so are those of a list of tables that have a "name"; yes and
    no are 1 and 0; texts, nulls and other lists (curves, neurons one by one) are left out. The place of a
    value that is a number itself is "".

    >>> list(fields_of({"share": 0.5, "layers": [{"name": "fc", "kept": 3}], "curve": [[0, 1.0]]}))
    [('share', 0.5), ('layers.fc.kept', 3.0)]
    """
    if isinstance(value, bool | int | float):
        yield name, float(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from fields_of(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, Mapping) and "name" in item:
                rest = {key: part for key, part in item.items() if key != "name"}
                yield from fields_of(rest, f"{name}.{item['name']}" if name else str(item["name"]))


def measures(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of measures: what names a cell, then measure, field, value (a float).

    `rows` is one for each cell and measure: the columns that `table` takes of a cell, `measure` (its name),
    and `measured` (the diagnostic's value, None where there is none). status is that of the measure. A
    measure that is not finished has rows without a value: one for each field that the same measure has
    anywhere, so that it is counted beside every mean; one with the field "" where it has none.

    Raises: ValueError as `table` does.
    """
    fields: dict[str, dict[str, None]] = {}
    numbers = []
    for row in rows:
        mine = dict(fields_of(row.get("measured"))) if row["status"] == "finished" else {}
        fields.setdefault(row["measure"], {}).update(dict.fromkeys(mine))
        numbers.append(mine)
    cells = table([{k: v for k, v in row.items() if k in _CELL} for row in rows])[list(_CELL)]
    where, measure, field, value = [], [], [], []
    for i, (row, mine) in enumerate(zip(rows, numbers, strict=True)):
        names = mine if row["status"] == "finished" else fields[row["measure"]] or {"": None}
        for name in names:
            where.append(i)
            measure.append(row["measure"])
            field.append(name)
            value.append(mine.get(name, float("nan")))
    frame = cells.iloc[where].reset_index(drop=True)
    return frame.assign(
        measure=pd.Series(measure, dtype=object),
        field=pd.Series(field, dtype=object),
        value=np.array(value, dtype=np.float64),
    )


def summarize_measures(
    frame: pd.DataFrame,
    *,
    level: float = 0.95,
    measure: str | None = None,
    fields: Sequence[str] = ("*",),
) -> pd.DataFrame:
    """Return what the seeds say together of every number: measure, field, then the columns of `summarize`.

    `measure`: only this one; `fields`: only numbers at places that one of these patterns matches.

    Raises: UsageError where two different cells stand in one place.
    """
    frame = _of_fields(frame, measure, fields)
    parts = [_one_row_a_cell(part) for _, part in frame.groupby("measure", sort=False)]
    whole = pd.concat(parts, ignore_index=True) if parts else frame.assign(**{ALSO: ""})
    order = whole.groupby(list(MEASURE), sort=False).ngroup().sort_values(kind="stable").index
    summed = summarize(whole.loc[order], at=(*MEASURE, *AT_SPARSITY), value="value", level=level)
    return summed[[*MEASURE, *(name for name in summed.columns if name not in MEASURE)]]


def _one_row_a_cell(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return one measure's numbers with each cell once, under one name (`names.one_name`)."""
    place = ["matrix", "cell", *SETTING, *VARIANT, "density", "seed"]
    numbers = numbers.assign(_cell=numbers.groupby(place, sort=False).ngroup())
    cells = one_name(distinct(numbers.drop_duplicates("_cell")), AT_SPARSITY, ("seed",))
    named = numbers.drop(columns=list(VARIANT)).merge(cells[["_cell", *VARIANT, ALSO]], on="_cell")
    return named.drop(columns="_cell")


def _of_fields(frame: pd.DataFrame, measure: str | None, fields: Sequence[str]) -> pd.DataFrame:
    if measure is not None:
        frame = frame[frame["measure"] == measure]
    if "*" in fields:
        return frame
    places = [place for place in frame["field"].unique() if any(fnmatchcase(place, each) for each in fields)]
    return frame[frame["field"].isin(places)]


def ratios(frame: pd.DataFrame, ablation: str = "shuffle", *, against: str = "") -> pd.DataFrame:
    """Return the numbers of cells with an ablation over those of the same cells with another, or none.

    Cells are the same that differ in nothing but ablations: setting, method, density, seed. The rows are
    those of the table for the ablation, `value` the ratio; it is NaN, and status "missing", where either
    number is not there or the lower one is 0. With `field` "effective" of the measure "effective-density"
    these are Frankle et al.'s ratios (App. M).

    Raises: UsageError where no cell has this ablation.
    """
    known = set(frame["ablations"])
    for wanted in (ablation, against):
        if wanted not in known:
            name = f"the ablation '{wanted}'" if wanted else "no ablation"
            raise UsageError(f"no cell with a measure has {name}{nearest(wanted, known - {''})}")
    place = [*SETTING, "method", "density", "seed", *MEASURE]
    upper = frame[frame["ablations"] == ablation].drop_duplicates(place)
    lower = frame[frame["ablations"] == against].drop_duplicates(place)
    both = upper.merge(lower[[*place, "value", "status"]], on=place, how="left", suffixes=("", "_below"))
    below = both["value_below"].where(both["value_below"] != 0)
    value = both["value"] / below
    status = both["status"].where(both["status"] != "finished", both["status_below"].fillna("missing"))
    status = status.where((status != "finished") | value.notna(), "missing")
    assert set(status) <= set(STATUSES)
    return both.assign(value=value, status=status).drop(columns=["value_below", "status_below"])
