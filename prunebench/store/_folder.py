"""The store's folder: names of files, reading with a check, setting aside."""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

import orjson

from prunebench.errors import StoreError
from prunebench.store._commit import (
    being_copied,
    exists,
    listing,
    make_folder,
    open_fresh,
    reading,
    replace,
    writing,
)
from prunebench.store._errors import Damaged, Flaw, Missing

__all__ = ["Copying", "Folder", "SetAside", "check_key", "check_label", "now_text", "spelled_time", "time_of"]

T = TypeVar("T")

logger = logging.getLogger("prunebench")

_KEY = re.compile(r"[0-9a-f]{64}")
_STATE = re.compile(r"[0-9a-f]{64}(@(0|[1-9][0-9]{0,17}))?")
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,119}")


def check_key(key: str, *, state: bool = False) -> str:
    """Return `key` if it is 64 hexadecimal digits, with `state` perhaps "@" and a step; else StoreError."""
    if not isinstance(key, str) or not (_STATE if state else _KEY).fullmatch(key):
        allowed = "64 hexadecimal digits" + (", or these with '@' and a step" if state else "")
        raise StoreError(f"not a key: {key!r}; allowed: {allowed}")
    return key


def check_label(label: str) -> str:
    """Return `label` if it can be a file's name anywhere; else StoreError."""
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise StoreError(f"not a name for a file: {label!r}; allowed: up to 120 letters, digits and _.@+-")
    return label


_MOMENT = "%Y%m%dT%H%M%S.%fZ"


def now_text() -> str:
    """Return this moment in UTC, in a spelling that sorts: 20260102T030405.678901Z."""
    return spelled_time(datetime.now(UTC))


def spelled_time(moment: datetime) -> str:
    """Return a moment as `now_text` spells it. It must know its time zone."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def time_of(text: str) -> datetime:
    """Return the moment that `now_text` has spelled. Raises: ValueError."""
    return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)


SILENT = 60.0
"""Seconds without growth after which a copy of another host's counts as given up."""


class Copying:
    """Watches a file that may be being filled, where a file system knows no hard links."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = -1
        self._since = time.monotonic()

    def goes_on(self) -> bool:
        """True if somebody who may be alive is filling it, and it has grown of late."""
        if not being_copied(self._path):
            return False
        try:
            size = os.stat(self._path).st_size
        except OSError:
            size = 0
        if size != self._size:
            self._size, self._since = size, time.monotonic()
        return time.monotonic() - self._since < SILENT


def _changed(path: Path, found: os.stat_result) -> bool:
    """True if a file is another one, or longer, than when it was read: its writer has finished meanwhile."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return True
    return not os.path.samestat(found, now) or (found.st_size, found.st_mtime_ns) != (
        now.st_size,
        now.st_mtime_ns,
    )


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that was found damaged or unusable, and what became of it."""

    file: str
    """Its path below the store's folder."""
    reason: str
    aside: Path | None
    """Where it is now; None where it could not be moved: it counts as missing all the same."""


