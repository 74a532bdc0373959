"""What those who make the cells of a run report of it, whichever front they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prunebench.engine.failures import WorkerLost

__all__ = ["RunReport"]


@dataclass
class RunReport:
    """What the reports of a run say."""

    failed: dict[str, str] = field(default_factory=dict)
    """The error of each failed cell, by its id."""
    idle: set[str] = field(default_factory=set)
    """Cells that were there already when their turn came."""
    made: dict[str, list[str]] = field(default_factory=dict)
    """The keys of the jobs run, by process: as each said at its end, or as its reports add up, which is all
    that is known of one that died."""
    dead: dict[str, str] = field(default_factory=dict)
    """The processes, as their files of times are called, that ended before they could say what they ran."""
    counted: int = 0
    """The number of jobs run by processes that report nothing."""
    interrupted: bool = False
    unwritable: str = ""
    """Why the store cannot be written, if that ended the run."""
    problem: str = ""
    """Why the run could not start or go on, otherwise."""
    lost: WorkerLost | None = None
    """Why this very process can do no more jobs, if that ended the run."""
    detached: str = ""
    """What is to be said where cells are made elsewhere, and nobody waits for them."""
    on_failure: Callable[[str, str], object] = lambda cell, error: None
    """Told of each cell that fails, and its error."""
    on_told: Callable[[str], object] = lambda cell: None
    """Told of each cell that a line was printed of."""

    def fails(self, cell: str, error: str) -> None:
        """Take in that a cell has failed."""
        self.failed[cell] = error
        self.on_failure(cell, error)

    @property
    def jobs(self) -> int:
        """The number of jobs run."""
        return self.counted + sum(map(len, self.made.values()))
