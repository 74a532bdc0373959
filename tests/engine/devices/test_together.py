"""Cells whose recipe wants two devices: two processes train each network, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from prunebench import stopping
from prunebench.engine.devices import together
from prunebench.engine.devices.errors import is_out_of_memory
from prunebench.engine.devices.together import check_devices, device_of, too_few_devices
from prunebench.engine.failures import JobFailed
from prunebench.errors import DataError, SuiteError, UsageError

TWO = "overrides = {recipe = {devices = 2}}"


def suite(project: Any, *methods: Any, name: str = "pair", epochs: int = 1, more: str = TWO) -> Path:
    path: Path = project.suite(methods or ["snip"], name=name, epochs=epochs, more=more)
    return path


def trainers() -> list[psutil.Process]:
    """Return the processes that train together with others, started by this one."""
    children = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "prunebench.engine.devices.together_process" in child.cmdline():
                children.append(child)
    return children


def test_cells_of_two_devices_are_those_of_one_but_for_rounding(project: Any) -> None:
    """A mask made before training is the same; of 360 test images a few at most are told otherwise."""
    results = []
    for path in (suite(project), suite(project, name="single", more="")):
        engine = project.engine(path)
        engine.make(engine.plan.cells[-1])
        results.append(engine.store.read_record(engine.plan.cells[-1].key).result)
    assert trainers() == []
    pair, alone = results
    assert (pair["cell"]["recipe"]["devices"], pair["outcome"]) == (2, "finished")
    assert pair["mask"]["layers"] == alone["mask"]["layers"]
    assert abs(pair["test"]["correct"] - alone["test"]["correct"]) <= 3
    ours, theirs = pair["curve"][-1], alone["curve"][-1]
    assert ours["step"] == theirs["step"] == 23
    assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)


def watched(engine: Any, act: Any) -> None:
    """Call `act` with the processes when the training has come so far that a step was told."""
    acted: list[bool] = []

    def progress(_job: Any, step: int, _to_step: int) -> None:
        if not acted and step > 0:
            acted.append(True)
            act(trainers())

    engine.context.progress = progress


def test_a_process_that_dies_ends_the_job_with_its_end(project: Any) -> None:
    """The other is ended too, and nothing is recorded."""
    engine = project.engine(suite(project, epochs=200))
    watched(engine, lambda team: team[-1].kill())
    with pytest.raises(JobFailed, match=r"process [12] of 2 was killed by SIGKILL"):
        engine.make(engine.plan.cells[0])
    assert trainers() == []
    assert list((engine.store.root / "records").rglob("*.json")) == []


def test_being_told_to_stop_ends_at_a_checkpoint(project: Any) -> None:
    """Of the step that the first was at; the processes are gone, and the run goes on from there."""
    engine = project.engine(suite(project, epochs=300))
    watched(engine, lambda _team: os.kill(os.getpid(), signal.SIGTERM))
    with stopping.listening(), pytest.raises(stopping.Stopped):
        engine.make(engine.plan.cells[0])
    assert trainers() == []
    run = next(
        job.params.run_key for job in engine.plan.jobs.values() if job.kind == "train" and job.params.step
    )
    (step, is_checkpoint), *_ = [state for state in engine.store.states(run) if state[0]]
    assert is_checkpoint
    assert 0 < step < 300 * 23


@pytest.mark.slow
def test_an_error_in_one_process_is_the_jobs(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that fails while it trains is named, not the connection that the other has lost."""
    plugin = project.folder / "mine.py"
    plugin.write_text(
        "import os, torch, prunebench\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.fc, self.calls = nn.Linear(64, 10), 0\n"
        "    def forward(self, x):\n"
        "        self.calls += 1\n"
        "        if self.calls == 3 and os.environ.get('FAIL'):\n            raise ValueError('a bad third step')\n"
        "        return self.fc(x.flatten(1))\n"
        "def build(shape, classes):\n    return Net()\n"
        "@prunebench.hookimpl\n"
        "def prunebench_architectures():\n    return [prunebench.Architecture('mine', build)]\n"
    )
    path = suite(project, "magnitude")
    path.write_text(path.read_text().replace("digits-mlp", "mine"))
    monkeypatch.setenv("FAIL", "1")
    engine = project.engine(path, plugins=(str(plugin),))
    with pytest.raises(JobFailed, match="a bad third step"):
        engine.make(engine.plan.cells[0])
    assert trainers() == []
    assert any("a bad third step" in log.read_text() for log in (engine.store.root / "logs").glob("*.log"))


