"""The global random generators: seeded for as long as code of others runs, then as they were before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["keep_global_state", "seed_all", "seed_torch"]


@contextmanager
def keep_global_state(device: str | torch.device = "cpu") -> Iterator[None]:
    """Put the global generators of torch (CPU and `device`), numpy and Python back to what they were."""
    device = torch.device(device)
    python, legacy = random.getstate(), np.random.get_state()
    cpu = torch.random.get_rng_state()
    other = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        torch.random.set_rng_state(cpu)
        if other is not None:
            torch.cuda.set_rng_state(other, device)


def seed_all(seed: int) -> None:
    """Seed torch's CPU generator, numpy's and Python's from 64 bits."""
    seed_torch(seed >> 1)
    np.random.seed(seed % (1 << 32))
    random.seed(seed)


def seed_torch(seed: int, device: torch.device | None = None) -> None:
    """Seed torch's generators of the CPU and of `device`; torch.manual_seed would reach every device."""
    torch.default_generator.manual_seed(seed)
    if device is not None and device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
