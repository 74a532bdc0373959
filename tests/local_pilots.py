"""A stand-in for Slurm: submitit's local executor, each pilot a process of this machine.

What it knows of Slurm is a signal (SIGUSR2) before the end, and that a job may be started again.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from submitit import LocalExecutor

from prunebench.engine.on_slurm.pilot import Pilot
from prunebench.engine.on_slurm.queue import InQueue, Queue


class LocalQueue(Queue):
    """Pilots as processes; the number of a job is that of submitit's process for it."""

    jobs: ClassVar[dict[str, Any]] = {}

    def __init__(self, folder: Path, name: str, parameters: Mapping[str, Any]) -> None:
        self._folder = folder

    @staticmethod
    def check_here() -> None:
        pass

    def check(self) -> None:
        pass

    def submit(self, pilot: Pilot, count: int, after: float) -> list[str]:
        executor = LocalExecutor(self._folder, max_num_timeout=100)
        executor.update_parameters(timeout_min=20, stderr_to_stdout=True)
        jobs = [executor.submit(pilot) for _ in range(count)]
        self.jobs.update({str(job.job_id): job for job in jobs})
        return [str(job.job_id) for job in jobs]

    def look(self, arrays: Collection[str]) -> Mapping[str, InQueue] | None:
        return {job: InQueue("RUNNING") for job in arrays if job in self.jobs and not self.jobs[job].done()}

    def cancel(self, arrays: Collection[str], *, waiting_only: bool = False) -> None:
        for job in arrays if not waiting_only else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job), signal.SIGTERM)
