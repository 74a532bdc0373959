"""How many threads torch works on, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["threads"]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch work on so many threads; afterwards on as many as before.

    Where there is next to nothing to compute one is best: threads that wait for the next piece of it spin,
    which costs many times what they do, and more where processes share the cores.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