def test_of_several_errors_the_one_that_came_first_is_told(tmp_path: Path) -> None:
    """Not what the others say of its end; and of memory that was not enough it is known what to change."""
    team = [Ended(1), Ended(1), Ended(-signal.SIGKILL)]
    lost = {"type": "RuntimeError", "message": "Connection closed by peer", "of_others": True}
    (tmp_path / "error-0").write_text(json.dumps(lost))
    assert str(together._error(team, tmp_path)).endswith("process 3 of 3 was killed by SIGKILL")
    full = {"type": "OutOfMemoryError", "message": "CUDA out of memory.", "of_others": False}
    (tmp_path / "error-1").write_text(json.dumps(full))
    error = together._error(team, tmp_path)
    assert str(error) == "process 2 of 3 failed: CUDA out of memory."
    assert is_out_of_memory(error)
    (tmp_path / "error-1").write_text(json.dumps({**full, "type": "DataError", "message": "x.jpeg is none"}))
    assert isinstance(together._error(team, tmp_path), DataError)


class Ended:
    """A process that has ended."""

    def __init__(self, code: int) -> None:
        self.returncode = code

    def poll(self) -> int:
        return self.returncode


def test_processes_end_when_their_worker_is_gone(tmp_path: Path) -> None:
    """Their standard input is closed then, whatever they are in."""
    import subprocess
    import sys

    (tmp_path / "job.json").write_text(json.dumps({}))
    code = "import threading, time; from prunebench.engine.devices import together_process as t; threading.Thread(target=t._die_with_parent).start(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True)
    time.sleep(0.1)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=30) == -signal.SIGKILL


def test_more_devices_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what gives a worker as many; two processes on the CPU need none."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert [device_of("cuda", number, 4) for number in range(4)] == ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]
    assert device_of("cuda:2", 1, 2) == "cuda:3"
    assert device_of("cpu", 1, 2) == "cpu"
    with pytest.raises(UsageError, match=r"devices = 2: the worker has 1 of the GPUs .* --gpus-per-worker 2"):
        device_of("cuda:3", 0, 2)


def test_a_worker_with_too_few_gpus_is_refused_before_anything_starts(project: Any) -> None:
    """Named are a cell and the option; done cells, and recipes of one device, want nothing."""
    plan = project.session(suite(project)).plan
    with pytest.raises(
        UsageError, match=r"cell main::.* on 2 devices .* worker has 1 GPU: --gpus-per-worker 2"
    ):
        check_devices(plan, plan.cells, "cuda", 1)
    check_devices(plan, plan.cells, "cuda", 2)
    check_devices(plan, plan.cells, "cpu", 1)
    check_devices(plan, [], "cuda", 1)
    single = project.session(suite(project, name="single", more="")).plan
    check_devices(single, single.cells, "cuda", 1)


def test_a_last_batch_that_devices_cannot_share_is_refused_when_it_is_planned(project: Any) -> None:
    """1,442 images in batches of 16 leave two."""
    path = suite(project, more="overrides = {recipe = {batch = 16, devices = 14}}")
    with pytest.raises(SuiteError) as refused:
        project.session(path)
    (line,) = str(refused.value).splitlines()
    assert (
        "recipe.devices: the last batch of an epoch has 2 of 1442 examples, too few for devices = 14" in line
    )


def test_tf32_is_refused_where_cells_are_made_on_a_cpu(project: Any) -> None:
    """Before anything starts, naming a cell; a recipe's precision is in the keys of its runs."""
    path = project.suite(["snip"], name="coarse")
    plain = project.session(path).plan
    path.write_text(path.read_text().replace("epochs = 1", 'epochs = 1, precision = "tf32"'))
    plan = project.session(path).plan
    assert not {cell.key for cell in plan.cells} & {cell.key for cell in plain.cells}
    with pytest.raises(UsageError, match=r"cell main::.*precision = 'tf32' is of GPUs alone.*--device cuda"):
        check_devices(plan, plan.cells, "cpu", 1)
    check_devices(plan, [], "cpu", 1)
    check_devices(plan, plan.cells, "cuda", 1)
    check_devices(plain, plain.cells, "cpu", 1)
    assert too_few_devices(plan, plan.cells, "cpu").keys() == {cell.key for cell in plan.cells}
    assert too_few_devices(plain, plain.cells, "cpu") == {}
    with pytest.raises(JobFailed, match="precision = 'tf32': cpu has none"):
        project.engine(path).make(plan.cells[0])
