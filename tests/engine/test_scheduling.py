"""When a plan ends that many workers pull from, and what becomes of it when they die or jobs fail."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.inventory.estimate import assumed_seconds
from prunebench.plan import Job, Plan
from prunebench.plan.params import ShuffleParams
from prunebench.shipped import shipped_suites
from tests.engine.simulated_workers import STALE, Simulation

LEVELS = 18


def chains(number: int, levels: int = LEVELS, seed: int = 0) -> tuple[Plan, list[tuple[str, ...]], Any]:
    """Return a plan of chains of levels, each with a dense run before: its cells, and each job's seconds.

    A level is a mask, a run and its record: a cell.
    """
    draws, seconds = random.Random(seed), {}
    inputs: dict[str, tuple[str, ...]] = {}
    cells = []
    for chain in range(number):
        before = f"dense {chain}"
        inputs[before], seconds[before] = (), 100.0
        for level in range(levels):
            mask, end, record = (f"{what} {chain}.{level}" for what in ("mask", "end", "record"))
            inputs |= {mask: (before,), end: (mask,), record: (end,)}
            seconds |= {mask: 1.0, end: 100.0 * draws.uniform(0.8, 1.2), record: 0.3}
            cells.append((record,))
            before = end
    jobs = {key: Job(key, ShuffleParams(seed=0), needs) for key, needs in inputs.items()}
    return Plan(suite={}, cells=[], jobs=jobs, costs={}, identities={}), cells, seconds


def least(plan: Plan, seconds: Mapping[str, float], speeds: Sequence[float]) -> float:
    """Return what no order can beat: the longest chain on the fastest worker, or all work shared."""
    ends: dict[str, float] = {}
    for key in plan.remaining(plan.jobs, lambda key: False):
        ends[key] = seconds[key] + max((ends[need] for need in plan.needs(key)), default=0.0)
    return max(max(ends.values()) / max(speeds), sum(seconds[key] for key in ends) / sum(speeds))


def unequal(number: int, seed: int) -> list[float]:
    draws = random.Random(seed)
    return [draws.choice([1.0, 1.5, 2.0, 3.0]) for _ in range(number)]


@pytest.mark.parametrize(("number", "workers"), [(16, 8), (12, 8), (20, 8), (40, 8), (16, 2), (33, 16)])
def test_chains_end_nearly_as_soon_as_they_can(number: int, workers: int) -> None:
    """Begun one after another, as their cells are handed out, a few would be left to some workers at the end."""
    plan, cells, seconds = chains(number)
    simulation = Simulation(plan, cells, seconds, [1.0] * workers)
    assert simulation.run() <= 1.15 * least(plan, seconds, simulation.speeds)
    assert simulation.busy >= 0.9 * simulation.now * workers


@pytest.mark.parametrize("seed", range(5))
def test_chains_end_soon_at_unequal_speeds(seed: int) -> None:
    plan, cells, seconds = chains(24, seed=seed)
    simulation = Simulation(plan, cells, seconds, unequal(8, seed))
    assert simulation.run() <= 1.5 * least(plan, seconds, simulation.speeds)


def test_cells_are_finished_one_after_another_while_there_is_enough_for_all() -> None:
    """States of runs that wait for their records, and cells that nobody sees, do not pile up."""
    plan, cells, seconds = chains(200, levels=1)
    simulation = Simulation(plan, cells, seconds, [1.0] * 4)
    simulation.run()
    ended, most = 0, 0
    for key in simulation.committed:
        ended += key.startswith("end") - key.startswith("record")
        most = max(most, ended)
    assert most <= 4
    half = simulation.committed[: len(simulation.committed) // 2]
    assert sum(key.startswith("record") for key in half) > 80


def test_what_ends_a_cell_does_not_wait_for_the_urgent_jobs() -> None:
    """With few cells all is urgent; each is recorded all the same when its run has ended."""
    plan, cells, seconds = chains(8, levels=1)
    simulation = Simulation(plan, cells, seconds, [1.0] * 2)
    simulation.run()
    place = {key: place for place, key in enumerate(simulation.committed)}
    assert max(place[f"record {chain}.0"] - place[f"end {chain}.0"] for chain in range(8)) <= 2


@pytest.mark.parametrize("short", [0.2, 1.0, 1.9])
def test_thousands_of_short_cells_do_not_keep_a_long_chain_waiting(short: float) -> None:
    """Each takes next to nothing of the chain's longest job; together they take as long as the chain."""
    plan, _, seconds = chains(1, levels=50)
    jobs, cells = dict(plan.jobs), []
    for number in range(round(5000 / short)):
        jobs[f"short {number}"] = Job(f"short {number}", ShuffleParams(seed=0))
        seconds[f"short {number}"] = short
        cells.append((f"short {number}",))
    whole = Plan({}, [], jobs, {}, {})
    simulation = Simulation(whole, [*cells, ("record 0.49",)], seconds, [1.0] * 2)
    assert simulation.run() <= 1.15 * least(whole, seconds, simulation.speeds)


