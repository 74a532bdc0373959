"""Being told to stop: a signal sets a flag, and work is given up where nothing is lost by that.

While `listening`, SIGINT, SIGTERM and SIGHUP raise `Stopped` in the main thread, at once or, inside `held`,
where the work looks at the flag itself (training, which commits a checkpoint first). So a KeyboardInterrupt
that is no `Stopped` is a component's own exception, and no signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = [
    "SIGNALS",
    "Stopped",
    "check",
    "exit_code",
    "heard",
    "held",
    "is_listening",
    "is_signal",
    "listening",
    "released",
    "requested",
    "time_is_over",
    "timed",
    "timed_out",
]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What tells a process to stop, of those that this system has."""


_TIME_OVER = getattr(signal, "SIGXCPU", signal.SIGTERM)
"""What a process tells itself when its time is over: another signal than anybody else's, so that theirs is
known from it."""


class Stopped(KeyboardInterrupt):
    """The user, or a scheduler, told the run to stop."""


AGAIN = 0.3
"""Seconds after the first signal in which another is taken for the same: one Ctrl-C may come twice, from the
terminal and from the parent."""


class _Flag:
    """The signal that came first (before one of somebody else's, that of the time), when, whether work is
    being given up, who holds it off, who listens, and who is told of the first.
    """

    signal = 0
    since = 0.0
    heard = False
    holds = 0
    listener = 0
    """Process number; 0 where nobody listens."""
    told: Callable[[], Any] = staticmethod(lambda: None)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def is_listening() -> bool:
    """True if signals raise `Stopped` in this process."""
    return _Flag.listener == os.getpid()


def is_signal(error: BaseException) -> bool:
    """True if an exception comes from a signal, as of Ctrl-C; else it is some component's own."""
    return isinstance(error, Stopped) or (isinstance(error, KeyboardInterrupt) and not is_listening())


def requested() -> bool:
    """True if this process was told to stop."""
    return is_listening() and _Flag.signal != 0


def check() -> None:
    """Raise Stopped where this process was told to stop."""
    if requested():
        raise Stopped


def heard() -> None:
    """Say that work is being given up: later signals change nothing. Until then each raises Stopped anew,
    as not all code lets an exception through that comes from nowhere.
    """
    _Flag.heard = True


def exit_code() -> int:
    """Return the exit code of a process that was told to stop: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (_Flag.signal or signal.SIGINT)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let signals only set the flag meanwhile: what is done in here looks at it itself, or is short."""
    by = int(_in_main_thread())  # others are never interrupted
    _Flag.holds += by
    try:
        yield
    finally:
        _Flag.holds -= by


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Within `held`: let signals raise Stopped again meanwhile, one that has come already at once."""
    holds = _Flag.holds
    try:
        if _in_main_thread():
            _Flag.holds = 0
        check()
        yield
    finally:
        if _in_main_thread():
            _Flag.holds = holds


@contextlib.contextmanager
def listening(told: Callable[[], Any] = lambda: None) -> Iterator[None]:
    """Listen to signals meanwhile; `told` is called by the first. Does nothing where somebody listens
    already, or outside the main thread. A signal that is ignored (behind nohup, or a shell's &) stays so.
    """
    if is_listening() or not _in_main_thread():
        yield
        return

    before = {}
    _Flag.signal, _Flag.heard, _Flag.holds, _Flag.listener = 0, False, 0, os.getpid()
    _Flag.told = told
    try:
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, _stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if is_listening():
            _Flag.listener = 0


def _stop(number: int, _frame: FrameType | None) -> None:
    """Take in a signal."""
    if not is_listening():  # a forked child, which has no run to stop
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    if not _Flag.signal:
        _Flag.signal, _Flag.since = number, time.monotonic()
        _Flag.told()
    else:
        if _Flag.signal == _TIME_OVER:  # what somebody says counts more than the clock
            _Flag.signal = number
        if _Flag.heard or time.monotonic() - _Flag.since < AGAIN:
            return
    if not _Flag.holds:
        raise Stopped


@contextlib.contextmanager
def timed() -> Iterator[None]:
    """While listening: hear `time_is_over` too."""
    before = signal.signal(_TIME_OVER, _stop)
    try:
        yield
    finally:
        signal.signal(_TIME_OVER, before)


def time_is_over() -> None:
    """Tell this process, from any of its threads, that its time is over, while it is `timed`."""
    os.kill(os.getpid(), _TIME_OVER)


def timed_out() -> bool:
    """True if a process that was told to stop was told so by its time alone, as `exit_code` is asked."""
    return _Flag.signal == _TIME_OVER
