"""Runs cells: here, through a session of pytest, so that -x and -n mean what they mean there; or elsewhere,
by the front of an engine.

A run begins when whatever is to make its cells has shown that it can: only then is anything of the store
changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pytest

from prunebench import stopping
from prunebench.engine.devices.device import start_device
from prunebench.engine.devices.slots import Slot
from prunebench.engine.fronts import HANDED_OVER, Assignment, Front
from prunebench.engine.fronts.report import RunReport
from prunebench.engine.fronts.watch import Watch
from prunebench.engine.makers import by_others, take_in_dead
from prunebench.engine.on_pytest.hermetic import run_pytest
from prunebench.engine.on_pytest.preforked import Preforked
from prunebench.engine.on_pytest.reporter import CellReporter
from prunebench.engine.on_pytest.run_plugin import RunPlugin
from prunebench.engine.on_pytest.suites import Loaded
from prunebench.engine.selection import write_last_failed
from prunebench.engine.session import Session
from prunebench.errors import PrunebenchError, StoreError
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import PlannedCell
from prunebench.store import Store, trial_store

__all__ = ["Earlier", "Outcome", "run_cells"]

FAILED = 1

Tell = Callable[[str], object]
"""Prints a line."""


@dataclass(frozen=True)
class Earlier:
    """What of the same run was there before this process: one that died left the rest to it."""

    before: frozenset[str]
    """The cells that were done when the run began."""
    jobs: int
    """How many jobs were to do then."""
    given_up: Mapping[str, str]
    """The errors of the jobs, by key, that processes died of."""
    since: str
    """The run's id in the store; empty where that process died before it had one."""
    failed: Mapping[str, str]
    """The errors of the cells that failed before that process died, by their id."""
    told: Collection[str] = ()
    """The cells, by their id, of which it had printed a line."""


@dataclass(frozen=True)
class Outcome:
    """How a run came out, by the store's final state. Cells by their id, failed ones with the error."""

    exit_code: int
    jobs: int
    made: Sequence[str]
    before: Sequence[str]
    failed: dict[str, str]
    elsewhere: Sequence[str] = ()
    """Cells that another run made meanwhile."""
    detached: str = ""
    """What is to be said where cells are made elsewhere, and nobody waits for them."""


def run_cells(
    session: Session,
    store: Store,
    *,
    cells: Sequence[PlannedCell] | None = None,
    first_failure: bool = False,
    workers: int | None = None,
    slots: Sequence[Slot] = (),
    quiet: bool = False,
    verbose: bool = False,
    earlier: Earlier | None = None,
    on_begin: Callable[[Tell], object] = lambda tell: None,
    on_start: Callable[[str], object] = lambda since: None,
    on_failure: Callable[[str, str], object] = lambda cell, error: None,
    on_told: Callable[[str], object] = lambda cell: None,
    on_job: Callable[[str], None] = lambda key: None,
    front: Front | None = None,
    seen: Snapshot | None = None,
    preforked: Preforked | None = None,
) -> Outcome:
    """Run the cells (None: all of the plan) that are not done: in this process, on `workers` processes, or
    wherever the front of an engine starts workers. Each of the `workers` gets one of the `slots`, if there
    are some, and those that are `preforked` are taken first. `seen` is an earlier look at the store.

    Nothing of the store, which may not be there yet, is changed before workers have shown that they can work
    on the plan; then `on_begin` is called, which may say something. `on_start` is told the run's id,
    `on_failure` of each cell that fails, and its error, `on_told` of each cell that a line was printed of,
    `on_job` of each job that begins in this process, by its key.

    Raises: Unwritable where the store cannot be written; PrunebenchError where workers cannot start;
    WorkerLost where this process can use its GPU no more: another has to do the rest.
    """
    if session.path is None:
        raise StoreError("a thawed plan cannot be run: plan the suite")
    run = _Run(
        session, store, session.plan.cells if cells is None else cells, earlier, seen, on_begin, on_start
    )
    run.loaded.worker.on_job = lambda job: on_job(job.key)
    report = RunReport(on_failure=on_failure, on_told=on_told)
    reporter = CellReporter(
        run.loaded,
        report,
        cells=run.to_do,
        before=run.before,
        workers=workers if front is None else 0,
        quiet=quiet,
        verbose=verbose,
        told=earlier.told if earlier else (),
        had_failed=run.had_failed,
    )
    code = 0
    if front is not None:
        _elsewhere(run, front, reporter, report, workers=workers, first_failure=first_failure)
    else:
        plugin = RunPlugin(run.loaded, reporter, report, workers=workers, slots=slots, begin=run.begin)
        code = _here(run, plugin, workers=workers, first_failure=first_failure, preforked=preforked)
    if report.problem and run.is_complete(report):  # of a worker that was to take another's place, at the end
        reporter.note(f"no cell is left; {report.problem}")
        report.problem, code = "", 0
    _raise_what_ended(report)
    return run.outcome(report, code)


