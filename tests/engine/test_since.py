"""Which failures a run counts as its own, whatever has become of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prunebench.engine import since as module
from prunebench.engine.failures import failing
from prunebench.engine.since import Since
from prunebench.store import spelled_time

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def at(hours: float) -> str:
    return spelled_time(NOON + timedelta(hours=hours))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that says noon, until it is set otherwise."""

    class Clock(datetime):
        says = NOON

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return cls.says

    monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr(module, "now_text", lambda: spelled_time(Clock.says))
    monkeypatch.setattr(module.time, "monotonic", lambda: 1000.0)
    return Clock


def test_what_failed_between_its_beginning_and_now_is_a_runs_own(clock: Any) -> None:
    since = Since(at(-1))
    assert [since.has(at(hours)) for hours in (-2, -1, -0.5, 0, 0.1, 20_000)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


def test_a_failure_of_a_clock_that_was_ahead_keeps_nothing_from_being_tried(clock: Any) -> None:
    """Two processes died of it, and a job failed, years from now: it is tried all the same."""
    attempt = {"time": at(20_000), "job": None}
    assert failing([attempt, attempt, {**attempt, "job": {}}], Since(at(0))) is None
    assert failing([{**attempt, "time": at(0), "job": {}}], Since(at(0))) is not None


def test_where_the_clock_is_set_back_a_run_has_begun_as_much_earlier(clock: Any) -> None:
    """What fails after that is of the run; where it is set forward, what fails then is so anyway."""
    since = Since(at(-0.5))
    clock.says = NOON - timedelta(hours=3)
    assert since.has(at(-3))
    assert not since.has(at(-4))
    clock.says = NOON + timedelta(hours=3)
    assert since.has(at(3))
    assert not since.has(at(-1))


def test_two_deaths_are_a_failure_and_one_is_chance(clock: Any) -> None:
    death = {"time": at(0), "job": None}
    assert failing([death], Since(at(-1))) is None
    assert failing([death, death], Since(at(-1))) is death
