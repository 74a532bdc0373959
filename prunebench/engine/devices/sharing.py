"""How many workers share a GPU where `--workers-per-gpu auto` leaves that open. Pure.

A GPU that computes the steps of a small network waits between them for its process; a second process fills
the gaps, until the GPU is busy, its memory full, or there is no core left to start operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LAUNCH", "MOST", "Sharing", "workers_a_gpu"]

MOST = 8

OF_FREE = 0.9
"""The part of a GPU's free memory that is given out."""

GAIN = 1.1
"""What twice the workers have to get done together to have been worth it."""

LAUNCH = 3e-3
"""Seconds that a process takes to start the operations of a step of ResNet-20."""


@dataclass(frozen=True)
class Sharing:
    """How many workers share a GPU, and why."""

    workers: int
    why: str


def workers_a_gpu(
    *, free: int, need: int, cores: int, together: Mapping[int, float], step: float | None
) -> Sharing:
    """Return how many workers share a GPU.

    free: bytes of its memory that are free; 0 where that is not known
    need: bytes that a worker takes at most
    cores: cores for the workers of this GPU
    together: by the number of workers that shared a GPU of this model in earlier runs, what they did together
        in a second
    step: seconds that a training step would keep the GPU busy; None where that is not known

    >>> workers_a_gpu(free=80 << 30, need=2 << 30, cores=16, together={1: 1.0, 2: 1.7}, step=None).workers
    4
    >>> workers_a_gpu(free=80 << 30, need=2 << 30, cores=16, together={2: 1.7, 4: 1.8}, step=None).workers
    2
    """
    room = int(OF_FREE * free / need) if free and need else 1
    most = max(1, min(MOST, room, cores))
    limits = {room: "memory for", cores: "cores for"}
    wanted, why = _measured(together) if together else _guessed(step)
    if wanted <= most:
        return Sharing(wanted, why)
    return Sharing(most, f"{limits.get(most, 'at most')} {most}; {why}" if most in limits else why)


def _measured(together: Mapping[int, float]) -> tuple[int, str]:
    """Return the fewest that did about the most; twice as many where nobody has tried more yet."""
    highest = max(together.values())
    best = min(workers for workers, done in together.items() if done * GAIN >= highest)
    if best == max(together):
        return 2 * best, f"{best} did the most so far, and more was not tried"
    return best, f"more than {best} did no more in earlier runs"


def _guessed(step: float | None) -> tuple[int, str]:
    if step is not None and step < LAUNCH:
        return 2, "a step keeps the GPU busy for less time than it takes to start"
    return 1, "a step keeps the GPU busy" if step is not None else "nothing is known of a step"
