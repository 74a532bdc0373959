"""A store, a plausible result, and Python programs that run beside the test."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.store import Store, claims


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store.open(tmp_path / "store")


@pytest.fixture
def key() -> str:
    """A key."""
    return "3f" * 32


@pytest.fixture
def result() -> dict[str, Any]:
    """The result of a finished cell."""
    return {
        "cell": {"architecture": {"name": "lenet-300-100"}, "density": "0.2", "seed": 3},
        "outcome": "finished",
        "test": {"correct": 9731, "examples": 10000, "loss": 0.0912},
        "curve": [{"step": 469, "train_loss": 0.31, "correct": 9731, "examples": 10000, "loss": 0.0912}],
        "mask": {"key": "ab" * 32, "kept": 53240, "prunable": 266200, "layers": []},
        "state": "cd" * 32 + "@469",
    }


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program with the store's path as its first argument; killed when the test is over."""
    running: list[subprocess.Popen[str]] = []

    def run(program: str, *arguments: object) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-c",
            textwrap.dedent(program),
            str(tmp_path / "store"),
            *map(str, arguments),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something is true, at most half a minute."""

    def wait(true: Callable[[], object]) -> None:
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end, "waited for half a minute"
            time.sleep(0.01)

    return wait


class Clock:
    """The steady clock by which claims are watched, which a test can put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        steady = time.monotonic
        ours = SimpleNamespace(monotonic=lambda: steady() + self._ahead, time=time.time, sleep=time.sleep)
        monkeypatch.setattr(claims, "time", ours)

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The steady clock, to be put forward."""
    return Clock(monkeypatch)
