"""Making very many values that stay, without looking for garbage among them again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no garbage: while a plan's million values are made there is none, and it doubles the time.

    Nor are they looked through at the end, as the youngest objects that there are: they count as old.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            if not gc.get_freeze_count():  # else what somebody has frozen would thaw
                gc.freeze()
                gc.unfreeze()  # to the oldest generation
            gc.enable()
