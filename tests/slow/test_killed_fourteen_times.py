"""A suite that is killed fourteen times, in every way, and started again each time, ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

KILLS = 14
WAYS = ("one", "all", "interrupt", "terminate")


def start(project: Any, suite: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start `prunebench run` in a process group of its own."""
    command = [sys.executable, "-m", "prunebench", "run", suite.name, "--store", "killed", *more]
    return subprocess.Popen(
        command,
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes], way: str) -> None:
    """End a run: its first process alone, all of its processes, as Ctrl-C does, as a scheduler does."""
    if way == "one":
        process.kill()
    elif way == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif way == "interrupt":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    process.wait(timeout=60)


def test_killed_fourteen_times_it_ends_with_the_same_bits(project: Any) -> None:
    """By SIGKILL (one process or all), SIGINT and SIGTERM, with and without workers, at drawn moments."""
    methods = ["magnitude", "snip", "ltr", "magnitude-after-training"]
    suite = project.suite(
        methods, sparsities=(0.5, 0.8, 0.95), seeds=4, epochs=12, measures=["layer-sparsity"]
    )
    whole = project.run(suite, "whole")
    wanted = {cell.key: whole.store.read_record(cell.key).digest for cell in whole.plan.cells}
    records = project.folder / "killed" / "records"
    draw = random.Random(14)
    killed = 0
    for number in range(KILLS):
        before = len(list(records.rglob("*.json")))
        process = start(project, suite, *(("-n", "2") if number // len(WAYS) % 2 else ()))
        deadline = time.monotonic() + 120
        while len(list(records.rglob("*.json"))) == before and time.monotonic() < deadline:
            if process.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        killed += process.poll() is None
        kill(process, WAYS[number % len(WAYS)])
    assert killed == KILLS, "it was done before it could be killed so often"
    engine = project.engine(suite, "killed")
    deadline = time.monotonic() + 120  # workers whose first process was killed alone may still be at it
    last = start(project, suite)
    assert last.wait(timeout=max(1.0, deadline - time.monotonic())) == 0
    assert {key: engine.store.read_record(key).digest for key in wanted} == wanted
    for key in whole.store.artifact_keys() & engine.store.artifact_keys():
        assert engine.store.read_artifact(key).digest == whole.store.read_artifact(key).digest
    masks = {key for key, job in engine.plan.jobs.items() if job.kind == "mask"}
    assert masks
    assert masks <= engine.store.artifact_keys()
    assert not list((project.folder / "killed").rglob("*.checkpoint.safetensors"))
