"""One of the processes that train a network together: `python -m … FOLDER NUMBER DEVICE`."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench import stopping
from prunebench.process import prepare_process

if TYPE_CHECKING:
    from prunebench.jobs.context import Context
    from prunebench.plan import Job

__all__ = ["main"]

OFTEN = 0.1
"""Seconds between two notes of how far the training is."""

_OF_OTHERS = re.compile(r"gloo|nccl|connection (closed|reset)|broken pipe", re.IGNORECASE)
"""What torch says in the process of one device when that of another is gone."""


def main(folder: Path, number: int, device: str) -> int:
    """Train along, and return the exit code; an error is written to the folder."""
    prepare_process()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if number:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)  # the first tells by its end that it was told to stop
    try:
        with stopping.listening() if number == 0 else contextlib.nullcontext():
            _train(folder, number, device)
    except stopping.Stopped:
        return stopping.exit_code()
    except BaseException as error:  # a component may raise anything
        return _told(error, folder / f"error-{number}")
    return 0


def _told(error: BaseException, path: Path) -> int:
    """Write down how this process failed, and return its exit code."""
    from prunebench.engine.devices.together_errors import EXIT_FULL, as_plain
    from prunebench.engine.failures import full_disk

    said = as_plain(error)
    said["of_others"] = isinstance(error, RuntimeError) and _OF_OTHERS.search(said["message"]) is not None
    try:
        path.write_text(json.dumps(said))
        traceback.print_exception(error)
    except OSError as unwritten:
        return EXIT_FULL if full_disk(unwritten) else 1
    return 1


def _die_with_parent() -> None:
    """Wait until standard input is closed, as it is when the worker is gone; then end here too."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1):
            pass
    os.killpg(os.getpgid(0), signal.SIGKILL)  # a group of its own, with the processes that read images for it


def _train(folder: Path, number: int, device: str) -> None:
    from torch import distributed

    from prunebench.jobs.run import run_job
    from prunebench.jobs.train import help_train
    from prunebench.training.devices import Together

    asked = json.loads((folder / "job.json").read_bytes())
    job, context = _context(asked, device)
    if number == 0:  # two that tell it would write the same file
        context.progress = _Progress(folder / "progress")
    _meet(folder, number, asked["count"], device)
    context.devices = Together(number, asked["count"])
    try:
        if number == 0:
            with _logging_to(context.store.log_path(job.key)):
                run_job(job, context)
        else:
            with context.arithmetic(device):
                help_train(job, context)
    finally:
        distributed.destroy_process_group()


def _context(asked: dict[str, Any], device: str) -> tuple[Job, Context]:
    """Return the job and what it works with, as the worker has them. Raises: PluginError, StoreError."""
    from prunebench.engine.request import Request
    from prunebench.errors import PluginError
    from prunebench.jobs.context import Context
    from prunebench.plan.job import FrozenJob
    from prunebench.plan.params import TrainParams, components
    from prunebench.plan.plain import Reader
    from prunebench.store import Store
    from prunebench.training.images.reading import default_loaders

    request = Request.from_json(json.dumps(asked["request"]))  # with the files of all plugins that it has
    host = request.host()
    reader = Reader()
    jobs: dict[str, Job] = {
        key: FrozenJob(key, kind, params, tuple(inputs), reader)
        for key, kind, params, inputs in asked["jobs"]
    }
    job = jobs[asked["key"]]
    for kind, name, identity in components(job.params_as(TrainParams).run):
        if (here := host.identity(kind, name)) != identity:
            raise PluginError(
                f"{kind[:-1]} {name} has changed since the run began ({identity} then, {here} here)"
            )
    loaders = default_loaders() if asked["loaders"] is None else asked["loaders"]
    context = Context(
        store=Store.open(request.store),
        host=host,
        data_root=Path(request.data),
        jobs=jobs,
        device=device,
        threads=asked["threads"],
        kernels=request.kernels,
        loaders=-(-loaders // asked["count"]),
        checkpoint_seconds=asked["checkpoint_seconds"],
    )
    return job, context


class _Progress:
    """Writes how far the training is, for the worker to read."""

    def __init__(self, path: Path) -> None:
        self._path, self._new = path, path.with_name("progress.new")
        self._last = 0.0

    def __call__(self, _job: Job, step: int, to_step: int) -> None:
        """Note a step, if the last was noted a while ago."""
        now = time.monotonic()
        if now - self._last < OFTEN and step < to_step:
            return
        self._last = now
        self._new.write_text(f"{step} {to_step}")
        self._new.replace(self._path)


def _meet(folder: Path, number: int, count: int, device: str) -> None:
    """Join the others in torch's default process group, over the loopback interface."""
    import psutil
    import torch
    from torch import distributed

    for name, addresses in psutil.net_if_addrs().items():
        if any(address.address == "127.0.0.1" for address in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    backend = "gloo"
    if device != "cpu":
        torch.cuda.set_device(device)
        backend = (
            "cpu:gloo,cuda:nccl"  # flags and masks are told by the CPU, while a GPU may be busy for hours
        )
    distributed.init_process_group(
        backend,
        init_method=(folder / "meeting").as_uri(),
        rank=number,
        world_size=count,
        timeout=datetime.timedelta(days=7),  # the worker ends all when one has ended
    )


@contextlib.contextmanager
def _logging_to(path: Path) -> Any:
    """Add what is logged to the job's log, which the worker writes to as well."""
    logger = logging.getLogger("prunebench")
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
