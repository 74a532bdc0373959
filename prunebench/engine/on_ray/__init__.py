"""The engine `ray`: every job a task of Ray with its prerequisites as arguments.

Ray places jobs, orders them, and gives those of a process or node that died to another. What they make goes
to the store, where claims are taken as everywhere, so that a second run on the same store helps.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench.engine.devices.slots import Workforce
from prunebench.engine.on_ray.cluster import checked_address, joined
from prunebench.engine.on_ray.values import Needs, Orders
from prunebench.errors import PrunebenchError, UsageError
from prunebench.numbers import counted

if TYPE_CHECKING:
    from prunebench.engine.failures import JobFailed
    from prunebench.engine.fronts import Assignment
    from prunebench.engine.fronts.watch import Watch
    from prunebench.engine.jobs_left import JobsLeft
    from prunebench.engine.on_ray.nodes import Node
    from prunebench.engine.on_ray.remote import Remote
    from prunebench.engine.progress.job_names import JobNames
    from prunebench.engine.session import Session
    from prunebench.engine.worker import Worker
    from prunebench.plan import PlannedCell

__all__ = ["RayFront", "front"]

REMAKES = 3
"""How often results may be gone when their cell is to be told of, before the run says so."""


def front(options: Mapping[str, Any]) -> RayFront:
    """Return the front of this engine; starts nothing. Raises: UsageError for what is not allowed."""
    device = str(options.get("device") or "auto")
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray says which GPU; allowed with --engine ray: auto, cpu, cuda")
    address, workers = options.get("address"), options.get("workers")
    return RayFront(
        needs=_needs(device, options),
        address=None if address is None else checked_address(address),
        workers=None if workers in (None, "auto") else int(workers),
        anywhere=device == "auto",
    )


def _needs(device: str, options: Mapping[str, Any]) -> Needs:
    """Return what a job takes of a node, by the options. Raises: UsageError for a share that is no number."""
    threads = int(options.get("threads") or 1)
    if device == "cpu":
        return Needs(threads)
    share, gpus = options.get("workers_per_gpu") or 1, int(options.get("gpus_per_worker") or 1)
    if share == "auto":
        raise UsageError("--workers-per-gpu auto: Ray is told a number; allowed with --engine ray: 1, 2, …")
    if int(share) > 1 < gpus:
        raise UsageError(f"--workers-per-gpu {share} and --gpus-per-worker {gpus}: give one of them")
    return Needs(threads, gpus=gpus, share=int(share))


@dataclass(frozen=True)
class _Joined:
    """A cluster that has shown that it can make the cells of a run."""

    needs: Needs
    nodes: Sequence[Node]
    on_gpu: frozenset[str]
    """The jobs that need a GPU whatever the others take."""
    versions: Mapping[str, str]
    """What all nodes run with."""


@dataclass
class RayFront:
    """Makes cells by Ray."""

    needs: Needs
    address: str | None = None
    """Of the cluster; None: a Ray of this machine, for the length of the run."""
    workers: int | None = None
    """About how many jobs are to run at once; None: as many as there is room for."""
    anywhere: bool = False
    """True if cells are made without GPUs where the cluster has none."""
    checkpoint_seconds: float = 60.0
    _joined: _Joined | None = field(default=None, compare=False)

    @contextmanager
    def ready(self, session: Session, cells: Sequence[PlannedCell]) -> Iterator[None]:
        """Be a driver of the cluster. Raises: UsageError where it, or one of its nodes, cannot; Stopped."""
        with joined(self.address, self.needs, self.workers):
            self._joined = self._tried(session, cells)
            try:
                yield
            finally:
                self._joined = None

    def _tried(self, session: Session, cells: Sequence[PlannedCell]) -> _Joined:
        """Find nodes that are large enough, and let each try the plan, from a store that is but for that."""
        from prunebench.engine.devices.together import check_devices
        from prunebench.engine.on_ray.nodes import checked, nodes_for
        from prunebench.store import trial_store

        needs = self.needs
        nodes = nodes_for(needs)
        if not nodes and self.anywhere:
            needs = Needs(needs.cpus)
            nodes = nodes_for(needs)
        if not nodes:
            raise UsageError(self._no_room(needs))
        check_devices(session.plan, cells, "cuda" if needs.gpus else "cpu", needs.gpus)
        on_gpu = _on_gpu(session, cells, needs)
        root = session.request.store
        with trial_store(root) as store:
            there = replace(session, request=replace(session.request, store=str(store.root)))
            there.freeze(store)
            orders = checked(nodes, Path(root), self._orders(there, cells, needs))
        return _Joined(needs, nodes, on_gpu, orders.versions)

    def workforce(self) -> Workforce:
        """Return about how many jobs run at once, and on what: of a cluster it is known once it is joined."""
        from prunebench.cores import usable_cores
        from prunebench.engine.devices.gpus import gpus_here

        needs, here = self.needs, gpus_here() if self.needs.gpus else []
        if needs.gpus and not here and self.anywhere:
            needs = Needs(needs.cpus)
        if self.address is None:
            cores, gpus = max(usable_cores(), needs.cpus), len(here) if needs.gpus else 0
            slots = max(1, needs.slots({"CPU": cores, "GPU": gpus}))
            workers, unsure = min(self.workers or slots, slots) if needs.gpus else self.workers or slots, ""
        else:
            workers = self.workers or 1
            cores, gpus = workers * needs.cpus, -(-workers * needs.gpus // needs.share)
            unsure = "" if self.workers else "of one job at once, as it is not known yet how many"
        return Workforce(
            workers,
            gpus=gpus,
            model=here[0].model if here else "",
            each=needs.gpus or 1,
            device="cuda" if needs.gpus else "cpu",
            cores=cores,
            unsure=unsure,
        )

    def run(self, assignment: Assignment, watch: Watch) -> None:
        """Get the cells made. Raises: Stopped."""
        from prunebench.engine.on_ray.remote import Remote

        there = self._joined
        assert there is not None, "it is run while it is ready"
        orders = self._orders(
            assignment.session,
            assignment.cells,
            there.needs,
            since=assignment.since,
            given_up=dict(assignment.given_up),
            versions=there.versions,
        )
        slots = sum(node.slots for node in there.nodes)
        where = "of this machine" if self.address is None else f"with {counted(len(there.nodes), 'node')}"
        watch.teller.note(f"Ray {where}: {counted(slots, 'job')} at once; {_said(there.versions)}")
        hands = Remote(orders, there.needs, there.nodes, _names(assignment), there.on_gpu)
        self._drive(assignment, watch, hands)

    def _orders(
        self, session: Session, cells: Sequence[PlannedCell], needs: Needs, *, since: str = "", **of_run: Any
    ) -> Orders:
        request = replace(session.request, device="cuda" if needs.gpus else "cpu")
        every = len(cells) == len(session.plan.cells)
        return Orders(
            run=secrets.token_hex(8),
            request=request.to_json(),
            frozen=str(session.frozen),
            since=since,
            cells=None if every else [cell.id for cell in cells],
            checkpoint_seconds=self.checkpoint_seconds,
            needs=needs,
            **of_run,
        )

    def _no_room(self, needs: Needs) -> str:
        """Return what is said of a cluster none of whose nodes is large enough for a job."""
        wants = counted(needs.cpus, "core")
        if needs.gpus:
            wants += f" and {counted(needs.gpus, 'GPU')}"
        where = "the cluster" if self.address else "this machine"
        return (
            f"--engine ray: no node of {where} has {wants} for a job, as Ray counts them (`ray status`); "
            "see --device, --threads"
        )

    def _drive(self, assignment: Assignment, watch: Watch, hands: Remote) -> None:
        """Have the jobs of all cells made, again where a result was gone when it was to be told of."""
        from prunebench.engine.on_ray.driver import Driver
        from prunebench.engine.summary import summary

        session, store = assignment.session, assignment.store
        worker = session.worker(store, given_up=dict(assignment.given_up), since=assignment.since)
        cells: Sequence[PlannedCell] = watch.left
        for _ in range(REMAKES):
            driver = Driver(
                _work(worker, cells),
                cells,
                hands,
                watch.teller,
                result=lambda cell: summary(worker, cell),
                lost=lambda key, message: _written_down(worker, key, message),
                failed=lambda key: str(worker.failure(key)),
                workers=self.workers,
                first_failure=assignment.first_failure,
            )
            driver.run()
            cells = driver.again
            if not cells or (assignment.first_failure and driver.failures):
                return
        raise PrunebenchError(f"the results of {counted(len(cells), 'cell')} are damaged again and again")


def _work(worker: Worker, cells: Sequence[PlannedCell]) -> JobsLeft:
    from prunebench.engine.jobs_left import JobsLeft
    from prunebench.inventory.estimate import assumed_seconds
    from prunebench.inventory.snapshot import listed

    seconds = assumed_seconds(worker.plan, worker.context.device, worker.context.threads)
    wanted = [target for cell in cells for target in cell.targets]
    return JobsLeft(worker.plan, wanted, listed(worker.plan, worker.store), worker.given_up, seconds)


def _written_down(worker: Worker, key: str, message: str) -> JobFailed:
    """Write down that Ray gave a job up, as no process is left to do so; return that as its failure."""
    from prunebench.engine.failures import JobFailed

    store = worker.store
    store.write_attempt(key, message, store.log_tail(key))
    return JobFailed(worker.plan.jobs[key], message, log_path=str(store.log_path(key)))


def _on_gpu(session: Session, cells: Sequence[PlannedCell], needs: Needs) -> frozenset[str]:
    """Return the jobs that need a GPU whatever the others take: of scorers whose cells score on one.

    Raises: UsageError where no node has one for them.
    """
    from prunebench.engine.on_ray.nodes import nodes_for

    scorers = session.scorers_on_gpu(cells)
    if needs.gpus or not scorers:
        return frozenset()
    if not nodes_for(Needs(needs.cpus, gpus=1)):
        raise UsageError(
            f'--engine ray: cells score on a GPU (device = "cuda" of {", ".join(scorers)}), and no node of '
            "the cluster has one: select others (-k)"
        )
    jobs = session.plan.jobs.items()
    return frozenset(key for key, job in jobs if any(use.device != "cpu" for use in job.params.scorers))


def _names(assignment: Assignment) -> JobNames:
    from prunebench.engine.progress.job_names import JobNames

    return JobNames(assignment.session.plan, assignment.cells)


def _said(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
