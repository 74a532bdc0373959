"""The pilots of a store: a folder for each submission, with what was asked and a file for each pilot.

    pilots/<time>-<host>-<pid>/submission.json   plan, arrays of jobs, who submitted them
                               cells.json        the cells that these pilots make
                               states/<job>.json how a pilot stands, written by itself
                               cancelled         there once nobody wants these pilots any more
                               submitit/         submitit's own: scripts, pickles, logs

They are read by whoever wants to know (`status`, another run) and trusted no further than that.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from prunebench.store import Store, now_text, replace

__all__ = ["PilotState", "Submission", "submissions_of"]

_LARGEST = 50_000_000
"""Bytes of a file that are read."""

_ERROR = 4_000
"""Characters of an error that are kept."""

_Job = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}(_[0-9]{1,10})?$")]
_Text = Annotated[str, StringConstraints(max_length=10_000)]
_Stage = Literal["waiting", "starting", "working", "requeued", "ended"]


class _Said(BaseModel):
    """What a submission says."""

    model_config = ConfigDict(strict=True)

    schema_: Literal[1] = Field(alias="schema")
    plan: _Text
    time: _Text
    host: _Text
    pid: int
    partition: _Text
    arrays: list[_Job]


class _SaidOfPilot(BaseModel):
    """What a pilot says of itself."""

    model_config = ConfigDict(strict=True)

    job: _Job
    stage: _Stage
    why: _Text
    error: _Text
    host: _Text
    pid: int
    starts: int
    started: _Text
    time: _Text


@dataclass(frozen=True)
class PilotState:
    """How a pilot stands, as it said last."""

    job: str
    """Its job's number: 123_4 in an array."""
    stage: _Stage
    """It waits for its turn to start, starts its worker, is at work, is to be started again, or has ended."""
    why: str = ""
    """Of one that has ended: "done", "left", "told to stop", "cannot start"."""
    error: str = ""
    """Why it could not start, in its worker's own words."""
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    starts: int = 1
    """How often it has been started: once, and once for each time that it was requeued."""
    started: str = ""
    """When it started its worker last."""
    time: str = field(default_factory=now_text)
    """When it said this, as the clock of its host has it."""
    touched: float = field(default=0.0, compare=False)
    """The same, in seconds, as the file server's clock has it; 0 where it was not read from a file."""

    @property
    def seconds(self) -> float:
        """How long after it had started its worker it said this; 0 where it had started none."""
        with contextlib.suppress(ValueError):
            now, then = datetime.fromisoformat(self.time), datetime.fromisoformat(self.started)
            return (now - then).total_seconds()
        return 0.0


Model = TypeVar("Model", bound=BaseModel)


def _read(path: Path, model: type[Model]) -> Model | None:
    """Return what a file says; None where it is not there (yet), or says something else."""
    try:
        with path.open("rb") as file:
            return model.model_validate_json(file.read(_LARGEST))
    except (OSError, ValidationError):
        return None


@dataclass
class Submission:
    """The pilots that one run has submitted."""

    folder: Path
    plan: str
    """The plan's name."""
    partition: str = ""
    arrays: list[str] = field(default_factory=list)
    """The numbers of the jobs, one for each array."""
    time: str = field(default_factory=now_text)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    @classmethod
    def new(cls, store: Store, plan: str, partition: str, cells: Sequence[str]) -> Submission:
        """Make a folder for pilots that make these cells. Raises: StoreError."""
        time, host = now_text(), socket.gethostname()
        submission = cls(store.root / "pilots" / f"{time}-{host}-{os.getpid()}", plan, partition, time=time)
        replace(submission.cells_file, orjson.dumps(list(cells)))
        submission.write()
        return submission

    @classmethod
    def read(cls, folder: Path) -> Submission | None:
        """Return the submission in a folder, None where there is none that can be read."""
        said = _read(folder / "submission.json", _Said)
        if said is None:
            return None
        return cls(folder, said.plan, said.partition, said.arrays, said.time, said.host, said.pid)

    def write(self) -> None:
        """Write what it says. Raises: StoreError."""
        said = {name: value for name, value in asdict(self).items() if name != "folder"}
        replace(self.folder / "submission.json", orjson.dumps({"schema": 1, **said}))

    @property
    def cells_file(self) -> Path:
        """The file that has the ids of the cells that these pilots make."""
        return self.folder / "cells.json"

    @property
    def logs(self) -> Path:
        """The folder that has the pilots' logs."""
        return self.folder / "submitit"

    def makes(self, cells: Collection[str]) -> bool:
        """True if these pilots make all these cells."""
        try:
            with self.cells_file.open("rb") as file:
                return set(cells) <= set(map(str, orjson.loads(file.read(_LARGEST))))
        except (OSError, ValueError, TypeError):
            return False

    def log(self, job: str) -> Path:
        """Return where a pilot's log is."""
        return self.logs / f"{job}_0_log.out"

    def log_tail(self, job: str, lines: int = 12) -> str:
        """Return the last lines of a pilot's log; nothing where there is none."""
        try:
            with self.log(job).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 20_000))
                text = file.read(20_000).decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])

    # -- who says what becomes of them -----------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """True if nobody wants these pilots any more."""
        return (self.folder / "cancelled").exists()

    def cancel(self) -> None:
        """Say that nobody wants them any more: a pilot that is told to stop is not requeued then."""
        with contextlib.suppress(OSError):
            (self.folder / "cancelled").touch()

    def say(self, state: PilotState) -> None:
        """Write down how a pilot stands; where that cannot be done, nobody is told."""
        with contextlib.suppress(Exception):
            said = {**asdict(state), "error": state.error[-_ERROR:]}
            del said["touched"]
            replace(self.folder / "states" / f"{state.job}.json", orjson.dumps(said))

    def state(self, job: str) -> PilotState | None:
        """Return how a pilot stands, as it said last; None where it has said nothing."""
        path = self.folder / "states" / f"{job}.json"
        said = _read(path, _SaidOfPilot)
        if said is None:
            return None
        try:
            return PilotState(**said.model_dump(), touched=path.stat().st_mtime)
        except OSError:
            return None

    def states(self) -> dict[str, PilotState]:
        """Return how the pilots stand that have said anything, by their jobs."""
        names = _listing(self.folder / "states")
        states = (self.state(name.removesuffix(".json")) for name in names if not name.startswith("."))
        return {state.job: state for state in states if state is not None}


def _listing(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def submissions_of(store: Store, plan: str) -> Iterator[Submission]:
    """Yield the submissions of a plan whose pilots somebody may still want, oldest first."""
    folder = store.root / "pilots"
    for name in _listing(folder):
        submission = Submission.read(folder / name)
        if submission is not None and submission.plan == plan and not submission.cancelled:
            yield submission
