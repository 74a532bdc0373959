"""Slots: what each worker of this machine may use of its GPUs. Pure, and tested with lists of GPUs made up.

A slot is the words that its worker finds in CUDA_VISIBLE_DEVICES, set before it looks for a GPU: so the
worker's GPUs are cuda:0, cuda:1, … to it, whatever they are called outside, and code that says "cuda" alone
finds its own. A worker that takes a dead one's place takes its slot.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prunebench.engine.devices.device import index_of
from prunebench.engine.devices.gpus import VISIBLE, Gpu
from prunebench.errors import UsageError
from prunebench.process import BY_BUS, ORDER, SHARED_BY

__all__ = ["ONE", "Slot", "Workforce", "make_slots", "shared_slots", "workforce"]


@dataclass(frozen=True)
class Slot:
    """The GPUs of one worker."""

    gpus: tuple[str, ...]
    """Their words for CUDA_VISIBLE_DEVICES."""
    shared_by: int = 1
    """How many workers have these GPUs."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables that its worker has to find before it looks for a GPU: torch does so late."""
        order = os.environ.get(ORDER, BY_BUS)  # by which the words are counted
        return {VISIBLE: ",".join(self.gpus), SHARED_BY: str(self.shared_by), ORDER: order}


@dataclass(frozen=True)
class Workforce:
    """How many workers there are, and what each may use."""

    workers: int
    slots: tuple[Slot, ...] = ()
    """A slot for each; none where they use no GPU, or there is but one process, which uses what it sees."""
    gpus: int = 0
    """How many GPUs they have together."""
    model: str = ""
    """What the first of these is, as its driver says."""
    each: int = 1
    """How many GPUs a worker has, where it uses any."""
    device: str = ""
    """What they work on where that is not on this machine; "": what was asked for."""
    cores: int | None = None
    """How many cores they have together where that is not on this machine; None: this machine's."""
    unsure: str = ""
    """What of this is not known before they start."""

    @property
    def shared_by(self) -> int:
        """How many workers share a GPU at most."""
        return max((slot.shared_by for slot in self.slots), default=1)


ONE = Workforce(1)


def workforce(
    asked: str | None,
    device: str,
    gpus: Callable[[], Sequence[Gpu]],
    *,
    cores: Callable[[], int],
    per_gpu: int = 1,
    per_worker: int = 1,
) -> Workforce:
    """Return the workers that -n asks for: None (this process alone), a number, or "auto".

    On the CPU "auto" is one a core. On GPUs it is a worker for each slot: of all GPUs that may be used, or of
    the one that "cuda:N" names.

    Raises: UsageError for more workers than slots, and for slots where there is no GPU.
    """
    if device == "cpu":
        for option, value in (("--workers-per-gpu", per_gpu), ("--gpus-per-worker", per_worker)):
            if value > 1:
                raise UsageError(f"{option} {value}: no GPU is used, the device is cpu")
        return Workforce(cores() if asked == "auto" else int(asked or 1))
    index = index_of(device)
    seen = gpus()
    if not seen:  # said before anything starts (`check_device`); what is planned may be for another machine
        workers = 1 if asked in (None, "auto") else int(asked)
        return Workforce(workers, gpus=per_worker, each=per_worker)
    chosen = seen if index is None else seen[index : index + 1]
    slots = make_slots(chosen, per_gpu=per_gpu, per_worker=per_worker)
    if asked is None:
        return Workforce(1, gpus=per_worker, model=chosen[0].model, each=per_worker)
    workers = len(slots) if asked == "auto" else int(asked)
    _refuse_more(workers, slots, chosen)
    used = tuple(slots[:workers])
    sharing = Counter(slot.gpus for slot in used)
    return Workforce(
        workers,
        tuple(replace(slot, shared_by=sharing[slot.gpus]) for slot in used),
        len({gpu for slot in used for gpu in slot.gpus}),
        chosen[0].model,
        per_worker,
    )


def make_slots(gpus: Sequence[Gpu], *, per_gpu: int = 1, per_worker: int = 1) -> list[Slot]:
    """Return the slots of some GPUs, the first of each GPU before the second of any.

    `per_gpu` workers share a GPU; or a worker has `per_worker` of them, neighbours in the list, as those lie
    nearest to each other in most machines. GPUs that are left over are used by nobody; nor are parts of
    GPUs (MIG) where a worker has several: CUDA gives a process one part, however many are listed.

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
    chosen = gpus if per_worker == 1 else [gpu for gpu in gpus if gpu.is_whole]
    if per_worker > len(chosen):
        parts = "" if len(chosen) == len(gpus) else "; of parts of GPUs (MIG) a process can use one alone"
        raise UsageError(f"--gpus-per-worker {per_worker}: {_found(gpus)}{parts}")
    words = [gpu.word for gpu in chosen]
    groups = [
        tuple(words[start : start + per_worker])
        for start in range(0, len(words) - per_worker + 1, per_worker)
    ]
    return [Slot(group, per_gpu) for group in groups] * per_gpu


def shared_slots(gpus: Sequence[Gpu], workers: int) -> list[Slot]:
    """Return a slot for each of `workers` workers that train on the CPU and only score on a GPU."""
    sharing = [len(range(place, workers, len(gpus))) for place in range(len(gpus))]
    return [Slot((gpus[place % len(gpus)].word,), sharing[place % len(gpus)]) for place in range(workers)]


def _refuse_more(workers: int, slots: Sequence[Slot], gpus: Sequence[Gpu]) -> None:
    """Refuse more workers than there are slots, and say what would make more. Raises: UsageError."""
    if workers <= len(slots):
        return
    each = -(-workers // max(1, len(gpus)))
    held = len(slots[0].gpus) if slots else 1
    more = f", and `--workers-per-gpu {each}` lets {each} share a GPU" if held == 1 else ""
    raise UsageError(
        f"-n {workers}: {_found(gpus)}{f', {held} to a worker' if held > 1 else ''}, so there is room for "
        f"{len(slots)} {'worker' if len(slots) == 1 else 'workers'}; `-n auto` starts as many{more}"
    )


def _found(gpus: Sequence[Gpu]) -> str:
    said = os.environ.get(VISIBLE)
    listed = "" if said is None else f" ({VISIBLE} is '{said}')"
    if not gpus:
        return f"there is no GPU{listed}"
    named = ", ".join(gpu.word for gpu in gpus)
    return f"there {'is 1 GPU' if len(gpus) == 1 else f'are {len(gpus)} GPUs'}, {named}{listed}"
