"""`run --engine slurm`: pilots under Slurm, by submitit. A pilot is one worker, on one GPU or some cores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench.engine.on_slurm.fleet import SlurmFront

__all__ = ["front"]


def front(options: Mapping[str, Any]) -> SlurmFront:
    """Return the front with these options; nothing is submitted. Raises: UsageError."""
    from prunebench.engine.on_slurm.fleet import SlurmFront
    from prunebench.engine.on_slurm.options import wishes_of
    from prunebench.engine.on_slurm.queue import SlurmQueue, have_gpus

    wishes = wishes_of(options, have_gpus)
    SlurmQueue.check_here()
    return SlurmFront(wishes, SlurmQueue)
