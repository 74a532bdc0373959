"""What runs in a store, and a plan, say of GPUs that several workers share (imports no torch)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from prunebench.inventory.estimate import architecture_of, marginal, newest_first, planned_steps
from prunebench.inventory.gpu_peaks import peak
from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Store

__all__ = ["done_together", "seconds_a_step"]

RECORDS = 200
"""How many of the newest records are looked at."""

OF_PEAK = 1 / 3
"""What a GPU gets done of its peak while it computes an operation of a small network."""


def done_together(plan: Plan, store: Store, model: str) -> dict[int, float]:
    """Return, by how many workers shared a GPU of this model, the multiply-accumulates a second of them all.

    Of the architecture with the most runs alone: others are quicker or slower whoever shares.
    """
    runs: list[tuple[str | None, int, float, float]] = []
    for cell in newest_first(plan, store)[:RECORDS]:
        try:
            provenance = store.read_record(cell.key).provenance
        except (Missing, Damaged):
            continue
        hardware: dict[str, Any] = provenance.get("hardware") or {}
        seconds = (provenance.get("time") or {}).get("train_seconds")
        if hardware.get("gpu") != model or not seconds:
            continue
        state = plan.jobs[cell.key].inputs[0]
        sharing = int(hardware.get("gpu_shared_by") or 1)
        runs.append((architecture_of(plan, state), sharing, plan.costs[state], float(seconds)))
    if not runs:
        return {}
    most = Counter(run[0] for run in runs).most_common(1)[0][0]
    own = [(sharing, macs, seconds) for name, sharing, macs, seconds in runs if name == most]
    return {
        workers: workers
        * sum(macs for sharing, macs, _ in own if sharing == workers)
        / sum(seconds for sharing, _, seconds in own if sharing == workers)
        for workers in sorted({sharing for sharing, _, _ in own})
    }


def seconds_a_step(plan: Plan, keys: Iterable[str], model: str) -> float | None:
    """Return for how long a step of the architecture that costs most among these jobs keeps the GPU busy.

    None where nothing is trained, or nothing is known of the model.
    """
    costs, steps = Counter[str | None](), Counter[str | None]()
    for key in keys:
        if count := planned_steps(plan, key):
            costs[architecture_of(plan, key)] += round(marginal(plan, key))
            steps[architecture_of(plan, key)] += count
    rate = peak(model)
    if not costs or rate is None:
        return None
    architecture = costs.most_common(1)[0][0]
    return costs[architecture] / steps[architecture] / (OF_PEAK * rate)
