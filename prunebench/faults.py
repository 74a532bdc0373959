"""Where in a user's own code an error arose, and what it says: for messages to people."""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple

from prunebench.errors import ComponentError, PrunebenchError

__all__ = ["Place", "blamed", "failure", "place_of", "said", "told"]

LONGEST = 600
"""Characters of an error's text that are told; the whole is in the log."""

_MOST = 100
"""Errors that are looked at: causes of causes, parts of groups."""

_OURS = str(Path(__file__).parent)
_STANDARD = tuple(
    {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    | {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
)
_INSTALLED = ("site-packages", "dist-packages")
_LIBRARIES = {
    *(
        "click",
        "numpy",
        "pandas",
        "PIL",
        "pluggy",
        "pydantic",
        "pydantic_core",
        "rich",
        "safetensors",
        "scipy",
    ),
    *("torch", "torchvision", "functorch", "torchgen", "triton"),
    *("pytest", "_pytest", "xdist", "execnet"),
}
"""What prunebench and most plugins stand on: an error in them arose in whoever called them."""

_GENERATED = ("<frozen ", "<__array_function__", "<eval_with_key>")


class Place(NamedTuple):
    """A line of somebody's code; `source` is empty where it cannot be read (code that is in no file)."""

    file: str
    line: int
    source: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return f"{where}: {self.source}" if self.source else where


def said(error: BaseException) -> str:
    """Return an error's type and text on one line: bounded, printable, whatever its `str` does.

    A group of errors says those within it.

    >>> said(KeyError("a")), said(ValueError()), said(RuntimeError("two\\n  lines"))
    ("KeyError: 'a'", 'ValueError', 'RuntimeError: two lines')
    >>> said(ExceptionGroup("both", [ValueError("one"), TypeError("two")]))
    'ExceptionGroup: both (2 sub-exceptions): ValueError: one; TypeError: two'
    """
    name = type(error).__name__
    try:
        text = str(error)
    except (Exception, SystemExit):  # somebody else's __str__
        text = "(its message cannot be made: its str() fails)"
    if isinstance(error, BaseExceptionGroup):
        text += ": " + "; ".join(said(part) for part in error.exceptions[:5])
    words = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST]).split())
    if len(words) > LONGEST or len(text) > 4 * LONGEST:
        words = words[:LONGEST].rstrip() + " …"
    return f"{name}: {words}" if words else name


def told(error: BaseException) -> str:
    """Return an error as `said` does and, on a second line, where in the user's own code it arose."""
    place = place_of(error)
    return said(error) + (f"\n  at {place}" if place else "")


def failure(who: str, error: BaseException) -> str:
    """Return the message that says that a component failed: its error, and the line in which it arose."""
    return f"{who} failed: {told(error)}"


@contextmanager
def blamed(who: str) -> Iterator[None]:
    """Tell a component's own failure as such: `who` failed, with what and where.

    Raises: ComponentError from whatever it raised; prunebench's own errors go through as they are.
    """
    try:
        yield
    except PrunebenchError:
        raise
    except (Exception, SystemExit) as error:  # a component may call sys.exit
        raise ComponentError(failure(who, error)) from error


def place_of(error: BaseException) -> Place | None:
    """Return the innermost line of a user's own code in which an error arose, or None.

    Own code is what is in no installed library, not Python's and not prunebench's; then that of an installed
    plugin, of code in no file, of a built-in plugin. Of a syntax error it is the line that does not parse; of
    an error that says nothing of the kind itself that of its cause; of a group that of its first error.
    """
    for one in _told_by(error, set()):
        place = _unparsed(one) or _innermost(one)
        if place is not None:
            return place
    return None


def _told_by(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Yield what may say where an error arose, the nearest first: a group's parts, itself, its causes."""
    if error is None or id(error) in seen or len(seen) >= _MOST:
        return
    seen.add(id(error))
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _told_by(part, seen)
    yield error
    yield from _told_by(error.__cause__, seen)
    if not error.__suppress_context__:
        yield from _told_by(error.__context__, seen)


def _unparsed(error: BaseException) -> Place | None:
    """Return the line of a file that does not parse."""
    if not isinstance(error, SyntaxError) or not isinstance(error.filename, str):
        return None
    if _rank(error.filename) != 0 or not isinstance(error.lineno, int):
        return None
    source = linecache.getline(error.filename, error.lineno) or str(error.text or "")
    return Place(error.filename, error.lineno, _line(source))


def _innermost(error: BaseException) -> Place | None:
    frames = list(_frames(error))
    best = min((_rank(file) for file, _ in frames), default=_NOBODY)
    if best == _NOBODY:
        return None
    own = [(file, line) for file, line in frames if _rank(file) == best]
    if best == _PLUGIN:  # the plugin that was called, not a library that it called
        own = [(file, line) for file, line in own if _package(file) == _package(own[0][0])]
    file, line = own[-1]
    return Place(file, line, _line(linecache.getline(file, line)))


def _frames(error: BaseException) -> Iterator[tuple[str, int]]:
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        yield (file if file.startswith("<") else os.path.abspath(file)), line or 0


_FILE, _PLUGIN, _TEXT, _BUILTIN, _NOBODY = range(5)


def _rank(file: str) -> int:
    """Return whose a file is: the lower, the rather its line is told."""
    if file.startswith("<"):
        if file.startswith(_GENERATED):
            return _NOBODY
        return _FILE if linecache.getline(file, 1) else _TEXT  # a notebook's cell has its source
    parts = Path(file).parts
    if "prunebench_plugins" in parts:  # in a checkout they lie in no folder of installed packages
        return _BUILTIN
    if any(name in parts for name in _INSTALLED):
        return _NOBODY if _package(file) in {*_LIBRARIES, "prunebench"} else _PLUGIN
    if file.startswith((_OURS + os.sep, *(folder + os.sep for folder in _STANDARD))):
        return _NOBODY
    return _FILE


def _package(file: str) -> str:
    """Return the package, or module, that an installed file is of."""
    parts = Path(file).parts
    at = max(i for i, part in enumerate(parts) if part in _INSTALLED)
    return parts[at + 1].removesuffix(".py")


def _line(source: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in source).strip()
    return text if len(text) <= 120 else text[:119].rstrip() + "…"
