"""What `prunebench doctor` looks at: a module an area, each with a function that yields findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """Something that was looked at."""

    area: str
    state: Literal["ok", "note", "warning", "bad"]
    """`note`: nothing is wrong, one may want to know; `warning`: works, less well than it could; `bad`: does
    not work."""
    what: str
    do: str = ""
    """What to do about it."""
