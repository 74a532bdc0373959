"""What is refused starts nothing and changes nothing: a store with results, and --again, are as before."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import UsageError

from .conftest import Place, make_place

AGAIN = ("--again", "own", "--no-table")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder in which the tiny suite has been run; nobody changes it."""
    place = make_place(tmp_path_factory.mktemp("ran"))
    place.call("run", place.suite, *place.plugin, "-q", "--no-table")
    return place


def everything(folder: Path) -> dict[str, bytes | None]:
    """Return all files and folders, hidden ones too, with what files hold."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refused(place: Place, *args: str) -> str:
    """Call `run --again`, with results there and without a store; return what is said."""
    before = everything(place.store)
    result = place.call("run", place.suite, *place.plugin, *AGAIN, *args, code=2)
    assert "Traceback" not in result.output
    assert everything(place.store) == before
    fresh = place.folder / "none" / "store"
    place.call("run", place.suite, *place.plugin, "--no-table", "--store", str(fresh), *args, code=2)
    assert not fresh.parent.exists()
    return " ".join(str(result.stderr).split())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--engine", "lokal"], "--engine: no engine 'lokal'; did you mean 'local'?"),
        (["--device", "cuda:9"], "--device: cuda:9 was asked for, and"),
        (["--device", "cuda:0,1"], "--device: found 'cuda:0,1', allowed: auto, cpu, cuda, cuda:N"),
        (["--device", "cpu:7"], "--device: found 'cpu:7', allowed"),
        (["--device", "cpu", "--workers-per-gpu", "2"], "no GPU is used, the device is cpu"),
        (["--partition", "gpu"], "--partition belongs to --engine slurm"),
        (["-n", "0"], "0"),
    ],
)
def test_an_engine_a_device_and_options_that_cannot_be(ran: Place, args: list[str], told: str) -> None:
    assert told in refused(ran, *args)


def test_an_extra_that_is_missing_is_named_with_what_installs_it(
    ran: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    absent = ("ray", "submitit")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else real(name))
    for engine in ("ray", "slurm"):
        assert f'pip install "prunebench[{engine}]" installs it' in refused(ran, "--engine", engine)


def test_more_workers_than_slots(ran: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from prunebench.engine.devices import gpus

    monkeypatch.setattr(gpus, "gpus_here", lambda: [gpus.Gpu("0"), gpus.Gpu("1")])
    monkeypatch.setattr("prunebench.engine.devices.device.gpus_here", gpus.gpus_here)
    assert "there are 2 GPUs, 0, 1" in refused(ran, "--device", "cuda", "-n", "3")


def test_a_file_system_that_cannot_commit_safely(ran: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", lambda source, target: shutil.copyfile(source, target))
    assert "is on a file system that cannot commit safely" in refused(ran)


def test_a_cluster_where_nobody_answers(ran: Place) -> None:
    pytest.importorskip("ray")
    assert "nothing answers there" in refused(ran, "--engine", "ray", "--address", "127.0.0.1:9")


def test_a_damaged_record_stays_where_it_is(ran: Place) -> None:
    """It is set aside when the run begins, and not before."""
    record = next(iter((ran.store / "records").rglob("*.json")))
    content = record.read_bytes()
    record.write_bytes(content[:50])
    try:
        assert "was asked for" in refused(ran, "--device", "cuda:9")
    finally:
        record.write_bytes(content)


def test_a_device_that_does_not_work(ran: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which only trying it tells, when all that can be checked is checked."""

    def broken(device: str) -> None:
        raise UsageError(f"{device} does not work")

    monkeypatch.setattr("prunebench.engine.on_pytest.run.start_device", broken)
    assert "does not work" in refused(ran)


def test_a_worker_refuses_a_plan_of_another_version(ran: Place) -> None:
    (plan,) = (ran.store / "plans").glob("*.json")
    content = plan.read_bytes()
    plan.write_bytes(content.replace(b'{"format":2,', b'{"format":9,', 1))
    before = everything(ran.store)
    try:
        told: Any = ran.call("work", str(plan), code=2)
        assert everything(ran.store) == before
    finally:
        plan.write_bytes(content)
    assert "Traceback" not in told.output
    assert "another" in told.stderr or "newer" in told.stderr


@pytest.mark.slow
def test_workers_that_cannot_start(ran: Place) -> None:
    """Three have died before one of them has read the plan: nothing has been moved aside, or made."""
    dies = "if os.environ.get('PYTEST_XDIST_WORKER'): os.write(2, b'no room'); os._exit(3)\n"
    plugin = ran.folder / "dies.py"
    hook = "@prunebench.hookimpl\ndef prunebench_scorers():\n    return []\n"
    plugin.write_text(f"import os\n{dies}import prunebench\n{hook}")
    before = everything(ran.store)
    args = ["run", ran.suite, *ran.plugin, "--plugin", str(plugin), "-n", "2", *AGAIN]
    command = [sys.executable, "-m", "prunebench", *args]
    environ = {**os.environ, "PYTEST_XDIST_WORKER": ""}  # this test may itself run in a worker
    done = subprocess.run(command, cwd=ran.folder, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "workers cannot start: 3 in a row died before they had read the plan" in done.stderr
    assert "no room" in done.stderr
    assert everything(ran.store) == before
