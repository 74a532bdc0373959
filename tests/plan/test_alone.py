"""What a job costs with all that it descends from, each once: against a plain walk over any graph of jobs."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from prunebench.plan.alone import CostsAlone
from prunebench.plan.params import TrainParams


def train(run: str) -> Any:
    params = TrainParams.__new__(TrainParams)
    object.__setattr__(params, "run_key", run)
    return params


def by_walking(jobs: Any, costs: Any, key: str) -> float:
    """All ancestors as a set; of the trainings of one run the dearest state."""
    ancestors, stack = set(), [key]
    while stack:
        current = stack.pop()
        if current not in ancestors:
            ancestors.add(current)
            stack += jobs[current].inputs
    runs: dict[str, float] = {}
    total = 0.0
    for one in ancestors:
        if isinstance(jobs[one].params, TrainParams):
            run = jobs[one].params.run_key
            runs[run] = max(runs.get(run, 0.0), costs[one])
        else:
            total += costs[one]
    return total + sum(runs.values())


def graph(rng: random.Random, size: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Jobs of which each reads up to three earlier ones, near or far; a third are states of a few runs."""
    jobs: dict[str, Any] = {}
    costs: dict[str, float] = {}
    for number in range(size):
        earlier = list(jobs)
        near = earlier[-4:] if rng.random() < 0.7 else earlier
        inputs = tuple(dict.fromkeys(rng.choice(near) for _ in range(rng.randrange(4)))) if near else ()
        params = train(f"run{rng.randrange(size // 4 + 1)}") if rng.random() < 0.35 else None
        jobs[f"{number}"] = SimpleNamespace(inputs=inputs, params=params)
        costs[f"{number}"] = float(rng.randrange(100))
    return jobs, costs


def test_every_job_costs_what_a_walk_over_its_ancestors_finds() -> None:
    """Asked in any order, more than once: what is known of one is taken over, and never counted twice."""
    rng = random.Random(0)
    for size in (1, 5, 30, 120):
        for _ in range(20):
            jobs, costs = graph(rng, size)
            alone = CostsAlone(jobs, costs)
            asked = [key for key, job in jobs.items() if job.params is None] * 2
            if rng.random() < 0.5:
                rng.shuffle(asked)
            for key in asked:
                assert alone.of(key) == by_walking(jobs, costs, key)


def test_a_chain_is_walked_once() -> None:
    """Of 200 levels each looks at a few jobs only: those since the last one."""
    jobs: dict[str, Any] = {"d": SimpleNamespace(inputs=(), params=train("d"))}
    for level in range(200):
        before = f"s{level - 1}" if level else "d"
        masks = (f"m{level - 1}",) if level else ()
        jobs[f"m{level}"] = SimpleNamespace(inputs=(before, *masks), params=None)
        jobs[f"s{level}"] = SimpleNamespace(inputs=(f"m{level}",), params=train(f"r{level}"))
        jobs[f"r{level}"] = SimpleNamespace(inputs=(f"s{level}", f"m{level}"), params=None)
    looked: list[str] = []

    class Told(dict[str, float]):
        def __getitem__(self, key: str) -> float:
            looked.append(key)
            return super().__getitem__(key)

    costs = Told(dict.fromkeys(jobs, 1.0))
    alone = CostsAlone(jobs, costs)
    for level in range(200):
        assert alone.of(f"r{level}") == 1 + 2 * (level + 1) + 1
    assert len(looked) < 4 * len(jobs)
