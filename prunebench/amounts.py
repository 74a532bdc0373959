"""Lengths of time and amounts of memory: how they are read, whatever the option, and how they are told.

A time has units (90s, 30m, 1h30m, 1.5h, 2d), or is spelled as Slurm spells it: minutes:seconds,
hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds. An amount of memory has a
unit of 1024 (8GiB, 8G, 512MiB) or of 1000 (8GB, 500MB). A number alone is what the option says.
"""

from __future__ import annotations

import math
import re

from prunebench.errors import UsageError

__all__ = [
    "SIZES",
    "TIMES",
    "bytes_of",
    "parse_bytes",
    "parse_seconds",
    "seconds_of",
    "spelled_bytes",
    "spelled_seconds",
]

TIMES = "a time such as 90s, 30m, 4h, 1h30m, 4:00:00 or 1-12:00:00 (days-hours:minutes:seconds)"
SIZES = "an amount such as 8GiB, 500MB or 16G (G, M and K are 1024 of each other)"
"""What is allowed, for messages."""

_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_ALONE = {"s": "seconds", "m": "minutes"}

_NUMBER = r"\d+(?:\.\d+)?"
_PARTS = re.compile(
    rf"(?:({_NUMBER})\s*d)?\s*(?:({_NUMBER})\s*h)?\s*(?:({_NUMBER})\s*m(?:in)?)?\s*(?:({_NUMBER})\s*s)?"
)
_CLOCK = re.compile(r"(\d+):([0-5]?\d)(?::([0-5]?\d))?")
_DAYS = re.compile(r"(\d+)-(\d+)(?::([0-5]?\d))?(?::([0-5]?\d))?")
_SIZE = re.compile(rf"({_NUMBER})\s*(?:([kmgt])(i?b?)|b)?")


def seconds_of(text: str, alone: str | None = None) -> float | None:
    """Return the seconds of a length of time, None where it is none, or 0.

    alone: what a number alone is: "s" for seconds, "m" for minutes, None for nothing

    >>> [seconds_of(text) for text in ("90s", "1h30m", "30 min", "4:00:00", "1-12", "2:30", "30", "")]
    [90.0, 5400.0, 1800.0, 14400.0, 129600.0, 150.0, None, None]
    """
    spelled = text.strip().lower()
    if re.fullmatch(_NUMBER, spelled):
        values: list[str | None] = [None, None, None, None]
        if alone is None:
            return None
        values["dhms".index(alone)] = spelled
    elif days := _DAYS.fullmatch(spelled):
        values = list(days.groups())
    elif clock := _CLOCK.fullmatch(spelled):
        first, second, third = clock.groups()
        values = [None, first, second, third] if third else [None, None, first, second]
    elif parts := _PARTS.fullmatch(spelled):
        values = list(parts.groups())
    else:
        return None
    seconds = sum(float(n or 0) * size for n, size in zip(values, _SECONDS.values(), strict=True))
    return seconds if 0 < seconds < math.inf else None


def parse_seconds(text: str, option: str, alone: str | None = None) -> float:
    """Return the seconds of a length of time that an option was given, as `seconds_of` reads it.

    Raises: UsageError for anything else, and for nothing at all.
    """
    seconds = seconds_of(text, alone)
    if seconds is None:
        number = "" if alone is None else f", or a number of {_ALONE[alone]}"
        raise UsageError(f"{option}: found '{text}', allowed: {TIMES}{number}")
    return seconds


def bytes_of(text: str) -> int | None:
    """Return the bytes of an amount of memory, None where it is none; a number alone is bytes.

    >>> [bytes_of(text) for text in ("8GiB", "8G", "8GB", "1.5 MiB", "100", "100 apples", "")]
    [8589934592, 8589934592, 8000000000, 1572864, 100, None, None]
    """
    size = _SIZE.fullmatch(text.strip().lower())
    if size is None:
        return None
    number, prefix, suffix = size.groups()
    base = 1000 if suffix == "b" else 1024
    return int(float(number) * base ** (" kmgt".index(prefix) if prefix else 0))


def parse_bytes(text: str, option: str, *, least: int = 1, because: str = "", words: str = "") -> int:
    """Return the bytes of an amount of memory that an option was given, as `bytes_of` reads it.

    least, because: what less is refused, and why
    words: others that the option takes, to be told with what is allowed

    Raises: UsageError.
    """
    size = bytes_of(text)
    if size is None:
        raise UsageError(f"{option}: found '{text}', allowed: {words}{SIZES}")
    if size < least:
        raise UsageError(f"{option}: found '{text}', allowed: at least {spelled_bytes(least)}{because}")
    return size


def spelled_seconds(seconds: float) -> str:
    """Return a time for people, in the largest unit of which it has a whole number: "90 s", "30 min"."""
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{int(seconds // unit)} {name}"
    return f"{seconds:g} s"


def spelled_bytes(size: float) -> str:
    """Return an amount of memory for people, to a digit where there are few.

    >>> [spelled_bytes(size) for size in (0, 1, 1536, 5 << 20, 3 << 29, 89 << 30)]
    ['0 bytes', '1 byte', '1.5 KiB', '5.0 MiB', '1.5 GiB', '89 GiB']
    """
    for place, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        value = size / 1024**place
        if value >= 1:
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{size:.0f} byte{'' if round(size) == 1 else 's'}"
