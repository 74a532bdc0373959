"""The bracket around a call of foreign code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from prunebench.errors import LeakError
from prunebench.isolation.names import Names
from prunebench.isolation.settings import QUIET, TELLING, Reading

__all__ = ["Watch", "isolated", "listed", "running", "same_process"]


_running: ContextVar[tuple[str, Watch] | None] = ContextVar("who runs, since when", default=None)


class Watch:
    """What there was when it was made: `put_back` restores it and says what had been changed."""

    def __init__(self, *, all_of_it: bool = True) -> None:
        self._telling = [Reading(setting) for setting in TELLING] if all_of_it else []
        self._names = Names.now() if all_of_it else None
        self._quiet = [Reading(setting) for setting in QUIET]

    def put_back(self) -> list[str]:
        """Restore everything; return what of it changes others' results, in words, the verb first."""
        said = [text for reading in self._telling if (text := reading.put_back()) is not None]
        said += self._names.put_back() if self._names is not None else []
        for reading in self._quiet:
            reading.put_back()
        return said


def running() -> str:
    """Return whose code runs within the bracket that is open, in words; "" where none is."""
    inside = _running.get()
    return "" if inside is None else inside[0]


@contextmanager
def same_process() -> Iterator[None]:
    """Run code of others; where it forks and the child comes back from it, as the parent does, that one ends.

    Otherwise two processes would go on from here, with the same files open and the same claims in hand.
    """
    began = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != began:
            _end(error)
        raise
    if os.getpid() != began:
        _end(None)


def _end(error: BaseException | None) -> None:
    """End a forked process at once: what stands in buffers is its parent's to write."""
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else int(error.code is not None))
    if error is not None:
        os.write(2, "".join(traceback.format_exception(error)).encode("utf-8", "replace"))
    os._exit(int(error is not None))


@contextmanager
def isolated(who: str) -> Iterator[None]:
    """Run code of others; what it changes outside itself is put back, also when it fails.

    Within another bracket of the same `who`, as in the rounds of one scorer, only settings are looked at: the
    rest waits for that one. The whole takes a millisecond or two, settings a quarter of one.

    Raises: LeakError, naming `who` and what it changed, where that changes the results of others.
    """
    outer = _running.get()
    same = outer is not None and outer[0] == who
    watch = Watch(all_of_it=not same)
    inside = _running.set(outer if same else (who, watch))
    try:
        with same_process():
            yield
    except BaseException as error:
        changed = watch.put_back()
        if same and outer is not None:  # whoever asks what was wrong does so where nothing is changed
            changed += outer[1].put_back()
        if changed:
            error.add_note(f"{who} also {listed(changed)}; this has been put back")
        raise
    finally:
        _running.reset(inside)
    changed = watch.put_back()
    if changed:
        raise LeakError(f"{who} {listed(changed)}; this has been put back, and what it made is not kept")


def listed(phrases: Sequence[str]) -> str:
    """Return phrases as one: a, b and c."""
    *first, last = phrases
    return f"{', '.join(first)} and {last}" if first else last
