"""One process watches over a worker, whatever plans that works on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from prunebench import pulse
from prunebench.engine.guarding import guard, guard_process
from prunebench.engine.guarding.guard import Guard
from prunebench.engine.guarding.limits import Limits

KEY = "ab" * 32


@pytest.fixture
def expendable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be one that may be killed, for a moment."""
    monkeypatch.setattr(guard, "is_expendable", lambda: True)
    monkeypatch.setattr(guard, "_offer_to_the_kernel", lambda: None)
    yield
    if guard._Beside.process is not None:
        guard._Beside.process.kill()
        guard._Beside.process.communicate()
    guard._Beside.worker, guard._Beside.page, guard._Beside.process = 0, None, None
    pulse.felt_by(None)


@pytest.mark.usefixtures("expendable")
def test_one_process_watches_whatever_plans_a_worker_goes_to_and_comes_back_to(tmp_path: Path) -> None:
    """It hears each sign, also of the first plan's jobs once those of another were run, with their own limits."""
    first, second = (Guard(Limits(timeout=60.0 * n, memory=None), tmp_path / f"{n}") for n in (1, 2))
    job: Any = SimpleNamespace(key=KEY, kind="score")
    watching = set()
    for each, number in ((first, 1), (second, 2), (first, 1)):
        with each.over(job):
            page, process = guard._Beside.page, guard._Beside.process
            assert page is not None
            assert process is not None
            watching.add(process.pid)
            told = page.read()
            assert told is not None
            assert (told[2]["store"], told[2]["timeout"]) == (str(tmp_path / f"{number}"), 60.0 * number)
            pulse.beat()
            heard = page.read()
            assert heard is not None
            assert heard[0] == pulse.last() > told[0]
        assert page.read() is None
    assert len(watching) == 1


@pytest.mark.usefixtures("expendable")
def test_who_watches_is_no_kin_of_a_worker_and_is_replaced_where_it_was_killed(tmp_path: Path) -> None:
    """Its memory is not counted, and it is not killed with what the worker has started: it ends with its own."""
    job: Any = SimpleNamespace(key=KEY, kind="score")
    watching = Guard(Limits(timeout=600), tmp_path)
    with watching.over(job):
        process = guard._Beside.process
        assert process is not None
        until = time.monotonic() + 20
        while not guard_process._told_to(process.pid):  # it is still what it was forked from
            assert time.monotonic() < until
        assert process.pid in psutil_children()
        assert process.pid not in guard_process._Kin(os.getpid(), "").look(now=True)
        process.kill()
        process.wait()
    with watching.over(job):
        assert guard._Beside.process not in (None, process)


def psutil_children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}
