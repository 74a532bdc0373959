"""Settings of a process: how each is read, compared and put back."""

from __future__ import annotations

import contextlib
import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from prunebench.isolation import torch_settings as of_torch

__all__ = ["QUIET", "TELLING", "Reading", "Watched"]


class Watched(NamedTuple):
    """One thing that can be read and written; `what` says in words what changing it was, verb first."""

    get: Callable[[], Any]
    put: Callable[[Any], object]
    what: Callable[[Any, Any], str] = lambda was, now: "changed a setting"


class Reading:
    """A setting as it was."""

    def __init__(self, setting: Watched) -> None:
        self._setting = setting
        self._was = _read(setting)

    def put_back(self) -> str | None:
        """Restore the setting; return what had been done to it, or None where it is as it was."""
        now = _read(self._setting)
        if self._was is _UNKNOWN or now is _UNKNOWN or now == self._was:
            return None
        with contextlib.suppress(Exception):  # what cannot be written stays; saying so matters more
            self._setting.put(self._was)
        return self._setting.what(self._was, now)


_UNKNOWN = object()


def _read(setting: Watched) -> Any:
    try:
        return setting.get()
    except (
        AttributeError,
        RuntimeError,
        OSError,
        ValueError,
    ):  # another torch; a folder gone
        return _UNKNOWN


# -- handlers ------------------------------------------------------------------------------------------------

_SIGNALS = sorted(signal.valid_signals() - {getattr(signal, "SIGCHLD", None)})
"""SIGCHLD is torch's own: its data loader watches the processes that read images by a handler that stays."""


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _put_handlers(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _said_handlers(was: Mapping[int, Any], now: Mapping[int, Any]) -> str:
    names = [signal.Signals(n).name if n in _NAMED else f"signal {n}" for n in was if was[n] != now[n]]
    return f"set a handler of {', '.join(names)}"


_NAMED = {int(number) for number in signal.Signals}


def _timer() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _stop_timer(was: bool) -> None:
    if not was:
        signal.setitimer(signal.ITIMER_REAL, 0)


TELLING = [
    Watched(_handlers, _put_handlers, _said_handlers),
    Watched(_timer, _stop_timer, lambda was, now: "left a timer running"),
    *(Watched(*setting) for setting in of_torch.TELLING),
]
"""What changes the results of others, or whether a run can be stopped."""


# -- what any library may touch ------------------------------------------------------------------------------


def _attribute(owner: Any, name: str) -> Watched:
    return Watched(lambda: getattr(owner, name), lambda value: setattr(owner, name, value))


def _list(get: Callable[[], list[Any]], then: Callable[[], object] = lambda: None) -> Watched:
    """Return the setting that is what a list holds: the list stays the same one."""

    def put(items: tuple[Any, ...]) -> None:
        get()[:] = items
        then()

    return Watched(lambda: tuple(get()), put)


def _loggers() -> list[tuple[logging.Logger, int, tuple[Any, ...], bool, bool]]:
    own = [logger for name, logger in logging.root.manager.loggerDict.items() if _ours(name)]
    every = [logging.root, *(logger for logger in own if isinstance(logger, logging.Logger))]
    return [(one, one.level, tuple(one.handlers), one.disabled, one.propagate) for one in every]


def _ours(name: str) -> bool:
    return name == "prunebench" or name.startswith("prunebench.")


def _put_loggers(states: list[tuple[logging.Logger, int, tuple[Any, ...], bool, bool]]) -> None:
    for logger, level, handlers, disabled, propagate in states:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.disabled, logger.propagate = disabled, propagate


def _put_environment(variables: Mapping[str, str]) -> None:
    for name in set(os.environ).difference(variables):
        del os.environ[name]
    os.environ.update(variables)


def _numpy() -> Any:
    """Return numpy. Raises: AttributeError where it is not imported yet."""
    if "numpy" not in sys.modules:
        raise AttributeError("numpy")
    return sys.modules["numpy"]


def _numpy_state() -> Any:
    kind, keys, *rest = _numpy().random.get_state()
    return (kind, keys.tobytes(), *rest)


def _put_numpy_state(state: Any) -> None:
    kind, keys, *rest = state
    _numpy().random.set_state((kind, _numpy().frombuffer(keys, dtype="uint32"), *rest))


def _start_method() -> Any:
    module: Any = sys.modules.get("multiprocessing")
    return module.get_start_method(allow_none=True) if module else None


def _put_start_method(method: Any) -> None:
    sys.modules["multiprocessing"].set_start_method(method, force=True)


QUIET = [
    Watched(random.getstate, random.setstate),
    Watched(_numpy_state, _put_numpy_state),
    Watched(lambda: _numpy().geterr(), lambda flags: _numpy().seterr(**flags)),
    *(Watched(*setting) for setting in of_torch.QUIET),
    _list(lambda: warnings.filters, lambda: warnings._filters_mutated()),  # type: ignore[attr-defined, arg-type, return-value]
    _attribute(warnings, "showwarning"),
    Watched(_loggers, _put_loggers),
    _attribute(logging.root.manager, "disable"),
    *(_attribute(sys, name) for name in ("stdin", "stdout", "stderr", "excepthook", "unraisablehook")),
    _attribute(threading, "excepthook"),
    _list(lambda: sys.path),
    Watched(sys.getrecursionlimit, sys.setrecursionlimit),
    Watched(gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    Watched(lambda: dict(os.environ), _put_environment),
    Watched(os.getcwd, os.chdir),
    Watched(lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    Watched(_start_method, _put_start_method),
]
"""What is put back without a word: it is common to set these, and restored they change nothing."""
