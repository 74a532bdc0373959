"""Errors of the processes that train a network together, as the worker would have met them itself.

They are written to a file by the process in which they arise and raised again by the worker, which does not
take all alike: what is missing or damaged is made again, and a full disk ends the run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prunebench import errors
from prunebench.engine.failures import full_disk
from prunebench.errors import ComponentError, PrunebenchError
from prunebench.jobs.context import InputChanged, InputRefused
from prunebench.store import Damaged, Missing, Unwritable

__all__ = ["EXIT_FULL", "as_plain", "raised_again"]

EXIT_FULL = 74
"""The exit code of a process that could not write down how it failed, as the disk is full."""

_Plain = dict[str, Any]

_MADE_AGAIN: dict[str, Callable[[_Plain], Exception]] = {
    "Missing": lambda said: Missing(said["message"]),
    "Damaged": lambda said: _damaged(said),
    "Unwritable": lambda said: Unwritable(said["message"]),
    "InputChanged": lambda said: InputChanged(said["key"], said["message"]),
    "InputRefused": lambda said: InputRefused(said["message"]),
}
"""What becomes of an error that means something to whoever runs jobs, by the name of its class."""


def as_plain(error: BaseException) -> _Plain:
    """Return what has to be known of an error to raise it in another process, as plain JSON values."""
    text = str(error) or type(error).__name__
    said: _Plain = {"type": type(error).__name__, "message": text}
    if (full := full_disk(error)) is not None:
        said |= {"type": "OSError", "errno": full.errno, "message": full.strerror or text}
    if isinstance(error, Damaged):
        aside = None if error.aside is None else str(error.aside)
        said |= {"path": str(error.path), "reason": error.reason, "aside": aside}
    if isinstance(error, InputChanged):
        said["key"] = error.key
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        said["of_memory"] = True
    return said


def raised_again(said: _Plain, who: str) -> Exception:
    """Return the error that `as_plain` told of; a component's names the process (`who`) that it arose in."""
    name, message = said["type"], said["message"]
    if name in _MADE_AGAIN:
        return _MADE_AGAIN[name](said)
    if said.get("errno") is not None:
        return OSError(said["errno"], message)
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, PrunebenchError):
        return kind(message)
    error = ComponentError(f"{who} failed: {message}")
    if said.get("of_memory") or "out of memory" in message:
        error.__cause__ = MemoryError(message)  # by which it is known what to change
    return error


def _damaged(said: _Plain) -> Damaged:
    aside = None if said["aside"] is None else Path(said["aside"])
    return Damaged(Path(said["path"]), said["reason"], aside)
