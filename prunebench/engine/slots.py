"""Slots: what each worker of this machine may use of its GPUs. Pure, and tested with lists of GPUs made up.

A slot is the words that its worker finds in CUDA_VISIBLE_DEVICES, set before it imports anything: so the
worker's GPUs are cuda:0, cuda:1, … to it, whatever they are called outside, and code that says "cuda" alone
finds its own. A worker that takes a dead one's place takes its slot.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from prunebench.engine.gpus import VISIBLE, Gpu
from prunebench.errors import UsageError
from prunebench.process import SHARED_BY

__all__ = ["Slot", "chosen_gpus", "make_slots", "refuse_more", "shared_slots"]


@dataclass(frozen=True)
class Slot:
    """The GPUs of one worker."""

    gpus: tuple[str, ...]
    """Their words for CUDA_VISIBLE_DEVICES."""
    shared_by: int = 1
    """How many workers have these GPUs."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables that its worker has to find before it imports torch."""
        return {VISIBLE: ",".join(self.gpus), SHARED_BY: str(self.shared_by)}


def chosen_gpus(gpus: Sequence[Gpu], index: int | None) -> list[Gpu]:
    """Return the GPUs that workers are spread over: all that may be used, or the one of --device cuda:N."""
    return list(gpus) if index is None else list(gpus[index : index + 1])


def make_slots(gpus: Sequence[Gpu], *, per_gpu: int = 1, per_worker: int = 1) -> list[Slot]:
    """Return the slots of some GPUs, the first of each GPU before the second of any.

    `per_gpu` workers share a GPU; or a worker has `per_worker` of them, neighbours in the list, as those lie
    nearest to each other in most machines. GPUs that are left over are used by nobody.

    Raises: UsageError where both are asked for, or a worker wants more than there are.

    >>> [slot.gpus for slot in make_slots([Gpu("0"), Gpu("1")], per_gpu=2)]
    [('0',), ('1',), ('0',), ('1',)]
    >>> [slot.gpus for slot in make_slots([Gpu("4"), Gpu("5"), Gpu("6"), Gpu("7")], per_worker=2)]
    [('4', '5'), ('6', '7')]
    """
    if per_gpu > 1 and per_worker > 1:  # two sets of devices that wait for each other on the same GPUs hang
        raise UsageError(
            f"--workers-per-gpu {per_gpu} and --gpus-per-worker {per_worker}: give one of them; "
            "workers of several GPUs share none"
        )
    if per_worker > len(gpus):
        raise UsageError(f"--gpus-per-worker {per_worker}: {_found(gpus)}")
    words = [gpu.word for gpu in gpus]
    groups = [
        tuple(words[start : start + per_worker])
        for start in range(0, len(words) - per_worker + 1, per_worker)
    ]
    return [Slot(group, per_gpu) for group in groups] * per_gpu


def shared_slots(gpus: Sequence[Gpu], workers: int) -> list[Slot]:
    """Return a slot for each of `workers` workers that train on the CPU and only score on a GPU."""
    sharing = [len(range(place, workers, len(gpus))) for place in range(len(gpus))]
    return [Slot((gpus[place % len(gpus)].word,), sharing[place % len(gpus)]) for place in range(workers)]


def refuse_more(workers: int, slots: Sequence[Slot], gpus: Sequence[Gpu]) -> None:
    """Refuse more workers than there are slots, and say what would make more. Raises: UsageError."""
    if workers <= len(slots):
        return
    each = -(-workers // max(1, len(gpus)))
    held = "" if not slots or len(slots[0].gpus) == 1 else f", {len(slots[0].gpus)} to a worker"
    raise UsageError(
        f"-n {workers}: {_found(gpus)}{held}, so there is room for {len(slots)}; `-n auto` starts as many, "
        f"and `--workers-per-gpu {each}` lets {each} share a GPU"
    )


def _found(gpus: Sequence[Gpu]) -> str:
    said = os.environ.get(VISIBLE)
    listed = "" if said is None else f" ({VISIBLE} is '{said}')"
    if not gpus:
        return f"there is no GPU{listed}"
    named = ", ".join(gpu.word for gpu in gpus)
    return f"there {'is 1 GPU' if len(gpus) == 1 else f'are {len(gpus)} GPUs'}, {named}{listed}"
