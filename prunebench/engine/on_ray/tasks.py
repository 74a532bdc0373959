"""What a task does on a node: one job of a run, in a process that Ray keeps for the next one."""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench import stopping
from prunebench.engine.on_ray.probe import versions_here
from prunebench.engine.on_ray.values import Came, Orders, Unfit
from prunebench.errors import PrunebenchError

if TYPE_CHECKING:
    from prunebench.engine.failures import JobFailed
    from prunebench.engine.worker import Worker

__all__ = ["make", "problem_here", "worker_for"]

PATIENCE = 2.0
"""Seconds that an unfit node holds a task, so that it does not take all of them while others work."""


@dataclass
class _Process:
    """What this process is ready for."""

    run: str = ""
    worker: Worker | None = None
    gpus: str | None = None
    """The GPUs that it computes on, as CUDA_VISIBLE_DEVICES names them: CUDA reads that once."""
    lost: bool = False
    """True if its GPU answers nothing but an error any more."""


_process = _Process()


def make(orders: list[Any], key: str, *before: Came) -> Came:
    """Make one job, unless one of those before it has failed: then that is what came of this one too.

    `orders` is a list with a reference to `Orders`: as an argument of its own it were fetched for each task.

    Raises: Unfit where this node cannot; KeyboardInterrupt where the task was cancelled.
    """
    for one in before:
        if one.how == "failed":
            return replace(one, key=key, seconds=0.0)
    with stopping.listening():
        try:
            worker = _ready(orders[0])
            return _make(worker, key)
        except stopping.Stopped:
            stopping.heard()
            _end_if_terminated()
            raise


def _make(worker: Worker, key: str) -> Came:
    from prunebench.engine.failures import JobFailed, WorkerLost
    from prunebench.store import Unwritable

    began = time.monotonic()
    try:
        ran = worker.make_job(key)
    except JobFailed as error:
        return _failed(key, error, time.monotonic() - began)
    except WorkerLost as error:
        _process.lost = True
        return _failed(key, error.failed, time.monotonic() - began)
    except Unwritable as error:  # every other job would meet the same
        return Came(key, "stuck", message=str(error))
    return Came(key, "made" if ran else "there", time.monotonic() - began)


def _failed(key: str, error: JobFailed, seconds: float) -> Came:
    return Came(key, "failed", seconds, error.job.key, error.message, error.at, error.log_path)


def _end_if_terminated() -> None:
    """Where the node goes down, end with it: Ray gives the job to another. Not where it was cancelled."""
    if stopping.exit_code() == 128 + signal.SIGTERM:
        os._exit(stopping.exit_code())


def _ready(reference: Any) -> Worker:
    """Return this process's worker for the run, made where it is the first task of that here."""
    import ray

    orders = reference if isinstance(reference, Orders) else None
    run = orders.run if orders is not None else reference.hex()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if _process.lost or (visible and _process.gpus and visible != _process.gpus):
        os._exit(0)  # its CUDA is gone, or bound to another GPU than this task's: Ray starts a new process
    _process.gpus = visible or _process.gpus
    if _process.worker is None or _process.run != run:
        if orders is None:
            orders = ray.get(reference)
        _process.worker = _worker_or_unfit(orders)
        _process.run = run
    return _process.worker


def _uses_gpu(worker: Worker) -> bool:
    return worker.context.device.startswith("cuda")


def _worker_or_unfit(orders: Orders) -> Worker:
    from prunebench.engine.device import start_device

    host = socket.gethostname()
    try:
        worker = worker_for(orders)
        start_device(worker.context.device)
        return worker
    except PrunebenchError as error:
        time.sleep(PATIENCE)
        raise Unfit(f"node {host}: {error}") from None


def problem_here(orders: Orders) -> str:
    """Return why this node cannot work for a run: plugins, components, data, torch; "" where it can."""
    try:
        worker = worker_for(orders)
        return _cuda_problem(worker) or _data_problem(worker)
    except PrunebenchError as error:
        return f"cannot start: {error}"


def _cuda_problem(worker: Worker) -> str:
    import torch

    lacks = _uses_gpu(worker) and not torch.version.cuda
    return f"has torch {torch.__version__}, which is not built for CUDA" if lacks else ""


def _data_problem(worker: Worker) -> str:
    """Return which data of the run are missing here, or are others than the plan was made with."""
    from prunebench.plan.facts import fingerprint

    host, root, plan = worker.context.host, worker.context.data_root, worker.plan
    able = [cell for cell in worker.selected if plan.lacks(cell) is None]
    for label in dict.fromkeys(part for cell in able for part in cell.parts if part.startswith("data ")):
        dataset = host.dataset(label.removeprefix("data "))
        missing = dataset.missing(root) if dataset.missing else None
        if missing:
            return f"lacks data: {missing}"
        if fingerprint(dataset, root) != plan.identities[label].get("fingerprint"):
            return f"has another data set '{dataset.name}' under {root} than the plan was made with"
    return ""


def worker_for(orders: Orders) -> Worker:
    """Return a worker on the frozen plan of a run, from nothing but its orders.

    Raises: StoreError where this node does not see the store, or cannot write there; PluginError where its
    components are others than those that the plan was made with.
    """
    from prunebench.engine.session import Request, Session
    from prunebench.errors import StoreError
    from prunebench.inventory.frozen import read_frozen
    from prunebench.process import SHARED_BY, prepare_process
    from prunebench.store import Store

    here = versions_here()
    if any(here.get(name) != version for name, version in orders.versions.items()):
        raise StoreError(f"it has {here}, the other nodes {dict(orders.versions)}")
    prepare_process()
    os.environ.setdefault("PRUNEBENCH_WORKER", "ray")
    os.environ[SHARED_BY] = str(orders.share)
    request = Request.from_json(orders.request)
    store = Store.open(request.store, create=False)
    plan = read_frozen(Path(orders.frozen), store)
    if plan is None:
        raise StoreError(f"{orders.frozen}: another prunebench has frozen its plan there: run again")
    session = Session(request, request.host(), plan, None, Path(orders.frozen))
    session.check_identities()
    worker = session.worker(store, given_up=dict(orders.given_up), since=orders.since)
    cells = plan.cells if orders.cells is None else [plan.by_id[name] for name in orders.cells]
    worker.selected = list(cells)
    worker.context.checkpoint_seconds = orders.checkpoint_seconds
    return worker
