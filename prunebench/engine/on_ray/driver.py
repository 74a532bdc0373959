"""The driver of a run on Ray: hands jobs over, takes in what comes of them, tells of cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol

from prunebench import stopping
from prunebench.engine.failures import JobFailed
from prunebench.engine.fronts.watch import Teller
from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.on_ray.submissions import Submissions
from prunebench.engine.on_ray.values import Came
from prunebench.errors import StoreError
from prunebench.plan import Plan, PlannedCell
from prunebench.store import Damaged, Missing

__all__ = ["Driver", "Hands"]

TURN = 0.25
"""Seconds that the driver waits for Ray before it looks whether it was told to stop."""

PATIENCE = 10.0
"""Seconds for jobs to commit their checkpoints, once they are cancelled."""

UNFIT = 30
"""So many jobs in a row may find a node that cannot work before the run gives up."""

MARGIN = 4
"""Beside the jobs that run, one of so many waits for room with Ray, and two at least."""


class Hands(Protocol):
    """Makes jobs elsewhere: `Remote`."""

    @property
    def slots(self) -> int:
        """How many jobs there is room for."""

    def submit(self, key: str, before: Iterable[str]) -> None:
        """Hand a job over, which waits for those before it."""

    def ended(self, seconds: float) -> list[Came]:
        """Return what came of jobs that have ended, after so many seconds at most."""

    def cancel(self, keys: Iterable[str], *, kill: bool = False) -> None:
        """Let jobs end, those that run at a checkpoint; with `kill`, at once."""

    def news(self) -> list[str]:
        """Return what is to be said of the cluster."""


class Driver:
    """Gets cells made by `hands`; every cell is told of once, when it is done or cannot be made any more."""

    def __init__(
        self,
        work: JobsLeft,
        cells: Sequence[PlannedCell],
        hands: Hands,
        teller: Teller,
        *,
        result: Callable[[PlannedCell], str],
        lost: Callable[[str, str], JobFailed],
        failed: Callable[[str], str],
        workers: int | None = None,
        first_failure: bool = False,
    ) -> None:
        """`work` is what the cells need. `result` says how a cell came out, from its record; `lost` writes
        down that a job's processes died, with what Ray says of that; `failed` is the error of one that failed
        before. About `workers` jobs run at once, None: as many as there is room for.
        """
        self.jobs = 0
        """How many jobs ran."""
        self.failures = 0
        """How many cells failed."""
        self._submissions = Submissions(work)
        self._work, self._plan, self._hands, self._teller = work, work.plan, hands, teller
        self._result, self._lost, self._failed_before = result, lost, failed
        self._workers, self._first_failure = workers, first_failure
        self._errors: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        """How long jobs took whose cell has not been told of."""
        self._lacks = {cell.id: {target for target in cell.targets if target in work} for cell in cells}
        self._of_target: dict[str, list[PlannedCell]] = {}
        for cell in cells:
            for target in dict.fromkeys(cell.targets):
                self._of_target.setdefault(target, []).append(cell)
        self._cells = cells
        self._failed: set[str] = set()
        self._blocked = 0
        """How many blocked targets have been told of."""
        self._ending = False
        self._unfit = 0
        """How many jobs in a row have found a node that cannot work."""
        self.again: list[PlannedCell] = []
        """Cells whose results were gone when they were to be told of: damaged, perhaps."""

    def run(self) -> None:
        """Go on until every cell is told of. Raises: Stopped; StoreError where the run cannot go on."""
        with stopping.held():  # Ray's own code is not to be interrupted
            self._tell_done([cell for cell in self._cells if self._is_done(cell)])
            self._tell_blocked()
            try:
                while not (self._first_failure and self.failures):
                    stopping.check()
                    if not self._turn():
                        break
            finally:
                self._stop()

    def _turn(self) -> bool:
        """Hand over what there is room for, and take in what has ended; return whether anything was left."""
        while (key := self._submissions.next(self._at_once())) is not None:
            self._hands.submit(key, self._submissions.prerequisites(key))
        if not len(self._submissions):
            return False
        for came in self._hands.ended(TURN):
            self._take_in(came)
        for text in self._hands.news():
            self._teller.note(text)
        return True

    def _at_once(self) -> int:
        """Return how many jobs Ray is to have that can run, so that it finds one wherever there is room."""
        return self._workers or self._hands.slots + max(2, self._hands.slots // MARGIN)

    def _stop(self) -> None:
        """Let what is still with Ray end: at a checkpoint, or, where that takes too long, at once."""
        self._ending, until = True, time.monotonic() + PATIENCE
        self._hands.cancel(self._submissions.keys())
        while len(self._submissions) and (left := until - time.monotonic()) > 0:
            for came in self._hands.ended(min(TURN, left)):
                self._take_in(came)
        self._hands.cancel(self._submissions.keys(), kill=True)

    # -- what came of jobs ---------------------------------------------------------------------------------

    def _take_in(self, came: Came) -> None:
        """Take in what came of a job: what then is ready, done or blocked."""
        key, work = came.key, self._work
        follows = self._submissions.prerequisites(key)  # it ended before they did: as they have, or will
        self._submissions.ended(key)
        if came.how == "made":
            self.jobs += 1
            self._seconds[key] = came.seconds
        self._unfit = self._unfit + 1 if came.how == "unfit" else 0
        if came.how in ("made", "there"):
            work.made(key)
            self._tell_done(self._now_done(key))
        elif came.how == "failed":
            self._fail(came.failed, str(_failure(self._plan, came)))
        elif came.how == "lost" and key in work and not follows and not self._ending:
            self._fail(key, str(self._lost(key, came.message)))
        elif self._ending:
            pass
        elif came.how == "stuck" or self._unfit >= UNFIT:
            raise StoreError(came.message)
        elif came.how == "unfit":
            self._teller.note(f"{came.message}; its jobs go elsewhere")

    def _fail(self, key: str, error: str) -> None:
        """Take in that a job failed: what needs it is taken back from Ray, and its cells have failed."""
        self._errors.setdefault(key, error)
        self._work.failed(key)
        self._hands.cancel(self._submissions.unwanted())
        self._tell_blocked()

    # -- what is told of cells -----------------------------------------------------------------------------

    def _is_done(self, cell: PlannedCell) -> bool:
        return not self._lacks[cell.id] and not any(target in self._work.blocked for target in cell.targets)

    def _now_done(self, key: str) -> list[PlannedCell]:
        """Return the cells that lacked nothing but what has just been made."""
        done = []
        for cell in self._of_target.get(key, ()):
            lacks = self._lacks[cell.id]
            if key in lacks:
                lacks.discard(key)
                done += [cell] if self._is_done(cell) else []
        return done

    def _tell_done(self, cells: Iterable[PlannedCell]) -> None:
        for cell in cells:
            keys = {key for target in cell.targets for key in self._plan.ancestors(target)}
            spent = [self._seconds.pop(key) for key in keys & self._seconds.keys()]
            try:
                result = self._result(cell)
            except (Missing, Damaged):
                self.again.append(cell)
                continue
            self._teller.cell(cell.id, result=result, jobs=len(spent), seconds=sum(spent))

    def _tell_blocked(self) -> None:
        """Tell of the cells whose targets have come to be blocked since the last time."""
        blocked = self._work.blocked
        new = list(islice(blocked.items(), self._blocked, None))
        self._blocked = len(blocked)
        for target, failed in new:
            for cell in self._of_target.get(target, ()):
                if cell.id not in self._failed:
                    self._failed.add(cell.id)
                    self.failures += 1
                    self._teller.cell(cell.id, error=self._errors.get(failed) or self._failed_before(failed))


def _failure(plan: Plan, came: Came) -> JobFailed:
    return JobFailed(plan.jobs[came.failed], came.message, at=came.at, log_path=came.log_path)
