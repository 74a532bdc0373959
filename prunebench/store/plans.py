"""Frozen plans: what a run set out to do, so that its parts agree whatever the store says later.

A plan's file is one JSON object with a checksum over everything else in it, its own name included.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from prunebench.store._commit import commit, listing, replace
from prunebench.store._errors import Flaw
from prunebench.store._folder import Folder, check_label

__all__ = ["Plans"]

T = TypeVar("T")

_WHOLE = re.compile(rb'\{"format":2,"sha256":"([0-9a-f]{64})","plan":(.*)\}\n', re.DOTALL)
_FORMAT = re.compile(rb'\{"format":([0-9]{1,4}),')

_LARGEST = 2_000_000_000
"""Bytes of a plan that are read: a cell takes about a thousand."""


class Plans:
    """The frozen plans of a store: plans/<suite>-<digest>.json, beside some of them <name>.keep-states."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._plans = folder.root / "plans"

    def write(self, name: str, plan: bytes) -> Path:
        """Write a plan (one JSON value) with its checksum, or replace it whole.

        Where it is the newest of its suite and says the same already, nothing is written.
        """
        self._folder.changing()
        path = self._plans / f"{check_label(name)}.json"
        content = b'{"format":2,"sha256":"%s","plan":%s}\n' % (_checksum(name, plan), plan)
        if self.of(name.rpartition("-")[0])[-1:] != [path] or not _has(path, content):
            replace(path, content)
        return path

    def keep_states(self, name: str) -> None:
        """Let everybody who works on a plan keep the weights of pruned networks, from now on."""
        self._folder.changing()
        commit(self._keeping(name), [b""])

    def keeps_states(self, name: str) -> bool:
        """True if everybody who works on a plan is to keep the weights of pruned networks."""
        return self._keeping(name).exists()

    def _keeping(self, name: str) -> Path:
        return self._plans / f"{check_label(name)}.keep-states"

    def read(self, path: Path, parse: Callable[[bytes], T], *, unsealed: bool = False) -> T | None:
        """Return what `parse` makes of a plan; it raises ValueError for what is none.

        None for a plan of another format: a newer one, or, unless `unsealed`, one of format 1, which has no
        checksum. Raises: Missing; Damaged, once the file has been set aside; StoreError.
        """

        def whole(file: BinaryIO) -> T | None:
            content = file.read()
            head = _FORMAT.match(content)
            if head is not None and int(head[1]) != 2:
                plan: bytes | None = content if unsealed and int(head[1]) == 1 else None
            else:
                plan = _verified(path.stem, content)
            try:
                return None if plan is None else parse(plan)
            except ValueError as error:
                raise Flaw(str(error)) from None

        return self._folder.read(path, whole, largest=_LARGEST)

    def of(self, suite: str | None = None) -> list[Path]:
        """Return the plans of a suite, or all, newest last."""
        wanted = re.compile((".+" if suite is None else re.escape(suite)) + r"-[0-9a-f]{6,64}\.json")
        dated = []
        for name in listing(self._plans):
            if not name.startswith(".") and wanted.fullmatch(name):
                try:
                    dated.append((os.lstat(self._plans / name).st_mtime_ns, name))
                except FileNotFoundError:
                    continue
        return [self._plans / name for _, name in sorted(dated)]


def _has(path: Path, content: bytes) -> bool:
    """True if a file has just these bytes."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _checksum(name: str, plan: bytes) -> bytes:
    sha = hashlib.sha256(name.encode() + b"\n")
    sha.update(plan)
    return sha.hexdigest().encode()


def _verified(name: str, content: bytes) -> bytes:
    parts = _WHOLE.fullmatch(content)
    if parts is None:
        raise Flaw("not a frozen plan, or cut off")
    if parts[1] != _checksum(name, parts[2]):
        raise Flaw("its checksum is another: it was altered, or is another plan's")
    return parts[2]
