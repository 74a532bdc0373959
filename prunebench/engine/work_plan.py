"""One worker on a frozen plan: `prunebench work`, for whatever can start processes on whatever machine.

It needs the store, the data and the plugins, and no suite; other workers, of a `prunebench run` or of another
machine, it meets in the store alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prunebench import stopping
from prunebench.engine.at_hand import missing_data, session_on
from prunebench.engine.devices.device import check_device, resolve_device, start_device
from prunebench.engine.failures import JobFailed
from prunebench.engine.request import Request
from prunebench.engine.selection import select
from prunebench.engine.since import check_run
from prunebench.engine.summary import summary
from prunebench.engine.time_limit import TimeLimit
from prunebench.errors import DataError, StoreError, UsageError, nearest
from prunebench.inventory.making import read_to_work
from prunebench.inventory.snapshot import listed
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.process import prepare_process
from prunebench.store import Damaged, Missing, Store
from prunebench.training.kernels import Kernels

if TYPE_CHECKING:
    from prunebench.engine.worker import Worker

__all__ = ["Asked", "Past", "Served", "Watcher", "plan_file", "serve"]


@dataclass(frozen=True)
class Asked:
    """What is asked of a worker. Plain values: it travels to other machines."""

    plan: Path
    """The frozen plan's file, STORE/plans/NAME.json."""
    data: Path
    """Where data sets are on this machine."""
    plugins: tuple[str, ...] = ()
    """Plugin files: in place of those of the same name that the plan was made with, and besides."""
    device: str = "cpu"
    threads: int = 1
    kernels: Kernels = "dense"
    keep_states: bool = False
    job_timeout: float | None = None
    memory_limit: int | str | None = "auto"
    keyword: str | None = None
    """Only cells that match, as -k does; None: all."""
    sparsities: tuple[str, ...] = ()
    """Only cells of these sparsities, as tables print them; empty: all."""
    cells: Path | None = None
    """Only cells whose ids, matrix::cell, this file has: one JSON list; None: all."""
    seconds: float | None = None
    """It leaves at a checkpoint before so many seconds are over."""
    max_jobs: int | None = None
    """It leaves once it has run so many jobs."""
    since: str = ""
    """The run that it is part of, by its id in the store, or a moment as `now_text` spells it: jobs that have
    failed since that began, in whatever process, are not tried again. Empty: it is a run of its own."""


@dataclass(frozen=True)
class Past:
    """What an earlier process of the same worker did, which died."""

    given_up: Mapping[str, str] = field(default_factory=dict)
    """Errors of the jobs, by key, that such processes died of."""
    made: Collection[str] = ()
    """The keys of the jobs that they ran to the end."""
    begun: Collection[str] = ()
    """The keys of those that they began."""
    told: Collection[str] = ()
    """The cells, by id, that they have told of as made."""
    before: Collection[str] | None = None
    """The cells, by id, that were done when the first began; None: look."""


@dataclass(frozen=True)
class Served:
    """What a worker did, and how its cells stand at its end. Cells by their id."""

    jobs: int
    """Jobs that it ran to the end."""
    before: Sequence[str]
    made: Sequence[str]
    """Cells done that it made a result of."""
    elsewhere: Sequence[str]
    """Cells that others made meanwhile."""
    failed: Mapping[str, str]
    """The error of each cell that cannot be made."""
    left: Sequence[str]
    """Cells that are not there yet."""
    why: Literal["", "time", "jobs", "stopped"] = ""
    """Why it left before all was done: its time, its number of jobs, or a signal."""

    @property
    def exit_code(self) -> int:
        """0 where every cell is there, 130 or 143 after a signal, else 1."""
        if self.why == "stopped":
            return stopping.exit_code()
        return 1 if self.failed or self.left else 0


class Watcher:
    """Is told what a worker does; a subclass prints it."""

    def begins(self, plan: Plan, cells: Sequence[PlannedCell], done: Collection[str]) -> None:
        """The plan is read and all is there to begin: the cells asked for, and by id those that are done."""

    def joined(self, run: str) -> None:
        """It works for a run from now on: its id in the store, or when it began."""

    def job(self, job: Job) -> None:
        """A job begins."""

    def made(self, job: Job, seconds: float, cells: Mapping[str, str]) -> None:
        """A job has run to its end; the cells that are whole by that, by id, each with how it came out."""

    def whole(self, cells: Mapping[str, str]) -> None:
        """Cells, by id and with how each came out, had been made when an earlier process died."""

    def failed(self, failed: JobFailed, cells: Sequence[str]) -> None:
        """A job has failed, here or elsewhere, and with it the cells that need it, by id."""

    def waits(self, job: Job) -> None:
        """All that is ready is held by others, this job among it."""

    def lacks(self, what: str, cells: int, *, of_data: bool) -> None:
        """Data, or GPUs, are not on this machine: so many cells are left to others."""


