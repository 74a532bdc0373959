"""The weights that are there on average over training, against sums step by step."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from prunebench.inventory.average import average_weights, average_while
from prunebench.schedules.gradual import Cubic

PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10


def averages(
    project: Any, method: dict[str, Any], sparsities: list[float], epochs: int = 4
) -> tuple[dict[str, float], int]:
    """Return the average of each cell of the first seed by its density, and the steps of a whole training."""
    plan = project.engine(project.suite([method], sparsities=sparsities, epochs=epochs)).plan
    steps = {job.params.step for job in plan.jobs.values() if job.kind == "train"}
    first = plan.cells[0].seed
    own = {
        cell.density: average_weights(plan, cell.key, PRUNABLE) for cell in plan.cells if cell.seed == first
    }
    return own, max(steps)


def kept(level: int) -> int:
    return round(Fraction(4, 5) ** level * PRUNABLE)


def test_of_a_chain_of_levels_every_training_counts(project: Any) -> None:
    """The unpruned network's whole training, and each level's from where it is rewound."""
    chain = {"scorer": "magnitude", "as": "chain", "score_at": "end", "schedule": {"levels": 0.2},
             "train_from": "rewind", "clock": "rewind"}  # fmt: skip
    own, steps = averages(project, chain, [0.2, round(1 - 0.8**3, 12)])
    rewound = project.engine(project.suite([chain], sparsities=[0.2], epochs=4)).plan
    starts = {job.params.run.start for job in rewound.jobs.values() if job.kind == "train"}
    (start,) = starts - {0}
    for density, level in (("0.8", 1), ("0.512", 3)):
        total, weights = steps, steps * PRUNABLE
        for k in range(1, level + 1):
            total += steps - start
            weights += (steps - start) * kept(k)
        assert own[density] == pytest.approx(weights / total, rel=1e-12)
    assert own["1"] == PRUNABLE


def test_pruned_before_training_a_network_has_what_it_keeps(project: Any) -> None:
    own, _ = averages(project, {"scorer": "random", "as": "early"}, [0.5])
    assert own["0.5"] == round(PRUNABLE / 2)


def test_pruned_after_training_both_trainings_count(project: Any) -> None:
    late = {"scorer": "magnitude", "as": "late", "score_at": "end", "train_from": "end", "clock": "init"}
    own, _ = averages(project, late, [0.5])
    assert own["0.5"] == pytest.approx((PRUNABLE + round(PRUNABLE / 2)) / 2)


@pytest.mark.parametrize(("start", "stop"), [(0, 40), (0, 25), (7, 40), (12, 13), (0, 3), (30, 40)])
def test_while_weights_are_removed_every_step_counts(start: int, stop: int) -> None:
    """Weights go after the steps of the schedule, and stay as they are between."""
    cubic = Cubic(5, 30, 4, prunable=1000, kept=100)
    there, counts = 1000, []
    for step in range(stop):
        if step in cubic.steps:
            there = cubic.kept_at(step)
        counts.append(there)
    assert average_while(cubic, start, stop) == pytest.approx(sum(counts[start:]) / (stop - start))
