"""How runs began: what was to be made, and what had failed before. It says which failures are a run's own.

Clocks do not say that: several hosts write failures down, and each has its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Sequence
from typing import Annotated, BinaryIO

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from prunebench.store._bounds import parse_json
from prunebench.store._commit import commit, listing
from prunebench.store._errors import Flaw
from prunebench.store._folder import Folder, check_label, now_text
from prunebench.store._process import host_name
from prunebench.store.attempts import Attempts

__all__ = ["RunStart", "Runs"]

_LARGEST = 200_000_000
"""Bytes of a run's beginning that are read."""

_FILE = re.compile(r"([0-9TZ.]{20,40}-[0-9a-f]{8})\.json")
_WHOLE = re.compile(rb'\{"schema":1,"sha256":"([0-9a-f]{64})","run":(.*)\}\n', re.DOTALL)

_Name = Annotated[str, StringConstraints(max_length=300)]


class RunStart(BaseModel):
    """What a run wrote down when it began."""

    model_config = ConfigDict(frozen=True)

    plan: _Name
    """The name of its frozen plan."""
    cells: Annotated[tuple[str, ...] | None, Field(max_length=10_000_000)] = None
    """The cells that it is to make, by their ids; None: all of the plan."""
    failures: dict[_Name, tuple[_Name, ...]] = {}
    """For each key that had failures then, the names of their files."""
    host: _Name = ""
    """On which host it began."""


class Runs:
    """The runs of a store: runs/<time>-<token>.json."""

    def __init__(self, folder: Folder, attempts: Attempts) -> None:
        self._folder, self._attempts = folder, attempts
        self._runs = folder.root / "runs"

    @staticmethod
    def new_id() -> str:
        """Return an id for a run that has not begun."""
        return f"{now_text()}-{secrets.token_hex(4)}"

    def begin(
        self, plan: str, keys: Collection[str], cells: Sequence[str] | None, run: str | None = None
    ) -> str:
        """Write down that a run of a plan begins; return its id: `run`, a new one, or None for one made here.

        `keys` are the plan's jobs, `cells` those that it is to make, None: all.
        """
        self._folder.changing()
        failed = sorted(self._attempts.keys().intersection(keys))
        start = RunStart(
            plan=plan,
            cells=None if cells is None else tuple(cells),
            failures={key: tuple(self._attempts.names(key)) for key in failed},
            host=host_name(),
        )
        content = orjson.dumps(start.model_dump())
        while True:
            run = run or self.new_id()
            line = b'{"schema":1,"sha256":"%s","run":%s}\n' % (_checksum(run, content), content)
            if commit(self._runs / f"{run}.json", [line]):
                return run
            run = None

    def read(self, run: str) -> RunStart:
        """Return how a run began. Raises: Missing; Damaged, once the file has been set aside; StoreError."""

        def parse(file: BinaryIO) -> RunStart:
            parts = _WHOLE.fullmatch(file.read())
            if parts is None:
                raise Flaw("not how a run began, or cut off")
            if parts[1] != _checksum(run, parts[2]):
                raise Flaw("its checksum is another: it was altered, or is another run's")
            try:
                return RunStart.model_validate(parse_json(parts[2], longest=1_000_000))
            except ValidationError as error:
                raise Flaw(f"not how a run began: {error.errors()[0]['msg']}") from None

        return self._folder.read(self._runs / f"{check_label(run)}.json", parse, largest=_LARGEST)

    def ids(self) -> list[str]:
        """Return the ids of all runs, newest last, in the order in which the file server got them."""
        dated = []
        for name in listing(self._runs):
            if named := _FILE.fullmatch(name):
                try:
                    dated.append((os.lstat(self._runs / name).st_mtime_ns, named[1]))
                except FileNotFoundError:
                    continue
        return [run for _, run in sorted(dated)]


def _checksum(run: str, content: bytes) -> bytes:
    return hashlib.sha256(run.encode() + b"\n" + content).hexdigest().encode()
