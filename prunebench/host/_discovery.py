"""Finding plugins: the entry points of the group `prunebench`, one by one, each with where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

from prunebench.errors import UsageError, nearest
from prunebench.host.components import Origin
from prunebench.host.hookspecs import PROJECT

__all__ = ["Found", "builtin", "chosen", "find"]


@dataclass(frozen=True)
class Found:
    """An entry point, or a distribution whose list of them cannot be read (`entry` is None then)."""

    origin: Origin
    entry: EntryPoint | None
    error: Exception | None = None

    def load(self) -> object:
        """Import the plugin. Raises: whatever it raises, or what was wrong with the list."""
        if self.entry is None:
            raise self.error or LookupError("no entry point")
        return self.entry.load()

    @property
    def package(self) -> str | None:
        """The outermost package, or the module, that the plugin is written in."""
        return self.entry.module.partition(".")[0] if self.entry is not None else None

    @property
    def builtin(self) -> bool:
        """True if it comes with prunebench itself."""
        return _normal(self.origin.distribution or "") == PROJECT

    @property
    def names(self) -> tuple[str, str]:
        """What a user may call it by: the entry point's name and the distribution's."""
        return self.origin.plugin, _normal(self.origin.distribution or "")


def _normal(name: str) -> str:
    """Return a distribution's name as packaging compares them: Foo_Bar is foo-bar."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find() -> list[Found]:
    """Return every plugin that is installed, the built-in ones first, then by distribution and name.

    A distribution that is found twice along the path counts once, as in an import: the first one.
    """
    seen: set[str] = set()
    plugins: list[Found] = []
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt")
            if not text or PROJECT not in text:
                continue
            name = _normal(distribution.metadata["Name"])
        except Exception:  # not one of ours to judge: it does not even say its name
            continue
        if name not in seen:
            seen.add(name)
            plugins += _of(distribution)
    return sorted(plugins, key=lambda f: (not f.builtin, f.names[1], f.names[0]))


def _of(distribution: Distribution) -> Iterator[Found]:
    name, version = distribution.metadata["Name"], distribution.version
    try:
        for entry in distribution.entry_points.select(group=PROJECT):
            yield Found(Origin(entry.name, name, version), entry)
    except Exception as error:  # a line that is no entry point
        yield Found(Origin("entry_points.txt", name, version), None, error)


@cache
def builtin(kind: str) -> tuple[Any, ...]:
    """Return the built-in quantities, or forms, importing these alone."""
    package = next((f.package for f in find() if f.builtin and f.entry is not None), None)
    if package is None:
        return ()
    return tuple(getattr(import_module(f"{package}.{kind}"), f"{PROJECT}_{kind}")())


def chosen(installed: Iterable[Found], *, third_party: bool, only: Sequence[str] | None) -> list[Found]:
    """Return the built-in plugins and those of others that are wanted.

    Raises: UsageError for a name in `only` that is neither an entry point nor a distribution.
    """
    installed = list(installed)
    if only is None:
        return [f for f in installed if f.builtin or third_party]
    known = {name for f in installed if not f.builtin for name in f.names}
    for name in only:
        if name not in known and _normal(name) not in known:
            raise UsageError(f"no plugin {name!r} is installed{nearest(name, known)}")
    wanted = {*only, *map(_normal, only)}
    return [f for f in installed if f.builtin or wanted.intersection(f.names)]
