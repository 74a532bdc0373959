"""Slots: which worker gets which GPUs, of lists made up; devices by their words; loaders of those that share."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections import Counter
from typing import Any

import pytest
import torch

from prunebench.engine.devices import device as devices
from prunebench.engine.devices.device import check_device, parse_device, resolve_device
from prunebench.engine.devices.gpus import Gpu
from prunebench.engine.devices.slots import Slot, Workforce, make_slots, shared_slots, workforce
from prunebench.engine.on_pytest import gpus as pytest_gpus
from prunebench.engine.on_pytest.gpus import give_slots, workers_of_suites
from prunebench.errors import UsageError
from prunebench.training.images import reading
from prunebench.training.images.reading import default_loaders

EIGHT = [Gpu(str(index), model="NVIDIA H200") for index in range(8)]


def force(asked: str | None, device: str, gpus: list[Gpu], **more: Any) -> Workforce:
    return workforce(asked, device, lambda: gpus, cores=lambda: 16, **more)


def test_auto_is_a_worker_for_each_gpu_or_core():
    """On the CPU nothing is said of GPUs."""
    assert force("auto", "cpu", EIGHT) == Workforce(16)
    all_of_them = force("auto", "cuda", EIGHT)
    assert [slot.gpus for slot in all_of_them.slots] == [(str(index),) for index in range(8)]
    assert (all_of_them.workers, all_of_them.gpus, all_of_them.model) == (8, 8, "NVIDIA H200")
    assert [slot.gpus for slot in force("auto", "cuda:3", EIGHT).slots] == [("3",)]
    assert force(None, "cuda", EIGHT).slots == ()


@pytest.mark.parametrize("gpus", [1, 2, 3, 8])
@pytest.mark.parametrize("per_gpu", [1, 2, 4])
def test_workers_are_spread_evenly(gpus: int, per_gpu: int):
    """Whatever their number, no GPU has two more than another, and each knows how many share its own."""
    for count in range(1, gpus * per_gpu + 1):
        slots = force(str(count), "cuda", EIGHT[:gpus], per_gpu=per_gpu).slots
        sharing = Counter(slot.gpus for slot in slots)
        assert sum(sharing.values()) == count
        assert max(sharing.values()) - min(sharing.get((str(g),), 0) for g in range(gpus)) <= 1
        assert all(slot.shared_by == sharing[slot.gpus] for slot in slots)


def test_workers_of_several_gpus_share_none():
    """Neighbours go together; what is left over is nobody's."""
    assert [slot.gpus for slot in make_slots(EIGHT[:7], per_worker=3)] == [("0", "1", "2"), ("3", "4", "5")]
    with pytest.raises(UsageError, match="give one of them"):
        make_slots(EIGHT, per_gpu=2, per_worker=2)
    with pytest.raises(UsageError, match="--gpus-per-worker 9: there are 8 GPUs"):
        make_slots(EIGHT, per_worker=9)


