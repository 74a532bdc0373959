"""When and where the last run of a plan began, whatever it has made so far (imports no torch)."""

from __future__ import annotations

from dataclasses import dataclass

from prunebench.errors import StoreError
from prunebench.plan.plan import Plan
from prunebench.store import Store, trials

__all__ = ["Begun", "last_begun", "starting"]


@dataclass(frozen=True)
class Begun:
    """The beginning of a run."""

    time: str
    """When, as `now_text` spells it, by the clock of its host or of the file server."""
    host: str
    """Where, as claims spell it; "" where a run of an older version did not say."""
    starting: bool
    """True while its workers are starting: nothing of the store has been changed by it then."""


def starting(suite: str, store: Store) -> Begun | None:
    """Return how a run of a suite began whose workers are starting now; None where there is none.

    It may be of whichever plan of the suite: what it works on stands in no store before they have started.
    """
    for trial in reversed(trials(store.root)):
        if any(name.rpartition("-")[0] == suite for name in trial.plans):
            return Begun(trial.time, trial.host, True)
    return None


def last_begun(plan: Plan, store: Store) -> Begun | None:
    """Return how a run that is starting, or else the last run of a plan, began; None where there is none."""
    if (now := starting(str(plan.suite["name"]), store)) is not None:
        return now
    for run in reversed(store.runs.ids()):
        try:
            start = store.runs.read(run)
        except StoreError:  # damaged, or removed meanwhile
            continue
        if start.plan == plan.name:
            return Begun(run.partition("-")[0], start.host, False)
    return None
