"""Where foreign code prints to: into its job's log, so that it reaches neither the screen nor a --json."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["printed_to"]


@contextlib.contextmanager
def printed_to(path: Path) -> Iterator[None]:
    """Append to a file what is printed meanwhile, by Python or below it, to standard output or error.

    The streams are lent: closing or replacing them does nothing to those that come back afterwards. They
    are the whole process's: outside the main thread nothing is diverted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = sys.stdout, sys.stderr
    for stream in before:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    kept = {number: _duplicate(number) for number in (1, 2)}
    try:
        for number in kept:
            os.dup2(target, number)
        raw = io.FileIO(target, "w", closefd=False)
        lent = io.TextIOWrapper(raw, encoding="utf-8", errors="replace", write_through=True)
        sys.stdout = sys.stderr = lent
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):
                lent.flush()
            sys.stdout, sys.stderr = before
    finally:
        for number, copy in kept.items():
            if copy is None:
                os.close(number)
            else:
                os.dup2(copy, number)
                os.close(copy)
        os.close(target)


def _duplicate(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:  # closed, as a service's may be
        return None
