"""The bracket around a call of foreign code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from prunebench.errors import LeakError
from prunebench.isolation.names import Names
from prunebench.isolation.settings import QUIET, TELLING, Reading

__all__ = ["Watch", "isolated", "listed"]


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
