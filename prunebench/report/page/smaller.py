"""The table of really smaller networks: what each has and takes, beside what it is left of."""

from __future__ import annotations

import pandas as pd

from prunebench.report.figures.smaller import LEFT
from prunebench.report.page.listed import Column, Listed
from prunebench.report.page.tables import sparsity_column

__all__ = ["smaller_networks"]

_FORMS = {"parameters": "amount", "flops": "amount", "seconds": "seconds"}
_OF = {"parameters": "parameters", "flops": "FLOPs", "seconds": "latency"}
_ABOUT = {
    "parameters": "all of the network's, biases and BatchNorm among them",
    "flops": "of a forward pass of one example",
    "seconds": "measured seconds of a forward pass of one example on the CPU",
}


def smaller_networks(rows: pd.DataFrame) -> list[Listed]:
    """Return the table of `figures.smaller.left`; nothing where no filters were removed."""
    there = [name for name in LEFT if f"{name}_left" in rows and rows[f"{name}_left"].notna().any()]
    if not any((rows[f"{name}_left"] < 1).any() for name in there):
        return []
    columns = [
        Column("setting", "setting"),
        Column("name", "method"),
        sparsity_column(rows["sparsity"]),
        Column("mean", "accuracy, %", "mean over the seeds that finished", "points"),
        Column("low", "from", "95 % t interval of the mean, lower end; not below 0", "points", main=False),
        Column("high", "to", "95 % t interval of the mean, upper end; not above 100", "points", main=False),
    ]
    for name in there:
        of, about, form = _OF[name], _ABOUT[name], _FORMS[name]
        columns += [
            Column(f"{name}_shrunk", of, f"{about}, with the filters removed", form),
            Column(f"{name}_left", f"{of} left", "of those while filters are only masked", "share"),
            Column(f"{name}_masked", f"{of}, masked", f"{about}, filters only masked", form, main=False),
        ]
    columns.append(Column("n", "seeds", "", "number"))
    about = (
        "Networks from which filters were really removed, beside the same networks with filters masked, "
        "which have and take as much as the unpruned one. Means over seeds."
    )
    return [Listed("smaller", "What is left", about, columns, rows)]
