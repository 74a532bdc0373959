"""What a plan will cost, in multiply-accumulates and in time, and what that is worth (imports no torch)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prunebench.cores import usable_cores
from prunebench.inventory.gpu_peaks import TERAFLOPS, peak
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import TrainParams
from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Store

__all__ = [
    "Estimate",
    "Machine",
    "Rate",
    "architecture_of",
    "assumed",
    "assumed_seconds",
    "devices_of",
    "estimate",
    "job_seconds",
    "marginal",
    "measured_rate",
    "newest_first",
    "planned_steps",
]

ASSUMED = {"cpu": 20e9, "cuda": 500e9}
"""Multiply-accumulates a second: of one thread; of a GPU of an unknown model, busy with small networks."""

_OF_PEAK = 500e9 / (TERAFLOPS["V100"] * 0.5e12)
"""The part of what a GPU could do that small networks get out of it."""

A_STEP, A_JOB = 0.5e-3, 0.1
"""Seconds that a training step and a job are assumed to take beside their arithmetic."""

START = 4.0
"""Seconds until a worker process has imported torch and read the plan, on a core of its own."""

MEASURED, GUESSED = (0.7, 1.5), (0.5, 3.0)
"""Between which multiples of an estimate the time is said to lie: from runs in the store, or from nothing."""

BUSIEST = 4.0
"""How much longer at most a guess says that it may take because other programs keep the cores busy."""

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
    measured: bool
    """True if the times rest on runs in this store; else they are a guess."""
    total_range: tuple[float, float]
    remaining_range: tuple[float, float]
    """Seconds between which each time is expected to lie."""
    workers: int
    basis: str


@dataclass(frozen=True)
class Machine:
    """What there is to work with: cores, and how many of them other programs keep busy."""

    cores: int
    load: float

    @classmethod
    def here(cls) -> Machine:
        """Return this machine as it is now."""
        cores = usable_cores()
        try:
            load = os.getloadavg()[0]
        except (AttributeError, OSError):
            load = 0.0
        return cls(cores, load)


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
    machine: Machine | None = None,
    gpus: int = 1,
    model: str = "",
    unsure: str = "",
) -> Estimate:
    """Return the cost of `cells` on `workers` workers.

    The time is the longest of all jobs one after another on as many workers as there are cores for, and of
    the longest chain of jobs that wait for each other; and the start of the workers. Jobs take what those of
    their kind took in this store, else what is assumed. Workers that share one of the `gpus` (of a `model`)
    share its arithmetic; only what a job takes beside that gets done at once. A training on several devices
    has the cores, or GPUs, of as many.
    """
    plan, store = snapshot.plan, snapshot.store
    machine = machine or Machine.here()
    everything = plan.remaining((target for cell in cells for target in cell.targets), lambda key: False)
    remaining = snapshot.remaining(cells)
    measured = measured_rate(plan, store, device)
    rate = measured or _assumed(device, threads, model)
    taken = job_seconds(snapshot) if measured else {}
    room = max(1.0, machine.cores / threads)  # for so many processes there are cores
    seconds = {key: _seconds(plan, key, rate, taken, room) for key in everything}
    at_once = min(workers, room) if device == "cpu" else float(workers)
    start = START * workers / min(workers, room) if workers > 1 else 0.0
    if device == "cpu":
        most = room
        busy = {key: seconds[key] * min(devices_of(plan, key), room) for key in everything}
    else:
        most = max(1, gpus)
        busy = {key: devices_of(plan, key) * _on_the_gpu(plan, key, rate, seconds[key]) for key in everything}
    total, left = (
        _elapsed(plan, keys, seconds, workers, start, sum(busy[key] for key in keys) / most)
        for keys in (everything, remaining)
    )
    low, high = MEASURED if measured else GUESSED
    if not measured and device == "cpu":
        high *= min(BUSIEST, max(1.0, (machine.load + at_once * threads) / machine.cores))
    return Estimate(
        total_macs=sum(marginal(plan, key) for key in everything),
        remaining_macs=sum(marginal(plan, key) for key in remaining),
        total_seconds=total,
        remaining_seconds=left,
        measured=measured is not None,
        total_range=(low * total, high * total),
        remaining_range=(low * left, high * left),
        workers=workers,
        basis=_basis(rate, workers, at_once) + (f"; {unsure}" if unsure else ""),
    )


def _basis(rate: Rate, workers: int, at_once: float) -> str:
    few = f"; cores for {at_once:.3g} of {workers} workers" if at_once < workers else ""
    if rate.runs:
        runs = f"{rate.runs} {'run' if rate.runs == 1 else 'runs'}"
        return f"measured: {runs} in this store, {_giga(rate.general)}{few}"
    beside = f"{1000 * rate.step:g} ms a step, {rate.job:g} s a job"
    return f"a guess: nothing was measured here yet; assumed {_giga(rate.general)} a worker, {beside}{few}"


def _elapsed(
    plan: Plan, keys: Sequence[str], seconds: Mapping[str, float], workers: int, start: float, shared: float
) -> float:
    """Return how long these jobs take together; `keys` has inputs first.

    shared: for how long they keep all cores, or GPUs, that the workers share
    """
    if not keys:
        return 0.0
    ready: dict[str, float] = {}
    for key in keys:
        before = [*plan.jobs[key].inputs, *([plan.earlier[key]] if key in plan.earlier else [])]
        ready[key] = seconds[key] + max((ready.get(one, 0.0) for one in before), default=0.0)
    return start + max(max(ready.values()), sum(seconds[key] for key in keys) / workers, shared)


def _giga(rate: float) -> str:
    return f"{rate / 1e9:.2g} GMAC/s" if rate < 100e9 else f"{rate / 1e9:.0f} GMAC/s"


def _assumed(device: str, threads: int, model: str = "") -> Rate:
    gpu = device.split(":")[0] == "cuda"
    return Rate(_of_gpu(model) if gpu else ASSUMED["cpu"] * threads, {}, 0, step=A_STEP, job=A_JOB)


def _of_gpu(model: str) -> float:
    """Return the multiply-accumulates a second that are assumed of a GPU, by its model's name."""
    most = peak(model)
    return ASSUMED["cuda"] if most is None else most * _OF_PEAK


