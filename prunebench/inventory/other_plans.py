"""What the other plans of a store, and records that are in none of its plans, need of it (no torch)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from prunebench.errors import StoreError
from prunebench.plan.frozen import thawed
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected
from prunebench.store import Damaged, Missing, Store

__all__ = ["OtherPlans"]

log = logging.getLogger("prunebench.jobs")

_KEY = re.compile(rb'"([0-9a-f]{64}(?:@[0-9]+)?)"')


@dataclass
class OtherPlans:
    """All frozen plans of a store but one, as far as they have something in common with what that one drops.

    They are read when somebody first asks, and those that have come since whenever somebody asks again.
    """

    store: Store
    plan: Plan
    """The one whose jobs are being made."""
    _seen: set[str] = field(default_factory=set)
    """The names of plans that were looked at."""
    _plans: list[Plan] = field(default_factory=list)
    _unknown: bool = False
    """True if one of them cannot be read: it may need anything."""
    _alone: set[str] | None = None
    """The keys of records that are in no plan; None before anybody has asked."""
    _kept: set[str | None] = field(default_factory=set)
    """What such records name: their masks and states."""
    _done: set[str] = field(default_factory=set)
    """Records and measures that were seen."""

    def want(self, key: str) -> bool:
        """True if another plan still has to read what a job makes or keeps it, or a record alone names it."""
        self._renew()
        return self._unknown or any(self._needs(plan, key) for plan in self._plans) or self._named(key)

    def want_since(self, key: str) -> bool:
        """Return the same if plans have come since somebody last asked; False if none has."""
        return self._renew() and self.want(key)

    def _renew(self) -> bool:
        """Read the plans that have come since the last look; return whether any has."""
        if self._alone is None:
            self._alone = self.store.record_keys() - self.plan.jobs.keys()
        new = [path for path in self.store.plans() if path.stem not in self._seen | {self.plan.name}]
        for path in new:
            self._seen.add(path.stem)
            try:
                with uncollected():
                    known = self.store.read_plan(path, self._parse, unsealed=True)
            except (Missing, Damaged):  # it is gone, or set aside: then its records are in no plan
                continue
            except StoreError as error:
                log.warning("%s: what it needs is not known, so nothing is dropped", error)
                known = None
            self._unknown |= known is None
            if known:
                self._plans.append(known[0])
        return bool(new)

    def _parse(self, content: bytes) -> list[Plan]:
        """Return the plan, in a list; an empty one where it has nothing of what ours passes through."""
        keys = {match.decode() for match in _KEY.findall(content)}
        shared = [key for key in self.plan.jobs.keys() & keys if self.plan.passes(key)]
        plan = [thawed(orjson.loads(content), whole=False)] if shared else []
        assert self._alone is not None
        self._alone -= keys
        return plan

    def _needs(self, plan: Plan, key: str) -> bool:
        if key not in plan.jobs:
            return False
        if not plan.is_passed(key) or self.store.keeps_states(plan.name):
            return True
        return plan.still_needs(key, self._have(plan))

    def _have(self, plan: Plan) -> Callable[[str], bool]:
        """Return what tells whether a job's output is there; results that were are not looked for again."""

        def have(key: str) -> bool:
            kind = plan.jobs[key].kind
            if kind not in ("record", "measure"):
                return self.store.has_artifact(key)
            has = self.store.has_record if kind == "record" else self.store.has_measure
            if key not in self._done and has(key):
                self._done.add(key)
            return key in self._done

        return have

    def _named(self, key: str) -> bool:
        """True for a mask, or a state of an unpruned network, that a record in no plan names."""
        job = self.plan.jobs[key]
        if job.kind == "score" or job.prunes:
            return False
        while self._alone:
            record = self._alone.pop()
            try:
                result = self.store.read_record(record).result
            except (Missing, Damaged):
                continue
            except StoreError as error:
                log.warning("%s: what it names is not known, so nothing is dropped", error)
                self._unknown = True
                continue
            self._kept.update(
                (result["state"], result["mask"]["key"]) if result.get("mask") else (result["state"],)
            )
        return key in self._kept or self._unknown
