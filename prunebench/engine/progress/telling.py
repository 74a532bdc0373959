"""What a worker tells of a job while it runs, and when it is done, through the store, which all have.

While it runs, its claim says which worker has it, on what, and how far it is (written with the claim's
heartbeat, so it costs no file). When it is done, a line says what it took: end times are learned from those.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from prunebench import pulse
from prunebench.engine.failures import TakenOver
from prunebench.engine.progress.sorts import sort_of
from prunebench.engine.progress.worker_names import worker_name
from prunebench.inventory.estimate import marginal, planned_steps
from prunebench.jobs.context import Context
from prunebench.plan import Job, Plan
from prunebench.plan.params import TrainParams
from prunebench.store import Claim, JobTime, now_text

__all__ = ["Telling", "device_name", "device_place"]


class Telling:
    """One job at work, for the length of a with block.

    Tells its claim how far it is, and the store, where no error ends the block, how long it took.
    """

    def __init__(self, job: Job, plan: Plan, context: Context, claim: Claim | None) -> None:
        self._job, self._plan, self._context, self._claim = job, plan, context, claim
        self._began = time.monotonic()
        self._first: int | None = None
        self._step = 0
        params = job.params
        self._batch = params.run.recipe.batch if isinstance(params, TrainParams) else 0
        self._last = params.step if isinstance(params, TrainParams) else 0
        device = context.device
        self._who = {"worker": worker_name(), "place": device_place(device), "device": device_name(device)}
        self._others = context.progress

    def __enter__(self) -> Telling:
        self._context.progress = self._take_in
        self._tell()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._context.progress = self._others
        if kind is None:
            self._write()

    def _take_in(self, job: Job, step: int, to_step: int) -> None:
        pulse.beat()  # the step may be other processes' that this one waits for
        if self._claim is not None and self._claim.lost:
            raise TakenOver(f"{job.kind} {job.key[:12]} was taken over by another process")
        if self._first is None:
            self._first = step - 1
        self._step = step
        self._tell()
        if self._others is not None:
            self._others(job, step, to_step)

    def _write(self) -> None:
        steps = self._step - (self._first or 0)
        macs = marginal(self._plan, self._job.key)
        if self._batch:
            macs *= min(1.0, steps / max(1, planned_steps(self._plan, self._job.key)))
        kind, of = sort_of(self._job)
        self._context.store.times.write(
            JobTime(
                key=self._job.key,
                kind=kind,
                of=of,
                device=str(self._who["device"]),
                seconds=round(time.monotonic() - self._began, 3),
                macs=float(macs),
                steps=steps,
                images=steps * self._batch,
                at=now_text(),
                worker=str(self._who["worker"]),
                place=str(self._who["place"]),
            )
        )

    def _tell(self) -> None:
        if self._claim is None:
            return
        said: dict[str, Any] = {**self._who, "seconds": time.monotonic() - self._began}
        if self._first is not None:
            images = (self._step - self._first) * self._batch
            said |= {"step": self._step, "to_step": self._last, "images": images}
        self._claim.tell(said)


def device_place(device: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return where a process computes, in few letters: "cpu", or which GPUs of the machine.

    A GPU is numbered among those that CUDA_VISIBLE_DEVICES lets the process see, so that its number is the
    machine's own.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return kind
    visible = [one.strip() for one in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    if number.isdecimal() and int(number) < len(visible):
        visible = [visible[int(number)]]
    elif number or not visible:
        visible = [number or "0"]
    return "gpu " + ",".join(one if len(one) <= 8 else one[:8] + "…" for one in visible)


@cache
def device_name(device: str) -> str:
    """Return what computes, as times depend on it: "cpu", or the GPU's name."""
    kind = device.partition(":")[0]
    if kind != "cuda":
        return kind
    import torch

    try:
        return f"cuda {torch.cuda.get_device_name(device)}"
    except (RuntimeError, AssertionError, ValueError):  # no such GPU, or no driver: its jobs say so
        return "cuda"
