"""Where the suites are that come with prunebench: found without reading any (imports little)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["shipped_folder", "shipped_suites"]


def shipped_suites() -> dict[str, Path]:
    """Return the suites that come with prunebench, by name: of the wheel, else of the checkout."""
    folder = shipped_folder()
    return {path.stem: path for path in sorted(folder.glob("*.toml"), key=lambda p: p.stem)} if folder else {}


def shipped_folder() -> Path | None:
    """Return the folder that they lie in, None where there is none."""
    plugins = importlib.util.find_spec("prunebench_plugins")
    for location in (plugins.submodule_search_locations or ()) if plugins else ():
        package = Path(location)
        for folder in (package / "suites", package.parent.parent / "suites"):
            if folder.is_dir():
                return folder
    return None