@dataclass(slots=True)
class Folder:
    """The root of a store, and whether it may be changed."""

    root: Path
    write: bool
    mend: bool = False
    """True if damaged files are set aside, where that can be done, in a store opened for reading."""
    found: list[SetAside] = field(default_factory=list, compare=False)
    """What was found damaged or unusable, in the order in which it was found."""
    _left: list[tuple[Path, str, os.stat_result | None]] = field(default_factory=list, compare=False)
    """What of that was left where it is, as the store was only read; with the reason, and as it was then."""

    def changing(self) -> None:
        """Raise StoreError in a store that was opened for reading."""
        if not self.write:
            raise StoreError(f"{self.root} was opened for reading: nothing can be written")

    def path(self, part: str, key: str, suffix: str) -> Path:
        """Return the path of a key's file, in a folder of its first two characters."""
        return self.root.joinpath(part, key[:2], f"{key}{suffix}")

    def names(self, part: str) -> Iterator[str]:
        """Yield the names of all files of a part, in no particular order."""
        top = self.root / part
        with reading(top):
            for prefix in listing(top):
                if len(prefix) == 2:
                    yield from listing(top / prefix)

    def has(self, path: Path) -> bool:
        """True if a file is there, after a fresh listing where it seems not to be."""
        with reading(path):
            return exists(self.root, path)

    def read(self, path: Path, parse: Callable[[BinaryIO], T], *, largest: int | None = None) -> T:
        """Return what `parse` makes of a file of at most `largest` bytes.

        Raises: Missing; Damaged (the file is set aside then); StoreError where it cannot be read.
        """
        copy = Copying(path)
        while True:
            with reading(path):
                try:
                    file = open_fresh(self.root, path)
                except Flaw as flaw:
                    reason = str(flaw)
                    raise Damaged(path, reason, self.set_aside(path, reason)) from None
                if file is None:
                    raise Missing(f"{path} is not in the store")
                with file:
                    status = os.fstat(file.fileno())
                    try:
                        if largest is not None and status.st_size > largest:
                            raise Flaw(f"{status.st_size:,} bytes long, at most {largest:,} are read")
                        return parse(file)
                    except Flaw as flaw:
                        reason = str(flaw)
                unfinished = copy.goes_on() or _changed(path, status)
            if unfinished:
                time.sleep(0.05)
                continue
            raise Damaged(path, reason, self.set_aside(path, reason, status))

    def set_aside(self, path: Path, reason: str, found: os.stat_result | None = None) -> Path | None:
        """Move a file to set-aside/ with a note of the reason; return its new path.

        `found` is the file that was judged: another one that has taken its name meanwhile stays. None where
        nothing was moved (a store that cannot be changed, a file already gone).
        """
        file = str(path.relative_to(self.root))
        if not (self.write or self.mend):
            self._left.append((path, reason, found))
            self._note(file, f"{reason}; the store is only read", None)
            return None
        try:
            aside = self._move_aside(path, reason, found)
        except StoreError:
            if self.write:
                raise
            self._note(file, reason, None)
            return None
        if aside is not None:
            self._note(file, reason, aside)
        return aside

    def set_found_aside(self) -> None:
        """Set aside what was found so far and left where it is, and from now on what is found."""
        left, self._left, self.mend = self._left, [], True
        files = {str(path.relative_to(self.root)) for path, _, _ in left}
        self.found[:] = [one for one in self.found if one.file not in files]
        for path, reason, status in left:
            self.set_aside(path, reason, status)

    def _note(self, file: str, reason: str, aside: Path | None) -> None:
        note = SetAside(file, reason, aside)
        if note not in self.found:  # what was left where it is may be met again
            self.found.append(note)
        logger.info("%s: %s; %s", file, reason, f"set aside as {aside}" if aside else "left where it is")

    def _move_aside(self, path: Path, reason: str, expected: os.stat_result | None) -> Path | None:
        aside = self.root / "set-aside" / f"{now_text()}-{secrets.token_hex(4)}-{path.name}"
        if path.is_symlink():
            expected = None  # the link is moved, not what it leads to
        with writing(aside):
            make_folder(aside.parent)
            try:
                if expected is not None and not os.path.samestat(expected, os.stat(path)):
                    return None
                os.rename(path, aside)
            except FileNotFoundError:
                return None
            if expected is not None and not os.path.samestat(expected, os.stat(aside)):
                self._give_back(aside, path)
                return None
        note = {"file": str(path.relative_to(self.root)), "reason": reason[:2000], "time": now_text()}
        replace(aside.with_name(aside.name + ".note.json"), orjson.dumps(note) + b"\n")
        return aside

    @staticmethod
    def _give_back(aside: Path, path: Path) -> None:
        """Undo a move: between judging and moving, somebody else replaced the bad file by a good one."""
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        except OSError:
            os.rename(aside, path)
            return
        aside.unlink(missing_ok=True)
