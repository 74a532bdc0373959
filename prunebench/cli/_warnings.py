"""What `plan` warns of: hours of scoring on the CPU, what fits no GPU, masks that may keep no filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from prunebench.amounts import spelled_bytes
from prunebench.cli._output import complain
from prunebench.inventory.fitting import TooLarge, too_large
from prunebench.inventory.scarce import Scarce, scarce_filters
from prunebench.inventory.slow_scoring import SlowScoring, slow_scorings

if TYPE_CHECKING:
    from prunebench.cli._overview import Overview

__all__ = ["Warnings", "say_scarce"]


@dataclass(frozen=True)
class Warnings:
    """What there is to warn of before some cells run."""

    slow: Sequence[SlowScoring]
    large: Sequence[TooLarge]
    memory: int | None
    """Bytes of the GPU that a worker has; None where there is none to compare with."""
    threads: int
    scarce: Sequence[Scarce]

    @classmethod
    def of(cls, overview: Overview, memory: int | None = None, *, sharing: int = 1) -> Warnings:
        """Look at the cells of an overview that are left to do.

        memory: the bytes of a GPU; None: of the one here, where networks train on that
        sharing: how many workers have a GPU together
        """
        session = overview.session
        threads, device = session.request.threads, session.request.device
        if memory is None and device.startswith("cuda") and overview.workforce.cores is None:
            memory = _memory_here()
        memory = None if memory is None else memory // sharing
        snapshot, cells = overview.snapshot, overview.cells
        slow = slow_scorings(snapshot, cells, threads=threads)
        large = [] if memory is None else too_large(snapshot, cells, session.host, memory)
        return cls(slow, large, memory, threads, scarce_filters(snapshot, cells))

    def say(self) -> None:
        """Print the warnings on standard error."""
        if self.slow:
            on = "one thread" if self.threads == 1 else f"{self.threads} threads"
            complain(f"scoring takes hours on {on} of the CPU:", label="Warning")
            _listed(one.in_words() for one in self.slow)
            matrices = ", ".join(dict.fromkeys(name for one in self.slow for name in one.matrices))
            setting = 'overrides = {scorer = {device = "cuda"}}'
            complain(f"  set {setting} in {matrices} to score on a GPU: the device is part of a cell")
        if self.large and self.memory is not None:
            complain(f"not everything fits a GPU of {spelled_bytes(self.memory)}:", label="Warning")
            _listed(one.in_words() for one in self.large)
        say_scarce(self.scarce)

    def as_dict(self) -> dict[str, Any]:
        """Return the warnings as plain values."""
        return {
            "slow_scoring": [asdict(one) for one in self.slow],
            "gpu_memory": self.memory,
            "too_large": [asdict(one) for one in self.large],
            "may_keep_none": [asdict(one) for one in self.scarce],
        }


def say_scarce(scarce: Sequence[Scarce]) -> None:
    """Print which cells may keep no filter."""
    if scarce:
        complain("masks of whole filters that may keep none, as the scores decide:", label="Warning")
        _listed(one.in_words() for one in scarce)
        complain("  a mask keeps filters in the order of their scores as long as they fit; such a cell fails")


def _listed(lines: Any) -> None:
    for line in lines:
        complain(f"  {line}")


def _memory_here() -> int | None:
    """Return the bytes of the smallest GPU that torch sees here, or None where it sees none."""
    import torch

    if not torch.cuda.is_available():
        return None
    count = torch.cuda.device_count()
    return min(torch.cuda.get_device_properties(number).total_memory for number in range(count))
