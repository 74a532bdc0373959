"""How long jobs took: a line a job, in a file of each process that ran some.

A process only ever adds to its own file, so nothing has to be locked, and whoever reads takes up where it
stopped. What is lost or unreadable here costs nothing but the accuracy of an estimate.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from prunebench.errors import StoreError
from prunebench.store._commit import listing, make_folder, oddity
from prunebench.store._folder import Folder
from prunebench.store._process import process_name

__all__ = ["JobTime", "Times", "TimesReader"]

_LARGEST = 4_000_000
"""Bytes that are read of one file at a time: of a longer one its end."""

_FILES = 500
"""So many files are read of those that were there at first: the newest."""

_Text = Annotated[str, StringConstraints(max_length=300)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, lt=2**62)]


class JobTime(BaseModel):
    """What one finished job took."""

    model_config = ConfigDict(strict=True, frozen=True)

    key: _Text
    kind: _Text
    """What it did, as precisely as its time depends on it: "train", "score snip"."""
    of: _Text = ""
    """What it worked on: network and data set."""
    device: _Text
    """What it ran on: "cpu", or a GPU by its name."""
    seconds: _Amount
    macs: _Amount = 0.0
    """Multiply-accumulates, of training only of the steps that were made."""
    steps: _Count = 0
    images: _Count = 0
    """Training steps that were made, and the images that went into them."""
    at: _Text
    """When it ended, as `now_text` spells it."""
    worker: _Text = ""
    """What its worker is called, where it was one of several."""
    place: _Text = ""
    """What that computed on: cpu, gpu 3."""
    process: _Text = ""
    """Whose file it stands in: host, process number and start. The file says so, not the line."""


class Times:
    """The times of a store: times/<host>-<pid>-<start>.jsonl."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._times = folder.root / "times"

    def write(self, time: JobTime) -> None:
        """Add a line to this process's file."""
        self._folder.changing()
        line = orjson.dumps(time.model_dump(exclude={"process"}, exclude_defaults=True)) + b"\n"
        with contextlib.suppress(OSError):
            make_folder(self._times)
            path = self._times / f"{process_name()}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(path, flags, 0o666)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)

    def of(self, process: str) -> list[JobTime]:
        """Return the times of one process, as `process_name` calls it."""
        return TimesReader(self._times).read(process)

    def reader(self) -> TimesReader:
        """Return what reads them."""
        return TimesReader(self._times)


class TimesReader:
    """Reads the times of a store: at first those that are there, then those that have come since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: dict[str, int] = {}
        self._first = True

    def new(self) -> list[JobTime]:
        """Return the times that came since the last call, of each process in its order."""
        times = [time for name in self._changed() for time in self._read(name)]
        self._first = False
        return times

    def read(self, process: str) -> list[JobTime]:
        """Return the times of one process that came since it was last read."""
        return list(self._read(f"{process}.jsonl"))

    def _changed(self) -> list[str]:
        """Return the files that have grown, of those that were there at first only the newest."""
        grown = []
        names: list[str] = []
        with contextlib.suppress(StoreError):
            names = listing(self._folder, strict=False)
        for name in names:
            if name.startswith(".") or not name.endswith(".jsonl"):
                continue
            with contextlib.suppress(OSError):
                status = os.stat(self._folder / name)
                if status.st_size > self._ends.get(name, 0):
                    grown.append((status.st_mtime_ns, name))
        grown.sort()
        for _, name in grown[:-_FILES] if self._first else ():
            with contextlib.suppress(OSError):
                self._ends[name] = os.stat(self._folder / name).st_size
        return [name for _, name in (grown[-_FILES:] if self._first else grown)]

    def _read(self, name: str) -> Iterator[JobTime]:
        path = self._folder / name
        try:
            if oddity(path) is not None:
                return
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = max(self._ends.get(name, 0), size - _LARGEST)
                file.seek(start)
                content = file.read(_LARGEST)
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._ends[name] = start + len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValidationError, orjson.JSONDecodeError, TypeError):
                value = orjson.loads(line)
                yield JobTime.model_validate({**value, "process": name.removesuffix(".jsonl")})
