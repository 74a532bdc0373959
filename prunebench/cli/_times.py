"""Lengths of time and moments, as options take them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

__all__ = ["Length", "Moment", "seconds_of"]

if TYPE_CHECKING:
    _Length = click.ParamType[float]
    _Moment = click.ParamType[datetime]
else:  # not generic before click 8.5
    _Length = _Moment = click.ParamType

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?")
_BY_A_RUN = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
"""How a run spells when it began, for workers on other machines: their clocks may be behind its own."""
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)")


def seconds_of(text: str) -> float | None:
    """Return the seconds of a length of time, None where it is none.

    >>> [seconds_of(text) for text in ("90s", "1h30m", "30 min", "4:00:00", "1-12:00:00", "30", "")]
    [90.0, 5400.0, 1800.0, 14400.0, 129600.0, None, None]
    """
    spelled = text.strip().lower().replace(" ", "")
    parts = _CLOCK.fullmatch(spelled) or _PARTS.fullmatch(spelled)
    if parts is None or not any(parts.groups()):
        return None
    values = [int(part or 0) for part in parts.groups()]
    return float(sum(n * size for n, size in zip(values, _UNITS.values(), strict=True))) or None


class Length(_Length):
    """A length of time above 0, in seconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(
                f"found '{value}', allowed: a length of time as 90s, 30m, 4h, 1h30m, 4:00:00 or 1-12:00:00 "
                "(days-hours:minutes:seconds)",
                param,
                ctx,
            )
        return seconds


class Moment(_Moment):
    """A moment, in this machine's time zone unless it says another.

    A time of day alone is the next one; of a moment that is `past` it is the last one, and what is still to
    come is refused.
    """

    name = "moment"

    def __init__(self, *, past: bool = False) -> None:
        self.past = past

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, in UTC."""
        text, now = str(value).strip(), datetime.now().astimezone()
        day = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", text)
        if day is not None:
            hour, minute, second = (int(part or 0) for part in day.groups())
            at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return self._nearest(at, now).astimezone(UTC)
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            self.fail(
                f"found '{value}', allowed: a time of day as 18:00, or a moment as 2026-11-30T06:00 "
                "or 2026-11-30T06:00+01:00",
                param,
                ctx,
            )
        if self.past and moment > now and not _BY_A_RUN.fullmatch(text):
            self.fail(f"found '{value}', which is still to come; allowed: a moment that is past", param, ctx)
        return moment

    def _nearest(self, at: datetime, now: datetime) -> datetime:
        """Return today's time of day, or the same of the day before or after."""
        if self.past:
            return at if at <= now else at - timedelta(days=1)
        return at if at > now else at + timedelta(days=1)
