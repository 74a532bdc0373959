"""-n, --workers-per-gpu and --gpus-per-worker on machines with GPUs, of lists made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.cli import _workforce
from prunebench.cli._overview import Overview
from prunebench.cli._workforce import settle, workforce_of
from prunebench.engine.devices import gpus
from prunebench.engine.devices.gpus import Gpu
from prunebench.engine.devices.slots import Workforce
from prunebench.errors import UsageError

TWO = [
    Gpu("0", "GPU-a", "NVIDIA H200", 140 << 30, 100 << 30),
    Gpu("1", "GPU-b", "NVIDIA H200", 140 << 30, 9 << 30),
]

DEFAULTS: dict[str, Any] = {"workers": None, "workers_per_gpu": "1", "gpus_per_worker": 1}


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "gpus_here", lambda: TWO)
    monkeypatch.setattr(_workforce, "usable_cores", lambda: 16)


def test_where_cells_are_made_elsewhere_this_machine_counts_for_nothing() -> None:
    """The front says what its workers have."""
    pilots = Workforce(9, gpus=9, device="cuda", cores=36)
    front: Any = SimpleNamespace(workforce=lambda: pilots)
    assert workforce_of(DEFAULTS | {"workers": "9", "engine": "slurm"}, request_on("auto"), front) == pilots


def request_on(device: str) -> Any:
    return SimpleNamespace(device=device)


@pytest.mark.parametrize(
    ("device", "options", "workers", "slots"),
    [
        ("cuda", {}, 1, 0),
        ("cuda", {"workers": "auto"}, 2, 2),
        ("cuda", {"workers_per_gpu": "3"}, 6, 6),
        ("cuda:1", {"workers_per_gpu": "3"}, 3, 3),
        ("cuda", {"workers": "auto", "gpus_per_worker": 2}, 1, 1),
        ("cpu", {"workers": "auto"}, 16, 0),
        ("cpu", {"workers": "3"}, 3, 0),
    ],
)
def test_workers_and_slots(device: str, options: dict[str, Any], workers: int, slots: int):
    """To say how many share a GPU is to ask for workers."""
    force = workforce_of(DEFAULTS | options, request_on(device))
    assert (force.workers, len(force.slots)) == (workers, slots)


def test_how_many_share_a_gpu_is_decided_by_what_is_left_to_do(project: Any):
    """The GPU with the least free memory decides; a step of a tiny network takes longer to start than to run."""
    session = project.session(project.suite(["snip"]), device="cuda")
    overview = Overview.of(session)
    said = settle(overview, DEFAULTS | {"workers_per_gpu": "auto"})
    assert said.startswith("workers on each GPU: 2 (a step keeps the GPU busy for less time")
    assert overview.workforce.workers == 4
    assert [slot.shared_by for slot in overview.workforce.slots] == [2, 2, 2, 2]
    with pytest.raises(UsageError, match=r"-n 5: .*so there is room for 4 workers"):
        settle(overview, DEFAULTS | {"workers": "5", "workers_per_gpu": "auto"})
    assert settle(overview, DEFAULTS) == ""
    on_cpu = Overview.of(project.session(project.suite(["snip"])))
    assert settle(on_cpu, DEFAULTS | {"workers_per_gpu": "auto"}) == ""
