"""The machine: cores, memory, shared memory, open files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from prunebench.amounts import spelled_bytes
from prunebench.cli._doctor import Finding
from prunebench.cli._output import counted
from prunebench.cores import cores_allowed, physical_cores, usable_cores
from prunebench.engine.guarding.memory import available_memory

__all__ = ["findings"]

A_PROCESS = 5 << 29
"""Bytes of /dev/shm that a process takes whose eight loaders hand on decoded images: each holds two batches
of 1,024 images of 3 × 224 × 224 bytes."""

A_WORKER = 3 << 29
"""Bytes of memory that a worker takes with a small data set: torch, its data, a network."""

FILES = 1024


def findings() -> Iterator[Finding]:
    """Yield what there is to work with."""
    yield _cores()
    yield _memory()
    yield _shared_memory()
    yield from _files()


def _cores() -> Finding:
    reached, workers = physical_cores(), usable_cores()
    what = f"{counted(reached, 'core')} for this process (the machine runs {os.cpu_count()} threads at once)"
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        load = 0.0
    limit = cores_allowed()
    if limit is not None and limit < reached - 0.05:
        what += f", of which a container's limit leaves {limit:.3g}"
    if load > workers:
        what += f"; others keep {load:.1f} busy"
        return Finding("machine", "warning", what, "wait for them, or expect everything to take longer")
    return Finding("machine", "ok", what, f"-n {workers} uses them all" if workers > 1 else "")


def _memory() -> Finding:
    free, total = available_memory()
    what = f"{spelled_bytes(free)} of {spelled_bytes(total)} of memory free"
    if free < A_WORKER:
        takes = f"one worker takes about {spelled_bytes(A_WORKER)}: end something else first"
        return Finding("machine", "warning", what, takes)
    return Finding("machine", "ok", f"{what}: enough for {int(free / A_WORKER)} workers with small data sets")


def _shared_memory() -> Finding:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Finding("machine", "ok", "no /dev/shm here: loaders of streamed images use files")
    free = shutil.disk_usage(folder).free
    fit, each = int(free / A_PROCESS), spelled_bytes(A_PROCESS)
    what = f"{spelled_bytes(free)} of shared memory (/dev/shm) free"
    if fit < 1:
        return Finding(
            "machine", "warning", what,
            f"a worker that streams images takes {each} with eight loaders: enlarge it (docker run "
            "--shm-size 16g; mount -o remount,size=16G /dev/shm), or set PRUNEBENCH_LOADERS to fewer",
        )  # fmt: skip
    workers = "worker" if fit == 1 else "workers"
    return Finding(
        "machine",
        "ok",
        f"{what}: enough for {fit} {workers} that stream images ({each} each)",
    )


def _files() -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # not on every system
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        most = "" if hard == resource.RLIM_INFINITY or hard >= FILES else ", as root or in limits.conf"
        yield Finding("machine", "warning", f"at most {soft} open files", f"ulimit -n 4096{most}")
