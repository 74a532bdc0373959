"""`run` as two processes: one works, the other sees it end.

Code of plugins runs in the process that works, and may end it with no exception at all: `os._exit`, a crash
in C, the kernel's answer to too much memory. The other process, which has loaded nothing, then writes down
which job that was and lets a new one do the rest. It also passes signals on, and again until they are heeded,
since not all code lets an exception through that comes from nowhere. A second Ctrl-C kills all.

What the working process leaves behind comes to the one that watches, which ends it. Where the program has
children from before (a script started a service and then became this program) a third process does the
watching, so that nothing can come to it but what comes from the one that works.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from prunebench import kin
from prunebench.cli._output import complain
from prunebench.engine.guarding.own_process import DEATHS, end_after, file_in_memory
from prunebench.process import EXIT_REPLACE, how_ended
from prunebench.stopping import AGAIN, SIGNALS

__all__ = ["Handover", "supervised"]

REMINDER = 1.0
"""Seconds after which a process that has not ended is told again."""


@dataclass
class Handover:
    """What the working process and the one that watches it know of each other."""

    said: dict[str, Any] = field(default_factory=dict)
    """What an earlier process of this run has said with `say`, before it died."""
    noted: dict[str, list[Any]] = field(default_factory=dict)
    """What such processes have said with `note`, by name; "begun" are jobs: one that has begun some, and dies
    when it holds none, leaves the rest to another."""
    given_up: dict[str, str] = field(default_factory=dict)
    """The jobs that such processes died of, by key, with the error: not tried again in this run."""
    deaths: Counter[str] = field(default_factory=Counter)
    """How many processes have died while they worked on a job, by key."""
    notes: IO[bytes] | None = None
    """Where `say` writes: a file, as a pipe that nobody reads yet would fill up."""
    pipe: int | None = None
    """Where its end is announced."""
    alone: bool = True
    """True if nobody watches: then nobody else says "stopping…"."""

    def say(self, **values: Any) -> None:
        """Tell the watching process what the next one, should this one die, has to know."""
        self._write({"said": values})

    def note(self, name: str, value: Any) -> None:
        """Tell it of one thing more of a kind."""
        self._write({"name": name, "noted": value})

    def _write(self, line: dict[str, Any]) -> None:
        if self.notes is not None:
            with contextlib.suppress(OSError):
                self.notes.write(json.dumps(line).encode() + b"\n")
                self.notes.flush()

    def read(self, notes: IO[bytes]) -> None:
        """Take in what a process said, as far as it came."""
        for line in notes:
            try:
                value = json.loads(line)
            except ValueError:  # it died in the midst of it
                return
            self.said |= value.get("said", {})
            if "name" in value:
                self.noted.setdefault(value["name"], []).append(value["noted"])

    def leave(self, given_up: dict[str, str], why: str) -> None:
        """End a process of its own that can do no more jobs, and let the next do the rest without these.

        Returns where nobody watches, or where a process before this one has left for the same jobs.
        """
        if self.pipe is not None and not given_up.keys() <= self.given_up.keys():
            complain(f"{why}; another process goes on")
            self.say(left=given_up)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(EXIT_REPLACE)

    def end_at_once(self, code: int) -> None:
        """End a process of its own without Python's goodbye to every module, which takes a second."""
        if self.pipe is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            _write(self.pipe, b".")
            os._exit(code)


def say_stopping(display: bool) -> None:
    """Say that the work stops: where a terminal has a display, in the cursor's line; else in one of its own.

    A display is redrawn from its last line upwards: a new line would leave parts of it behind.
    """
    if display and sys.stderr.isatty():
        click.echo("\r\x1b[Kstopping…", err=True, nl=False)
    else:
        click.echo("stopping…", err=True)


