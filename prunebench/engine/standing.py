"""How the checks of a plan stand while its cells are made: each waits for its cells that are to be made."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prunebench.engine.failures import JobFailed, failing
from prunebench.engine.since import Since
from prunebench.errors import DataError
from prunebench.inventory.rows import measure_rows, rows
from prunebench.inventory.snapshot import Snapshot

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Outcome
    from prunebench.engine.worker import Worker
    from prunebench.plan import PlannedCell

__all__ = ["Standing"]

MOMENT = 1.0
"""Seconds for which a look at the store is good, where nothing was made meanwhile."""


@dataclass
class Standing:
    """The verdicts on a plan's checks as its store stands; evaluated anew where that has changed."""

    worker: Worker
    quantities: Callable[[str], Any]
    """From the name of a quantity to the component."""
    since: str = ""
    """The run: a job that has failed since it began, in whatever process, is not tried again for a check."""
    _snapshot: Snapshot | None = None
    _known: dict[str, Outcome] = field(default_factory=dict)
    """What was evaluated of the store as `_snapshot` has it."""
    _looked: float = 0.0

    @cached_property
    def _since(self) -> Since:
        return Since(self.since, self.worker.store)

    def judge(self, check: str, selected: Iterable[PlannedCell]) -> tuple[Outcome, int]:
        """Return a check's outcome once those of its cells that are selected are there, or cannot be made.

        Those that nobody has made are made here, and no others; what else it then turns out to need is made
        too. The number is that of the jobs this took.
        """
        before = len(self.worker.made)
        wanted, tried = list(selected), set[str]()
        while lacking := [cell for cell in self._lacking(check, wanted) if cell.key not in tried]:
            tried.update(cell.key for cell in lacking)
            for cell in lacking:
                if not self._has_failed(cell):
                    with suppress(JobFailed, DataError):  # its own item says so; here it counts as missing
                        self.worker.make(cell)
            self._look(anew=True)
        return self._outcome(check), len(self.worker.made) - before

    def _outcome(self, check: str) -> Outcome:
        """Return a check's outcome as the store stood when it was looked at.

        The first that is asked for then is evaluated alone; where a second is, all are, at once.
        """
        if check not in self._known:
            self._evaluate([check] if not self._known else None)
        return self._known[check]

    def _lacking(self, check: str, selected: Iterable[PlannedCell]) -> list[PlannedCell]:
        """Return the selected cells that a check needs, as far as is known by now, and that are not done.

        Which those are may depend on others: a named range begins and ends where the baselines say.
        """
        snapshot = self._look()
        keys = set(self._outcome(check).keys)
        return [cell for cell in selected if cell.key in keys and not snapshot.done(cell)]

    def _has_failed(self, cell: PlannedCell) -> bool:
        """True if something that a cell still needs has failed in this run, here or in another process."""
        store = self.worker.store
        missing = self.worker.plan.remaining(cell.targets, self.worker.have)
        tried = store.attempt_keys().intersection(missing)
        return any(failing(store.attempts(key), self._since) is not None for key in tried)

    def _look(self, *, anew: bool = False) -> Snapshot:
        """Return how the store stands, or stood a moment ago: a look lists all its results.

        What was evaluated of it is forgotten where it has changed.
        """
        now = time.monotonic()
        fresh = self._snapshot is not None and now - self._looked < MOMENT and not anew
        if not fresh and (self._snapshot is None or self._snapshot.outdated()):
            self._snapshot = Snapshot(self.worker.plan, self.worker.store, before=self._snapshot)
            self._known = {}
        self._looked = self._looked if fresh else now
        assert self._snapshot is not None
        return self._snapshot

    def _evaluate(self, only: Collection[str] | None) -> None:
        """Evaluate checks, all or only some, of the store as it was looked at."""
        from prunebench.checks.rows import evaluate_rows

        snapshot = self._look() if self._snapshot is None else self._snapshot
        plan, store = snapshot.plan, snapshot.store
        cells = rows(plan, store, snapshot)
        measured = measure_rows(plan, store, snapshot, cells)
        verdicts = evaluate_rows(plan.suite, cells, measured, self.quantities, only=only)
        self._known |= {outcome.check: outcome for outcome in verdicts.outcomes}
