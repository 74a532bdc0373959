"""Logs: what jobs say and print, logs/<key>.log."""

from __future__ import annotations

import os
from pathlib import Path

from prunebench.store._commit import make_folder, oddity, share, writing
from prunebench.store._folder import Folder, check_label

__all__ = ["Logs"]


class Logs:
    """The logs of a store: the only files that are added to."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Return where a job's log is; its folder exists then if the store may be written."""
        path = self._folder.root / "logs" / f"{check_label(key)}.log"
        if self._folder.write:
            with writing(path):
                make_folder(path.parent)
                odd = oddity(path)
            if odd is not None:
                self._folder.set_aside(path, odd)
        return path

    def begin(self, key: str) -> Path:
        """Return where a job's log is, once it is there; one that this user may not write to is set aside."""
        path = self.path(key)
        with writing(path):
            if path.exists() and not os.access(path, os.W_OK):
                self._folder.set_aside(path, "this user may not write to it")
            path.touch()
            share(path, path.parent)
        return path

    def tail(self, key: str, lines: int) -> str:
        """Return the last lines of a job's log; nothing where it cannot be read."""
        path = self._folder.root / "logs" / f"{check_label(key)}.log"
        try:
            if oddity(path) is not None:
                return ""
            with path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 100_000))
                text = file.read(100_000).decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])
