"""Writes a page and what lies beside it into a folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from prunebench.errors import UsageError

__all__ = ["PAGE", "write"]

PAGE = "index.html"
"""The page's name in its folder."""


def write(folder: Path, name: str, content: bytes | str) -> bool:
    """Write a file of the report, and return whether it changed.

    The file is there whole or not at all: whoever looks meanwhile sees the old one. The same content leaves
    it as it is. `name` is of this program's own making, with "/" between folders.

    Raises: UsageError where it cannot be written.
    """
    path = folder.joinpath(*name.split("/"))
    whole = content.encode() if isinstance(content, str) else content
    try:
        if path.is_file() and path.read_bytes() == whole:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(whole)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
