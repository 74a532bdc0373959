"""What a worker does next: a pure decision, which knows no file, clock, process or pytest."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass

from prunebench.engine.jobs_left import JobsLeft
from prunebench.plan.job import Job

__all__ = ["Wait", "choose"]

CRITICAL = 0.25
"""A chain is urgent once it takes at least this part of all that is left, shared by the workers."""


@dataclass(frozen=True)
class Wait:
    """Everything that is ready is claimed by others: `job` is the first of it."""

    job: Job


def choose(
    work: JobsLeft, claimed: Container[str] = (), own: Collection[str] = (), workers: int = 1
) -> Job | Wait | None:
    """Return the job to run next, Wait where others hold all that is ready, None where nothing is left.

    A job is ready when all that it needs is there; one that failed never is, nor is what needs it. What soon
    ends a cell comes first, where all such jobs take little of the time: states that only a record waits for
    do not pile up then; then what would else be late: the longest chains, once they take a good part of
    the time that is left for `workers` workers; then one's own cell (the keys in `own`), then the order of
    the targets. So cells are finished one after another while there is enough for everyone, and no worker is
    left with a long chain at the end. `claimed` holds the keys that others work on.
    """
    held: str | None = None
    for key in _in_order(work, own, workers):
        if key not in claimed:
            return work.plan.jobs[key]
        held = held or key
    return None if held is None else Wait(work.plan.jobs[held])


def _in_order(work: JobsLeft, own: Collection[str], workers: int) -> Iterator[str]:
    """Yield what is ready, what is to be done first at first; a key may come again."""
    mine = work.ready_of(own)
    yield from work.ending(work.small)
    if workers > 1:
        yield from _urgent(work, mine, CRITICAL * work.left / workers)
    yield from mine
    yield from work.ready()


def _urgent(work: JobsLeft, mine: list[str], seconds: float) -> Iterator[str]:
    """Yield the ready jobs whose chains take so long, the longest first; of equal ones those of `mine`."""
    equal: int | None = None
    for rank, key in work.urgent(seconds):
        if rank != equal:
            equal = rank
            yield from (one for one in mine if work.rank(one) == rank)
        yield key
