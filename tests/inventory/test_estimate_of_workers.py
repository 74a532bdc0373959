"""What time is estimated where a training has several devices, and where the workers are on other machines."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.engine.devices.slots import Workforce
from prunebench.engine.on_ray import RayFront
from prunebench.engine.on_ray.values import Needs
from prunebench.engine.progress.sorts import sort_of
from prunebench.inventory import estimate as estimates
from prunebench.inventory.estimate import ASSUMED, Machine, estimate, measured_rate
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan.params import TrainParams
from prunebench.store import Store

EPOCHS = 200


@pytest.fixture
def snapshot(project: Any) -> Any:
    """Return the snapshot of a plan whose trainings have so many devices, before anything of it is made."""

    def make(devices: int) -> Snapshot:
        more = f"overrides = {{recipe = {{devices = {devices}}}}}" if devices > 1 else ""
        path: Path = project.suite(["magnitude"], epochs=EPOCHS, more=more, name=f"on-{devices}")
        store = Store.open(project.folder / "none", create=False, write=False, absent_ok=True)
        return Snapshot(project.session(path).plan, store)

    return make


def by_hand(snapshot: Snapshot, at_once: int, *, rate: float = ASSUMED["cpu"], start: float = 0.0) -> float:
    """Return the seconds of all jobs one after another: each training step's arithmetic divided."""
    plan, whole = snapshot.plan, 0.0
    for key, job in plan.jobs.items():
        steps = 0
        if isinstance(job.params, TrainParams):
            steps = job.params.step - job.params.run.start
        macs, shared = plan.costs[key], at_once if steps else 1
        whole += macs / rate / shared + 0.5e-3 * steps + 0.1 + (start if steps else 0.0)
    return whole


@pytest.mark.parametrize(("cores", "at_once", "start"), [(8, 2, 4.0), (2, 2, 4.0), (1, 1, 8.0)])
def test_a_training_on_two_devices_has_the_cores_of_two(
    snapshot: Any, cores: int, at_once: int, start: float
) -> None:
    """As far as there are any; and its processes take a moment to start, on one core twice as long."""
    two = snapshot(2)
    told = estimate(two, two.plan.cells, machine=Machine(cores, 0.0))
    assert told.total_seconds == pytest.approx(by_hand(two, at_once, start=start))
    one = snapshot(1)
    told = estimate(one, one.plan.cells, machine=Machine(cores, 0.0))
    assert told.total_seconds == pytest.approx(by_hand(one, 1))


def test_what_keeps_two_cores_busy_leaves_none_to_a_second_worker(snapshot: Any) -> None:
    """Two workers on two cores take the time of all that is done on cores, and no less."""
    two = snapshot(2)
    start = 2 * estimates.START / 2
    told = estimate(two, two.plan.cells, workers=2, machine=Machine(2, 0.0)).total_seconds - start
    alone = estimate(two, two.plan.cells, machine=Machine(2, 0.0)).total_seconds
    trainings = [key for key in two.plan.jobs if estimates.devices_of(two.plan, key) == 2]
    others = [key for key in two.plan.jobs if key not in trainings]
    seconds = {key: two.plan.costs[key] / ASSUMED["cpu"] + 0.1 for key in others}
    assert told == pytest.approx(alone - sum(seconds.values()) / 2)


@pytest.mark.parametrize(("workers", "gpus"), [(1, 2), (2, 4), (4, 8)])
def test_workers_of_two_gpus_each_keep_all_of_them_busy(
    snapshot: Any, monkeypatch: pytest.MonkeyPatch, workers: int, gpus: int
) -> None:
    """By arithmetic alone, where all else takes no time."""
    for name in ("A_STEP", "A_JOB", "START"):
        monkeypatch.setattr(estimates, name, 0.0)
    monkeypatch.setattr(estimates, "_elapsed", lambda plan, keys, seconds, workers, start, shared: shared)
    two = snapshot(2)
    told = estimate(two, two.plan.cells, workers=workers, device="cuda", gpus=gpus)
    assert told.total_seconds == pytest.approx(by_total(two) / ASSUMED["cuda"] / gpus)


def by_total(snapshot: Snapshot) -> float:
    return sum(snapshot.plan.costs[key] for key in snapshot.plan.jobs)


def test_the_rate_of_a_run_on_two_devices_is_that_of_each(
    snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {}
    for devices in (1, 2):
        plan = snapshot(devices).plan
        cell = plan.cells[-1]
        steps = plan.jobs[plan.jobs[cell.key].inputs[0]].params.step
        record = SimpleNamespace(provenance={"time": {"train_seconds": 10.0, "trained_steps": steps}})
        store: Any = SimpleNamespace(read_record=lambda key, record=record: record)
        monkeypatch.setattr(estimates, "newest_first", lambda plan, store, cell=cell: [cell])
        rate = measured_rate(plan, store)
        assert rate is not None
        rates[devices] = rate.general
    assert rates[2] == pytest.approx(rates[1] / 2)


def test_jobs_on_other_numbers_of_devices_are_of_another_sort(snapshot: Any) -> None:
    """What is learned of one says nothing of the other."""
    sorts = [
        {sort_of(job) for job in snapshot(devices).plan.jobs.values() if job.kind == "train"}
        for devices in (1, 2)
    ]
    assert not sorts[0] & sorts[1]


def ray_on(monkeypatch: pytest.MonkeyPatch, cores: int, gpus: list[Any]) -> None:
    monkeypatch.setattr("prunebench.cores.usable_cores", lambda: cores)
    monkeypatch.setattr("prunebench.engine.devices.gpus.gpus_here", lambda: gpus)


def test_of_a_ray_of_this_machine_there_are_as_many_jobs_as_it_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its cores, and by its GPUs where those are asked for; a cluster is known once it is joined."""
    ray_on(monkeypatch, 8, [])
    assert RayFront(Needs(2)).workforce() == Workforce(4, device="cpu", cores=8)
    assert RayFront(Needs(1, gpus=1), anywhere=True).workforce() == Workforce(8, device="cpu", cores=8)
    two = [SimpleNamespace(model="H200")] * 2
    ray_on(monkeypatch, 8, two)
    on_gpus = RayFront(Needs(1, gpus=1, share=2), anywhere=True).workforce()
    assert on_gpus == Workforce(4, gpus=2, model="H200", device="cuda", cores=8)
    there = RayFront(Needs(3), "auto", 16).workforce()
    assert there == Workforce(16, device="cpu", cores=48)
    assert "not known yet" in RayFront(Needs(1), "auto").workforce().unsure
