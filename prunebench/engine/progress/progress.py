"""How far some cells are, who works on them, and when they are done: from looks at a store (pure: no clock).

Everything is taken from what the store says, so that it is the same whoever made a cell: this process, its
workers, another run on the same store, another machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.progress.ending import AtWork, Ends, Load, ends
from prunebench.engine.progress.pace import Pace
from prunebench.engine.progress.sorts import sort_of
from prunebench.engine.progress.worker_names import worker_called
from prunebench.inventory.estimate import START, assumed, marginal, planned_steps
from prunebench.plan.cells import PlannedCell
from prunebench.plan.plan import Plan
from prunebench.store import JobTime

__all__ = ["Look", "News", "Progress", "Running", "State"]

AWAY = 20.0
"""Seconds after its last job for which a worker that has none now is still counted."""

RECENT = 60.0
"""Seconds over which images a second are taken."""

STARTING = 5.0
"""Seconds that a process's first job must have been assumed to take to be learned from: its process imports
what it needs then, and reads the data."""

SETTLED = 3.0
"""Seconds of a job after which its own pace says better than its sort how long it will take."""


@dataclass(frozen=True)
class Running:
    """A job that somebody works on."""

    key: str
    host: str
    pid: int
    seconds: float
    """For how long."""
    since: str = ""
    """When it began, as `now_text` spells it, by its host's clock."""
    worker: str = ""
    """What it is called in its run, where it is one of several: worker 1."""
    place: str = ""
    """What it computes on: cpu, gpu 3."""
    device: str = ""
    """What times depend on: cpu, or the GPU's name."""
    step: int | None = None
    to_step: int | None = None
    """The training step that it is at, and its last."""
    images: int = 0
    """Images that it has been trained on so far."""

    @property
    def process(self) -> str:
        """Its process, by host and number."""
        return f"{self.host}-{self.pid}"

    @property
    def name(self) -> str:
        """Who works, as people are told everywhere: vm:gpu 3/worker 1."""
        return worker_called(self.host, self.place, self.worker, self.pid)


@dataclass(frozen=True)
class Look:
    """What a store says at one moment."""

    moment: float
    """Seconds, of whatever clock."""
    have: Collection[str]
    """The keys of all outputs that are there."""
    running: Sequence[Running] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """Jobs that have failed since the run began, with the error."""
    times: Sequence[JobTime] = ()
    """What jobs took that have ended since the last look; at the first, all that is known."""


@dataclass(frozen=True)
class News:
    """What a look has found that was not known before."""

    done: Sequence[PlannedCell]
    failed: Sequence[tuple[PlannedCell, str, int]]
    """The first cell that needs a job which failed, with the error, and how many more cells need that job."""


@dataclass(frozen=True)
class State:
    """How far it is. `done` and `left`, `failed` and `blocked` add up to `cells`."""

    moment: float
    cells: int
    done: int
    failed: int
    """Cells whose job failed: of those that share one, the first; and those that were reported as failed."""
    blocked: int
    """Cells that cannot be made, because they share a job that failed, or because data are missing."""
    left: int
    jobs: int
    """Jobs that are left, those that are running among them."""
    running: tuple[Running, ...]
    workers: int
    begun: bool
    """True once somebody was seen at work."""
    images: float | None
    """Images a second that networks are trained on, all together; None where nothing was seen of it yet."""
    ends: Ends

    @property
    def over(self) -> bool:
        """True if nothing is left that could be made."""
        return not self.left


