"""How far a run is whose cells are made elsewhere: a watch of the store, which all that is made comes to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Protocol

from prunebench import stopping
from prunebench.engine.fronts.report import RunReport
from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.summary import summary
from prunebench.engine.worker import Worker
from prunebench.inventory.snapshot import listed
from prunebench.plan import PlannedCell
from prunebench.store import Damaged, Missing

__all__ = ["Teller", "Watch"]

PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds between two looks at the store at least, and at most."""

SHARE = 20
"""A look that took so long is followed by a pause of so many times that: a slow file server is spared."""


class Teller(Protocol):
    """Says what becomes of cells: `CellReporter`."""

    def cell(
        self,
        name: str,
        *,
        result: str = "",
        error: str | None = None,
        jobs: int = 1,
        seconds: float | None = None,
    ) -> None:
        """Say that a cell is done, after so many jobs of this run, or has failed, with its error."""

    def note(self, text: str) -> None:
        """Say something else, once."""


class Watch:
    """Tells of every cell once, when it is done or cannot be made any more; makes nothing itself."""

    def __init__(
        self,
        worker: Worker,
        cells: Sequence[PlannedCell],
        report: RunReport,
        teller: Teller,
        *,
        first_failure: bool = False,
    ) -> None:
        """Look at the store; `worker`, which runs nothing, says how jobs fail in other processes."""
        self.report, self.teller = report, teller
        self._worker, self._first_failure = worker, first_failure
        self._failed = {key: str(worker.failure(key)) for key in worker.given_up}
        """The errors of jobs that failed, by key."""
        self._open = {cell.id: cell for cell in cells}
        self._looked, self._took = 0.0, 0.0
        for cell in cells:
            if (lacks := worker.plan.lacks(cell)) is not None:
                self._tell_failed(cell, lacks)
        self._wanted = [target for cell in self._open.values() for target in cell.targets]
        self._work = JobsLeft(worker.plan, self._wanted, listed(worker.plan, worker.store), self._failed)
        self._jobs = self._remaining()

    @property
    def over(self) -> bool:
        """True if nothing is left to wait for: every cell is done or has failed, or one has with -x."""
        return not self._open or (self._first_failure and bool(self.report.failed))

    @property
    def left(self) -> list[PlannedCell]:
        """The cells that are neither done nor failed."""
        return list(self._open.values())

    def look(self) -> bool:
        """Look at the store, if the last look is a while ago; return True where a cell came to its end."""
        now = time.monotonic()
        if now - self._looked < min(LONGEST_PAUSE, max(PAUSE, SHARE * self._took)):
            return False
        there = self._results()
        for key in self._missing_among(there):
            self._work.made(key)
        for key in self._worker.store.attempt_keys():
            if key in self._work and (failure := self._worker.failed_elsewhere(key)) is not None:
                self._failed[key] = str(failure)
                self._work.failed(key)
        before = len(self._open)
        for cell in self.left:
            self._settle(cell, there)
        self._looked = time.monotonic()
        self._took = self._looked - now
        return len(self._open) < before

    def jobs(self) -> int:
        """Return how many jobs that were to do when the watch began are not to do any more."""
        return len(self._jobs - self._remaining())

    def _remaining(self) -> set[str]:
        plan = self._worker.plan
        return set(plan.remaining(self._wanted, listed(plan, self._worker.store)))

    def pause(self, seconds: float = PAUSE) -> None:
        """Sleep a moment. Raises: Stopped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            stopping.check()
            time.sleep(min(left, 0.1))
        stopping.check()

    def _results(self) -> set[str]:
        store = self._worker.store
        return store.record_keys() | store.measure_keys()

    def _missing_among(self, there: set[str]) -> list[str]:
        """Return those targets among what is there now that were still to be made."""
        return [target for cell in self.left for target in cell.targets if target in there]

    def _settle(self, cell: PlannedCell, there: set[str]) -> None:
        """Tell of a cell, and wait for it no more, if it is done or has failed."""
        if all(target in there for target in cell.targets):
            with contextlib.suppress(Missing, Damaged):  # set aside just now: it is made again
                result = summary(self._worker, cell)
                del self._open[cell.id]
                self.teller.cell(cell.id, result=result)
            return
        failed = next((self._work.blocked[t] for t in cell.targets if t in self._work.blocked), None)
        if failed is not None:
            self._tell_failed(cell, self._failed[failed])

    def _tell_failed(self, cell: PlannedCell, error: str) -> None:
        del self._open[cell.id]
        self.teller.cell(cell.id, error=error)
