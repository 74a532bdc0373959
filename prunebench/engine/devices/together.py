"""A training job on several devices: one process a device, of which the first commits what comes out.

The worker that holds the job's claim starts them, waits, and ends all when one has ended: so no process is
left behind, whatever becomes of one of them, and the worker itself is never caught in a collective operation.
When the worker dies, each of them notices that its standard input is closed, and ends.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench import stopping
from prunebench.canonical import canonical
from prunebench.engine.devices.device import index_of, resolve_device
from prunebench.engine.devices.gpus import gpus_here, usable_together
from prunebench.engine.devices.together_errors import EXIT_FULL, raised_again
from prunebench.engine.failures import NotHere
from prunebench.errors import ComponentError, UsageError
from prunebench.plan.params import TrainParams
from prunebench.process import how_ended

if TYPE_CHECKING:
    from prunebench.engine.request import Request
    from prunebench.jobs.context import Context
    from prunebench.plan import Job, Plan, PlannedCell

__all__ = ["check_devices", "device_of", "run_together", "too_few_devices"]

NAP = 0.05
"""Seconds between two looks at the processes."""

LAST_WORDS = 5.0
"""Seconds that the others have to say what they ended of, once one has ended with an error."""

LEAVING = 60.0
"""Seconds that they have to end at a checkpoint when the worker is told to stop."""


def run_together(job: Job, count: int, *, context: Context, request: Request) -> None:
    """Run a training job on so many devices, and return when its state is committed.

    Raises: NotHere where there are fewer devices; what the process raised that failed first; Stopped.
    """
    devices = [device_of(context.device, number, count) for number in range(count)]
    _free_memory(context.device)
    with tempfile.TemporaryDirectory(prefix="prunebench-") as name, stopping.held():
        folder = Path(name)
        (folder / "job.json").write_bytes(canonical(_asked(job, count, context, request)))
        with _started(folder, devices, context.store.log_path(job.key)) as team:
            _wait(team, folder, job, context)
    stopping.check()


def device_of(device: str, number: int, count: int) -> str:
    """Return the device of one of so many processes: of GPUs those from the worker's own on.

    Raises: NotHere where there are not so many.
    """
    if device == "cpu":
        return device
    import torch

    first, there = index_of(device) or 0, torch.cuda.device_count()
    if first + count > there:
        raise NotHere(
            f"devices = {count}: the worker has {there - first} of the GPUs that torch sees; "
            f"--gpus-per-worker {count} gives it as many"
        )
    return f"cuda:{first + number}"


def check_devices(plan: Plan, cells: Sequence[PlannedCell], device: str, gpus: int) -> None:
    """Make sure that a worker has as many GPUs as the recipes of these cells want.

    gpus: how many each worker has; under "cpu" as many processes as are wanted serve

    Raises: UsageError; for a recipe whose precision only GPUs have, too.
    """
    if device == "cpu":
        coarse = _in_tf32(plan, cells)
        for cell in cells:
            if cell.key in coarse:
                raise UsageError(f"cell {cell.id}: {coarse[cell.key]}")
        return
    for cell, wants in _wanting(plan, cells, _on_several(plan), gpus):
        raise UsageError(
            f"cell {cell.id} trains on {wants} devices at once (devices = {wants}), and a worker has "
            f"{_counted(gpus)}: --gpus-per-worker {wants}, or select other cells (-k)"
        )


def _in_tf32(plan: Plan, cells: Sequence[PlannedCell]) -> dict[str, str]:
    """Return why those of these cells cannot be made on a CPU that train in TF32, by their keys."""
    trained = {
        key
        for key, job in plan.jobs.items()
        if isinstance(job.params, TrainParams) and job.params.run.recipe.precision == "tf32"
    }
    why = "precision = 'tf32' is of GPUs alone: --device cuda where there is one, or select other cells (-k)"
    return {
        cell.key: why
        for cell in (cells if trained else ())
        if any(trained & plan.ancestors(target) for target in cell.targets)
    }


def too_few_devices(plan: Plan, cells: Sequence[PlannedCell], device: str) -> dict[str, str]:
    """Return why those of these cells cannot be made in this process that want more GPUs than it sees.

    By the cell's key. On the CPU as many processes as are wanted serve, but it has no TF32.
    """
    coarse, several = _in_tf32(plan, cells), _on_several(plan)
    if not (coarse or several):
        return {}
    if device == "cpu" or (device := resolve_device(device)) == "cpu":  # to ask for GPUs takes a moment
        return coarse
    gpus = max(0, _gpus_seen() - (index_of(device) or 0))
    return {
        cell.key: f"it trains on {wants} devices at once (devices = {wants}), and this worker has "
        f"{_counted(gpus)}: run it where a worker has {wants} (--gpus-per-worker {wants}), or select others "
        "(-k)"
        for cell, wants in _wanting(plan, cells, several, gpus)
    }


def _gpus_seen() -> int:
    """Return how many GPUs CUDA gives this process; while torch is not imported, by what the driver says."""
    if "torch" in sys.modules:
        count: int = sys.modules["torch"].cuda.device_count()
        return count
    return usable_together(gpus_here())


def _on_several(plan: Plan) -> dict[str, int]:
    """Return the trainings on several devices, and on how many each."""
    trainings = {key: job.params for key, job in plan.jobs.items() if job.kind == "train"}
    return {
        key: params.run.recipe.devices
        for key, params in trainings.items()
        if isinstance(params, TrainParams) and params.run.recipe.devices
    }


def _wanting(
    plan: Plan, cells: Sequence[PlannedCell], several: Mapping[str, int], gpus: int
) -> Iterator[tuple[PlannedCell, int]]:
    """Yield the cells that train on more than so many devices at once, and on how many."""
    wanting = {key: devices for key, devices in several.items() if devices > gpus}
    for cell in cells if wanting else ():
        needed = plan.remaining(cell.targets, lambda key: False)
        if wants := max((wanting.get(key, 0) for key in needed), default=0):
            yield cell, wants


def _counted(gpus: int) -> str:
    return f"{gpus or 'no'} GPU{'' if gpus == 1 else 's'}"


def _free_memory(device: str) -> None:
    """Hand back what this process keeps of a GPU for later jobs: others train there now."""
    if device != "cpu":
        import torch

        torch.cuda.empty_cache()


def _asked(job: Job, count: int, context: Context, request: Request) -> dict[str, Any]:
    """Return what the processes are told, as plain values: the job, and those that it descends from."""
    needed: dict[str, Job] = {}
    stack = [job.key]
    while stack:
        key = stack.pop()
        if key not in needed and key in context.jobs:
            needed[key] = context.jobs[key]
            stack.extend(needed[key].inputs)
    return {
        "request": json.loads(request.to_json()),
        "key": job.key,
        "jobs": [[one.key, one.kind, one.params.plain(), list(one.inputs)] for one in needed.values()],
        "count": count,
        "threads": context.threads,
        "loaders": context.loaders,
        "checkpoint_seconds": context.checkpoint_seconds,
    }


@contextlib.contextmanager
def _started(folder: Path, devices: list[str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a process for each device; whatever happens, none is left afterwards."""
    team: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    try:
        with log.open("ab") as output:
            for number, device in enumerate(devices):
                command = [sys.executable, "-m", f"{__package__}.together_process"]
                team.append(
                    subprocess.Popen(
                        [*command, str(folder), str(number), device],
                        stdin=subprocess.PIPE,
                        stdout=output,
                        stderr=output,
                        env=environment,
                        start_new_session=True,  # a Ctrl-C is this process's to pass on
                    )
                )
        yield team
    finally:
        for process in team:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # with the processes that read images for it
        for process in team:
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]


