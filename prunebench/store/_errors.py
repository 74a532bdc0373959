"""What reading a store can find instead of what was asked for."""

from __future__ import annotations

from pathlib import Path

from prunebench.errors import StoreError

__all__ = ["Damaged", "Flaw", "Missing", "Unwritable"]


class Missing(StoreError):
    """What was asked for is not in the store (a fresh listing of its folder was made before saying so)."""


class Unwritable(StoreError):
    """The store cannot be written, as on a full disk: whoever works on it has to stop."""


class Damaged(StoreError):
    """A file that is cut off, altered or half written. It has been set aside: it now counts as missing."""

    def __init__(self, path: Path, reason: str, aside: Path | None) -> None:
        where = f"set aside as {aside}; it will be made again" if aside else "left where it is"
        super().__init__(f"{path}: damaged: {reason}; {where}")
        self.path = path
        self.reason = reason
        self.aside = aside


class Flaw(Exception):
    """What is wrong with the bytes of a file; becomes `Damaged` once the file has been set aside."""
