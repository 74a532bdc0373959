"""A store for a moment: what others have to read before anything of the store that they work for changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from prunebench.store._commit import commit, folders_for_a_moment, temporary
from prunebench.store._format import FORMAT
from prunebench.store.store import Store

__all__ = ["trial_store"]


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