def _on_the_gpu(plan: Plan, key: str, rate: Rate, seconds: float) -> float:
    """Return for how long a job keeps a GPU from others: by its arithmetic, or all of what was measured."""
    if rate.runs:
        return seconds
    return marginal(plan, key) / rate.of(architecture_of(plan, key)) / devices_of(plan, key)


def _seconds(plan: Plan, key: str, rate: Rate, taken: Mapping[Kind, float], room: float = math.inf) -> float:
    """Return how long a job takes by itself, where there are cores for `room` processes."""
    measured = taken.get(kind_of(plan, key))
    if measured is not None:
        return measured
    devices = devices_of(plan, key)
    at_once = min(devices, room)
    start = START * devices / at_once if devices > 1 else 0.0  # of processes for this job alone
    return (
        marginal(plan, key) / rate.of(architecture_of(plan, key)) / at_once
        + rate.step * planned_steps(plan, key)
        + A_JOB
        + start
    )


def devices_of(plan: Plan, key: str) -> int:
    """Return on how many devices at once a job trains: 1 for jobs that train nothing."""
    params = plan.jobs[key].params
    if not isinstance(params, TrainParams) or params.step <= params.run.start:
        return 1
    return params.run.recipe.devices or 1


def assumed_seconds(plan: Plan, device: str, threads: int) -> Callable[[str], float]:
    """Return a function from a job's key to the seconds that it is assumed to take, with nothing measured."""
    rate = _assumed(device, threads)
    return lambda key: _seconds(plan, key, rate, {})


def assumed(macs: float, steps: int, device: str, threads: int = 1) -> float:
    """Return the seconds that a job is assumed to take by its arithmetic and its training steps."""
    rate = _assumed(device, threads)
    return macs / rate.general + rate.step * steps + rate.job


Kind = tuple[str, str | None, int]
"""Jobs that take about as long as each other: kind, architecture, scoring rounds."""


