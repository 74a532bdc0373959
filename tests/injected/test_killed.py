"""Killed at chosen points and at random ones, whoever it is: the bits are the same, and nothing is made twice."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

PLACES = (
    "right after its claim",
    "in an epoch",
    "while an artifact is written",
    "while a mask is computed",
    "just before its commit",
    "between record and log",
)


def test_a_process_that_is_killed_at_six_points_is_replaced_and_goes_on(injected: Any) -> None:
    """In one run: after each SIGKILL a new process does the rest, and the run has made everything."""
    place = injected(epochs=2)
    kills = [(name, "itself") for name in PLACES]
    out = place.run(said={"kills": kills, "checkpoints": 0.0})
    assert place.kills() == list(PLACES)
    assert "4 cells made now, 0 done before; " in out
    assert "failed" not in out
    numbers = [int(line[1]) for line in out.splitlines() if line.startswith("[")]
    assert numbers == sorted(set(numbers)), "no cell is told twice"
    assert numbers[-1] == 4
    assert place.notes("went on from"), "a training that was killed goes on from a checkpoint"
    place.check()


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["itself", "parent", "first", "all"])
@pytest.mark.parametrize("name", PLACES)
def test_with_two_workers_whoever_is_killed_the_same_command_goes_on(
    injected: Any, whom: str, name: str
) -> None:
    """A worker, the process that leads the workers, the one that was started, or all of them."""
    place = injected(epochs=2)
    said = {"kills": [(name, whom)], "checkpoints": 0.0}
    place.run("-n", "2", said=said, code=0 if whom == "itself" else None)
    assert place.kills() == [name]
    if whom != "itself":
        place.check_nobody_is_left()
    place.run("-n", "2", said=said)
    place.check()
    if name == "in an epoch":
        assert place.notes("went on from")


WHOM = ("worker", "first", "all")


def disturb(place: Any, draw: random.Random, whom: str) -> None:
    """Start a run with two workers and kill somebody at a moment that is drawn."""
    process = place.start("-n", "2", said={"checkpoints": 0.1})
    begun = time.monotonic()
    while not place.notes() and process.poll() is None and time.monotonic() < begun + 60:
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 2.5))
    if whom == "worker":
        workers = {int(words[-1]) for words in place.notes("began")} & {one.pid for one in place.processes()}
        for pid in sorted(workers)[:1]:
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=120)
    elif process.poll() is None:
        (os.kill if whom == "first" else os.killpg)(process.pid, signal.SIGKILL)
        process.communicate(timeout=120)
    place.check_nobody_is_left()
    place.check_nothing_was_made_again()


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_again_and_again(injected: Any, times: int) -> None:
    """A worker, the process that was started, or all, in turn; then one run that is left alone ends it."""
    place = injected(sparsities=(0.5, 0.9), seeds=1 if times == 3 else 4, epochs=2 if times == 3 else 6)
    draw = random.Random(times)
    for turn in range(times):
        disturb(place, draw, WHOM[turn % len(WHOM)])
    place.run("-n", "2")
    place.check()