class _Run:
    """A run of some cells: which were done when it began, which are to do, and how they come out."""

    def __init__(
        self,
        session: Session,
        store: Store,
        cells: Sequence[PlannedCell],
        earlier: Earlier | None,
        seen: Snapshot | None,
        on_begin: Callable[[Tell], object],
        on_start: Callable[[str], object],
    ) -> None:
        self.session, self.store, self.cells, self._earlier = session, store, cells, earlier
        self._on_begin, self._on_start = on_begin, on_start
        # The run counts what its user was told is to do, whatever of that others have made since that look.
        self._first = seen if earlier is None and seen else Snapshot(session.plan, store, before=seen)
        self._trial = contextlib.ExitStack()
        self._begun = False
        self.id = (earlier.since if earlier else "") or store.runs.new_id()
        """The run's id in the store."""
        self.had_failed = dict(earlier.failed) if earlier else {}
        """The errors of the cells, by id, that failed before a process of this run died."""
        self.before = [cell for cell in cells if self._was_done(cell)]
        """The cells that were done when the run began."""
        were = {cell.id for cell in self.before}
        self.to_do = [cell for cell in cells if cell.id not in were]
        """The others."""
        self.items = [
            cell for cell in self.to_do if cell.id not in self.had_failed and not self._first.done(cell)
        ]
        """Those of them that are still to be made or tried."""

    def _was_done(self, cell: PlannedCell) -> bool:
        return self._first.done(cell) if self._earlier is None else cell.id in self._earlier.before

    @cached_property
    def loaded(self) -> Loaded:
        """The suite as pytest has it: session, worker and items."""
        given_up = dict(self._earlier.given_up) if self._earlier else {}
        worker = self.session.worker(self.store, given_up=given_up, since=self.id)
        return Loaded(self.session, worker, [cell.id for cell in self.items], since=self.id)

    # -- its beginning -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def on_trial(self) -> Iterator[None]:
        """Let workers read the plan from a store for a moment, until the run begins."""
        with self._trial:
            self.session.freeze(self._trial.enter_context(trial_store(self.store.root)))
            yield

    def begin(self, tell: Tell) -> None:
        """Begin, now that it is known that the cells can be made: from here on the store is changed."""
        with stopping.held():
            self._trial.close()
            self._on_begin(tell)
            self.session.freeze(self.store)
            if self._earlier is None or not self._earlier.since:
                self.session.begin(self.store, self.cells, self.id)
            self._on_start(self.id)
            self._begun = True
        stopping.check()

    # -- its end -------------------------------------------------------------------------------------------

    def is_complete(self, report: RunReport) -> bool:
        """True if the run has begun, and each of its cells is there, or has failed."""
        if not self._begun:
            return False
        last = Snapshot(self.session.plan, self.store, before=self._first)
        return all(cell.id in report.failed or last.done(cell) for cell in self.to_do)

    def outcome(self, report: RunReport, code: int) -> Outcome:
        """Return how the run came out, by the store; `code` is pytest's."""
        last = self._last(report)
        done = [cell for cell in self.to_do if last.done(cell)]
        failed = self._failed(report, done)
        elsewhere = [cell.id for cell in by_others(done, self._first, report)]
        outcome = Outcome(
            exit_code=0,
            jobs=self._jobs(report),
            made=[cell.id for cell in done if cell.id not in elsewhere],
            before=[cell.id for cell in self.before],
            failed=failed,
            elsewhere=elsewhere,
        )
        all_there = len(done) == len(self.to_do)
        if _interrupted(report):
            return replace(outcome, exit_code=stopping.exit_code())
        if report.detached:
            return replace(outcome, exit_code=0 if all_there else HANDED_OVER, detached=report.detached)
        fine = code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        return replace(outcome, exit_code=0 if all_there and fine and not failed else FAILED)

    def _last(self, report: RunReport) -> Snapshot:
        """Look at the store for the last time."""
        last = Snapshot(self.session.plan, self.store, before=self._first)
        if not _interrupted(report):
            last.seek(cell for cell in self.to_do if cell.id not in report.failed)
        with contextlib.suppress(StoreError):  # what is not buried now is later
            self.store.bury()
        take_in_dead(report, self.session.plan, self.store, self.loaded.worker.have)
        return last

    def _failed(self, report: RunReport, done: Sequence[PlannedCell]) -> dict[str, str]:
        """Return the errors of cells that failed and are not there after all; keep them for --lf."""
        now_done = {cell.id for cell in done}
        every = {**self.had_failed, **report.failed}
        failed = {name: error for name, error in every.items() if name not in now_done}
        assert self.session.path is not None
        limit = self.session.request.limit
        write_last_failed(self.store.root, self.session.path, failed=failed, passed=now_done, limit=limit)
        return failed

    def _jobs(self, report: RunReport) -> int:
        """Return how many jobs were run, by processes of this run that died too."""
        if self._earlier is None:
            return report.jobs
        return report.jobs + self._earlier.jobs - len(self._first.remaining(self.cells))