def _wait(team: list[subprocess.Popen[bytes]], folder: Path, job: Job, context: Context) -> None:
    """Wait until all have ended well. Raises: what the one raised that failed first."""
    told, told_at = "", 0.0
    while any(process.poll() is None for process in team):
        if any(process.poll() for process in team):
            break
        if stopping.requested():
            if not told_at:
                told_at = time.monotonic()
                team[0].send_signal(signal.SIGTERM)  # which commits a checkpoint
            if team[0].poll() is not None or time.monotonic() - told_at > LEAVING:
                return
        told = _tell_progress(told, folder, job, context)
        time.sleep(NAP)
    if stopping.requested():
        return
    if any(process.poll() for process in team):
        ends = time.monotonic() + LAST_WORDS
        while any(process.poll() is None for process in team) and time.monotonic() < ends:
            time.sleep(NAP)
        raise _error(team, folder)


def _tell_progress(told: str, folder: Path, job: Job, context: Context) -> str:
    with contextlib.suppress(OSError):
        text = (folder / "progress").read_text()
        if text != told and context.progress is not None:
            step, to_step = map(int, text.split())
            context.progress(job, step, to_step)
        return text
    return told


def _error(team: list[subprocess.Popen[bytes]], folder: Path) -> Exception:
    """Return what to raise: the error that came by itself, not by the end of another process."""
    if any(process.returncode == EXIT_FULL for process in team):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    silent: list[str] = []
    said: list[dict[str, Any]] = []
    for number, process in enumerate(team):
        try:
            said.append({**json.loads((folder / f"error-{number}").read_bytes()), "number": number})
        except (OSError, ValueError):
            if process.poll():
                silent.append(f"process {number + 1} of {len(team)} {how_ended(process.returncode)}")
    own = [one for one in said if not one["of_others"]]
    if own:
        return raised_again(own[0], f"process {own[0]['number'] + 1} of {len(team)}")
    if silent:
        return ComponentError(f"trained on {len(team)} devices: {', '.join(silent)}")
    return ComponentError(f"trained on {len(team)} devices: {said[0]['message']}")