def kind_of(plan: Plan, key: str) -> Kind:
    """Return which jobs a job's time is like."""
    job = plan.jobs[key]
    return job.kind, architecture_of(plan, key), job.params.in_rounds


def job_seconds(snapshot: Snapshot) -> dict[Kind, float]:
    """Return how long jobs other than training took in this store on the average, as their logs say."""
    store, times = snapshot.store, dict[Kind, list[float]]()
    try:
        logs = set(os.listdir(store.root / "logs"))
    except OSError:
        return {}
    for key, job in snapshot.plan.jobs.items():
        log = store.log_path(key)
        if job.kind == "train" or log.name not in logs:
            continue
        of_kind = times.setdefault(kind_of(snapshot.plan, key), [])
        if len(of_kind) < RUNS and (seconds := logged_seconds(log)) is not None:
            of_kind.append(seconds)
    return {kind: sum(seconds) / len(seconds) for kind, seconds in times.items() if seconds}


def logged_seconds(log: Path) -> float | None:
    """Return how long the last finished job of a log took, or None where it does not say."""
    try:
        lines = log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    began: datetime | None = None
    seconds = None
    for line in lines:
        when, _, said = line.partition(" INFO ")
        try:
            time = datetime.strptime(when, "%Y-%m-%d %H:%M:%S,%f")
        except ValueError:
            continue
        if said.endswith(log.stem):
            began = time
        elif said == "done" and began is not None:
            seconds = (time - began).total_seconds()
    return seconds if seconds is None or seconds >= 0 else None


def planned_steps(plan: Plan, key: str) -> int:
    """Return the steps that a training job takes from its run's earlier state on; 0 for other jobs."""
    job = plan.jobs[key]
    if not isinstance(job.params, TrainParams):
        return 0
    earlier = plan.earlier.get(key)
    start = plan.jobs[earlier].params_as(TrainParams).step if earlier else job.params.run.start
    return max(0, job.params.step - start)


def architecture_of(plan: Plan, key: str) -> str | None:
    """Return the architecture that a job works on, where its parameters say so."""
    network = plan.jobs[key].params.network
    return None if network is None else network.name


def measured_rate(plan: Plan, store: Store, device: str = "cpu") -> Rate | None:
    """Return the rate of this plan's newest finished runs on this kind of device, or None without any.

    A record counts where its run was trained in one go, so that time and cost belong together.
    """
    times: dict[str | None, list[tuple[float, float]]] = {}
    runs = 0
    for cell in newest_first(plan, store):
        if runs >= RUNS:
            break
        try:
            provenance = store.read_record(cell.key).provenance
        except (Missing, Damaged):
            continue
        state = plan.jobs[plan.jobs[cell.key].inputs[0]]
        trained = state.params_as(TrainParams)
        time: dict[str, Any] = provenance.get("time") or {}
        seconds, steps = time.get("train_seconds"), time.get("trained_steps")
        if not seconds or steps != trained.step - trained.run.start:
            continue
        hardware: dict[str, Any] = provenance.get("hardware") or {}
        if hardware.get("device", "cpu") != device.split(":")[0]:
            continue
        # of workers that shared a GPU each had a part of it, and one of several devices had all of them
        alone = float(seconds) * devices_of(plan, state.key) / (hardware.get("gpu_shared_by") or 1)
        times.setdefault(architecture_of(plan, state.key), []).append((plan.costs[state.key], alone))
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


def newest_first(plan: Plan, store: Store) -> list[PlannedCell]:
    """Return the cells that have a record, the newest record first."""
    present = store.record_keys()
    dated: dict[str, tuple[float, PlannedCell]] = {}
    for cell in plan.cells:
        if cell.key in present and cell.key not in dated:
            path = store.root / "records" / cell.key[:2] / f"{cell.key}.json"
            try:
                dated[cell.key] = (os.stat(path).st_mtime, cell)
            except OSError:
                continue
    return [cell for _, cell in sorted(dated.values(), key=lambda pair: pair[0], reverse=True)]