def plan_file(given: str, store: Path | None, default: Path) -> Path:
    """Return the file of a plan: a path, or a plan's name in a store (`default` where none is given).

    Raises: UsageError where there is none, or a file lies in no store or in another one.
    """
    path = Path(given).expanduser()
    path = path.resolve() if ".." in path.parts else path.absolute()
    if path.is_file():
        root = path.parent.parent
        if path.parent.name != "plans" or not (root / "store.json").is_file():
            raise UsageError(f"{path} is no frozen plan in a store; allowed: STORE/plans/NAME.json")
        if store is not None and not (store.is_dir() and store.samefile(root)):
            raise UsageError(f"{path} lies in the store {root}, and --store says {store}: give one of them")
        return path
    root = store or default
    name = given.removesuffix(".json")
    if "/" not in name and (root / "plans" / f"{name}.json").is_file():
        return root / "plans" / f"{name}.json"
    try:
        names = [file.stem for file in Store.open(root, create=False, write=False).plans()]
    except (Missing, StoreError) as error:
        raise UsageError(f"no plan {given}: {error}") from error
    raise UsageError(f"no plan {given}: the store {root} has none of that name{nearest(name, names)}")


def serve(
    asked: Asked,
    watcher: Watcher | None = None,
    *,
    began: float | None = None,
    past: Past | None = None,
) -> Served:
    """Run jobs of a frozen plan until all its cells are there, or time, jobs or a signal end that.

    Several may serve one plan, on any machines that share the store; each runs one job at a time. SIGINT,
    SIGTERM and SIGHUP are listened to meanwhile, where this is the main thread: a checkpoint is committed,
    and `Served.why` says so.

    Args:
        asked: which plan, and where, with what and for how long.
        watcher: is told of jobs and cells.
        began: when the worker began, by time.monotonic(): its seconds count from then; None: now.
        past: what an earlier process of this worker did, where one died.

    Raises: UsageError, PluginError, DataError and StoreError before anything is written, where the plan is of
    another version, or plugins, data or the devices are not here as the plan has them; Unwritable; WorkerLost
    where this process can use its GPU no more, and another has to go on.
    """
    began = time.monotonic() if began is None else began
    past, watcher = past or Past(), watcher or Watcher()
    root = asked.plan.parent.parent
    reading = Store.open(root, create=False, write=False)
    plan, making = read_to_work(asked.plan, reading)
    check_run(asked.since, plan, reading)
    check_device(asked.device)  # whatever there is to do
    cells = _selected(plan, asked)
    done = _done(plan, cells, reading)
    if len(done) == len(cells) and past.before is None:
        watcher.begins(plan, cells, done)
        return Served(0, list(done), [], [], {}, [])
    request = Request(
        suite=str(plan.suite["name"]),
        store=str(root),
        data=str(asked.data),
        plugins=asked.plugins,
        device=asked.device,
        threads=asked.threads,
        kernels=asked.kernels,
        keep_states=asked.keep_states,
        job_timeout=asked.job_timeout,
        memory_limit=asked.memory_limit,
    )
    session = session_on(plan, making, request, cells)
    left = [cell for cell in cells if cell.id not in done]
    prepare_process()
    start_device(resolve_device(request.device))
    session.note_gpus(left)  # once CUDA says how many there are
    plan.missing_data = missing_data(session, left)
    if lacking := plan.all_lack(left):
        raise DataError(lacking)
    store = Store.open(root, create=False)
    since = asked.since or session.begin(store, cells)
    if asked.keep_states:
        store.keep_states(plan.name)
    worker = session.worker(store, since=since, given_up=dict(past.given_up))
    before = done if past.before is None else past.before
    return _Service(worker, cells, frozenset(before), watcher, asked, began, past).serve()


