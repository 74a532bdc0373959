"""Which failures are a run's own: those that were not there when it began.

The run wrote down which were (`Store.runs`), so no clock of any host has a part in it. A worker that somebody
starts by hand may be told a moment instead.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prunebench.errors import StoreError, UsageError
from prunebench.store import Damaged, Missing, RunStart, Store, now_text, spelled_time, time_of

if TYPE_CHECKING:
    from prunebench.plan.plan import Plan

__all__ = ["LastRuns", "Since", "check_run"]


class Since:
    """The beginning of a run: its id in a store; or a moment, as `now_text` spells it.

    Of a run whose beginning cannot be read any more the moment counts that its id has; of "" all failures.
    """

    def __init__(self, began: str, store: Store | None = None) -> None:
        self._moment, _, token = began.partition("-")
        self._run = began if token else ""
        self._store = store
        self._wall, self._steady = datetime.now(UTC), time.monotonic()

    def of(self, key: str) -> Since:
        """Return the beginning that counts for a job: this one for each."""
        return self

    def look(self) -> int:
        """Return what is another number where `of` may answer something else than before: never."""
        return 0

    def has(self, attempt: Mapping[str, Any]) -> bool:
        """True if a failure, as `Store.attempts` has it, came after the beginning."""
        if self._start is None:
            return self._is_between(str(attempt["time"]))
        name = f"{attempt['time']}-{attempt.get('host')}-{attempt.get('pid')}"
        return name not in self._start.failures.get(str(attempt.get("key")), ())

    @cached_property
    def _start(self) -> RunStart | None:
        """How the run began, if it is one and can be read."""
        if not self._run or self._store is None:
            return None
        try:
            return self._store.runs.read(self._run)
        except StoreError:
            return None

    def _is_between(self, moment: str) -> bool:
        """True if a moment lies between the beginning and now.

        One after now was told by a clock that was wrong, then or elsewhere. Where the clock has been set back
        meanwhile the run began as much earlier.
        """
        return self._beginning() <= moment <= now_text()

    def _beginning(self) -> str:
        passed = timedelta(seconds=time.monotonic() - self._steady)
        moved = datetime.now(UTC) - (self._wall + passed)
        if moved > -timedelta(seconds=1) or not self._moment:
            return self._moment
        return spelled_time(time_of(self._moment) + moved)


class LastRuns:
    """For each job of a plan the beginning of the last run that is to make it, whoever began that."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store, self._name = plan, store, plan.name
        self._seen: set[str] = set()
        self._runs: list[tuple[Since, frozenset[str] | None]] = []
        """The runs of this plan, newest last, each with its jobs; None: all."""
        self._any = Since("")

    def look(self) -> int:
        """Look which runs have begun; return how many of this plan there are."""
        for run in self._store.runs.ids():
            if run not in self._seen:
                self._seen.add(run)
                self._add(run)
        return len(self._runs)

    def _add(self, run: str) -> None:
        try:
            start = self._store.runs.read(run)
        except StoreError:  # damaged, or removed again
            return
        if start.plan == self._name:
            self._runs.append((Since(run, self._store), self._jobs(start)))

    def _jobs(self, start: RunStart) -> frozenset[str] | None:
        if start.cells is None:
            return None
        cells = (self._plan.by_id[name] for name in start.cells if name in self._plan.by_id)
        targets = [target for cell in cells for target in cell.targets]
        return frozenset(self._plan.remaining(targets, lambda key: False))

    def of(self, key: str) -> Since:
        """Return the beginning of the last run that is to make a job; where there is none, of all time."""
        runs = reversed(self._runs)
        return next((since for since, jobs in runs if jobs is None or key in jobs), self._any)


def check_run(run: str, plan: Plan, store: Store) -> None:
    """Raise UsageError where a worker is told to be part of a run that there is not, or of another plan's."""
    with contextlib.suppress(ValueError):
        if not run or time_of(run):
            return
    try:
        start = store.runs.read(run)
    except Missing:
        raise UsageError(f"--run: the store {store.root} has no run '{run}'") from None
    except Damaged:
        return  # what it failed is told by its moment then
    if start.plan != plan.name:
        raise UsageError(f"--run {run}: it is a run of {start.plan}, and the plan is {plan.name}")
