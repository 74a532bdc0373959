"""The front: submits pilots, waits until the store has all cells, and looks after the pilots meanwhile."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench import stopping
from prunebench.engine.devices.slots import Workforce
from prunebench.engine.fronts import Assignment
from prunebench.engine.fronts.watch import Watch
from prunebench.engine.guarding.limits import Limits
from prunebench.engine.on_slurm.options import Wishes
from prunebench.engine.on_slurm.pilot import Pilot
from prunebench.engine.on_slurm.queue import InQueue, Queue
from prunebench.engine.on_slurm.submissions import PilotState, Submission, submissions_of
from prunebench.errors import PrunebenchError

if TYPE_CHECKING:
    from prunebench.engine.session import Session
    from prunebench.plan import PlannedCell

__all__ = ["SlurmFront"]

LOOK = 15.0
"""Seconds between two looks at the queue: each is a request to a server that everybody uses."""

STILLBORN = 3
"""So many pilots may end for nothing in a row, while none is at work."""

STILLBORN_BESIDE = 20
"""So many where others are at work: one node may be out of order."""

SHORT = 60.0
"""Seconds after its start in which a pilot that is told to stop has ended for nothing."""

PATIENCE = 5.0
"""Seconds that pilots have to leave, once they have to: they commit their checkpoints."""

NAP = 0.5
"""Seconds between two looks whether they have left."""

OpenQueue = Callable[[Path, str, Mapping[str, Any]], Queue]


class SlurmFront:
    """Runs cells in pilots under Slurm."""

    def __init__(self, wishes: Wishes, open_queue: OpenQueue) -> None:
        self._wishes, self._open_queue = wishes, open_queue

    def workforce(self) -> Workforce:
        """Return the pilots: each has cores, and perhaps GPUs, of its own."""
        wishes = self._wishes
        on_gpu = wishes.device != "cpu"
        return Workforce(
            wishes.workers,
            gpus=wishes.workers * wishes.gpus if on_gpu else 0,
            model=wishes.model,
            each=wishes.gpus,
            device=wishes.device,
            cores=wishes.workers * wishes.cores,
        )

    @contextmanager
    def ready(self, session: Session, cells: Sequence[PlannedCell]) -> Iterator[None]:
        """Ask whether Slurm would take pilots. Raises: UsageError with its words where it never would."""
        self._open_queue(Path(session.request.store), "", self._wishes.parameters).check()
        yield

    def run(self, assignment: Assignment, watch: Watch) -> None:
        """Submit pilots and wait for the cells, or, detached, only submit them."""
        fleet = Fleet(self._wishes, self._open_queue, assignment, watch.teller.note)
        if self._wishes.detach:
            fleet.tend(watch.left)
            watch.report.detached = fleet.parting()
            return
        try:
            while not watch.over:
                if watch.look():
                    fleet.fruitless = 0
                if not watch.over:
                    fleet.tend(watch.left)
                    watch.pause()
        finally:
            with stopping.held():
                fleet.end(cancelled=bool(watch.left))


class Fleet:
    """The pilots of a run: those that it has submitted, and those of others that make its cells too."""

    def __init__(
        self, wishes: Wishes, open_queue: OpenQueue, assignment: Assignment, tell: Callable[[str], object]
    ) -> None:
        self.fruitless = 0
        """How many pilots in a row have ended for nothing, since the last cell was made."""
        self._wishes, self._assignment, self._tell = wishes, assignment, tell
        assert assignment.session.frozen is not None
        self._plan = assignment.session.frozen.stem
        self._submission: Submission | None = None
        self._open_queue = open_queue
        self._queue = open_queue(assignment.store.root, "", {})
        """Only to look; the one that pilots are submitted to has their folder."""
        self._alive: set[str] = set()
        """The jobs of our pilots, as far as they have not ended."""
        self._last_error = ""
        self._next_start = -math.inf
        self._looked = -math.inf

    # -- looking after them ----------------------------------------------------------------------------------

    def tend(self, left: Sequence[Any]) -> None:
        """Every few seconds look at the queue, see which pilots have ended and how, and submit what lacks.

        Raises: PrunebenchError where pilot after pilot cannot start; Stopped.
        """
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        others = self._others([cell.id for cell in left])
        arrays = [array for one in (*others, *self._ours()) for array in one.arrays]
        jobs = self._queue.look(arrays)
        if jobs is None:
            return  # nobody answers; the pilots go on meanwhile
        self._take_in(jobs)
        self._say_why_none_runs(jobs)
        wanted = min(self._wishes.workers, len(left))
        if others and jobs:
            arrays = [array for one in others for array in one.arrays]
            self._tell(f"pilots of another run are there ({_jobs(arrays)}): joining them")
        pending = sum(job.pending for job in jobs.values())
        room = math.inf if self._wishes.queued is None else self._wishes.queued - pending
        lacking = min(wanted - len(jobs), room)
        if lacking > 0:
            with stopping.held():  # pilots that nobody knows of would be left behind
                self._submit(int(lacking))
            stopping.check()

    def _ours(self) -> list[Submission]:
        return [] if self._submission is None else [self._submission]

    def _others(self, cells: Sequence[str]) -> list[Submission]:
        """Return what other runs have submitted for these cells."""
        ours = None if self._submission is None else self._submission.folder
        every = submissions_of(self._assignment.store, self._plan)
        return [one for one in every if one.folder != ours and one.arrays and one.makes(cells)]

    def _submit(self, count: int) -> None:
        """Submit arrays of pilots, as many in each as may start in a minute, one after another."""
        submission = self._submission or self._new_submission()
        pilot = Pilot(submission.folder, self._arguments(submission), self._wishes.starts)
        queue = self._open_queue(submission.logs, self._name(), self._wishes.parameters)
        before, submitted = len(submission.arrays), 0
        try:
            while submitted < count:
                size = min(self._wishes.starts, count - submitted)
                now = time.monotonic()
                after = max(0.0, self._next_start - now)
                jobs = queue.submit(pilot, size, after)
                self._next_start = now + after + 60.0 * size / self._wishes.starts
                self._alive.update(jobs)
                submission.arrays += sorted({job.split("_")[0] for job in jobs})
                submission.write()
                submitted += size
        finally:
            if not submission.arrays:  # refused
                shutil.rmtree(submission.folder, ignore_errors=True)
                self._submission = None
        self._tell(self._submitted(submission, submission.arrays[before:], submitted))

    def _new_submission(self) -> Submission:
        cells = [cell.id for cell in self._assignment.cells]
        partition = str(self._wishes.parameters.get("partition", ""))
        self._submission = Submission.new(self._assignment.store, self._plan, partition, cells)
        return self._submission

    def _name(self) -> str:
        suite = str(self._assignment.session.plan.suite["name"])
        return "prunebench-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", suite)[:50]

    def _arguments(self, submission: Submission) -> list[str]:
        """Return what `prunebench work` is told, besides what the plan says: what makes it, plugins too."""
        request = self._assignment.session.request
        limits = Limits(request.job_timeout, request.memory_limit)
        keep = ["--keep-states"] if request.keep_states else []
        return [
            str(self._assignment.session.frozen),
            *("--data", request.data, "--device", self._wishes.device, "--threads", str(request.threads)),
            *("--kernels", request.kernels),
            *("--run", self._assignment.since, "--cells", str(submission.cells_file)),
            *limits.as_options(),
            *keep,
        ]

    # -- those that have ended -------------------------------------------------------------------------------

    def _take_in(self, jobs: Mapping[str, InQueue]) -> None:
        """See which of our pilots have left the queue, and how they have ended."""
        ended = [job for job in self._alive if job not in jobs]
        if not ended:
            return
        assert self._submission is not None
        states = self._submission.states()
        at_work = any(states[job].stage == "working" for job in self._alive if job in jobs and job in states)
        for job in sorted(ended):
            self._alive.discard(job)
            error = self._error_of(job, states.get(job))
            if error is None:
                continue
            self.fruitless += 1
            if self.fruitless >= (STILLBORN_BESIDE if at_work else STILLBORN):
                raise PrunebenchError(
                    f"pilots end for nothing: {self.fruitless} in a row. The last one, job {job}: {error}"
                )

    def _error_of(self, job: str, state: PilotState | None) -> str | None:
        """Return what went wrong with a pilot that has ended; None where it has done its part."""
        assert self._submission is not None
        log, tail = self._submission.log(job), self._submission.log_tail(job)
        where = f"\n  log: {log}"
        if state is None:
            return f"it has not begun{_indented(tail) or ', and wrote no log'}{where}"
        if state.why == "cannot start":
            return f"its worker cannot start{_indented(state.error)}{where}"
        if state.why == "left":
            return f"its worker left cells that it cannot make{_indented(tail)}{where}"
        if state.stage in ("waiting", "starting", "working"):
            return f"it was killed while it was {state.stage}{_indented(tail)}{where}"
        if state.stage == "ended" and state.why == "told to stop" and state.seconds < SHORT:
            return f"it was told to stop as soon as it had started{_indented(tail)}{where}"
        return None

    # -- what is told ----------------------------------------------------------------------------------------

    def _submitted(self, submission: Submission, arrays: Sequence[str], count: int) -> str:
        late = max(0.0, self._next_start - time.monotonic() - 60.0)
        pilots = f"{count:,} pilot{'s' if count != 1 else ''}"
        spread = f", the last to start in {math.ceil(late / 60)} min at the earliest" if late > 1 else ""
        return f"submitted {pilots} ({_jobs(arrays)}){spread}; logs: {submission.logs}"

    def _say_why_none_runs(self, jobs: Mapping[str, InQueue]) -> None:
        """Say, once for each reason, why Slurm lets no pilot run."""
        reasons = Counter(job.reason for job in jobs.values() if job.pending)
        if reasons and not any(job.state == "RUNNING" for job in jobs.values()):
            ((reason, _),) = reasons.most_common(1)
            if reason not in ("None", "", "BeginTime"):
                self._tell(f"no pilot runs yet: Slurm says {reason}")

    def parting(self) -> str:
        """Return what is told where nobody waits for the pilots."""
        arrays = " ".join(self._submission.arrays) if self._submission else ""
        suite = self._assignment.session.path
        cancel = f"; `scancel {arrays}` ends them" if arrays else ""
        return f"`prunebench status {suite}` shows how far the pilots are{cancel}"

    # -- the end ---------------------------------------------------------------------------------------------

    def end(self, *, cancelled: bool) -> None:
        """End our pilots, and wait a moment until they have left; those of others go on.

        With cells left they are `cancelled`, and that is said. Else those that run have just found that
        nothing is left, and leave by themselves; those that Slurm has not started would find the same.
        """
        submission = self._submission
        if submission is None:
            return
        submission.cancel()
        try:
            if not cancelled:
                self._queue.cancel(submission.arrays, waiting_only=True)
                self._wait_for_the_end_of(submission)
            if cancelled or self._queue.look(submission.arrays) != {}:
                self._queue.cancel(submission.arrays)
                self._wait_for_the_end_of(submission)
        except PrunebenchError as error:
            self._tell(str(error))
            return
        if cancelled:
            self._tell(f"cancelled the pilots ({_jobs(submission.arrays)})")

    def _wait_for_the_end_of(self, submission: Submission) -> None:
        until = time.monotonic() + PATIENCE
        while self._at_work(submission) and time.monotonic() < until:
            time.sleep(NAP)

    def _at_work(self, submission: Submission) -> list[str]:
        """Return the pilots that have a worker to end: Slurm itself takes a while after that."""
        states = submission.states()
        jobs = self._queue.look(submission.arrays) or ()
        return [job for job in jobs if job in states and states[job].stage in ("starting", "working")]


def _jobs(arrays: Sequence[str]) -> str:
    shown = ", ".join(arrays[:5]) + (f" and {len(arrays) - 5:,} more" if len(arrays) > 5 else "")
    return f"Slurm job{'s' if len(arrays) != 1 else ''} {shown}"


def _indented(text: str) -> str:
    return "".join(f"\n  {line}" for line in text.splitlines())
