"""Where the suites are that come with plugins: found without reading any (imports little)."""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path

__all__ = ["shipped_folder", "shipped_suites"]

_OURS = "prunebench_plugins"


def shipped_suites() -> dict[str, Path]:
    """Return the suites that come with prunebench, then with other plugins, by name; the first of a name.

    prunebench's are those of the wheel, else of the checkout; another distribution's lie in the folder
    `suites` of the package that its entry point names.
    """
    entries = entry_points(group="prunebench")
    others = sorted({entry.module.partition(".")[0] for entry in entries} - {_OURS})
    folders = [shipped_folder(), *(_folder(name) for name in others)]
    suites: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml"), key=lambda p: p.stem) if folder else ():
            suites.setdefault(path.stem, path)
    return suites


def shipped_folder() -> Path | None:
    """Return the folder that prunebench's lie in, None where there is none."""
    return _folder(_OURS, checkout=True)


def _folder(name: str, *, checkout: bool = False) -> Path | None:
    package = importlib.util.find_spec(name)
    for location in (package.submodule_search_locations or ()) if package else ():
        folders = [Path(location) / "suites", *([Path(location).parents[1] / "suites"] if checkout else [])]
        for folder in folders:
            if folder.is_dir():
                return folder
    return None
