"""Lengths of time and moments are read as people spell them, and refused with what is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from prunebench.cli._times import Length, Moment
from prunebench.cli.work import command
from prunebench.errors import UsageError
from prunebench.store import spelled_time


def test_what_is_no_length_is_refused_with_examples() -> None:
    with pytest.raises(UsageError, match=r"found '30', allowed: a time such as 90s, 30m, 4h"):
        Length().convert("30", None, None)
    with pytest.raises(UsageError, match=r"found 'soon', .*, or a number of minutes"):
        Length(alone="m").convert("soon", None, None)
    assert [Length(alone=unit).convert("30", None, None) for unit in ("s", "m")] == [30, 1800]


def test_a_time_of_day_is_the_next_one() -> None:
    now = datetime.now().astimezone().replace(microsecond=0)
    for ahead in (timedelta(minutes=2), timedelta(hours=23)):
        at = (now + ahead).replace(second=0)
        moment = Moment().convert(f"{at:%H:%M}", None, None)
        assert timedelta() < moment - now <= timedelta(days=1, hours=1)  # an hour where clocks change
        assert moment.astimezone().strftime("%H:%M") == f"{at:%H:%M}"


def test_a_moment_may_say_its_time_zone() -> None:
    spelled = Moment().convert("2026-11-30T06:00+01:00", None, None)
    assert spelled == datetime(2026, 11, 30, 5, tzinfo=UTC)
    local = Moment().convert("2026-11-30T06:00", None, None)
    assert local == datetime(2026, 11, 30, 6).astimezone()
    with pytest.raises(click.BadParameter, match="found 'noon', allowed: a time of day"):
        Moment().convert("noon", None, None)


def test_a_time_of_day_that_is_past_is_the_last_one() -> None:
    now = datetime.now().astimezone().replace(microsecond=0)
    for ago in (timedelta(minutes=2), timedelta(hours=23)):
        at = (now - ago).replace(second=0)
        moment = Moment(past=True).convert(f"{at:%H:%M}", None, None)
        assert timedelta() <= now - moment <= timedelta(days=1, hours=1)  # an hour where clocks change
        assert moment.astimezone().strftime("%H:%M") == f"{at:%H:%M}"


def test_what_is_to_be_past_and_is_to_come_is_refused() -> None:
    """But for what a run says of its own beginning: this machine's clock may be behind the run's."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(click.BadParameter, match="which is still to come; allowed: a moment that is past"):
        Moment(past=True).convert(ahead.isoformat(), None, None)
    by_a_run = Moment(past=True).convert(spelled_time(ahead), None, None)
    assert by_a_run == ahead
    elsewhere = datetime.now(UTC) + timedelta(minutes=5)  # as `date` says it on the machine that submits
    assert Moment(past=True).convert(elsewhere.isoformat(), None, None) == elsewhere


def test_a_worker_is_told_of_failures_since_the_last_noon_and_never_the_next() -> None:
    """`work --since` takes a moment that is past, whatever the hour."""
    (since,) = (one for one in command.params if one.name == "since")
    assert since.type.convert("12:00", since, None) <= datetime.now(UTC)
    assert since.type.convert("23:59", since, None) <= datetime.now(UTC)
