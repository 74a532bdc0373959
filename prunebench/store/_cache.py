"""What pytest remembers of the last run in pytest-cache/: which cells failed, which there were.

pytest trusts these two files with whatever they hold, and fails in its own way where that is none of them.
"""

from __future__ import annotations

import contextlib
from typing import Any, BinaryIO

import orjson

from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder

__all__ = ["check_cache"]

_KINDS: dict[str, type[dict[str, Any]] | type[list[Any]]] = {"lastfailed": dict, "nodeids": list}
_LARGEST = 200_000_000


def check_cache(folder: Folder) -> None:
    """Set aside those of the files that pytest could not read. Raises: StoreError."""
    for name, kind in _KINDS.items():

        def parse(file: BinaryIO, kind: type[Any] = kind) -> None:
            try:
                found: Any = orjson.loads(file.read())
            except orjson.JSONDecodeError as error:
                raise Flaw(f"not JSON ({error})") from None
            if not isinstance(found, kind) or not all(isinstance(item, str) for item in found):
                raise Flaw("not a list of cells")

        with contextlib.suppress(Missing, Damaged):
            folder.read(folder.root / "pytest-cache" / "v" / "cache" / name, parse, largest=_LARGEST)
