"""Which results are only passed through: they are dropped once nothing that is left has to read them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, partial

from prunebench.engine.jobs_left import JobsLeft
from prunebench.inventory.other_plans import OtherPlans
from prunebench.plan import Plan, PlannedCell
from prunebench.store import Store

__all__ = ["Intermediates"]


@dataclass
class Intermediates:
    """The scores, and the states of pruned runs, of one plan in one store."""

    plan: Plan
    store: Store
    left: JobsLeft
    have: Callable[[str], bool]
    """True if a job's result is there."""
    keep: bool
    """True if this worker is to keep them all; a run of the plan that it helps may want that, too."""

    def drop(self, keys: Collection[str]) -> None:
        """Drop those of these that nothing in the plan still has to read and no other plan needs.

        A run writes its plan before it looks at what is there. So what the run of a plan that comes between
        the look and the dropping has seen is put back.
        """
        if self.keep or self.store.keeps_states(self.plan.name):
            return
        for key in keys:
            if not self.plan.passes(key) or not self.store.has_artifact(key):
                continue
            later, readers = self.plan.later.get(key), self.plan.readers.get(key, ())
            if later is not None and later in self.left:  # the run goes on from it
                continue
            if any(reader in self.left for reader in readers):  # spares the store a look at each
                continue
            if self.plan.all_read(readers, self.have) and not self._others.want(key):
                self.store.drop_artifact(key, unless=partial(self._others.want_since, key))

    @cached_property
    def _others(self) -> OtherPlans:
        return OtherPlans(self.store, self.plan)

    def drop_of(self, cell: PlannedCell) -> None:
        """Drop what a process that died had no time to drop of what a finished cell descends from."""
        self.drop(sorted({key for target in cell.targets for key in self.plan.ancestors(target)}))
