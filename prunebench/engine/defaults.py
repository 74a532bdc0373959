"""Where things are unless somebody says otherwise: the store and the data root."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["data_root", "store_root"]


def store_root(given: str | None = None) -> Path:
    """Return the store: as given, else PRUNEBENCH_STORE, else .prunebench in the working directory."""
    path = Path(given or os.environ.get("PRUNEBENCH_STORE") or ".prunebench").expanduser()
    return path.resolve() if ".." in path.parts else path.absolute()


def data_root(given: str | None = None) -> Path:
    """Return the data root: as given, else PRUNEBENCH_DATA, else the user's cache folder."""
    root = given or os.environ.get("PRUNEBENCH_DATA")
    path = Path(root) if root else platformdirs.user_cache_path("prunebench") / "data"
    return path.expanduser().absolute()
