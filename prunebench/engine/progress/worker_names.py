"""What a worker is called, the same wherever people read it: on which host, on what, and which one it is."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["worker_called", "worker_name"]


def worker_called(host: str, place: str, worker: str, pid: int) -> str:
    """Return a worker's name.

    Args:
        host: as claims and times spell it, with what tells its boots apart, which is left out.
        place: what it computes on, as `device_place` says it; "" where that is not known.
        worker: what it is called in its run (`worker_name`); "" where it is alone, and its number tells it.
        pid: the number of its process.

    >>> worker_called("vm-7e4800f4", "gpu 3", "worker 1", 4711)
    'vm:gpu 3/worker 1'
    >>> worker_called("node-7-7e4800f4", "cpu", "", 4711)
    'node-7:cpu/process 4711'
    """
    slot = f"{place}/" if place else ""
    return f"{host.rpartition('-')[0] or host}:{slot}{worker or f'process {pid}'}"


def worker_name(environment: Mapping[str, str] = os.environ) -> str:
    """Return what this process is called where it is one of several workers, else "".

    PRUNEBENCH_WORKER says it, or pytest-xdist or Slurm do by their variables.

    >>> worker_name({"PYTEST_XDIST_WORKER": "gw3"})
    'worker 3'
    """
    if name := environment.get("PRUNEBENCH_WORKER"):
        return name[:40]
    if name := environment.get("PYTEST_XDIST_WORKER"):
        return f"worker {name.removeprefix('gw')}"[:40]
    if array := environment.get("SLURM_ARRAY_JOB_ID"):
        return f"slurm {array}_{environment.get('SLURM_ARRAY_TASK_ID', '')}"[:40]
    job = environment.get("SLURM_JOB_ID")
    return f"slurm {job}"[:40] if job else ""
