"""What fails for its device's sake: out of memory, and a GPU that this process cannot use any more."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import warnings
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from prunebench.engine.devices.errors import is_device_lost, is_out_of_memory
from prunebench.engine.failures import JobFailed, WorkerLost
from prunebench.engine.on_pytest.gpus import DeviceLost, LostWorkers

PLUGIN = """
import os

AT_IMPORT = os.environ.get("CUBLAS_WORKSPACE_CONFIG")

import torch
from torch import nn
import prunebench

def raises(text, kind=getattr(torch, "AcceleratorError", RuntimeError)):
    def score(net, batch, rng):
        with open("scored", "a") as file:
            file.write("x")
        with open("cublas", "a") as file:
            file.write(str(AT_IMPORT))
        raise kind(text)
    return score

ILLEGAL = "CUDA error: an illegal memory access was encountered"

@prunebench.hookimpl
def prunebench_scorers():
    return [
        prunebench.Scorer("lost", raises(ILLEGAL)),
        prunebench.Scorer("lost-too", raises(ILLEGAL, RuntimeError)),
        prunebench.Scorer("full", raises("CUDA out of memory. Tried to allocate 2.00 GiB.", torch.OutOfMemoryError)),
    ]
"""


def wrapped(inner: BaseException, *, hidden: bool = False) -> BaseException:
    try:
        try:
            raise inner
        except BaseException as error:
            raise ValueError("scoring failed") from (None if hidden else error)
    except ValueError as error:
        return error


ILLEGAL = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be …"


@pytest.mark.parametrize(
    ("error", "lost", "full"),
    [
        (RuntimeError(ILLEGAL), True, False),
        (wrapped(RuntimeError(ILLEGAL)), True, False),
        (wrapped(RuntimeError(ILLEGAL), hidden=True), True, False),  # its context stays
        (ExceptionGroup("both", [ValueError("x"), RuntimeError(ILLEGAL)]), True, False),
        (RuntimeError("CUDA error: device-side assert triggered"), True, False),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True, False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"), True, False),
        (RuntimeError("CUDA error: out of memory"), False, True),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            False,
            True,
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), False, True),
        (MemoryError(), False, True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), False, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
        (ValueError("no CUDA error: in a text of somebody's own"), False, False),
    ],
)
def test_errors_that_are_the_devices(error: BaseException, lost: bool, full: bool):
    """By what torch says, in whatever it was wrapped; too little memory leaves a GPU as it was."""
    assert is_device_lost(error) is lost
    assert is_out_of_memory(error) is full


def test_an_error_that_says_nothing_of_a_lost_gpu_is_found_by_asking_the_gpu(monkeypatch: pytest.MonkeyPatch):
    """Code that hides what it met: a GPU in use is waited for, and fails at that."""

    def fails() -> None:
        raise RuntimeError("whatever")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert not is_device_lost(ValueError("scoring failed"))
    monkeypatch.setattr(torch.cuda, "synchronize", fails)
    assert is_device_lost(ValueError("scoring failed"))


def with_plugin(project: Any) -> str:
    file = project.folder / "faults.py"
    file.write_text(PLUGIN)
    return str(file)


def test_after_a_lost_gpu_a_worker_does_no_other_job(project: Any, monkeypatch: pytest.MonkeyPatch):
    """The attempt is written, the claim given back; the next worker does not try that job again."""
    monkeypatch.chdir(project.folder)
    path = project.suite(["lost", "lost-too", "magnitude"])
    session = project.session(path, plugins=(with_plugin(project),))
    worker = session.worker(project.store(), since="2000", selected=session.plan.cells)
    with pytest.raises(WorkerLost, match="cannot use its GPU any more, since score"):
        worker.help()
    assert len((project.folder / "scored").read_text()) == 1
    assert not worker.store.running()
    failed = [key for key in session.plan.jobs if worker.store.attempts(key)]
    assert len(failed) == 1
    assert "illegal memory access" in worker.store.attempts(failed[0])[-1]["error"]
    other = session.worker(project.store(), since="2000", selected=session.plan.cells)
    with pytest.raises(WorkerLost):  # of the second scorer
        other.help()
    last = session.worker(project.store(), since="2000", selected=session.plan.cells)
    last.help()
    assert len((project.folder / "scored").read_text()) == 2
    done = [cell.labels["method"] for cell in session.plan.cells if last.store.has_record(cell.key)]
    assert done == ["none", "magnitude"]


class _Filled:
    """Something large that a job works with."""


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, ValueError])
def test_a_failed_job_leaves_nothing_alive(
    project: Any, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
):
    """Neither in the error that the worker keeps, nor in what that comes from; without it later cells fail too."""
    path = project.suite(["snip"])
    worker = project.engine(path)
    alive: list[weakref.ref[Any]] = []

    def run(job: Any, context: Any) -> None:
        def inner(activations: Any) -> None:
            own = _Filled()
            alive.extend([weakref.ref(own), weakref.ref(activations)])
            cycle: list[Any] = [own]
            cycle.append(cycle)
            raise kind("CUDA out of memory. Tried to allocate 2.00 GiB")

        tensor = torch.ones(3, requires_grad=True)
        try:
            inner(tensor.exp())
        except Exception as error:
            raise RuntimeError("the network failed") from error

    worker.run = run
    gc.disable()
    try:
        with pytest.raises(JobFailed) as failed:
            worker.make(worker.plan.cells[0])
        assert len(alive) == 2
        assert [one() for one in alive] == [None, None]
    finally:
        gc.enable()
    assert failed.value.__cause__ is failed.value.__context__ is None
    assert ("what helps: `recompute = true` in the recipe" in str(failed.value)) == (
        kind is torch.OutOfMemoryError
    )


def test_out_of_memory_says_what_to_change(project: Any, monkeypatch: pytest.MonkeyPatch):
    """Of a scorer its chunks; where workers share the GPU, fewer of them first."""
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("PRUNEBENCH_GPU_SHARED_BY", "4")
    worker = project.engine(project.suite(["full"]), plugins=(with_plugin(project),))
    with pytest.raises(JobFailed) as failed:
        worker.make(worker.plan.cells[1])
    assert "Tried to allocate 2.00 GiB" in str(failed.value)
    assert "what helps: fewer workers on the GPU (--workers-per-gpu, now 4); `chunk`" in str(failed.value)
    attempt = worker.store.attempts(failed.value.job.key)[-1]
    assert "what helps:" in attempt["error"]


def test_a_run_ends_where_one_worker_after_another_loses_its_gpu():
    """Five in a row; a cell done in between, and it counts anew. Other notices are not counted."""
    seen = LostWorkers()

    def tells(worker: str, kind: type[Warning] = DeviceLost) -> None:
        message = warnings.WarningMessage(kind("its GPU"), kind, __file__, 1)
        seen.pytest_warning_recorded(message, worker)

    for number in range(4):
        tells(f"gw{number}")
    tells("gw3")  # the same worker once more
    tells("gw4", UserWarning)
    seen.pytest_runtest_logreport(SimpleNamespace(when="call", passed=True))  # type: ignore[arg-type]
    for number in range(4, 8):
        tells(f"gw{number}")
    with pytest.raises(pytest.exit.Exception, match="5 workers in a row could not use their GPU any more"):
        tells("gw8")


@pytest.mark.parametrize("workers", [pytest.param((), marks=pytest.mark.slow), ("-n", "1")])
def test_a_run_replaces_a_process_that_lost_its_gpu(project: Any, workers: tuple[str, ...]):
    """Every other cell is made; the one that lost it is reported once, as failed, with the error."""
    path = project.suite(["lost", "snip", "magnitude"])
    command = [sys.executable, "-m", "prunebench", "run", path.name, "--plugin", "faults.py", "--no-table"]
    with_plugin(project)
    done = subprocess.run(
        [*command, "--store", "store", "--device", "cpu", *workers],
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={name: value for name, value in os.environ.items() if name != "CUBLAS_WORKSPACE_CONFIG"},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert said.count("FAILED") == 1
    assert "an illegal memory access was encountered" in said
    assert "another " in said
    assert Path(project.folder / "scored").read_text() == "x"
    assert len(list((project.folder / "store" / "records").rglob("*.json"))) == 3
    assert "Traceback" not in said
    # cuBLAS asks for it once: it is there before any plugin is imported
    assert (project.folder / "cublas").read_text() == ":4096:8"
