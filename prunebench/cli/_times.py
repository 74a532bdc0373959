"""Lengths of time and moments, as options take them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from prunebench.amounts import parse_seconds

__all__ = ["Length", "Moment"]

if TYPE_CHECKING:
    _Length = click.ParamType[float]
    _Moment = click.ParamType[datetime]
else:  # not generic before click 8.5
    _Length = _Moment = click.ParamType

_CLOCKS = timedelta(minutes=10)
"""A moment that is past elsewhere may be so much ahead of this machine's clock."""
_BY_A_RUN = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
"""How a run spells when it began, for workers on other machines: their clocks may be behind its own."""


class Length(_Length):
    """A length of time above 0, in seconds; a number alone is seconds ("s"), minutes ("m") or refused."""

    name = "length"

    def __init__(self, alone: str | None = None) -> None:
        self._alone = alone

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        return parse_seconds(str(value), param.opts[0] if param else "a time", self._alone)


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
        if self.past and moment > now + _CLOCKS and not _BY_A_RUN.fullmatch(text):
            self.fail(f"found '{value}', which is still to come; allowed: a moment that is past", param, ctx)
        return moment

    def _nearest(self, at: datetime, now: datetime) -> datetime:
        """Return today's time of day, or the same of the day before or after."""
        if self.past:
            return at if at <= now else at - timedelta(days=1)
        return at if at > now else at + timedelta(days=1)
