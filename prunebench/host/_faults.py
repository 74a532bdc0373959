"""What to say of a plugin that failed: one line for everybody, the traceback for its author."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NamedTuple

from prunebench.errors import PluginError
from prunebench.host._hooks import Refused

__all__ = ["Fault", "fault_of"]


class Fault(NamedTuple):
    """Why a plugin was not loaded. `traceback` is empty where it broke a rule of the host's."""

    reason: str
    traceback: str


def fault_of(error: BaseException) -> Fault:
    """Return what went wrong, with the file and line in the plugin."""
    if isinstance(error, Refused | PluginError):
        return Fault(str(error), "")
    formatted = "".join(traceback.format_exception(error))
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        return Fault(f"{name}: {error.msg} ({error.filename}, line {error.lineno})", formatted)
    text = " ".join(str(error).split())
    return Fault(f"{name}: {text}{_where(error)}" if text else f"{name}{_where(error)}", formatted)


def _where(error: BaseException) -> str:
    """Return the deepest place that is not machinery of the host's or of Python's import."""
    here = Path(__file__).parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        machinery = path.parent == here or "pluggy" in path.parts or "importlib" in path.parts
        if not machinery and not frame.filename.startswith("<"):
            return f" ({frame.filename}, line {frame.lineno})"
    return ""
