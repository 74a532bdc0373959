"""Slurm's queue: pilots are submitted by submitit, looked at with squeue, cancelled with scancel."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from prunebench.engine.on_slurm.pilot import Pilot
from prunebench.errors import PrunebenchError, UsageError
from prunebench.kin import OWNER

__all__ = ["InQueue", "Queue", "SlurmQueue", "have_gpus", "look_at"]

FOREVER = 1_000_000
"""How often a pilot may reach its time limit: it is requeued while work is left, and submitit counts."""

_NOBODY = re.compile(r"unable to contact|unknown host|configuration source|connection refused", re.IGNORECASE)
"""What sbatch says where no cluster answers it."""

_ASKED = ("partition", "account", "qos", "gres", "mem", "constraint", "time", "nodes", "cpus_per_task")
"""Parameters of submitit's executor that sbatch has by the same names."""

_NEVER = re.compile(r"invalid|unrecognized|not permitted|permission denied", re.IGNORECASE)
"""What sbatch says of what it would refuse at any time. Of nodes that are down just now it says other things,
and would let a job wait for them."""

SECONDS = 60
"""Seconds that a command of Slurm may take: a busy cluster answers late, or never."""


@dataclass(frozen=True)
class InQueue:
    """A job that Slurm knows and has not ended yet."""

    state: str
    """PENDING, RUNNING, COMPLETING …"""
    reason: str = ""
    """Why it is not running."""

    @property
    def pending(self) -> bool:
        """True if it has not been started, or is to be started again."""
        return self.state not in ("RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT", "SIGNALING", "STOPPED")


class Queue(Protocol):
    """Where pilots are submitted to."""

    def check(self) -> None:
        """Submit nothing. Raises: UsageError where pilots would be refused, whenever they were submitted."""

    def submit(self, pilot: Pilot, count: int, after: float) -> list[str]:
        """Submit an array of pilots that start after so many seconds at the earliest; return their jobs.

        Raises: PrunebenchError where it is refused.
        """

    def look(self, arrays: Collection[str]) -> Mapping[str, InQueue] | None:
        """Return the jobs of these arrays that have not ended, by number; None where nobody answers."""

    def cancel(self, arrays: Collection[str], *, waiting_only: bool = False) -> None:
        """End all jobs of these arrays, or those alone that have not been started.

        Raises: PrunebenchError where that is refused.
        """


class SlurmQueue:
    """The cluster that this machine submits to."""

    def __init__(self, folder: Path, name: str, parameters: Mapping[str, Any]) -> None:
        """`folder` is for submitit's files, `name` is the jobs' own, `parameters` are its executor's."""
        self._folder, self._name, self._parameters = folder, name, parameters

    @staticmethod
    def check_here() -> None:
        """Raises: UsageError where this machine submits to no cluster."""
        missing = [command for command in ("sbatch", "srun") if shutil.which(command) is None]
        if missing:
            raise UsageError(
                f"--engine slurm: {' and '.join(missing)} cannot be found here; start it on a machine that "
                "submits to the cluster, as its login nodes do"
            )

    def check(self) -> None:
        """Ask sbatch if it would take a pilot. Raises: UsageError with its words where it never would."""
        command = ["sbatch", "--test-only", *self._as_options(), "--wrap=true"]
        try:
            with _as_from_outside():
                done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.SubprocessError):
            return  # submitting says what is wrong
        if done.returncode and _NOBODY.search(done.stderr):
            raise UsageError(
                "--engine slurm: no cluster answers here; start it where `sinfo` shows one (sbatch: "
                f"{_words_of_sbatch(done.stderr).rpartition('; ')[2]})"
            )
        if done.returncode and _NEVER.search(done.stderr):
            raise UsageError(f"Slurm takes no pilots: {_words_of_sbatch(done.stderr)}")

    def _as_options(self) -> list[str]:
        """Return what pilots ask for, as options of sbatch."""
        asked = {name: self._parameters[name] for name in _ASKED if name in self._parameters}
        asked |= self._parameters.get("additional_parameters", {})
        return [
            f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
            for name, value in asked.items()
        ]

    def submit(self, pilot: Pilot, count: int, after: float) -> list[str]:
        """Submit an array of pilots. Raises: PrunebenchError with what sbatch says."""
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        parameters = dict(self._parameters)
        if after > 0:
            extra = parameters["additional_parameters"]
            parameters["additional_parameters"] = {**extra, "begin": f"now+{round(after)}"}
        try:
            with _as_from_outside():
                executor = SlurmExecutor(self._folder, max_num_timeout=FOREVER)
                executor.update_parameters(
                    job_name=self._name, comment=self._name, array_parallelism=count, **parameters
                )
                return [str(job.job_id) for job in executor.submit_array([pilot] * count)]
        except (FailedJobError, FailedSubmissionError, OSError, subprocess.SubprocessError) as error:
            raise PrunebenchError(f"Slurm takes no pilots: {_words_of_sbatch(str(error))}") from error

    def look(self, arrays: Collection[str]) -> Mapping[str, InQueue] | None:
        """Ask squeue."""
        return look_at(arrays)

    def cancel(self, arrays: Collection[str], *, waiting_only: bool = False) -> None:
        """Ask scancel. Raises: PrunebenchError where it does not."""
        only = ["--state=PENDING"] if waiting_only else []
        command = ["scancel", *only, *sorted(arrays)]
        try:
            subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip()
            raise PrunebenchError(
                f"the pilots cannot be cancelled ({said}): `{' '.join(command)}` does it"
            ) from error


def look_at(arrays: Collection[str]) -> Mapping[str, InQueue] | None:
    """Return the jobs of these arrays that Slurm has in its queue, by their numbers; None where it cannot be
    asked. Reads only: whoever shows a store asks too.
    """
    if not arrays:
        return {}
    command = ["squeue", "--noheader", "--array", "--format=%i|%T|%r", f"--jobs={','.join(sorted(arrays))}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode and "Invalid job id" not in done.stderr:  # that of a job long ended
        return None
    rows = (line.split("|") for line in done.stdout.splitlines())
    return {row[0].strip(): InQueue(row[1].strip(), row[2].strip()) for row in rows if len(row) == 3}


def have_gpus(partition: str | None) -> bool:
    """True if all nodes of a partition (None: of the default one) have GPUs, as far as Slurm says so."""
    command = ["sinfo", "--noheader", "--format=%R|%P|%G"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    rows = [row for row in (line.split("|", 2) for line in told.splitlines()) if len(row) == 3]
    wanted = set((partition or "").split(","))
    own = [gres for name, mark, gres in rows if (name in wanted if partition else mark.endswith("*"))]
    return bool(own) and all(re.search(r"\bgpu\b", gres) for gres in own)


@contextlib.contextmanager
def _as_from_outside() -> Iterator[None]:
    """Within a job of Slurm (an interactive one, say), hide what its variables say: they are that job's, and
    sbatch would take them for what is asked of the new one."""
    hidden = {name: os.environ[name] for name in (OWNER,) if name in os.environ}  # pilots outlive this run
    if "SLURM_JOB_ID" in os.environ:
        hidden |= {name: value for name, value in os.environ.items() if re.match(r"(SLURMD?|SRUN)_", name)}
        hidden.pop("SLURM_CONF", None)
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _words_of_sbatch(said: str) -> str:
    """Return what sbatch says, out of all that it, or submitit, prints."""
    lines = [line.split("error:", 1)[-1].strip() for line in said.splitlines() if "sbatch: error:" in line]
    return "; ".join(dict.fromkeys(lines)) or " ".join(said.split())[:500]
