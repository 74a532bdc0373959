"""Cells of several devices where the suite is not, or the GPUs are not; and errors of processes beside."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.engine.devices import together, together_process
from prunebench.engine.devices.gpus import Gpu
from prunebench.engine.devices.slots import make_slots
from prunebench.engine.devices.together_errors import EXIT_FULL, as_plain, raised_again
from prunebench.engine.failures import NotHere, full_disk
from prunebench.engine.work_plan import Asked, serve
from prunebench.errors import ComponentError, DataError, UsageError
from prunebench.jobs.context import InputChanged, InputRefused
from prunebench.store import Damaged, Missing, Unwritable, now_text

PLUGIN = """
import prunebench
from torch import nn

def build(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("mine", build)]
"""

PAIR = """
[[matrix]]
name = "pair"
architecture = "digits-mlp"
dataset = "digits"
recipe = {name = "digits", as = "pair", epochs = 1}
methods = ["magnitude"]
sparsities = [0.5]
seeds = 1
overrides = {recipe = {devices = 2}}
"""

TWO = "overrides = {recipe = {devices = 2}}"


def own_suite(project: Any) -> Path:
    """Write a suite that names a plugin file beside it, with an architecture of its own."""
    path: Path = project.suite(["magnitude"], more=TWO)
    (project.folder / "mine.py").write_text(PLUGIN)
    path.write_text('plugins = ["mine.py"]\n' + path.read_text().replace("digits-mlp", "mine"))
    return path


def trained(plan: Any) -> Any:
    """Return a training of the plan that takes steps."""
    return next(job for job in plan.jobs.values() if job.kind == "train" and job.params.step)


def test_processes_beside_a_worker_of_a_frozen_plan_need_no_suite(project: Any) -> None:
    """They load the plugin files that the worker has loaded; what the suite's name means now is nothing."""
    from prunebench.engine.at_hand import session_on
    from prunebench.engine.request import Request
    from prunebench.inventory.making import read_to_work

    path = own_suite(project)
    frozen = project.session(path).freeze(project.store())
    path.unlink()
    plan, making = read_to_work(frozen, project.store())
    request = Request("tiny", str(project.folder / "store"), str(project.folder / "data"))
    session = session_on(plan, making, request, plan.cells)
    worker = session.worker(project.store())
    job = trained(plan)
    asked = together._asked(job, 2, worker.context, session.request)
    there, context = together_process._context(json.loads(json.dumps(asked)), "cpu")
    assert there.key == job.key
    assert context.host.identity("architectures", "mine") == session.host.identity("architectures", "mine")


@pytest.fixture
def with_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that sees one GPU."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.mark.usefixtures("with_one_gpu")
def test_a_worker_with_too_few_gpus_leaves_their_cells_to_others(project: Any) -> None:
    """It makes the others, and writes no attempt of those."""
    session = project.session(project.suite(["magnitude"], more=PAIR))
    on_cpu = session.request
    session.request = replace(on_cpu, device="cuda")
    session.note_gpus(session.plan.cells)
    wanting = {cell.matrix for cell in session.plan.cells if session.plan.lacks(cell)}
    assert wanting == {"pair"}
    session.request = on_cpu
    store = project.store()
    worker = session.worker(store, selected=session.plan.cells)
    worker.help()
    done = {cell.matrix for cell in session.plan.cells if store.has_record(cell.key)}
    assert (done, store.attempt_keys()) == ({"main"}, set())