class Progress:
    """Follows some cells of a plan from look to look."""

    def __init__(
        self,
        plan: Plan,
        cells: Sequence[PlannedCell],
        first: Look,
        *,
        device: str = "cpu",
        workers: int = 0,
    ) -> None:
        """Begin with a first look; `device` as it is asked for, `workers` how many the run has at least."""
        self.plan = plan
        self.pace = Pace()
        self.workers = workers
        self._device = device
        able = [cell for cell in cells if plan.lacks(cell) is None]
        self._cells = len(cells)
        self._undone = {cell.id: cell for cell in cells}
        self._unable = {cell.id for cell in cells} - {cell.id for cell in able}
        self._reported: set[str] = set()
        self._failed: dict[str, str] = {}
        """Failed jobs that cells need, with the error."""
        targets = [target for cell in able for target in cell.targets]
        self._work = JobsLeft(plan, targets, first.have.__contains__)
        self._loads = {key: self._load(key) for key in self._work}
        self._started: set[str] = set()
        """Processes that have ended a job."""
        self._seen: dict[str, float] = {}
        """Processes that worked on this, and when last."""
        self._images: deque[tuple[float, float]] = deque()
        self._ended_images = 0
        self._offered = self._busy = self._ended_busy = 0.0
        self._first = self._last = first.moment
        self._running: tuple[Running, ...] = ()
        self._began = False
        self._learn(first.times)
        self.news = self._take_in(replace(first, times=()))
        """What the first look found: the cells that are done already."""

    def see(self, look: Look) -> News:
        """Take in another look."""
        self._learn(look.times)
        return self._take_in(look)

    @property
    def failed(self) -> Mapping[str, str]:
        """The jobs that cells need and that have failed, by key, with the error."""
        return self._failed

    def report_failed(self, cell: str) -> None:
        """Take in that a cell is said to have failed, whatever the store says of it."""
        if cell in self._undone:
            self._reported.add(cell)

    # -- what it comes to --------------------------------------------------------------------------------

    def state(self) -> State:
        """Return how far it was at the last look."""
        failed, blocked = self._lost()
        done = self._cells - len(self._undone)
        return State(
            moment=self._last,
            cells=self._cells,
            done=done,
            failed=len(failed),
            blocked=len(blocked),
            left=self._cells - done - len(failed) - len(blocked),
            jobs=len(self._work),
            running=self._running,
            workers=self._present(),
            begun=self._began,
            images=self._images_a_second(),
            ends=self._ends(),
        )

    def _lost(self) -> tuple[set[str], set[str]]:
        """Return the cells that failed, and those that are blocked."""
        first: dict[str, str] = {}
        blocked = {cell for cell in self._unable if cell in self._undone}
        for cell in self._undone.values():
            jobs = [self._work.blocked[target] for target in cell.targets if target in self._work.blocked]
            if jobs and first.setdefault(jobs[0], cell.id) != cell.id:
                blocked.add(cell.id)
        failed = (set(first.values()) | self._reported) & self._undone.keys()
        return failed, blocked - failed

    def _ends(self) -> Ends:
        running = {one.key: self._remaining(one) for one in self._running if one.key in self._work}
        at_work = AtWork(
            workers=max(1, self._present()),
            offered=self._offered,
            busy=self._busy,
            waits=0.0 if self._began or self.workers < 2 else START,
        )
        return ends(self._work, self._loads, running, self.pace, self._device_now(), at_work)

    def _remaining(self, one: Running) -> float:
        """Return the seconds that a running job still takes: by its own pace, once it has one."""
        load = self._loads[one.key]
        expected = self.pace.expected(load.sort, one.device or self._device_now()).ratio * load.assumed
        batch = self._batch(one.key)
        if (
            batch
            and one.images
            and one.seconds > SETTLED
            and one.step is not None
            and one.to_step is not None
        ):
            return one.seconds * max(0, one.to_step - one.step) / (one.images / batch)
        return max(expected - one.seconds, 0.1 * expected)

    def _images_a_second(self) -> float | None:
        if len(self._images) < 2:
            return None
        (began, before), (ended, after) = self._images[0], self._images[-1]
        return max(0.0, after - before) / (ended - began) if ended > began else None

    # -- taking in ---------------------------------------------------------------------------------------

    def _take_in(self, look: Look) -> News:
        for key in [key for key in self._work if key in look.have]:
            self._work.made(key)
        news = []
        for key, error in look.failed.items():
            if key in self._work:
                self._work.failed(key)
                self._failed[key] = error
                needing = [c for c in self._undone.values() if key in map(self._work.blocked.get, c.targets)]
                news += [(needing[0], error, len(needing) - 1)] if needing else []
        done = [c for c in self._undone.values() if all(target in look.have for target in c.targets)]
        for cell in done:
            del self._undone[cell.id]
        self._count(look)
        return News(done, news)

    def _count(self, look: Look) -> None:
        """Take in who works, and for how long they have."""
        mine = [one for one in look.running if one.key in self._loads and one.key not in look.have]
        passed = max(0.0, look.moment - self._last)
        self._offered += passed * self._present() if self._began else 0.0
        self._began = self._began or bool(mine)
        self._last = look.moment
        self._running = tuple(sorted(mine, key=lambda one: (one.host, one.worker, one.pid)))
        for one in mine:
            self._seen[one.process] = look.moment
        for time in look.times:
            if time.key in self._loads:
                self._seen[time.process.rpartition("-")[0]] = look.moment
                self._ended_busy += min(time.seconds, look.moment - self._first)
                self._ended_images += time.images
        under_way = sum(min(one.seconds, look.moment - self._first) for one in mine)
        self._busy = min(self._offered, self._ended_busy + under_way)
        self._images.append((look.moment, self._ended_images + sum(one.images for one in mine)))
        while len(self._images) > 2 and look.moment - self._images[0][0] > RECENT:
            self._images.popleft()

    def _present(self) -> int:
        """Return how many workers there are."""
        seen = sum(self._last - when <= AWAY for when in self._seen.values())
        return max(self.workers, seen)

    def _learn(self, times: Iterable[JobTime]) -> None:
        for time in sorted(times, key=lambda one: one.at):
            supposed = _assumed(time.macs, time.steps)
            if time.process in self._started or supposed >= STARTING:
                self.pace.learn((time.kind, time.of), time.device, time.seconds, supposed)
            self._started.add(time.process)
            if _kind(time.device) == _kind(self._device):
                self._device = time.device

    def _load(self, key: str) -> Load:
        macs, steps = marginal(self.plan, key), planned_steps(self.plan, key)
        return Load(sort_of(self.plan.jobs[key]), _assumed(macs, steps))

    def _batch(self, key: str) -> int:
        run: Any = getattr(self.plan.jobs[key].params, "run", None)
        return 0 if run is None else int(run.recipe.batch)

    def _device_now(self) -> str:
        """Return what most jobs run on now; before any does, what was asked for."""
        devices = [one.device for one in self._running if one.device]
        return max(sorted(set(devices)), key=devices.count) if devices else self._device


def _assumed(macs: float, steps: int) -> float:
    """Return the seconds that a job is assumed to take of one thread; what else it runs on, `Pace` learns."""
    return assumed(macs, steps, "cpu")


def _kind(device: str) -> str:
    """Return "cpu" or "cuda" of a device as it is asked for (cuda:1) or named (cuda NVIDIA H200)."""
    return device.replace(" ", ":").partition(":")[0]
