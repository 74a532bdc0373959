"""Leftovers of processes that died while they wrote."""

from __future__ import annotations

import os
from pathlib import Path

from prunebench.store._commit import Leftover, listing, reading, server_now, writing
from prunebench.store._folder import Folder

__all__ = ["OLD", "sweep_temporary"]

OLD = 86_400.0
"""Seconds after which a temporary file of another host counts as left over."""

_DEEP = ("artifacts", "records", "measures", "attempts")
_FLAT = ("plans", "claims", "set-aside", "logs", "times")


def _files(root: Path) -> list[Path]:
    with reading(root):
        deep = [root / part / name for part in _DEEP for name in listing(root / part, strict=False)]
        folders = [root, *(root / part for part in _FLAT), *deep]
        return [folder / name for folder in folders for name in listing(folder, strict=False)]


def sweep_temporary(folder: Folder, old: float) -> list[Path]:
    """Remove temporary files of this host's dead processes, and those far older than a file touched now.

    Those of living processes, and younger ones of other hosts, stay. Returns what was removed.
    """
    folder.changing()
    removed = []
    now: float | None = None
    for path in _files(folder.root):
        leftover = Leftover.parse(path.name)
        if leftover is None:
            continue
        with writing(path):
            if not leftover.owner.here:
                now = server_now(folder.root) if now is None else now
                try:
                    if now - os.stat(path).st_mtime < old:
                        continue
                except FileNotFoundError:
                    continue
            elif not leftover.owner.dead():
                continue
            path.unlink(missing_ok=True)
            removed.append(path)
    return sorted(removed)
