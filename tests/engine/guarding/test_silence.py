"""What is no silence of a job: importing, and being suspended."""

from __future__ import annotations

import contextlib
import importlib
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench import pulse
from prunebench.engine.guarding import guard, guard_process
from prunebench.engine.guarding.guard import Guard, TimedOut
from prunebench.engine.guarding.limits import Limits

KEY = "ab" * 32


def test_importing_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use of a library imports hundreds of modules, one after another: a job meanwhile."""
    (tmp_path / "first_use.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    job: Any = SimpleNamespace(key=KEY, kind="score")
    with Guard(Limits(timeout=600), tmp_path).over(job):
        before = pulse.last()
        importlib.import_module("first_use")
        assert pulse.last() > before
    before = pulse.last()
    with contextlib.suppress(ImportError):
        importlib.import_module("first_use_of_none")
    assert pulse.last() == before


class Clock:
    """A clock that is set, for a guard whose alarm never comes by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.next: list[float] = []
        monkeypatch.setattr(guard, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(pulse, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(guard_process, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(signal, "setitimer", lambda which, seconds, again=0.0: self.next.append(seconds))
        self.guard = Guard(Limits(timeout=10.0), Path())
        pulse.beat()
        self.guard._ring_in(10.0)
        self.guard._armed = True

    def ring(self, at: float) -> float:
        """Let the alarm come so long after the beginning; return in how many seconds it is to come next."""
        self.now = 1000.0 + at
        self.guard._ring(signal.SIGALRM, None)
        return self.next[-1]


def test_an_alarm_waits_from_the_last_sign_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.now += 8
    pulse.beat()
    assert clock.ring(10.0) == 8.0
    assert clock.ring(18.0) == guard.BRIEF
    with pytest.raises(TimedOut, match="no sign of life for 10 s"):
        clock.ring(18.05)


@pytest.mark.parametrize("woken", [10.2, 300.0])
def test_an_alarm_that_comes_when_a_suspended_process_goes_on_interrupts_nothing(
    monkeypatch: pytest.MonkeyPatch, woken: float
) -> None:
    """It comes before the process hears that it goes on; where it was frozen it never hears that."""
    clock = Clock(monkeypatch)
    clock.ring(woken)
    if woken == 10.2:
        pulse.beat()
    assert clock.ring(woken + 0.05) > 9
    with pytest.raises(TimedOut):
        for _ in range(3):
            clock.ring(clock.now - 1000.0 + clock.next[-1])


@pytest.mark.parametrize("asleep", ["the worker", "both"])
def test_time_for_which_a_worker_is_suspended_is_no_silence(
    monkeypatch: pytest.MonkeyPatch, asleep: str
) -> None:
    """Also where who watches it is asleep as well, and finds that much time has passed when it looks again."""
    clock = Clock(monkeypatch)
    monkeypatch.setattr(guard_process.kin, "is_stopped", lambda pid: asleep == "the worker" and stopped)
    job = {"timeout": 10.0, "grace": 1.0}
    page: Any = None
    watch = guard_process._Watch(page, {"worker": 1})
    watch._job = job
    sign, stopped = clock.now, False

    def look(after: float) -> bool:
        clock.now += after
        watch._listen((sign, 1, job))
        return watch._is_late(sign)

    assert not any(look(0.5) for _ in range(10))
    stopped = True
    assert not any([look(300.0)] if asleep == "both" else [look(0.5) for _ in range(600)])
    stopped = False
    assert not any(look(0.5) for _ in range(8))
    assert any(look(0.5) for _ in range(10))
    assert not watch._is_late(sign + 1)
