"""How often a training leaves a checkpoint: once a minute, and more rarely where one takes long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.jobs import train


class Clock:
    """A clock that only goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def checkpoints(monkeypatch: pytest.MonkeyPatch, took: float, every: float, seconds: float) -> list[float]:
    """Train for so many seconds, a step in a tenth of one; return when checkpoints were begun."""
    clock, begun = Clock(), []

    def write(*_: Any, **__: Any) -> None:
        begun.append(clock.now - 1000.0)
        clock.now += took

    store = SimpleNamespace(write_artifact=write, states=lambda run: [])
    context: Any = SimpleNamespace(store=store, checkpoint_seconds=every)
    monkeypatch.setattr(train, "time", clock)
    monkeypatch.setattr(train, "pack_state", lambda state: ({}, {}))
    monkeypatch.setattr(train, "_meta", lambda params, progress: {})
    monkeypatch.setattr(train, "_trained", lambda progress, context, state: {})
    job: Any = SimpleNamespace(params_as=lambda kind: SimpleNamespace(run_key="ab" * 32))
    saves = train._Checkpoints(job, context, train.Progress(None, {}))
    state: Any = SimpleNamespace(step=0)
    while clock.now < 1000.0 + seconds:
        clock.now += 0.1
        if saves.due(state.step):
            saves.save(state)
    return begun


def test_on_a_quick_disk_there_is_one_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = checkpoints(monkeypatch, took=0.05, every=60.0, seconds=600)
    assert begun == pytest.approx([60.1 * n + 0.05 * (n - 1) for n in range(1, 10)], abs=2)


@pytest.mark.parametrize("took", [2.0, 6.0, 20.0])
def test_on_a_slow_one_they_take_a_fiftieth_of_the_time_at_most(
    monkeypatch: pytest.MonkeyPatch, took: float
) -> None:
    """The first is due after a minute; from then on each is paid for by fifty times its length."""
    hour = 3600.0
    begun = checkpoints(monkeypatch, took=took, every=60.0, seconds=5 * hour)
    assert begun[0] == pytest.approx(60, abs=1)
    assert took * (len(begun) - 1) <= 0.02 * 5 * hour
    assert len(begun) > 5 * hour / (51 * took) - 1


def test_a_disk_that_hardly_works_at_all_gets_one_each_half_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = checkpoints(monkeypatch, took=300.0, every=60.0, seconds=10 * 3600.0)
    assert begun[2] - begun[1] == pytest.approx(1800 + 300, abs=2)


def test_where_each_step_is_wanted_each_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(checkpoints(monkeypatch, took=5.0, every=0.0, seconds=100)) > 15