@pytest.mark.parametrize(
    ("asked", "device", "gpus", "more", "told"),
    [
        (
            "8",
            "cuda",
            1,
            {},
            "-n 8: there is 1 GPU, 0, so there is room for 1 worker; .* --workers-per-gpu 8",
        ),
        (
            "5",
            "cuda",
            2,
            {"per_gpu": 2},
            "there are 2 GPUs, 0, 1, so there is room for 4 .*--workers-per-gpu 3",
        ),
        ("2", "cuda:1", 4, {}, "there is 1 GPU, 1, so there is room for 1 worker"),
        ("3", "cuda", 4, {"per_worker": 2}, "are 4 GPUs, 0, 1, 2, 3, 2 to a worker, so there is room for 2"),
        ("2", "cpu", 4, {"per_gpu": 2}, "--workers-per-gpu 2: no GPU is used, the device is cpu"),
    ],
)
def test_more_workers_than_slots_are_refused(
    asked: str, device: str, gpus: int, more: dict[str, int], told: str, monkeypatch: pytest.MonkeyPatch
):
    """With what there is, and what would make room."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UsageError, match=told.replace("--", "`?--")):
        force(asked, device, EIGHT[:gpus], **more)


def test_workers_on_the_cpu_that_score_on_gpus_share_these():
    """As evenly as there are GPUs, however many workers."""
    slots = shared_slots(EIGHT[:2], 5)
    assert [slot.gpus for slot in slots] == [("0",), ("1",), ("0",), ("1",), ("0",)]
    assert [slot.shared_by for slot in slots] == [3, 2, 3, 2, 3]


# -- devices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("cuda:0,1", "found 'cuda:0,1', allowed: auto, cpu, cuda, cuda:N.* CUDA_VISIBLE_DEVICES=0,1"),
        ("cuda:0,cuda:2", "CUDA_VISIBLE_DEVICES=0,2"),
        ("cpu:7", "found 'cpu:7'.* --threads"),
        ("cuda:-1", "found 'cuda:-1', allowed"),
        ("cuda:", "found 'cuda:', allowed"),
        ("cuda0", "found 'cuda0', allowed"),
        ("gpu", "found 'gpu', allowed"),
        ("mps", "found 'mps', allowed"),
        ("", "found '', allowed"),
    ],
)
def test_words_that_are_no_device(word: str, told: str):
    """What is meant instead is said."""
    with pytest.raises(UsageError, match=told):
        parse_device(word)


def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch):
    """The machine's GPUs are named; or why there are none."""
    monkeypatch.setattr(devices, "cuda_of_torch", lambda: "13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for there in ("cpu", "cuda", "cuda:0", "cuda:1"):
        check_device(there, lambda: EIGHT[:2])
    with pytest.raises(UsageError, match=r"cuda:9 was asked for, and there is only cuda:0, cuda:1$"):
        check_device("cuda:9", lambda: EIGHT[:2])
    with pytest.raises(UsageError, match="cuda was asked for, and torch sees no GPU; allowed here: cpu"):
        check_device("cuda", list)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UsageError, match=r"sees no GPU \(CUDA_VISIBLE_DEVICES is ''\)"):
        check_device("cuda", list)
    monkeypatch.setattr(devices, "cuda_of_torch", lambda: None)
    with pytest.raises(UsageError, match="this torch is built without CUDA"):
        check_device("cuda", list)


def test_auto_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch):
    """To a worker in a slot, which sees its own alone, cuda:3 is the first."""
    assert resolve_device("auto", lambda: EIGHT) == "cuda"
    assert resolve_device("auto", list) == "cpu"
    assert resolve_device("cuda:3", lambda: EIGHT) == "cuda:3"
    monkeypatch.setenv("PRUNEBENCH_GPU_SHARED_BY", "1")
    assert resolve_device("cuda:3", lambda: EIGHT) == "cuda"


# -- what a worker finds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "threads", "suites", "workers"),
    [("cpu", 1, 1, 6), ("cpu", 4, 1, 1), ("cuda", 1, 1, 8), ("cuda:1", 1, 1, 1), ("cpu", 1, 0, None)],
)
def test_with_pytest_itself_auto_is_what_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, device: str, threads: int, suites: int, workers: int | None
) -> None:
    """Where it runs suites; where it runs a user's own tests alone, and of other words, xdist says it."""
    request = types.SimpleNamespace(device=device, threads=threads)
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)
    monkeypatch.setattr(pytest_gpus, "suites_of", lambda config: ["a.toml"] * suites)
    monkeypatch.setattr(pytest_gpus, "request_for", lambda config, path: request)
    monkeypatch.setattr(pytest_gpus, "usable_cores", lambda: 6)
    monkeypatch.setattr(pytest_gpus, "gpus_here", lambda: EIGHT)

    def asked(word: str) -> int | None:
        config: Any = types.SimpleNamespace(option=types.SimpleNamespace(numprocesses=word))
        return workers_of_suites(config)

    assert (asked("auto"), asked("logical")) == (workers, None)
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")
    assert asked("auto") is None