@pytest.mark.usefixtures("with_one_gpu")
def test_a_worker_that_can_make_none_of_its_cells_says_so_before_it_begins(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes with enough GPUs meets no attempt."""
    from prunebench.engine import work_plan

    for name in ("check_device", "start_device"):
        monkeypatch.setattr(work_plan, name, lambda device: None)
    plan = project.session(project.suite(["magnitude"], more=TWO)).freeze(project.store())
    with pytest.raises(DataError, match=r"on 2 devices at once .* this worker has 1 GPU: .*per-worker 2"):
        serve(Asked(plan=plan, data=project.folder / "data", device="cuda"))
    assert project.store().attempt_keys() == set()
    on_cpu = serve(Asked(plan=plan, data=project.folder / "data", device="cpu", max_jobs=1))
    assert (on_cpu.jobs, on_cpu.failed) == (1, {})


def test_without_such_cells_nobody_is_asked_for_gpus(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take a second, in every worker."""
    monkeypatch.setattr(together, "_gpus_seen", lambda: pytest.fail("asked"))
    session = project.session(project.suite(["magnitude"]), device="cuda")
    session.note_gpus(session.plan.cells)
    assert not session.plan.unable


def test_a_job_that_a_process_cannot_do_is_done_by_another_of_the_run(project: Any) -> None:
    """Here it has failed; the store has no attempt, so that nobody else takes it for failed."""
    session, since = project.session(project.suite(["magnitude"])), now_text()

    def cannot(job: Any, context: Any) -> None:
        raise NotHere("devices = 2: the worker has 1 of the GPUs that torch sees")

    first = session.worker(project.store(), selected=session.plan.cells, since=since, run=cannot)
    first.help()
    assert all("the worker has 1" in str(first.cause(cell)) for cell in session.plan.cells)
    assert first.store.attempt_keys() == set()
    second = session.worker(project.store(), selected=session.plan.cells, since=since)
    second.help()
    assert all(second.store.has_record(cell.key) for cell in session.plan.cells)


@pytest.mark.parametrize(
    "error",
    [
        Missing("artifact 12 is not in the store"),
        Damaged(Path("states/a"), "too short", Path("damaged/a")),
        Damaged(Path("states/a"), "too short", None),
        Unwritable("cannot write states/a: No space left on device"),
        InputChanged("ab", "made again with other bits"),
        InputRefused("made from another"),
        DataError("x.jpeg is none"),
    ],
)
def test_an_error_of_a_process_means_to_the_worker_what_its_own_would(error: Exception) -> None:
    """What is missing or damaged is made again, and a disk that is full ends the run."""
    again = raised_again(json.loads(json.dumps(as_plain(error))), "process 1 of 2")
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_full_disk_of_a_process_is_the_machines_and_not_the_jobs(tmp_path: Path) -> None:
    """Whatever a component has made of it; and where not even that could be written down."""
    wrapped = ComponentError("the cache")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device", "x")
    again = raised_again(json.loads(json.dumps(as_plain(wrapped))), "process 1 of 2")
    assert full_disk(again) is not None

    class Ended:
        returncode = EXIT_FULL

        def poll(self) -> int:
            return self.returncode

    assert full_disk(together._error([Ended()], tmp_path)) is not None  # type: ignore[list-item]


def test_a_process_that_cannot_say_how_it_failed_leaves_with_a_code_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert together_process._told(ValueError("bad"), tmp_path / "error-0") == EXIT_FULL
    assert together_process._told(ValueError("bad"), tmp_path / "error-0") == 1
    assert json.loads((tmp_path / "error-0").read_text())["message"] == "bad"


def test_an_error_of_a_component_names_the_process_and_what_helps_where_memory_was_not_enough() -> None:
    again = raised_again(as_plain(ValueError("a bad step")), "process 2 of 2")
    assert (type(again), str(again)) == (ComponentError, "process 2 of 2 failed: a bad step")
    assert isinstance(raised_again(as_plain(MemoryError()), "process 2 of 2").__cause__, MemoryError)


def test_several_parts_of_gpus_are_no_slot() -> None:
    """CUDA gives a process one MIG instance, however many are listed; whole GPUs beside them make slots."""
    parts = [Gpu("MIG-1"), Gpu("MIG-2")]
    split = Gpu("0", parts=(Gpu("MIG-1"),))
    for gpus in (parts, [split, split], [split, Gpu("1")]):
        with pytest.raises(UsageError, match=r"--gpus-per-worker 2: .* \(MIG\) a process can use one alone"):
            make_slots(gpus, per_worker=2)
    assert [slot.gpus for slot in make_slots([*parts, Gpu("2"), Gpu("3")], per_worker=2)] == [("2", "3")]
    assert len(make_slots(parts)) == 2
