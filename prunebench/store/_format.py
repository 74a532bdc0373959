"""Which layout a store's folder has."""

from __future__ import annotations

import time
from pathlib import Path

import orjson

from prunebench.errors import StoreError
from prunebench.store._commit import open_fresh
from prunebench.store._errors import Flaw
from prunebench.store._folder import Copying

__all__ = ["FORMAT", "format_of"]

FORMAT = 1
"""The newest layout of a store's folder that this version knows."""


def format_of(root: Path, option: str, copy: Copying | None = None) -> int | None:
    """Return the store's format, or None where there is no store."""
    path = root / "store.json"
    copy = copy or Copying(path)
    try:
        file = open_fresh(root, path)
    except Flaw as flaw:
        raise StoreError(f"{path}: {flaw}; move it away, or give another store{option}") from None
    if file is None:
        return None
    with file:
        content = file.read(10_000)
    try:
        format = orjson.loads(content)["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        format = None
    if type(format) is not int or format < 1:
        if copy.goes_on():
            time.sleep(0.05)
            return format_of(root, option, copy)
        raise StoreError(
            f'{path} is damaged; if {root} is a store, write {{"format": {FORMAT}}} into it, '
            f"else give another store{option}"
        )
    if format > FORMAT:
        raise StoreError(
            f"the store {root} has format {format}, this prunebench knows up to {FORMAT}: "
            f"use a newer prunebench, or give another store{option}"
        )
    return format