@pytest.mark.parametrize(
    ("slot", "workers", "cores", "loaders"),
    [
        (None, 1, 64, 8),
        (None, 2, 8, 4),
        (Slot(("0",), 1), 8, 128, 8),
        (Slot(("0",), 4), 4, 64, 2),
        (Slot(("0",), 16), 16, 64, 1),
        (Slot(("0", "1"), 1), 4, 128, 16),
        (Slot(("0",), 1), 8, 16, 2),
    ],
)
def test_loaders_are_capped_for_each_gpu(
    slot: Slot | None, workers: int, cores: int, loaders: int, monkeypatch: pytest.MonkeyPatch
):
    """Eight for a GPU, whoever shares it; never more than the cores that the workers may use."""
    monkeypatch.delenv("PRUNEBENCH_LOADERS", raising=False)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(workers))
    for name, value in (slot.environment if slot else {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reading, "usable_cores", lambda: cores)
    assert default_loaders() == loaders


def test_variables_of_the_users_own_workers_are_left_alone():
    """One that is started elsewhere, and one with a list of its own."""
    own = types.SimpleNamespace(popen=True, env={})
    elsewhere = types.SimpleNamespace(popen=None, env={})
    given = types.SimpleNamespace(popen=True, env={"CUDA_VISIBLE_DEVICES": "7"})
    give_slots([own, elsewhere, given], [slot.environment for slot in make_slots(EIGHT[:3])])
    assert own.env["CUDA_VISIBLE_DEVICES"] == "0"
    assert elsewhere.env == {}
    assert given.env == {"CUDA_VISIBLE_DEVICES": "7"}


PLUGIN = """
import json, os, sys
from pathlib import Path

AT_IMPORT = [os.environ.get("CUDA_VISIBLE_DEVICES"), "torch" in sys.modules]
with open(Path(__file__).parent / "workers", "a") as file:
    file.write(json.dumps([os.environ.get("PYTEST_XDIST_WORKER"), *AT_IMPORT]) + "\\\\n")

import prunebench

def score(net, batch, rng):
    once = Path("died")
    if not once.exists():
        once.touch()
        os._exit(7)
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("once", score)]
"""

RUN = """
import sys
from prunebench.engine.devices.gpus import Gpu
from prunebench.engine.on_pytest.run import run_cells
from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.engine.devices.slots import workforce
from prunebench.store import Store

request = Request(suite="tiny.toml", store="store", data="data", third_party=False, plugins=("seen.py",))
session = Session.prepare(request)
slots = workforce("2", "cuda", lambda: [Gpu("5"), Gpu("GPU-x")], cores=lambda: 1).slots
run_cells(session, Store.open("store"), workers=2, slots=slots)
"""


def test_a_worker_has_its_slot_before_it_imports_anything_and_so_has_its_replacement(project: Any):
    """One of two workers dies at a job: three processes, two slots."""
    project.suite(["once"])
    (project.folder / "seen.py").write_text(PLUGIN.replace("\\\\n", "\\n"))
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=project.folder, capture_output=True, text=True, timeout=300
    )
    rows = [json.loads(line) for line in (project.folder / "workers").read_text().splitlines()]
    workers = {worker: word for worker, word, _ in rows if worker is not None}
    assert sorted(workers) == ["gw0", "gw1", "gw2"], done.stdout + done.stderr
    assert {workers["gw0"], workers["gw1"]} == {"5", "GPU-x"}
    assert workers["gw2"] in ("5", "GPU-x")
    assert len(list((project.folder / "store" / "records").rglob("*.json"))) == 2


@pytest.mark.slow
@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch may find a GPU")
def test_a_gpu_that_does_not_work_ends_the_run_after_a_few_tries(project: Any):
    """With what each worker said of its own; no traceback."""
    project.suite(["snip"])
    program = RUN.replace('third_party=False, plugins=("seen.py",)', 'third_party=False, device="cuda"')
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project.folder, capture_output=True, text=True, timeout=300
    )
    last = done.stderr[done.stderr.index("workers cannot start: ") :]
    assert "3 in a row died before they had read the plan; the last left with exit code 1. It wrote:" in last
    assert "cuda does not work (CUDA_VISIBLE_DEVICES is 'GPU-x'): Torch not compiled with CUDA" in last
