"""How long a job may show no sign of life, and how much memory a worker may take (imports nothing heavy)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from prunebench.errors import UsageError

__all__ = ["Limits", "Memory", "hanging", "parse_memory", "parse_seconds", "spelled_bytes", "spelled_seconds"]

Memory = int | str | None
"""Bytes; "auto", the only word: a worker's share of the machine's, once that runs out; None: no limit."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_BYTES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_BYTES |= {"ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4}

SMALLEST = 64 * 1024**2
"""Bytes below which no worker could start: a unit was forgotten."""


@dataclass(frozen=True)
class Limits:
    """What a job may take before it is ended and has failed."""

    timeout: float | None = None
    """Seconds without a sign of life; None: for ever."""
    memory: Memory = "auto"

    def as_options(self) -> list[str]:
        """Return the options by which a command takes these limits."""
        timeout = [] if self.timeout is None else ["--job-timeout", f"{self.timeout:.3f}"]
        return [*timeout, "--memory-limit", "none" if self.memory is None else str(self.memory)]


def parse_seconds(text: str, option: str) -> float:
    """Return the seconds that "90", "90s", "30m", "2h", "1d" or "1h30m" mean.

    Raises: UsageError for anything else, and for nothing at all.
    """
    spelled = text.strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhd]|$)", spelled)
    whole = re.fullmatch(r"(\s*\d+(?:\.\d+)?\s*[smhd])+|\d+(?:\.\d+)?", spelled)
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if whole is None or not 0 < seconds < math.inf:
        raise UsageError(f"{option}: found '{text}', allowed: seconds, or a time such as 90s, 30m, 2h, 1h30m")
    return seconds


def parse_memory(text: str, option: str) -> Memory:
    """Return what "8GiB", "500MB", "auto" or "none" means; without a B at the end it may be spelled too.

    Raises: UsageError for anything else, and for less than a worker takes to start.
    """
    spelled = text.strip().lower()
    if spelled in ("auto", "none"):
        return "auto" if spelled == "auto" else None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", spelled)
    if match is None:
        raise UsageError(
            f"{option}: found '{text}', allowed: auto, none, or an amount such as 8GiB, 8GB or 500MB"
        )
    size = int(float(match[1]) * _BYTES[match[2] or ""])
    if size < SMALLEST:
        raise UsageError(
            f"{option}: found '{text}', allowed: at least {spelled_bytes(SMALLEST)}, "
            "as a worker takes more than that to start"
        )
    return size


def spelled_seconds(seconds: float) -> str:
    """Return a time for people, in the largest unit of which it has a whole number: "90 s", "30 min"."""
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{int(seconds // unit)} {name}"
    return f"{seconds:g} s"


def spelled_bytes(size: float) -> str:
    """Return an amount of memory for people: "512 MiB", "8.2 GiB"."""
    mebibytes = size / 1024**2
    return f"{mebibytes:.0f} MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.1f} GiB"


def hanging(timeout: float) -> str:
    """Return what is said of a job that gave no sign of life for so many seconds."""
    return f"no sign of life for {spelled_seconds(timeout)} (--job-timeout)"
