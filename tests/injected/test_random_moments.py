"""Killed at moments that are drawn, again and again: the bits are the same, and nothing is made twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from typing import Any

import pytest

WHOM = ("worker", "first", "all")


class Disturbed:
    """A run with two workers that is killed at drawn moments, and started again where it has ended by that."""

    def __init__(self, place: Any, seed: int, longest: float) -> None:
        """Kill a run once it has worked for `longest` seconds at most, or while it starts."""
        self.place, self.longest = place, longest
        self._draw = random.Random(seed)
        self._process: subprocess.Popen[str] | None = None
        self.killed: list[str] = []
        self.went_on = 0

    def kill(self, whom: str) -> None:
        """Kill somebody, of a run that is started where none is running.

        One in five is killed at any moment of its start, the others after they have begun a job.
        """
        process = self._running()
        begun, at_work = len(self.place.notes("began")), self._draw.random() < 0.8
        until = time.monotonic() + 60
        while at_work and len(self.place.notes("began")) == begun and time.monotonic() < until:
            if process.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(self._draw.uniform(0, self.longest))
        if process.poll() is None and self._strike(process, whom):
            self.killed.append(whom)

    def end(self) -> None:
        """Wait until what runs has ended; look at what it has left."""
        if self._process is not None:
            self._process.communicate(timeout=120)
            self._process = None
        self.place.check_nobody_is_left()
        self.place.check_nothing_was_made_again()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self.place.is_complete():
            self.end()
            self.place.check(swept=False)  # whoever made the last one may have been killed right then
            self.went_on += len(self.place.notes("went on from"))
            self.place.begin_anew()
        if self._process is None:
            self._process = self.place.start("-n", "2", "--no-table", said={"checkpoints": 0.1})
        return self._process

    def _strike(self, process: subprocess.Popen[str], whom: str) -> bool:
        """Kill; return whether there was somebody to kill. A worker's run goes on with another."""
        if whom == "worker":
            living = {one.pid for one in self.place.processes()}
            workers = [int(words[-1]) for words in self.place.notes("began") if int(words[-1]) in living]
            if workers:
                os.kill(workers[-1], signal.SIGKILL)
            return bool(workers)
        (os.kill if whom == "first" else os.killpg)(process.pid, signal.SIGKILL)
        self.end()
        return True


def disturb(place: Any, times: int, longest: float) -> None:
    """Kill a worker, the process that was started, or all, in turn, so often; then let one run end it."""
    disturbed = Disturbed(place, times, longest)
    until = time.monotonic() + 60 * times
    while len(disturbed.killed) < times:
        assert time.monotonic() < until, f"killed {disturbed.killed} in {60 * times} seconds"
        disturbed.kill(WHOM[len(disturbed.killed) % len(WHOM)])
    disturbed.end()
    complete = place.is_complete()
    place.run("-n", "2", "--no-table")
    place.check(swept=not complete)
    disturbed.went_on += len(place.notes("went on from"))
    assert times < len(WHOM) ** 2 or disturbed.went_on, "a training that was killed goes on from a checkpoint"


def test_killed_at_random_moments_again_and_again(injected: Any) -> None:
    """Three times, of a small suite."""
    disturb(injected(sparsities=(0.5, 0.9), seeds=1, epochs=4), 3, 0.5)


@pytest.mark.slow
def test_the_quick_suite_is_killed_at_twenty_random_moments(quick: Any) -> None:
    """As often as it takes: where it is done before, it is begun anew in another store."""
    disturb(quick, 20, 1.5)
