"""What a plan takes on GPUs: by their model and number, not by how many workers share them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.inventory import estimate as estimates
from prunebench.inventory import sharing
from prunebench.inventory.estimate import START, Machine, estimate
from prunebench.inventory.fitting import RESERVE, most_needed, too_large
from prunebench.inventory.gpu_peaks import peak
from prunebench.inventory.sharing import done_together, seconds_a_step
from prunebench.inventory.snapshot import Snapshot

H200 = "NVIDIA H200"


@pytest.fixture
def session(project: Any) -> Any:
    """A plan of which nothing is done."""
    return project.session(project.suite(["snip", "random"], seeds=6))


@pytest.fixture
def snapshot(project: Any, session: Any) -> Snapshot:
    return Snapshot(session.plan, project.store())


def seconds(snapshot: Snapshot, **how: Any) -> float:
    """The time of all cells beside the start of workers, on a machine of many cores."""
    workers = how.get("workers", 1)
    found = estimate(snapshot, snapshot.plan.cells, device="cuda", machine=Machine(64, 0.0), **how)
    return found.total_seconds - (START if workers > 1 else 0.0)


@pytest.fixture
def slow_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arithmetic is all that takes time."""
    monkeypatch.setitem(estimates.ASSUMED, "cuda", 1e3)


@pytest.mark.usefixtures("slow_gpu")
def test_workers_that_share_a_gpu_share_its_arithmetic(snapshot: Snapshot):
    """Four workers on one GPU are no quicker than one; on four they are, as far as no job waits for another."""
    alone = seconds(snapshot)
    assert seconds(snapshot, workers=4, gpus=1) == pytest.approx(alone, rel=0.01)
    assert seconds(snapshot, workers=2, gpus=2) == pytest.approx(alone / 2, rel=0.01)
    assert seconds(snapshot, workers=4, gpus=2) == pytest.approx(alone / 2, rel=0.01)
    assert seconds(snapshot, workers=2, gpus=8) == pytest.approx(alone / 2, rel=0.01)


def test_what_a_job_takes_beside_its_arithmetic_is_done_at_once(snapshot: Snapshot):
    """The steps of a tiny network: a GPU waits for its process, and another's can go on meanwhile."""
    alone = seconds(snapshot)
    assert seconds(snapshot, workers=2, gpus=1) == pytest.approx(alone / 2, rel=0.05)


def test_a_gpu_is_as_quick_as_its_model(snapshot: Snapshot):
    """By what makers state of it in float32; of an unknown one what was always assumed."""
    assert peak("NVIDIA H200") == pytest.approx(33.45e12)
    assert peak("NVIDIA A100-SXM4-40GB") == pytest.approx(9.75e12)
    assert peak("NVIDIA L40S") == pytest.approx(45.8e12)
    assert peak("NVIDIA L4") == pytest.approx(15.15e12)
    assert peak("some GPU") is None
    unknown, quick = (estimates._assumed("cuda", 1, model).general for model in ("some GPU", H200))
    assert unknown == pytest.approx(500e9)
    assert estimates._assumed("cuda", 1, "Tesla V100-SXM2-16GB").general == pytest.approx(500e9)
    assert quick / unknown == pytest.approx(66.9 / 15.7)
    assert "2131 GMAC/s" in estimate(snapshot, snapshot.plan.cells, device="cuda", model=H200).basis


def test_a_step_keeps_the_gpu_busy_for_as_long_as_its_arithmetic(snapshot: Snapshot):
    """The network's multiply-accumulates, three passes, a batch of 64 examples; nothing where nothing is known."""
    plan = snapshot.plan
    weights = plan.cells[-1].prunable  # of linear layers: each is multiplied once an example
    found = seconds_a_step(plan, plan.jobs, H200)
    assert found is not None
    assert found == pytest.approx(3 * 64 * weights / (33.45e12 / 3), rel=0.2)
    assert seconds_a_step(plan, plan.jobs, "some GPU") is None
    assert seconds_a_step(plan, (), H200) is None


def test_what_workers_did_together_is_taken_from_earlier_runs(session: Any, monkeypatch: pytest.MonkeyPatch):
    """Of this model of GPU: what one did, times how many shared it."""
    plan = session.plan
    cost = plan.costs[plan.jobs[plan.cells[0].key].inputs[0]]
    told = [(H200, None, 10.0), (H200, 2, 12.0), (H200, 2, 14.0), ("NVIDIA T4", 4, 1.0), (H200, 4, None)]
    hardware: dict[str, Any] = {}
    for cell, (model, shared, spent) in zip(plan.cells, told, strict=False):
        hardware[cell.key] = {
            "hardware": {"gpu": model} | ({"gpu_shared_by": shared} if shared else {}),
            "time": {"train_seconds": spent},
        }
    store: Any = SimpleNamespace(read_record=lambda key: SimpleNamespace(provenance=hardware[key]))
    cells = [cell for cell in plan.cells if cell.key in hardware]
    monkeypatch.setattr(sharing, "newest_first", lambda plan, store: cells)
    costs = {cell.key: plan.costs[plan.jobs[cell.key].inputs[0]] for cell in cells}
    assert set(costs.values()) == {cost}
    found = done_together(plan, store, H200)
    assert found == pytest.approx({1: cost / 10, 2: 2 * (2 * cost) / 26})
    assert done_together(plan, store, "NVIDIA A100") == {}


def test_the_largest_job_is_what_a_worker_needs(snapshot: Snapshot, session: Any):
    """It is what no smaller GPU than that would hold."""
    needed = most_needed(snapshot, session.plan.cells, session.host)
    assert needed > RESERVE
    assert not too_large(snapshot, session.plan.cells, session.host, needed)
    assert too_large(snapshot, session.plan.cells, session.host, needed - 1)
    assert most_needed(snapshot, [], session.host) == RESERVE
