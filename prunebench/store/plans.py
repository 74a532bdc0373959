"""Frozen plans: what a run set out to do, so that its parts agree whatever the store says later."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prunebench.store._commit import listing, replace
from prunebench.store._folder import Folder, check_label

__all__ = ["Plans"]


class Plans:
    """The frozen plans of a store: plans/<suite>-<digest>.json."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._plans = folder.root / "plans"

    def write(self, name: str, content: bytes) -> Path:
        """Write a plan, or replace it whole."""
        self._folder.changing()
        path = self._plans / f"{check_label(name)}.json"
        replace(path, content)
        return path

    def of(self, suite: str | None = None) -> list[Path]:
        """Return the plans of a suite, or all, newest last."""
        wanted = re.compile((".+" if suite is None else re.escape(suite)) + r"-[0-9a-f]{6,64}\.json")
        found = []
        for name in listing(self._plans):
            if not name.startswith(".") and wanted.fullmatch(name):
                try:
                    found.append((os.stat(self._plans / name).st_mtime_ns, name))
                except FileNotFoundError:
                    continue
        return [self._plans / name for _, name in sorted(found)]
