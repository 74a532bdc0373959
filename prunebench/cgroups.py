"""Control groups of Linux around this process, by which containers have limits (imports nothing heavy)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Group", "groups_around"]


class Group(NamedTuple):
    """One control group."""

    folder: Path
    """Where its files are."""
    name: str
    """Its path among the groups; "/" is the outermost."""
    old: bool
    """True of version 1, whose files have other names."""


def groups_around(controller: str, root: Path = Path("/")) -> Iterator[Group]:
    """Yield this process's group and all around it, the innermost first; none where the kernel tells of none.

    controller: "cpu" or "memory"; version 1 has groups of its own for each
    root: what stands for / in tests
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        for group in (Path(path), *Path(path).parents):
            yield Group(top / str(group).lstrip("/"), str(group), bool(controllers))
