"""Densities at which the scores decide whether a mask of whole filters keeps any (imports no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prunebench.inventory.snapshot import Snapshot
from prunebench.plan.cells import PlannedCell

__all__ = ["Scarce", "scarce_filters"]


@dataclass
class Scarce:
    """Cells of one method in one setting whose masks may keep no filter, for one reason."""

    architecture: str
    dataset: str
    method: str
    reason: str
    densities: list[str] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    """How many weights may stay at each of them."""
    cells: int = 0

    def in_words(self) -> str:
        """Return which cells these are, and why they may fail."""
        places = zip(self.densities, self.kept, strict=True)
        at = ", ".join(f"{density} ({kept:,} weights)" for density, kept in places)
        of_cells = f"{self.cells:,} cell{'' if self.cells == 1 else 's'}"
        setting = f"{self.architecture} on {self.dataset}"
        return f"{self.method} of {setting} at density {at}, {of_cells}: {self.reason}"


def scarce_filters(snapshot: Snapshot, cells: Iterable[PlannedCell]) -> Sequence[Scarce]:
    """Return the cells left to do whose mask keeps no filter where the scores put too large ones first."""
    reasons = snapshot.plan.may_keep_none
    groups: dict[tuple[str, str, str, str], Scarce] = {}
    for cell in cells:
        if cell.key not in reasons or snapshot.status(cell) == "done":
            continue
        labels = cell.labels
        name = (labels["architecture"], labels["dataset"], labels["method"], reasons[cell.key])
        group = groups.setdefault(name, Scarce(*name))
        group.cells += 1
        if cell.density not in group.densities:
            group.densities.append(cell.density)
            group.kept.append(cell.target)
    return list(groups.values())
