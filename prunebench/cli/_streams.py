"""What a command that works does with its standard streams and with warnings."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO

from prunebench.cli._supervise import Handover

__all__ = ["lasting_stderr", "plain_warnings", "streams", "teller"]


def teller(handover: Handover) -> Callable[[], object]:
    """Return what says that the run stops, unless the process that watches this one does."""
    stream = sys.stderr  # a job's is another

    def tell() -> None:
        with contextlib.suppress(RuntimeError):  # in the midst of writing to it
            stream.write("stopping…\n")
            stream.flush()

    return tell if handover.alone else lambda: None


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Python's own filters: -W error and PYTHONWARNINGS would turn a library's warning into a failure."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category, append=True)
        yield


@contextlib.contextmanager
def streams(as_json: bool) -> Iterator[TextIO]:
    """Yield standard output; with --json, let nothing but what is written to that reach it.

    Of a program of its own, both streams and, with --json, the descriptor are kept to its very end: foreign
    code prints where it likes, when it is imported and when Python exits, and may close what it finds.
    """
    if sys.stdout is not sys.__stdout__ or sys.stdout is None or sys.stderr is None:
        stdout = sys.stdout
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            yield stdout
        return
    encoding = "utf-8" if as_json else sys.stdout.encoding
    out, sys.stderr = _Lasting(1, encoding), _Lasting(2, sys.stderr.encoding)
    if as_json:
        os.dup2(2, 1)
    sys.stdout = sys.stderr if as_json else out
    try:
        yield out
    finally:
        out.close()
        sys.stderr.close()


@contextlib.contextmanager
def lasting_stderr() -> Iterator[TextIO]:
    """Yield standard error as it is now: while workers run, its descriptor leads elsewhere."""
    stderr = sys.stderr
    replaced = stderr is not sys.__stderr__
    if stderr is None or replaced:
        yield stderr
        return
    stderr.flush()
    stream = _Lasting(2, stderr.encoding)
    try:
        yield stream
    finally:
        stream.close()


class _Lasting(io.TextIOWrapper):
    """A copy of a standard stream that closing only flushes; nobody at the other end is no reason to stop."""

    def __init__(self, number: int, encoding: str) -> None:
        try:
            copy = os.dup(number)
        except OSError:  # closed, as a service's may be
            copy = os.open(os.devnull, os.O_WRONLY)
        raw = io.BufferedWriter(io.FileIO(copy, "w", closefd=False))
        super().__init__(raw, encoding=encoding, errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        with contextlib.suppress(BrokenPipeError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            super().flush()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.flush()
