"""From what a user asked for to a frozen plan and an engine: shared by the command line and pytest."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench.engine.devices.device import check_device, resolve_device
from prunebench.engine.devices.gpus import gpus_here
from prunebench.engine.devices.slots import Slot, Workforce, shared_slots
from prunebench.engine.request import Request
from prunebench.errors import DataError, PluginError
from prunebench.host.datasets import parse_dataset
from prunebench.inventory.frozen import freeze
from prunebench.inventory.making import Making
from prunebench.inventory.slow_scoring import cells_that_need
from prunebench.plan.facts import ABSENT
from prunebench.plan.plan import Plan
from prunebench.store import Store

if TYPE_CHECKING:
    from prunebench.engine.worker import Worker
    from prunebench.host.registry import Host
    from prunebench.plan.cells import PlannedCell

__all__ = ["Session", "slots_of"]


@dataclass
class Session:
    """A request made ready: host, suite and plan."""

    request: Request
    host: Host
    plan: Plan
    path: Path | None = None
    """The suite's file."""
    frozen: Path | None = None
    seconds: float = 0.0

    @classmethod
    def prepare(cls, request: Request) -> Session:
        """Load plugins, read the suite, plan its cells; writes nothing.

        Raises: PluginError, SuiteError, DataError.
        """
        from prunebench.plan.make import make_plan

        began = time.perf_counter()
        request = request.with_suite_plugins()
        host = request.host()
        suite = request.read_suite(host)
        plan = make_plan(suite, host, Path(request.data))
        return cls(request, host, plan, suite.path, seconds=time.perf_counter() - began)

    def ready(
        self, cells: Sequence[PlannedCell] | None = None, *, fetch: bool = True, here: bool = True
    ) -> None:
        """Make sure that what these cells read (None: all cells) is there, before anything is written.

        Downloads data sets that are missing and can be fetched, where `fetch` allows it. What is then still
        missing stops the cells that need it, not the others. The device must be one of this machine, unless
        they are to run elsewhere (`here` is false).

        Raises: DataError where no cell can run; UsageError.
        """
        wanted = self.plan.cells if cells is None else cells
        if here:
            check_device(self.request.device)
        needed = {label.removeprefix("data ") for cell in wanted for label in cell.parts}
        missing, planned_blind = dict(self.plan.missing_data), False
        for name in [name for name in missing if name in needed]:
            dataset = self.host.dataset(name)
            if dataset.download is None or not fetch:
                continue
            try:
                with self.host.calling("datasets", parse_dataset(name)[0]):
                    dataset.download(Path(self.request.data))
            except DataError as error:
                missing[name] = str(error)
                continue
            del missing[name]
            planned_blind |= self.plan.identities[f"data {name}"] == {"fingerprint": ABSENT}
        if planned_blind:
            from prunebench.plan.make import make_plan

            self.plan = make_plan(self.request.read_suite(self.host), self.host, Path(self.request.data))
        self.plan.missing_data = missing
        if here:
            self.note_gpus(wanted)
        if lacking := self.plan.all_lack(wanted):
            raise DataError(lacking)

    def note_gpus(self, cells: Sequence[PlannedCell]) -> None:
        """Note which of these cells cannot be made in this process, for want of GPUs: because they score on
        one, and there is none, or train on more at once than it has.

        As those whose data are missing they are left to others, or fail with that.
        """
        from prunebench.engine.devices.together import too_few_devices

        few = too_few_devices(self.plan, cells, self.request.device)
        self.plan.unable = {**few, **self._without_gpu(cells)}

    def _without_gpu(self, cells: Sequence[PlannedCell]) -> dict[str, str]:
        """Return why cells that score on a GPU cannot be made where there is none, by key."""
        scorers = self.scorers_on_gpu(cells)
        if not scorers or gpus_here():
            return {}
        jobs = self.plan.jobs.values()
        keys = [job.key for job in jobs if any(use.device != "cpu" for use in job.params.scorers)]
        why = (
            f'it scores on a GPU (device = "cuda" of {", ".join(scorers)}), and torch sees none here: run it '
            "where there is one, or select others (-k)"
        )
        return dict.fromkeys((cell.key for cell in cells_that_need(self.plan, cells, keys)), why)

    def scorers_on_gpu(self, cells: Sequence[PlannedCell] | None = None) -> list[str]:
        """Return the names of the scorers that a cell of these (None: all) runs on a GPU, sorted."""
        jobs = self.plan.jobs
        uses = {key: [use for use in job.params.scorers if use.device != "cpu"] for key, job in jobs.items()}
        on_gpu = {key for key, names in uses.items() if names}
        if on_gpu and cells is not None:
            targets = (key for cell in cells for key in cell.targets)
            on_gpu &= set(self.plan.remaining(targets, lambda key: False))
        return sorted({use.name for key in on_gpu for use in uses[key]})

    def check_identities(self, labels: Collection[str] | None = None) -> None:
        """Make sure that the components here are those that a thawed plan was made with, all or some.

        Raises: PluginError for a component that has changed since, UsageError for one that is not there.
        """
        for label, identity in self.plan.identities.items():
            if labels is not None and label not in labels:
                continue
            kind, _, name = label.partition(" ")
            if kind in ("recipe", "data"):
                continue
            here = self.host.identity(kind, name)
            if here != identity:
                raise PluginError(
                    f"{label} has changed since the plan was made ({identity} then, {here} here): run again"
                )

    def set_damaged_aside(self, store: Store) -> list[str]:
        """Read every result of the plan that the store holds; return the keys of those set aside.

        What is only listed counts as done; without this look a record cut short by a full disk would stay so.
        """
        from prunebench.inventory.snapshot import Snapshot

        snapshot = Snapshot(self.plan, store)
        targets = dict.fromkeys(target for cell in self.plan.cells for target in cell.targets)
        return [key for key in targets if snapshot.listed(key) and snapshot.result(key) is None]

    def freeze(self, store: Store) -> Path:
        """Write the plan to the store, so that every worker, and `status`, reads the same."""
        asked = self.request
        making = Making(plugins=asked.plugins, third_party=asked.third_party, load=asked.load)
        self.frozen = freeze(self.plan, store, making)
        if asked.keep_states:  # whoever helps, wherever, obeys
            store.keep_states(self.plan.name)
        return self.frozen

    def begin(self, store: Store, cells: Sequence[PlannedCell] | None = None, run: str | None = None) -> str:
        """Write down that a run of these cells (None: all) begins; return its id, which is `run` if given.

        What fails from here on is the run's, whoever tries it; what has failed before is tried again.
        """
        every = cells is None or len(cells) == len(self.plan.cells)
        names = None if every or cells is None else [cell.id for cell in cells]
        return store.runs.begin(self.plan.name, self.plan.jobs, names, run)

    def worker(self, store: Store, **options: Any) -> Worker:
        """Return a worker on this plan."""
        from prunebench.engine.devices.together import run_together
        from prunebench.engine.guarding.guard import Guard
        from prunebench.engine.guarding.limits import Limits
        from prunebench.engine.worker import Worker
        from prunebench.jobs.context import Context

        request = self.request
        limits = Limits(request.job_timeout, request.memory_limit)

        context = Context(
            store=store,
            host=self.host,
            data_root=Path(self.request.data),
            jobs=self.plan.jobs,
            device=resolve_device(self.request.device),
            threads=self.request.threads,
            kernels=self.request.kernels,
            suite=self.plan.suite,
        )
        context.together = partial(run_together, context=context, request=self.request)
        options.setdefault("guard", Guard(limits, store.root))
        return Worker(self.plan, context, keep_states=request.keep_states, **options)


def slots_of(session: Session, workforce: Workforce, cells: Sequence[PlannedCell]) -> Sequence[Slot]:
    """Return the slot of each worker; on the CPU they have some where one of the cells scores on a GPU."""
    if session.request.device == "cpu" and session.scorers_on_gpu(cells) and (gpus := gpus_here()):
        return shared_slots(gpus, workforce.workers)
    return workforce.slots
