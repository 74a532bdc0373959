"""A process that makes jobs of a run, one after another, for one of Ray's: started by `Maker`."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench import stopping
from prunebench.engine.on_ray.probe import versions_here
from prunebench.engine.on_ray.values import Asked, Came, Orders
from prunebench.errors import PrunebenchError

if TYPE_CHECKING:
    from prunebench.engine.failures import JobFailed
    from prunebench.engine.worker import Worker

__all__ = ["answer", "main", "problem_here", "worker_for"]


@dataclass
class _Process:
    """What this process is ready for."""

    run: str = ""
    worker: Worker | None = None
    started: bool = False
    """True once its device has done something."""


_process = _Process()

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD", "SIGALRM", "SIGPIPE")


def main() -> None:
    """Answer what is asked through the pipe whose number is the program's argument, until that is closed."""
    from prunebench.engine.guarding.own_process import end_after, may_be_killed

    _signals_as_usual()
    may_be_killed()
    os.set_inheritable(int(sys.argv[1]), False)
    pipe: Connection = Connection(int(sys.argv[1]))
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    end_after(partial(_listen, pipe, asked))
    while True:
        told = answer(asked.get())
        with contextlib.suppress(OSError):  # who asked is gone: the other thread sees it
            pipe.send(told)


def _listen(pipe: Connection, asked: queue.SimpleQueue[Asked]) -> None:
    """Take questions in until nobody can ask any more."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            asked.put(pipe.recv())


def _signals_as_usual() -> None:
    """Undo what Ray's processes block and ignore, which whoever they start inherits."""
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    for number in numbers:
        if number not in (signal.SIGINT, signal.SIGPIPE):  # for these Python has its own
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def answer(asked: Asked) -> Any:
    """Return what came of a job, or, where no job is named, why this node cannot work for the run."""
    if asked.key is None:
        return problem_here(asked.orders)
    with stopping.listening():
        try:
            worker = _ready(asked.orders)
        except PrunebenchError as error:
            return Came(asked.key, "unfit", message=f"node {socket.gethostname()}: {error}")
        except stopping.Stopped:
            stopping.heard()
            return Came(asked.key, "cancelled")
        worker.workers = asked.workers
        if asked.ended:  # else whoever meets its claim could not say how
            worker.store.bury(asked.ended)
        return _made(worker, asked.key)


def _made(worker: Worker, key: str) -> Came:
    from prunebench.engine.failures import JobFailed, WorkerLost
    from prunebench.store import Unwritable

    began = time.monotonic()
    try:
        ran = worker.make_job(key)
    except JobFailed as error:
        return _failed(key, error, time.monotonic() - began)
    except WorkerLost as error:
        return replace(_failed(key, error.failed, time.monotonic() - began), last=True)
    except Unwritable as error:  # every other job would meet the same
        return Came(key, "stuck", message=str(error))
    except stopping.Stopped:
        stopping.heard()
        return Came(key, "cancelled")
    finally:
        _give_memory_back(worker)
    return Came(key, "made" if ran else "there", time.monotonic() - began)


def _failed(key: str, error: JobFailed, seconds: float) -> Came:
    return Came(key, "failed", seconds, error.job.key, error.message, error.at, error.log_path)


def _give_memory_back(worker: Worker) -> None:
    """Keep nothing of a GPU's memory for later jobs: the next on this GPU may be another process's."""
    if _uses_gpu(worker) and "torch" in sys.modules:
        import torch

        with contextlib.suppress(RuntimeError):  # after an error of CUDA's it answers nothing else
            torch.cuda.empty_cache()


def _uses_gpu(worker: Worker) -> bool:
    return worker.context.device.startswith("cuda")


def _ready(orders: Orders) -> Worker:
    """Return this process's worker for the run, once its device does what it is told."""
    from prunebench.engine.devices.device import start_device

    worker = _worker(orders)
    if not _process.started:
        start_device(worker.context.device)
        _process.started = True
    return worker


def _worker(orders: Orders) -> Worker:
    """Return this process's worker for the run, made where it is the first that is asked of that here."""
    if _process.worker is None or _process.run != orders.run:
        _process.worker = worker_for(orders)
        _process.run, _process.started = orders.run, False
    return _process.worker


def problem_here(orders: Orders) -> str:
    """Return why this node cannot work for a run: plugins, components, data, torch; "" where it can."""
    try:
        worker = _worker(orders)
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
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.errors import StoreError
    from prunebench.inventory.frozen import read_frozen
    from prunebench.process import SHARED_BY, prepare_process
    from prunebench.store import Store

    here = versions_here()
    if any(here.get(name) != version for name, version in orders.versions.items()):
        raise StoreError(f"it has {here}, the other nodes {dict(orders.versions)}")
    prepare_process()
    os.environ.setdefault("PRUNEBENCH_WORKER", f"ray {os.getpid()}")
    os.environ[SHARED_BY] = str(orders.needs.share)
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
