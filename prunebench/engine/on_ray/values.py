"""What the driver and the processes on the nodes tell each other: plain values (imports no Ray, no torch)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Asked", "Came", "Needs", "Orders", "Unfit"]

How = Literal["made", "there", "failed", "cancelled", "lost", "unfit", "stuck"]


@dataclass(frozen=True)
class Needs:
    """What a job takes of a node while it runs."""

    cpus: int
    """Cores: as many as it has threads."""
    gpus: int = 0
    share: int = 1
    """How many jobs share a GPU; where a job takes several, none does."""

    @property
    def of_gpu(self) -> float:
        """What Ray is told: it counts in ten-thousandths, and rounded up one job less would fit."""
        return math.floor(10_000 * self.gpus / self.share) / 10_000

    def slots(self, resources: Mapping[str, float]) -> int:
        """Return how many jobs run at once where there is so much."""
        slots = int(resources.get("CPU", 0) // self.cpus)
        return min(slots, int(resources.get("GPU", 0)) * self.share // self.gpus) if self.gpus else slots


@dataclass(frozen=True)
class Orders:
    """What a process on a node has to know of a run."""

    run: str
    """Tells this run from others in the same process."""
    request: str
    """As `Request.to_json` spells it."""
    frozen: str
    """The plan's file in the store."""
    since: str
    """The run's id in the store: a job that has failed since it began is not tried again."""
    given_up: Mapping[str, str] = field(default_factory=dict)
    cells: Sequence[str] | None = None
    """The ids of the cells that are to be made; None: all of the plan."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What the driver runs with: a node that differs makes nothing."""
    checkpoint_seconds: float = 60.0
    needs: Needs = Needs(1)
    """What a job takes."""


@dataclass(frozen=True)
class Asked:
    """What the process that makes jobs is asked for."""

    orders: Orders
    key: str | None = None
    """The job to make; None: only to say why this node cannot work for the run."""
    workers: int = 1
    """How many jobs run at once on the node, and share its memory."""
    ended: Mapping[int, int] = field(default_factory=dict)
    """The exit code, a signal negative, of a process of this node that has just died of the job."""


@dataclass(frozen=True)
class Came:
    """What came of a job. As a task's result it is what the tasks of dependent jobs take as arguments."""

    key: str
    how: How
    """`made` by this task; `there` already, or needed no more; `failed`, or one that it needs has;
    `cancelled`; `unfit`: its node could not; `lost`: the processes or nodes that it was on died, again and
    again; `stuck`: the run cannot go on, whatever the job."""
    seconds: float = 0.0
    failed: str = ""
    """The key of the job that failed."""
    message: str = ""
    """Its error; or why the run cannot go on."""
    at: str = ""
    log_path: str = ""
    last: bool = False
    """True if the process that made it can make no other: its GPU answers nothing but an error."""


class Unfit(Exception):
    """This node cannot make anything of this run, others may: the task is tried again."""
