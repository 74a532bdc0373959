"""A run of prunebench into which faults are injected, and what must be true of it whatever they were."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

FAULTS = Path(__file__).parent / "faults"

METHODS = ("magnitude", "snip", "ltr")


@dataclass
class Injected:
    """A suite, runs of it with faults, and the digests of an undisturbed one's records."""

    project: Any
    suite: Path
    wanted: dict[str, str]
    """The digest of each record's result, by its key."""
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    store_name: str = "store"

    @property
    def folder(self) -> Path:
        return self.project.folder

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "prunebench", "run", self.suite.name, "--store", self.store_name]

    def _variables(self, said: dict[str, Any] | None) -> dict[str, str]:
        (self.folder / "turns").mkdir(exist_ok=True)
        injected = {"notes": str(self.folder / "notes"), "turns": str(self.folder / "turns"), **(said or {})}
        return {"PYTHONPATH": path_with(FAULTS), "PRUNEBENCH_INJECTED": json.dumps(injected)}

    def command_line(self, said: dict[str, Any] | None = None) -> str:
        """Return the run as a shell takes it."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self._variables(said).items()]
        return " ".join([*variables, *map(shlex.quote, self._command)])

    def start(self, *more: str, said: dict[str, Any] | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start `prunebench run` in a session of its own, with these faults."""
        defaults = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "preexec_fn": lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGHUP)],
        }
        process = subprocess.Popen(
            [*options.pop("before", []), *self._command, *more],
            cwd=self.folder,
            env={**os.environ, **self._variables(said)},
            text=True,
            start_new_session=True,
            **{**defaults, **options},
        )
        self.started.append(process)
        return process

    def run(
        self, *more: str, said: dict[str, Any] | None = None, code: int | None = 0, **options: Any
    ) -> str:
        """Run to the end; return what was printed."""
        process = self.start(*more, said=said, **options)
        out, _ = process.communicate(timeout=300)
        assert code is None or process.returncode == code, out
        return out

    def notes(self, what: str = "") -> list[list[str]]:
        """Return what was noted of jobs, as words; only those that begin so."""
        file = self.folder / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split() for line in lines if line.startswith(what)]

    def kills(self) -> list[str]:
        """Return the places where somebody was killed."""
        return [" ".join(words[1:-1]) for words in self.notes("killed")]

    def is_complete(self) -> bool:
        """True if all records are there."""
        return (self.folder / self.store_name / "store.json").exists() and (
            self.wanted.keys() <= self.project.store(self.store_name).record_keys()
        )

    def begin_anew(self) -> None:
        """Let what is run from here on be run in a new store."""
        self.store_name += "-again"
        (self.folder / "notes").unlink()

    def check(self, stores: Sequence[str] = (), *, swept: bool = True) -> None:
        """Make sure of what holds after every fault: the same bits, nothing made twice, nobody left behind.

        Nor is anything left of the dead in the store, where a run has worked on it since (`swept`).
        """
        for name in stores or (self.store_name,):
            store = self.project.store(name)
            assert {key: store.read_record(key).digest for key in self.wanted} == self.wanted
            assert not store.damaged
            assert not swept or not list((store.root / "claims").glob("*.json"))
            assert not swept or not list(store.root.rglob("*.checkpoint.safetensors"))
        self.check_nothing_was_made_again()
        self.check_nobody_is_left()

    def check_nothing_was_made_again(self) -> None:
        """No job begins after its output was committed, whoever committed it."""
        committed: set[str] = set()
        for what, key, *_ in self.notes():
            if what == "committed":
                assert key not in committed, f"{key} was committed twice"
                committed.add(key)
            elif what == "began":
                assert key not in committed, f"{key} was made again"

    def processes(self) -> list[psutil.Process]:
        """Return the living processes that work in the project's folder."""
        return [
            one
            for one in psutil.process_iter(["cwd", "status"])
            if one.info["cwd"] == str(self.folder) and one.info["status"] != psutil.STATUS_ZOMBIE
        ]

    def check_nobody_is_left(self, seconds: float = 20.0) -> None:
        """Wait for processes of the runs to end."""
        end = time.monotonic() + seconds
        while self.processes():
            assert time.monotonic() < end, [one.cmdline() for one in self.processes()]
            time.sleep(0.05)


def path_with(folder: Path) -> str:
    """Return the PYTHONPATH with a folder before all others."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="session")
def undisturbed() -> dict[tuple[Any, ...], dict[str, str]]:
    """The digests of undisturbed runs' records, by what was run: made once."""
    return {}


@pytest.fixture
def injected(project: Any, undisturbed: Any) -> Iterator[Callable[..., Injected]]:
    """Make a suite whose undisturbed results are known, to run it with faults."""
    made: list[Injected] = []

    def make(methods: Sequence[str] = METHODS, **shape: Any) -> Injected:
        suite = project.suite(list(methods), **shape)
        asked = (tuple(methods), *sorted(shape.items()))
        if asked not in undisturbed:
            engine = project.run(suite, "whole")
            undisturbed[asked] = {c.key: engine.store.read_record(c.key).digest for c in engine.plan.cells}
        made.append(Injected(project, suite, undisturbed[asked]))
        return made[-1]

    yield make
    for one in made:
        clear(one)


@pytest.fixture
def quick(project: Any) -> Iterator[Injected]:
    """The quick suite, as `make run` runs it, and what an undisturbed run of it came to."""
    place = Injected(project, Path("quick"), {}, store_name="whole")
    place.run("-n", "2", "--no-table")
    store = project.store("whole")
    place.wanted = {key: store.read_record(key).digest for key in store.record_keys()}
    assert len(place.wanted) == 102
    place.begin_anew()
    yield place
    clear(place)


def clear(*places: Injected) -> None:
    """End all that was started."""
    for one in places:
        for process in one.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdout is None or not process.stdout.closed:  # a test may have done with it
                process.communicate()
        for process in one.processes():
            process.kill()
