"""Numbers that a paper or another program reports: shown beside ours, never mixed with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from prunebench.reading.grid import density_on_grid
from prunebench.reading.tables import Sparsity
from prunebench.suite.cell import Cell
from prunebench.suite.check import Selection, Where

__all__ = ["Reported", "reported_rows"]

SETTING = ("architecture", "dataset", "recipe", "find", "score_at", "split")


class Reported(Selection):
    """Top-1 accuracies in percent that a source gives for a method, a value for each sparsity."""

    source: str
    where: Where = Where()
    sparsities: Annotated[list[Sparsity], Field(min_length=1)]
    values: Annotated[list[Annotated[float, Field(ge=0, le=100)] | Literal["diverged"]], Field(min_length=1)]
    runs: Annotated[int, Field(ge=1)] | None = None

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the key path and message of what does not go together."""
        if len(self.values) != len(self.sparsities):
            yield (
                ("values",),
                f"has {len(self.values)} values; allowed: one for each of {len(self.sparsities)} sparsities",
            )
        if self.quantity is not None:
            yield ("quantity",), "is no key here: reported numbers are accuracies"

    def selects(self, cell: Cell) -> bool:
        """True if a cell is of this method and setting; its sparsity is not asked."""
        return self.means(cell, every_point=self.score_at is None) and self.where.has(cell)


def reported_rows(reported: Sequence[Reported], cells: Sequence[Cell]) -> list[Mapping[str, Any]]:
    """Return a row for each reported number and setting: labels, density, value (None: diverged), source."""
    rows: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for one in reported:
        mine = [cell for cell in cells if one.selects(cell)]
        settings = {tuple(cell.labels[k] for k in SETTING): None for cell in mine}
        grid = sorted({cell.density for cell in mine})
        for setting in settings:
            for sparsity, value in zip(one.sparsities, one.values, strict=True):
                row = {
                    **dict(zip(SETTING, setting, strict=True)),
                    "method": one.method,
                    "ablations": one.ablations_label,
                    "density": density_on_grid(sparsity, grid, sparsity=True),
                    "value": None if value == "diverged" else value,
                    "source": one.source,
                    "runs": one.runs,
                }
                rows[(*setting, one.source, one.method, one.ablations_label, row["density"])] = row
    return list(rows.values())
