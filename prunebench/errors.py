"""What goes wrong because of what a user wrote or has: printed without a traceback, exit code 2."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "ComponentError",
    "DataError",
    "FitError",
    "LeakError",
    "PluginError",
    "PrunebenchError",
    "PruningWarning",
    "StoreError",
    "SuiteError",
    "UsageError",
    "closest",
    "nearest",
    "nearest_file",
    "readable",
]


class PrunebenchError(Exception):
    """Base of every error that is meant for a person: says what was found, where, and what is allowed.

    Names of files that are not UTF-8 stand in it with their bytes spelled out (caf\\xe9), so that it can be
    printed, logged and stored like any text.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(readable(a) if isinstance(a, str) else a for a in arguments))


class UsageError(PrunebenchError):
    """An argument or a name on the command line, or in a call, that does not exist or does not fit."""


class SuiteError(PrunebenchError):
    """A suite file that cannot be read or says something that is not allowed."""


class PluginError(PrunebenchError):
    """A plugin that cannot be loaded, or two that register the same name."""

    traceback: str = ""
    """Where it went wrong inside the plugin, formatted; for those who ask, never for the message."""


class ComponentError(PrunebenchError):
    """A component that breaks its contract at work: wrong shapes, names, values that are not finite."""


class LeakError(ComponentError):
    """A component that changed what others' results are made with; it has been put back."""


class DataError(PrunebenchError):
    """A data set that is missing, damaged or other than it was when the plan was made."""


class FitError(PrunebenchError):
    """Points to which a law cannot be fitted, or a fit that did not converge."""


class StoreError(PrunebenchError):
    """A store that cannot be read or written."""


class PruningWarning(UserWarning):
    """A mask that was made but deserves a look: layers without a weight, weights chosen by position."""


def readable(text: str, *, backslash: str = "\\") -> str:
    """Return a text with the bytes of names that are not UTF-8 spelled out; other texts are left as they are.

    >>> readable("caf\\udce9.png"), readable("café.png")
    ('caf\\\\xe9.png', 'café.png')
    """

    def spelled(found: re.Match[str]) -> str:
        code = ord(found[0])
        return backslash + (f"x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"u{code:04x}")

    return re.sub("[\ud800-\udfff]", spelled, text)


def nearest(name: str, allowed: Iterable[str], none: str = "", *, alike: float = 0.5) -> str:
    """Return "; did you mean 'X'?" for the closest allowed name, and a listing of what is allowed.

    none: what is said where nothing is allowed
    alike: from which likeness on a name is the closest one, 0 to 1

    >>> nearest("snap", ["snip", "grasp"])
    "; did you mean 'snip'? allowed: grasp, snip"
    >>> nearest("chian", ["chain", "chain, find hot"])
    "; did you mean 'chain'? allowed: 'chain', 'chain, find hot'"
    >>> nearest("A1", [], "this suite has no [[claim]]")
    '; this suite has no [[claim]]'
    """
    names = sorted(set(allowed))
    if not names:
        return f"; {none or 'allowed: nothing'}"
    quoted = names == ["none"] or any("," in one for one in names)
    listed = ", ".join(f"'{one}'" if quoted else one for one in names)
    close = closest(name, names, alike)
    hint = f"; did you mean '{close}'?" if close else ";"
    return f"{hint} allowed: {listed}"


def closest(name: str, names: Iterable[str], alike: float = 0.5) -> str | None:
    """Return the name that is most like another, or None; as `nearest` tells it.

    >>> closest("SNIP", ["snip", "grasp"]), closest("xyz", ["snip"])
    ('snip', None)
    """
    plain: dict[str, str] = {}
    for one in names:
        plain.setdefault(_plain(one), one)
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=alike)
    return plain[close[0]] if close else None


def nearest_file(path: Path) -> str:
    """Return "; did you mean 'X'?" for the file beside `path` whose name is most like it, else nothing."""
    try:
        beside = [one for one in path.parent.iterdir() if one.name != path.name]
        names = [one.stem for one in beside if one.suffix == path.suffix]
    except OSError:
        return ""
    close = closest(path.stem, names)
    return f"; did you mean '{path.with_name(close + path.suffix)}'?" if close else ""


def _plain(name: str) -> str:
    """Return a name without what people spell otherwise: capitals, underscores and blanks for hyphens."""
    return re.sub(r"[\s_]+", "-", name.strip()).casefold()