@pytest.mark.parametrize("seed", range(4))
def test_where_workers_die_all_is_made_once_and_nothing_starts_before_its_claim_is_stale(seed: int) -> None:
    plan, cells, seconds = chains(6, levels=6)
    draws = random.Random(seed)
    simulation = Simulation(plan, cells, seconds, unequal(5, seed), dies=lambda: draws.random() < 0.15)
    simulation.run()
    assert Counter(simulation.committed) == Counter(list(plan.jobs))
    starts: dict[str, list[float]] = {}
    for at, key in simulation.started:
        starts.setdefault(key, []).append(at)
    again = [times for times in starts.values() if len(times) > 1]
    assert again, "nobody died: the test shows nothing"
    assert all(after - before >= STALE for times in again for before, after in pairwise(times))


def test_a_failure_blocks_what_needs_it_and_nothing_else() -> None:
    plan, cells, seconds = chains(4, levels=3)
    simulation = Simulation(plan, cells, seconds, [1.0] * 3, fails={"end 1.1", "dense 3"})
    simulation.run()
    lost = {key for key in plan.jobs if {"end 1.1", "dense 3"} & plan.ancestors(key)}
    assert set(simulation.committed) == set(plan.jobs) - lost
    assert Counter(key for _, key in simulation.started).most_common(1)[0][1] == 1


@pytest.fixture(scope="module")
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, list[tuple[str, ...]], dict[str, float]]:
    """About 20,000 jobs of the shipped suite pai, or another number: its cells in the file's order, and each job's
    seconds.
    """
    number = getattr(request, "param", 20_000)
    folder = tmp_path_factory.mktemp("real")
    suite = str(shipped_suites()["pai"])
    plan = Session.prepare(Request(suite, str(folder / "store"), str(folder), third_party=False)).plan
    cells, jobs = [], set[str]()
    for cell in plan.cells[::3]:
        cells.append(cell.targets)
        jobs |= {key for target in cell.targets for key in plan.remaining([target], jobs.__contains__)}
        if len(jobs) >= number:
            break
    seconds = assumed_seconds(plan, "cpu", 1)
    return plan, cells, {key: seconds(key) for key in jobs}


def simulated(real: Any, speeds: Sequence[float], **faults: Any) -> Simulation:
    """Return a simulation of the real plan, which is still to run."""
    plan, cells, seconds = real
    part = Plan({}, [], {key: plan.jobs[key] for key in seconds}, plan.costs, {})
    return Simulation(part, cells, seconds, speeds, **faults)


@pytest.mark.parametrize(
    ("real", "speeds", "factor"),
    [
        (6_000, [1.0] * 8, 1.15),
        pytest.param(20_000, [1.0] * 8, 1.15, marks=pytest.mark.slow),
        pytest.param(20_000, unequal(8, 0), 1.5, marks=pytest.mark.slow),
    ],
    indirect=["real"],
)
def test_a_real_plan_ends_nearly_as_soon_as_it_can(real: Any, speeds: Sequence[float], factor: float) -> None:
    simulation = simulated(real, speeds)
    assert simulation.run() <= factor * least(simulation.plan, simulation.seconds, speeds)
    assert len(simulation.committed) == len(simulation.seconds) >= 6_000


@pytest.mark.slow
def test_a_real_plan_ends_where_workers_die_and_jobs_fail(real: Any) -> None:
    """Each job that no failure blocks is made once; one is begun again for each time its worker died."""
    draws = random.Random(7)
    fails = draws.sample(sorted(real[2]), 40)
    deaths = Counter[str]()

    def dies() -> bool:
        died = draws.random() < 0.002
        deaths[simulation.started[-1][1]] += died
        return died

    simulation = simulated(real, unequal(8, 1), dies=dies, fails=fails)
    simulation.run()
    plan = simulation.plan
    lost = {key for key in plan.jobs if set(fails) & {key, *plan.ancestors(key)}}
    assert len(lost) > len(fails)
    assert Counter(simulation.committed) == Counter(set(plan.jobs) - lost)
    began = Counter(key for _, key in simulation.started)
    assert deaths.total() > 20
    assert began == Counter({key: 1 + deaths[key] for key in began})
