"""A store for a moment: what others have to read before anything of the store that they work for changes."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from prunebench.store._commit import Leftover, commit, folders_for_a_moment, listing, temporary
from prunebench.store._folder import spelled_time
from prunebench.store._format import FORMAT
from prunebench.store.store import Store

__all__ = ["Trial", "trial_store", "trials"]

LONGEST = 600.0
"""Seconds for which a trial of another host, of which nobody here can tell whether it lives, is believed."""


@dataclass(frozen=True)
class Trial:
    """A run that is about to begin: its workers try whether they can work."""

    plans: frozenset[str]
    """The names of the plans that can be read there."""
    host: str
    time: str
    """When it began to, as `now_text` spells it."""


@contextmanager
def trial_store(root: Path | str) -> Iterator[Store]:
    """Yield a store in a hidden folder of one that is there, or is to be made; nothing is left of it.

    Other processes, on other machines that share the folder too, can read a plan there, and try whether they
    can work on it. What one that dies leaves is swept like its other temporary files.

    Raises: Unwritable.
    """
    root = Path(root)
    folder = temporary(root / "trial")
    with folders_for_a_moment(root):
        try:
            commit(folder / "store.json", [orjson.dumps({"format": FORMAT}) + b"\n"])
            yield Store(folder, write=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def trials(root: Path | str) -> list[Trial]:
    """Return the trials that go on in a store, or in a folder that is to be one, the newest last.

    What one that died has left is none.
    """
    going_on = []
    for name in listing(Path(root), strict=False):
        named = Leftover.parse(name)
        if named is None or named.name != "trial" or named.owner.dead():
            continue
        with contextlib.suppress(OSError):  # over meanwhile
            begun = (Path(root) / name / "store.json").stat().st_mtime
            if named.owner.here or abs(time.time() - begun) < LONGEST:
                plans = listing(Path(root) / name / "plans", strict=False)
                names = frozenset(plan.removesuffix(".json") for plan in plans if plan.endswith(".json"))
                at = spelled_time(datetime.fromtimestamp(begun, UTC))
                going_on.append(Trial(names, named.owner.host, at))
    return sorted(going_on, key=lambda trial: trial.time)
