"""Leftovers of processes that died while they wrote."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from prunebench.store._commit import Leftover, listing, reading, server_now, writing
from prunebench.store._folder import Folder

__all__ = ["OLD", "leftovers", "sweep_temporary"]

OLD = 86_400.0
"""Seconds after which a temporary file of another host counts as left over."""

_DEEP = ("artifacts", "records", "measures", "attempts")
_FLAT = ("plans", "claims", "set-aside", "logs", "times", "runs")


def _files(root: Path) -> list[Path]:
    with reading(root):
        deep = [root / part / name for part in _DEEP for name in listing(root / part, strict=False)]
        pilots = [root / "pilots" / name for name in listing(root / "pilots", strict=False)]
        deep += [*pilots, *(one / "states" for one in pilots)]
        folders = [root, *(root / part for part in _FLAT), *deep]
        return [folder / name for folder in folders for name in listing(folder, strict=False)]


def leftovers(root: Path, old: float = OLD, *, now: float | None = None) -> Iterator[Path]:
    """Yield the temporary files, and folders, of this host's dead processes, and those far older than a file
    touched now.

    Those of living processes, and younger ones of other hosts, are left out. `now` is the time of the file
    server; None: that of this host, so that nothing is written.
    """
    now = time.time() if now is None else now
    for path in _files(root):
        leftover = Leftover.parse(path.name)
        if leftover is None:
            continue
        if leftover.owner.here:
            if leftover.owner.dead():
                yield path
            continue
        with contextlib.suppress(OSError):  # gone meanwhile
            if now - os.stat(path).st_mtime >= old:
                yield path


def sweep_temporary(folder: Folder, old: float) -> list[Path]:
    """Remove `leftovers`, by the file server's clock; return what was removed."""
    folder.changing()
    removed = []
    for path in leftovers(folder.root, old, now=server_now(folder.root)):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with writing(path):
                path.unlink(missing_ok=True)
        removed.append(path)
    return sorted(removed)