def _interrupted(report: RunReport) -> bool:
    return stopping.requested() or report.interrupted


def _raise_what_ended(report: RunReport) -> None:
    """Raise what kept the run from going on, if anything did."""
    if report.unwritable:
        raise StoreError(report.unwritable)
    if report.lost is not None:
        raise report.lost
    if report.problem:
        raise PrunebenchError(report.problem)


def _here(
    run: _Run,
    plugin: RunPlugin,
    *,
    workers: int | None,
    first_failure: bool,
    preforked: Preforked | None,
) -> int:
    """Make the cells on this machine; return pytest's exit code."""
    if not workers:
        start_device(run.session.request.device)
        run.begin(print)
        return run_pytest(run.session, plugin, workers=None, first_failure=first_failure)
    with run.on_trial():
        return run_pytest(
            run.session, plugin, workers=workers, first_failure=first_failure, preforked=preforked
        )


def _elsewhere(
    run: _Run,
    front: Front,
    reporter: CellReporter,
    report: RunReport,
    *,
    workers: int | None,
    first_failure: bool,
) -> None:
    """Let a front get the cells made; `report` says then what became of them."""
    with front.ready(run.session, run.items):
        run.begin(print)
        worker = run.loaded.worker
        assignment = Assignment(
            run.session, run.store, run.items, run.id, worker.given_up, workers, first_failure
        )
        reporter.start()
        try:
            watch = Watch(worker, run.items, report, reporter, first_failure=first_failure)
            _wait(front, assignment, watch)
            report.counted = watch.jobs()
        finally:
            reporter.pytest_sessionfinish()


def _wait(front: Front, assignment: Assignment, watch: Watch) -> None:
    """Wait for a front; what it ended by is reported."""
    try:
        front.run(assignment, watch)
    except stopping.Stopped:
        stopping.heard()
        watch.report.interrupted = True
    except PrunebenchError as error:
        watch.report.problem = str(error)