def _selected(plan: Plan, asked: Asked) -> Sequence[PlannedCell]:
    """Return the cells that a worker is asked for. Raises: UsageError."""
    cells = select(plan, None, keyword=asked.keyword, sparsities=asked.sparsities)
    if asked.cells is None:
        return cells
    try:
        named = json.loads(asked.cells.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--cells {asked.cells}: cannot be read ({error})") from error
    ids = {cell.id for cell in plan.cells}
    unknown = [one for one in named if str(one) not in ids] if isinstance(named, list) else [named]
    if unknown or not named:
        what = f"{unknown[0]!r} is no cell of this plan" if unknown else "it names no cell"
        raise UsageError(f'--cells {asked.cells}: {what}; allowed: a JSON list of names, as ["matrix::cell"]')
    chosen = frozenset(named)
    return [cell for cell in cells if cell.id in chosen]


def _done(plan: Plan, cells: Sequence[PlannedCell], store: Store) -> list[str]:
    """Return the ids of the cells that are done, as far as a listing tells."""
    have = listed(plan, store)
    return [cell.id for cell in cells if plan.done(cell, have)]


@dataclass
class _Service:
    """A worker at work, and what it is to tell of it."""

    worker: Worker
    cells: Sequence[PlannedCell]
    before: Collection[str]
    """Those that were done when it began, by id."""
    watcher: Watcher
    asked: Asked
    began: float
    past: Past
    earlier: set[str] = field(default_factory=set)
    """The keys of jobs that earlier processes of it have run."""
    _of: dict[str, list[PlannedCell]] = field(default_factory=dict)
    """For each record and measure, the cells that ask for it."""

    def serve(self) -> Served:
        """Work, and say how it came out."""
        worker, plan = self.worker, self.worker.plan
        worker.selected = [cell for cell in self.cells if cell.id not in self.before]
        for cell in worker.selected:
            for target in cell.targets:
                self._of.setdefault(target, []).append(cell)
        self.watcher.begins(plan, self.cells, self.before)
        self.watcher.joined(worker.since)
        for why, lacking in Counter(map(plan.lacks, worker.selected)).items():
            if why is not None:
                self.watcher.lacks(why, lacking, of_data=why in plan.missing_data.values())
        self._take_up()
        worker.on_job, worker.on_wait = self.watcher.job, self.watcher.waits
        worker.on_made, worker.on_failed = self._made, self._failed
        why = self._work()
        return self._served(why)

    def _take_up(self) -> None:
        """Take in, and tell, what an earlier process had made when it died."""
        self.earlier = {*self.past.made, *filter(self.worker.have, self.past.begun)}
        untold = (cell for cell in self.worker.selected if cell.id not in self.past.told)
        self.watcher.whole(self._came_out([c for c in untold if self.earlier.intersection(c.targets)]))

    def _came_out(self, cells: Sequence[PlannedCell]) -> dict[str, str]:
        """Return how those of these cells came out that are whole, by id."""
        worker, came_out = self.worker, {}
        for cell in cells:
            if worker.plan.done(cell, worker.have):
                with contextlib.suppress(Missing, Damaged):  # somebody has taken it away
                    came_out[cell.id] = summary(worker, cell)
        return came_out

    @property
    def _jobs(self) -> int:
        """How many jobs this worker has run, in whichever process."""
        return len(self.earlier) + len(self.worker.made)

    def _work(self) -> Literal["", "time", "jobs", "stopped"]:
        """Run jobs; return why it left before all was done."""
        most = math.inf if self.asked.max_jobs is None else self.asked.max_jobs
        limit = TimeLimit(self.asked.seconds, self.began)
        try:
            with stopping.listening(), limit.kept():
                self.worker.help(lambda: self._jobs >= most or limit.over)
                if limit.over:
                    stopping.check()  # somebody may have said so a moment before
        except stopping.Stopped:
            stopping.heard()
            return "time" if stopping.timed_out() else "stopped"
        if limit.over:
            return "time"
        return "jobs" if self._jobs >= most else ""

    def _made(self, job: Job, seconds: float) -> None:
        self.watcher.made(job, seconds, self._came_out(self._of.get(job.key, [])))

    def _failed(self, failed: JobFailed) -> None:
        of = (cell.id for cell in self.worker.selected if self.worker.cause(cell) is failed)
        self.watcher.failed(failed, list(of))

    def _served(self, why: Literal["", "time", "jobs", "stopped"]) -> Served:
        worker, plan = self.worker, self.worker.plan
        have, made = listed(plan, worker.store), {*self.earlier, *(job.key for job in worker.made)}
        failures = {cell.id: worker.cause(cell) for cell in worker.selected}
        done = [cell for cell in worker.selected if plan.done(cell, have)]
        now = {cell.id for cell in done}
        mine = [cell.id for cell in done if made.intersection(cell.targets)]
        failed = {name: str(why) for name, why in failures.items() if why is not None and name not in now}
        return Served(
            jobs=self._jobs,
            before=[cell.id for cell in self.cells if cell.id in self.before],
            made=mine,
            elsewhere=[cell.id for cell in done if not made.intersection(cell.targets)],
            failed=failed,
            left=[c.id for c in worker.selected if c.id not in now and c.id not in failed],
            why=why,
        )
