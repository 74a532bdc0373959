"""What a plan will cost, in multiply-accumulates and in time, and on what basis (imports no torch)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench.engine.snapshot import Snapshot
from prunebench.plan.plan import Plan
from prunebench.plan.planner import PlannedCell
from prunebench.store import Damaged, Missing, Store

__all__ = ["Estimate", "Rate", "estimate", "marginal", "measured_rate"]

ASSUMED = {"cpu": 20e9, "cuda": 500e9}
"""Multiply-accumulates a second: of one thread; of a GPU kept busy by small networks."""

A_STEP, A_JOB = 0.5e-3, 0.1
"""Seconds that a training step and a job are assumed to take beside their arithmetic."""

RUNS = 30
"""How many runs a measured rate is taken of: the newest."""


@dataclass(frozen=True)
class Rate:
    """Multiply-accumulates a second of one worker: by architecture where measured, and in general."""

    general: float
    by_architecture: dict[str, float]
    runs: int
    """Runs that this was measured on; 0 where it is assumed."""
    step: float = 0.0
    job: float = 0.0
    """Seconds beside arithmetic; what is measured has them in its rate."""

    def of(self, architecture: str | None) -> float:
        """Return the rate for an architecture."""
        return self.by_architecture.get(architecture or "", self.general)


@dataclass(frozen=True)
class Estimate:
    """The cost of some cells: as if nothing were there, and of what remains; every job counted once."""

    total_macs: float
    remaining_macs: float
    total_seconds: float
    remaining_seconds: float
    workers: int
    basis: str


def marginal(plan: Plan, key: str) -> float:
    """Return what a job adds: a state costs what the run's earlier state, passed on the way, does not."""
    earlier = plan.earlier.get(key)
    return max(0.0, plan.costs[key] - (plan.costs[earlier] if earlier else 0.0))


def estimate(
    snapshot: Snapshot,
    cells: Sequence[PlannedCell],
    *,
    workers: int = 1,
    threads: int = 1,
    device: str = "cpu",
) -> Estimate:
    """Return the cost of `cells` on `workers` workers."""
    plan = snapshot.plan
    everything = plan.remaining((target for cell in cells for target in cell.targets), lambda key: False)
    remaining = snapshot.remaining(cells)
    rate = measured_rate(plan, snapshot.store, device) or _assumed(device, threads)
    if rate.runs:
        runs = f"{rate.runs} {'run' if rate.runs == 1 else 'runs'}"
        basis = f"measured: {runs} in this store, {_giga(rate.general)}"
    else:
        beside = f"{1000 * rate.step:g} ms a step, {rate.job:g} s a job"
        basis = f"assumed: {_giga(rate.general)} a worker, {beside}; no run in this store yet"
    return Estimate(
        total_macs=sum(marginal(plan, key) for key in everything),
        remaining_macs=sum(marginal(plan, key) for key in remaining),
        total_seconds=_seconds(plan, everything, rate) / workers,
        remaining_seconds=_seconds(plan, remaining, rate) / workers,
        workers=workers,
        basis=basis,
    )


def _giga(rate: float) -> str:
    return f"{rate / 1e9:.2g} GMAC/s" if rate < 100e9 else f"{rate / 1e9:.0f} GMAC/s"


def _assumed(device: str, threads: int) -> Rate:
    kind = device.split(":")[0]
    return Rate(
        ASSUMED["cuda"] if kind == "cuda" else ASSUMED["cpu"] * threads, {}, 0, step=A_STEP, job=A_JOB
    )


def _seconds(plan: Plan, keys: Iterable[str], rate: Rate) -> float:
    return sum(
        marginal(plan, key) / rate.of(_architecture(plan, key)) + rate.step * _steps(plan, key) + rate.job
        for key in keys
    )


def _steps(plan: Plan, key: str) -> int:
    """Return the steps that a training job takes from its run's earlier state on; 0 for other jobs."""
    job = plan.jobs[key]
    if job.kind != "train":
        return 0
    earlier = plan.earlier.get(key)
    start: int = plan.jobs[earlier].params["step"] if earlier else job.params["run"]["start"]
    return max(0, int(job.params["step"]) - start)


def _architecture(plan: Plan, key: str) -> str | None:
    """Return the architecture that a job works on, where its parameters say so."""
    params = plan.jobs[key].params
    part = params.get("run") or params.get("scoring") or params
    found = part.get("architecture")
    return found["name"] if found else None


def measured_rate(plan: Plan, store: Store, device: str = "cpu") -> Rate | None:
    """Return the rate of this plan's newest finished runs on this kind of device, or None without any.

    A record counts where its run was trained in one go, so that time and cost belong together.
    """
    times: dict[str | None, list[tuple[float, float]]] = {}
    runs = 0
    for cell in _newest_first(plan, store):
        if runs >= RUNS:
            break
        try:
            provenance = store.read_record(cell.key).provenance
        except (Missing, Damaged):
            continue
        state = plan.jobs[plan.jobs[cell.key].inputs[0]]
        time: dict[str, Any] = provenance.get("time") or {}
        seconds, steps = time.get("train_seconds"), time.get("trained_steps")
        if not seconds or steps != state.params["step"] - state.params["run"]["start"]:
            continue
        if (provenance.get("hardware") or {}).get("device", "cpu") != device.split(":")[0]:
            continue
        times.setdefault(_architecture(plan, state.key), []).append((plan.costs[state.key], float(seconds)))
        runs += 1
    if not runs:
        return None
    return Rate(
        general=_ratio([pair for pairs in times.values() for pair in pairs]),
        by_architecture={name: _ratio(pairs) for name, pairs in times.items() if name},
        runs=runs,
    )


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return max(1.0, sum(macs for macs, _ in pairs) / sum(seconds for _, seconds in pairs))


def _newest_first(plan: Plan, store: Store) -> list[PlannedCell]:
    present = store.record_keys()
    found: dict[str, tuple[float, PlannedCell]] = {}
    for cell in plan.cells:
        if cell.key in present and cell.key not in found:
            path = store.root / "records" / cell.key[:2] / f"{cell.key}.json"
            try:
                found[cell.key] = (os.stat(path).st_mtime, cell)
            except OSError:
                continue
    return [cell for _, cell in sorted(found.values(), key=lambda pair: pair[0], reverse=True)]
