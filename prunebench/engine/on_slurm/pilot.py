"""A pilot: what runs as a job of Slurm. It starts `prunebench work`, passes on that it is to leave, and says
how it stands.

The worker is a process of its own, so that nothing that a plugin does (exit, crash, a library that never
returns) keeps the pilot from asking Slurm to start it again. submitit calls the pilot, and its `checkpoint`
when Slurm's signal says that its time is nearly over, or that it is preempted; it requeues the job then.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from prunebench.engine.on_slurm.submissions import PilotState, Submission
from prunebench.process import how_ended
from prunebench.store import now_text
from prunebench.store._commit import server_now

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

__all__ = ["Pilot"]

PATIENCE = 90.0
"""Seconds that a worker has for its checkpoint, once it was told to stop."""

LOOK = 0.1
"""Seconds between two looks whether the worker has ended."""

TURN = 5.0
"""Seconds between two looks whether it is its turn to start."""

_OVER = ("COMPLETING", "CANCELLED", "COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "PENDING")
"""States of a job that Slurm is ending by itself, whatever comes then."""


@dataclass
class Pilot:
    """Runs one worker until its cells are there, it is told to leave, or it cannot go on."""

    folder: Path
    """The submission's."""
    arguments: Sequence[str]
    """Those of `prunebench work`."""
    starts: int
    """So many pilots at most start in a minute."""

    def __call__(self) -> str:
        """Work, and return why it ended."""
        from submitit.core.utils import UncompletedJobError

        self._begin()
        try:
            why = self._work()
        except (UncompletedJobError, subprocess.SubprocessError, OSError) as error:
            # it is not requeued: nothing is left to do, or Slurm refuses
            self._end_worker()
            why = "done" if self._code == 0 else "told to stop"
            print(f"not requeued: {error}", flush=True)
        words = ""
        if why == "cannot start" and self._code is not None:
            words = "\n".join([*self._last_words, f"it {how_ended(self._code)}"])
        self._say("ended", why=why, error=words)
        return why

    def checkpoint(self) -> DelayedSubmission | None:
        """Let the worker commit its checkpoint and end; return what is to be run once more, if anything."""
        from submitit.helpers import DelayedSubmission

        self._end_worker()
        if self._code == 0 or self._submission.cancelled:
            return None
        self._say("requeued")
        return DelayedSubmission(Pilot(self.folder, self.arguments, self.starts))

    # -- the worker ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        from submitit import JobEnvironment

        self._environment = JobEnvironment()
        self._job = str(self._environment.job_id)
        submission = Submission.read(self.folder)
        if submission is None:
            raise FileNotFoundError(f"{self.folder}/submission.json cannot be read on {os.uname().nodename}")
        self._submission = submission
        self._worker: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        self._told = self._began = False
        self._last_words: deque[str] = deque(maxlen=12)
        earlier = submission.state(self._job)
        self._state = PilotState(self._job, "waiting", starts=1 + (earlier.starts if earlier else 0))
        submission.say(self._state)
        signal.signal(signal.SIGTERM, self._hear)

    def _say(self, stage: Any, **said: Any) -> None:
        self._state = replace(self._state, stage=stage, time=now_text(), **said)
        self._submission.say(self._state)

    def _work(self) -> str:
        self._await_turn()
        if self._unwanted:
            return "told to stop"
        self._start_worker()
        while self._code is None:
            time.sleep(LOOK)
        if self._code == 0:
            return "done"
        if self._told:
            self._requeue()
            return "told to stop"
        if not self._began:
            return "cannot start"
        return "left"

    def _await_turn(self) -> None:
        """Wait while as many as may start in a minute have started in the last one.

        Pilots that come after each other in the queue may be let in all at once, and each reads gigabytes of
        libraries from the file server before it works.
        """
        while not self._unwanted and self._ahead() >= self.starts:
            time.sleep(TURN)
            self._say("waiting")

    @property
    def _unwanted(self) -> bool:
        """True if this pilot was told to stop before it has started its worker."""
        return self._told or self._submission.cancelled

    def _ahead(self) -> int:
        """Return how many other pilots have started in the last minute, or are to start before this one."""
        now = server_now(self.folder)
        return sum(self._is_ahead(other, now) for other in self._submission.states().values())

    def _is_ahead(self, other: PilotState, now: float) -> bool:
        """True if another pilot has started in the last minute, or is to start before this one.

        `now` is the file server's time: the clocks of two nodes are never compared.
        """
        if other.job == self._job:
            return False
        ago = now - other.touched
        if other.stage == "waiting" and ago < 3 * TURN:  # else it is dead
            return _number(other.job) < _number(self._job)
        return bool(other.started) and ago + other.seconds < 60.0

    def _start_worker(self) -> None:
        self._say("starting", started=now_text())
        command = [sys.executable, "-u", "-P", "-m", "prunebench", "work", *self.arguments]
        print(" ".join(command), flush=True)
        self._worker = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=_prepare_worker,
        )
        threading.Thread(target=self._follow, args=(self._worker,), daemon=True).start()

    def _follow(self, worker: subprocess.Popen[bytes]) -> None:
        """Copy what the worker prints, and say how it ended. In a thread, as what handles signals may come
        between any two steps of the main one, where no lock of subprocess can be waited for."""
        assert worker.stdout is not None
        assert worker.stderr is not None
        errors = threading.Thread(target=self._copy, args=(worker.stderr, sys.stderr, False), daemon=True)
        errors.start()
        self._copy(worker.stdout, sys.stdout, True)
        errors.join()
        self._code = worker.wait()

    def _copy(self, lines: IO[bytes], to: Any, begins: bool) -> None:
        for line in lines:
            if begins and not self._began:  # it has read the plan, and says so
                self._began = True
                self._say("working")
            text = line.decode("utf-8", "replace")
            if not begins:
                self._last_words.append(text.rstrip())
            to.write(text)
            to.flush()

    # -- leaving ---------------------------------------------------------------------------------------------

    def _hear(self, number: int, _frame: object) -> None:
        """SIGTERM: Slurm has sent it to the worker as well, submitit's local executor has not."""
        if not self._told and self._environment.name() != "slurm":
            self._tell_worker(number)
        self._told = True

    def _tell_worker(self, number: int) -> None:
        if self._worker is not None and self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker.pid, number)

    def _end_worker(self) -> None:
        """Tell the worker to stop, unless it was told, and wait until it has ended."""
        if self._worker is None:
            return
        if not self._told:  # a second signal would be taken for "at once"
            self._told = True
            self._tell_worker(signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while self._code is None and time.monotonic() < until:
            time.sleep(LOOK)
        while self._code is None:
            self._tell_worker(signal.SIGKILL)
            time.sleep(LOOK)

    def _requeue(self) -> None:
        """Ask to be started again where SIGTERM said that this job is preempted, and not that it is over.

        Where a partition gives time before it preempts, Slurm sends SIGTERM alone, and a job that ends then
        has ended for good. Does not return then.
        """
        if self._environment.name() == "slurm" and not self._submission.cancelled and not _is_over(self._job):
            os.kill(os.getpid(), type(self._environment)._usr_sig())
            time.sleep(LOOK)  # what handles it raises


def _number(job: str) -> tuple[int, ...]:
    return tuple(int(part) for part in job.split("_"))


_LIBC = ctypes.CDLL(None)
"""Loaded before a process forks: in the child it may not be."""

_SIGNAL_OF_PARENTS_DEATH = 1
"""Of prctl (Linux)."""


def _prepare_worker() -> None:
    """In the worker: be told to stop if the pilot is killed, and be deaf to the signal that tells a pilot to
    leave, as Slurm sends that to every process of its job.
    """
    with contextlib.suppress(AttributeError):  # elsewhere nobody tells
        _LIBC.prctl(_SIGNAL_OF_PARENTS_DEATH, signal.SIGTERM, 0, 0, 0)
    name = "SIG" + os.environ.get("SUBMITIT_PREEMPT_SIGNAL", "USR2")
    signal.signal(getattr(signal, name), signal.SIG_IGN)


def _is_over(job: str) -> bool:
    """True if Slurm is ending a job by itself (cancelled, or about to be started again), or does not say."""
    try:
        told = subprocess.run(
            ["scontrol", "show", "job", "-o", job], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return True
    states = [word.removeprefix("JobState=") for word in told.split() if word.startswith("JobState=")]
    return not states or states[0] in _OVER
