"""Which failures a run counts as its own, whatever has become of any clock."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine import since as module
from prunebench.engine.failures import failing
from prunebench.engine.since import LastRuns, Since
from prunebench.store import Store, spelled_time
from prunebench.store import attempts as writing

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KEY, OTHER = "0" * 64, "1" * 64


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


# -- a run, which has written down what had failed ------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def fail(store: Store, monkeypatch: pytest.MonkeyPatch, hours: float, error: str, key: str = KEY) -> None:
    """A job fails on a host whose clock is so many hours past noon."""
    monkeypatch.setattr(writing, "now_text", lambda: at(hours))
    store.write_attempt(key, error, job={"kind": "train"})


@pytest.mark.parametrize("hours", [-20_000, -0.2, 0.1, 20_000])
def test_what_fails_once_a_run_has_begun_is_its_own_whatever_the_hosts_clock_says(
    store: Store, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """And what had failed before is not, on whatever host that was."""
    fail(store, monkeypatch, 0, "before")
    fail(store, monkeypatch, 5, "before, ahead")
    since = Since(store.runs.begin("plan", [KEY, OTHER], None), store)
    assert failing(store.attempts(KEY), since) is None
    fail(store, monkeypatch, hours, "now")
    found = failing(store.attempts(KEY), since)
    assert found is not None
    assert [one["error"] for one in store.attempts(KEY) if since.has(one)] == ["now"]
    fail(store, monkeypatch, hours, "the first of this job", OTHER)
    assert failing(store.attempts(OTHER), since) is not None


def test_a_second_run_learns_what_the_first_fails_meanwhile_and_tries_again_what_it_failed_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Since(store.runs.begin("plan", [KEY, OTHER], None), store)
    fail(store, monkeypatch, 0, "early")
    second = Since(store.runs.begin("plan", [KEY, OTHER], None), store)
    fail(store, monkeypatch, -3, "late", OTHER)
    judged = [
        [failing(store.attempts(key), since) is not None for key in (KEY, OTHER)] for since in (first, second)
    ]
    assert judged == [[True, True], [False, True]]


def test_of_a_run_whose_beginning_is_lost_the_moment_counts_that_its_id_has(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged (and set aside), or removed: what failed a day before it is tried again."""
    run = store.runs.begin("plan", [KEY], None)
    path = store.root / "runs" / f"{run}.json"
    path.write_bytes(path.read_bytes().replace(b'"plan":"plan"', b'"plan":"plen"'))
    began = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    for hours, own in ((-24.0, False), (0.0, True)):
        fail(store, monkeypatch, (began - NOON).total_seconds() / 3600 + hours, str(hours))
        assert (failing(store.attempts(KEY), Since(run, store)) is not None) == own
    assert not path.exists()
    assert "its checksum is another" in store.damaged[0].reason


def test_the_last_run_that_is_to_make_a_job_says_whether_it_has_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch, project: Any
) -> None:
    """A run of other cells, or of another plan, tries nothing of it again; runs come as the files' server
    got them, whatever their ids say."""
    plan = project.session(project.suite(["snip", "magnitude"])).plan
    cells = {cell.labels["method"]: cell for cell in plan.cells if cell.labels["method"]}
    snip, magnitude = (cells[name].key for name in ("snip", "magnitude"))
    runs = LastRuns(plan, store)
    assert runs.look() == 0
    fail(store, monkeypatch, 0, "bad", snip)
    assert failing(store.attempts(snip), runs.of(snip)) is not None, "nobody has begun to try it again"
    began = [store.runs.begin(plan.name, plan.jobs, names) for names in (None, [cells["magnitude"].id])]
    store.runs.begin("another plan", plan.jobs, None)
    for number, run in enumerate(reversed(began)):
        os.utime(store.root / "runs" / f"{run}.json", (1e9 + number, 1e9 + number))
    assert runs.look() == 2
    assert failing(store.attempts(snip), runs.of(snip)) is None
    fail(store, monkeypatch, -7, "bad again", snip)
    assert failing(store.attempts(snip), runs.of(snip)) is not None
    store.runs.begin(plan.name, plan.jobs, [cells["magnitude"].id])
    assert runs.look() == 3
    assert failing(store.attempts(snip), runs.of(snip)) is not None
    fail(store, monkeypatch, 9, "bad", magnitude)
    assert failing(store.attempts(magnitude), runs.of(magnitude)) is not None


def test_two_deaths_are_a_failure_and_one_is_chance(store: Store) -> None:
    since = Since(store.runs.begin("plan", [KEY], None), store)
    deaths = [{"key": KEY, "time": at(0), "host": "h", "pid": pid, "job": None} for pid in (1, 2)]
    assert failing(deaths[:1], since) is None
    assert failing(deaths, since) is deaths[1]


# -- a moment, which somebody gives ---------------------------------------------------------------------------


def is_own(since: Since, hours: float) -> bool:
    return since.has({"time": at(hours)})


def test_what_failed_between_a_moment_and_now_counts(clock: Any) -> None:
    since = Since(at(-1))
    assert [is_own(since, hours) for hours in (-2, -1, -0.5, 0, 0.1, 20_000)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


def test_where_the_clock_is_set_back_a_run_has_begun_as_much_earlier(clock: Any) -> None:
    """What fails after that is of the run; where it is set forward, what fails then is so anyway."""
    since = Since(at(-0.5))
    clock.says = NOON - timedelta(hours=3)
    assert is_own(since, -3)
    assert not is_own(since, -4)
    clock.says = NOON + timedelta(hours=3)
    assert is_own(since, 3)
    assert not is_own(since, -1)
