"""What of a store was damaged or unusable, in words: no command passes over it in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from prunebench.cli._output import complain, counted
from prunebench.store import SetAside, Store

__all__ = ["made_again", "say_damaged", "say_made_again", "set_aside_so_far"]

_NOUNS = {
    "artifacts": "artifact",
    "attempts": "attempt",
    "logs": "log",
    "measures": "measure",
    "plans": "plan",
    "records": "record",
}


def say_damaged(store: Store) -> None:
    """Say on standard error what this command found damaged, how many of what kind, and the first reason."""
    damaged = store.damaged
    if not damaged:
        return
    moved = sum(one.aside is not None for one in damaged)
    if moved == len(damaged):
        where = f"set aside in {store.root}/set-aside"
    elif moved:
        where = f"{moved:,} set aside in {store.root}/set-aside, {len(damaged) - moved:,} left where they are"
    else:
        them = "it" if len(damaged) == 1 else "them"
        why = "which cannot be changed" if store.mends else f"until a run makes {them} again"
        where = f"left in {store.root}, {why}"
    complain(
        f"{_kinds(damaged)} cannot be used and {'counts' if len(damaged) == 1 else 'count'} as missing "
        f"({where}). {_first(damaged)}",
        label="Warning",
    )


def say_made_again(store: Store, since: str) -> None:
    """Say what any process has set aside in this store since a moment, and how much of it was made again."""
    moved = store.set_aside_files(since)
    lost = [one for one in store.damaged if one.aside is None]
    if moved or lost:
        again = made_again(store, moved)
        complain(
            f"{_kinds([*moved, *lost])} could not be used: {len(moved):,} set aside in "
            f"{store.root}/set-aside, {again:,} made again. {_first([*moved, *lost])}",
            label="Warning",
        )


def made_again(store: Store, moved: Sequence[SetAside]) -> int:
    """Return how many of the files that were set aside are there again."""
    return sum(_inside(name) and (store.root / name).is_file() for name in {one.file for one in moved})


def set_aside_so_far(store: Store) -> dict[str, Any] | None:
    """Return what lies set aside in a store: files, how many are made again, the last; None for nothing."""
    moved = store.set_aside_files()
    if not moved:
        return None
    last = moved[-1]
    return {
        "files": len(moved),
        "made_again": made_again(store, moved),
        "last": {"file": last.file, "reason": last.reason},
    }


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _kinds(files: Sequence[SetAside]) -> str:
    """Return "2 records, 1 plan"."""
    counts = Counter(_NOUNS.get(PurePosixPath(one.file).parts[0], "file") for one in files)
    return ", ".join(counted(count, noun) for noun, count in counts.items())


def _first(files: Sequence[SetAside]) -> str:
    return f"{'The first, ' if len(files) > 1 else ''}{files[0].file}: {files[0].reason}"
