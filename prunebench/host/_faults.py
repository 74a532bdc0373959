"""What to say of a plugin that failed: one line for everybody, the traceback for its author."""

from __future__ import annotations

import traceback
from typing import NamedTuple

from prunebench.errors import PluginError
from prunebench.faults import place_of, said
from prunebench.host._hooks import Refused

__all__ = ["Fault", "fault_of"]


class Fault(NamedTuple):
    """Why a plugin was not loaded. `traceback` is empty where it broke a rule of the host's."""

    reason: str
    traceback: str


def fault_of(error: BaseException) -> Fault:
    """Return what went wrong, with the line of the plugin in which it arose."""
    if isinstance(error, Refused | PluginError):
        return Fault(str(error), "")
    formatted = "".join(traceback.format_exception(error))
    place = place_of(error)
    text = f"{type(error).__name__}: {error.msg}" if isinstance(error, SyntaxError) and place else said(error)
    return Fault(f"{text} ({place})" if place else text, formatted)