def supervised(*, display: bool = False) -> Handover:
    """Go on in a new process that does the work; in the one that watches, return never.

    display: the work shows a display where it has a terminal
    Where this is no program of its own (called from Python, debugged), or processes cannot be forked,
    go on here.
    """
    if (
        not hasattr(os, "fork")
        or sys.stdout is not sys.__stdout__
        or sys.gettrace() is not None
        or threading.active_count() > 1
        or "torch" in sys.modules
    ):
        return Handover()
    handover = Handover(alone=False)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as some that start programs leave it, hides ends
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    if os.getpid() == 1 or kin.children_of(os.getpid()):  # a container's first process adopts others' too
        _let_another_watch()
    kin.adopt()  # what the working process leaves behind comes to this one, and nothing else does
    kin.end(kin.orphans())
    while True:
        _flush()
        handover.notes = file_in_memory()  # closed when it has been read
        to_us, from_child = os.pipe()
        alive, held = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(to_us)
            os.close(held)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            end_after(partial(_until_closed, alive))
            atexit.register(_announce, os.getpid(), from_child)
            handover.pipe = from_child
            return handover
        os.close(from_child)
        os.close(alive)
        watch = _Watch(child, display=display)
        status, ended = watch.until_it_ends(to_us)
        os.close(to_us)
        os.close(held)
        code = os.waitstatus_to_exitcode(status)
        _say_what_stays(kin.end_all(patience=0.0 if ended or watch.signals else kin.PATIENCE))
        if ended:
            _exit(code)
        if watch.signals:
            complain("Stopped at once.")
            _exit(-watch.signals[0])
        with handover.notes as notes:
            notes.seek(0)
            begun = len(handover.noted.get("begun", ()))
            handover.read(notes)
        buried = _bury(handover.said["store"], child, code) if handover.said else {}
        left = handover.said.pop("left", {})
        handover.deaths.update(list(buried))
        for key, (error, final) in buried.items():
            if final or handover.deaths[key] >= DEATHS:
                handover.given_up[key] = error
        handover.given_up |= left
        if not buried and not left and len(handover.noted.get("begun", ())) == begun:
            complain(
                f"a plugin's code ended the run: the process {how_ended(code)} before it was through",
                label="Error",
            )
            _exit(1)


def _flush() -> None:
    """Write out what is to be written once, before a process is forked that has it too."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def _let_another_watch() -> None:
    """Go on in a new process that has no children, and let this one pass signals on and end as that does.

    Where this one is killed the other is too: then the working process sees that nobody watches.
    """
    parent = os.getpid()
    _flush()
    child = os.fork()
    if child == 0:
        kin.end_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        return

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    while (ended := os.waitpid(-1, 0))[0] != child:
        pass  # one of those from before
    code = os.waitstatus_to_exitcode(ended[1])
    os._exit(code if code >= 0 else 128 - code)  # all that was to be written the other has written


def _say_what_stays(left: Collection[int]) -> None:
    """Say which processes could not be ended, not even killed: one that waits for a disk heeds nothing."""
    if left:
        numbers = ", ".join(map(str, sorted(left)))
        complain(f"of what the run started, these processes could not be ended: {numbers}", label="Warning")


def _until_closed(alive: int) -> None:
    """Wait until the other end is closed, as it is when the parent is gone."""
    with contextlib.suppress(OSError):
        os.read(alive, 1)


def _announce(process: int, pipe: int) -> None:
    """Say that this process ends: only this, and none that it has forked, whose files may be others."""
    if os.getpid() == process:
        _write(pipe, b".")


def _write(pipe: int, sign: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(pipe, sign)


class _Watch:
    """Passes signals on to a child until it ends."""

    def __init__(self, child: int, *, display: bool) -> None:
        self.child = child
        """0 once it has ended."""
        self.display = display
        self.signals: list[int] = []
        self._first = 0.0
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._pass_on)

    def _pass_on(self, number: int, _frame: object) -> None:
        if not self.signals:
            self._first = time.monotonic()
            say_stopping(self.display)
            signal.signal(signal.SIGALRM, self._remind)
            signal.setitimer(signal.ITIMER_REAL, REMINDER, REMINDER)
        elif time.monotonic() - self._first > AGAIN:
            self._tell(signal.SIGKILL)  # first, and whatever can be read of processes here
            kin.send(kin.descendants_of(os.getpid()), signal.SIGKILL)
            return
        self.signals.append(number)
        self._tell(number)

    def _remind(self, _number: int, _frame: object) -> None:
        self._tell(self.signals[0])

    def _tell(self, number: int) -> None:
        if self.child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child, number)

    def until_it_ends(self, pipe: int) -> tuple[int, bool]:
        """Return the child's status, and True if it had announced its end."""
        while (ended := os.waitpid(-1, 0))[0] != self.child:
            pass  # one of those that the child had left behind
        self.child, status = 0, ended[1]
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.set_blocking(pipe, False)  # whatever the child started may hold the other end
        try:
            return status, bool(os.read(pipe, 1))
        except BlockingIOError:
            return status, False


def _bury(store: str, process: int, code: int) -> dict[str, tuple[str, bool]]:
    """Write down what a dead process was working on; return it: by key the error, and if it was killed for
    that job's sake.
    """
    from prunebench.store import Store

    opened = Store.open(Path(store), create=False)
    errors = {}
    for key in (path.stem for path in opened.bury({process: code})):
        for attempt in opened.attempts(key)[-1:]:
            if attempt.get("pid") == process:
                errors[key] = str(attempt.get("error")), attempt.get("job") is not None
    return errors


def _exit(code: int) -> NoReturn:
    """End as the child did: with its code, or 128 and the signal."""
    sys.exit(code if code >= 0 else 128 - code)
