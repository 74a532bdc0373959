"""Images that stay in their files until training asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["ImageFiles", "anew", "looks_anew"]

_ANEW: ContextVar[bool] = ContextVar("look at folders anew", default=False)


@contextmanager
def anew() -> Iterator[None]:
    """Have folders looked at anew, whatever is remembered of them: before results are made of their files."""
    token = _ANEW.set(True)
    try:
        yield
    finally:
        _ANEW.reset(token)


def looks_anew() -> bool:
    """True if what is remembered of a folder must not be used now."""
    return _ANEW.get()


@dataclass(frozen=True)
class ImageFiles:
    """A part of a data set that is read while training: what its loader returns instead of pixels.

    Args:
        paths: the N images' files; may be made when asked for, as there may be a million.
        labels: int64 N, the class of each.
        shape: (C, H, W) of what a network gets.
    """

    paths: Sequence[Path]
    labels: torch.Tensor
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.paths)
