"""Attempts: failures, kept apart from results so that asking again tries again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import ValidationError

from prunebench.process import how_ended
from prunebench.store import _fields
from prunebench.store._bounds import parse_json
from prunebench.store._commit import commit, listing
from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder, check_label, now_text
from prunebench.store._process import Owner

__all__ = ["Attempts"]

_LONGEST = 1_000_000
"""Characters of a text that are kept; of a longer log its end."""

_LARGEST = 32_000_000
"""Bytes of one failure that are read."""


class Attempts:
    """The failures of a store: attempts/<key>/<time>-<host>-<pid>.json."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def write(
        self,
        key: str,
        error: str,
        log_tail: str,
        signal: int | str | None,
        job: Mapping[str, Any] | None,
        worker: int | None = None,
    ) -> Path:
        """Write one failure down; `worker` is the process of this host that failed, if it is another."""
        self._folder.changing()
        folder = self._folder.root / "attempts" / check_label(key)
        while True:
            me, time = Owner.me(), now_text()
            pid = me.pid if worker is None else worker
            document = {
                "schema": 1,
                "key": key,
                "time": time,
                "host": me.host,
                "pid": pid,
                "error": error[:_LONGEST],
                "log_tail": log_tail[-_LONGEST:],
                "signal": signal,
                "job": None if job is None else dict(job),
            }
            path = folder / f"{time}-{me.host}-{pid}.json"
            # A failure must be told whatever a job's parameters hold: what JSON cannot say is said in words.
            if commit(path, [orjson.dumps(_sayable(document), default=repr) + b"\n"]):
                return path

    def write_death(self, key: str, pid: int, code: int | None, log_tail: str) -> Path:
        """Write down that a process of this host died of it; `code`: how it ended, None if nobody saw."""
        error = f"process {pid} died while it worked on this"
        if code is None:
            error += " (killed, or out of memory)"
        else:
            error += f": it {how_ended(code)}{' (perhaps as memory ran out)' if code == -9 else ''}"
        signal = None if code is None or code >= 0 else -code
        return self.write(key, error, log_tail, signal, None, pid)

    def keys(self) -> set[str]:
        """Return the keys that have failures."""
        return {name for name in listing(self._folder.root / "attempts") if not name.startswith(".")}

    def any(self, key: str) -> bool:
        """True if a key has failures."""
        return (self._folder.root / "attempts" / check_label(key)).is_dir()

    def of(self, key: str) -> list[dict[str, Any]]:
        """Return the failures of a key, newest last; what is damaged is set aside and left out."""
        failures = []
        folder = self._folder.root / "attempts" / check_label(key)

        def parse(file: BinaryIO, name: str) -> dict[str, Any]:
            attempt = parse_json(file.read(), longest=_LONGEST)
            try:
                _fields.AttemptFields.model_validate(attempt)
            except ValidationError as error:
                raise Flaw(_fields.explained(error)) from None
            if attempt["key"] != key:
                raise Flaw("it is another key's failure")
            if name != "{time}-{host}-{pid}.json".format(**{"host": "", "pid": "", **attempt}):
                raise Flaw("it says another time or process than its name")
            return attempt

        for name in self._names(key):
            try:
                failures.append(self._folder.read(folder / name, partial(parse, name=name), largest=_LARGEST))
            except (Damaged, Missing):
                continue
        return failures

    def names(self, key: str) -> list[str]:
        """Return the names of a key's failures, <time>-<host>-<pid>, oldest first."""
        return [name.removesuffix(".json") for name in self._names(key)]

    def _names(self, key: str) -> list[str]:
        names = listing(self._folder.root / "attempts" / check_label(key))
        return sorted(name for name in names if not name.startswith(".") and name.endswith(".json"))


def _sayable(value: Any) -> Any:
    """Replace lone surrogates (file names and other programs' output have them), which JSON cannot spell."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_sayable(str(key)): _sayable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(item) for item in value]
    return value
