"""What of a plan is there, under way and failed, as the store says at one moment (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench.inventory.binding import measure_of, record_of
from prunebench.plan.cells import PlannedCell
from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Record, Store

__all__ = ["Failure", "Snapshot", "listed"]


@dataclass(frozen=True)
class Failure:
    """The last failed attempt that stands between a cell and its result."""

    job: str
    """The failed job's key."""
    kind: str
    error: str
    """The first line of what went wrong."""
    at: str
    """The line of the user's own file in which it arose: file:line and the source; "" where there is none."""
    log: str
    """The log file's whole path."""
    time: str


class Snapshot:
    """One look at the store: what is listed there, and of results what could be read and is as planned.

    Each result is read once, when it is first asked for. What is damaged, or belongs to another cell, counts
    as missing; `store.damaged` says what that was.
    """

    def __init__(
        self, plan: Plan, store: Store, *, before: Snapshot | None = None, without: Collection[str] = ()
    ) -> None:
        """Look at the store. `before` saves reading again what an earlier look has read and is still there;
        `without` are keys of jobs whose outputs count as missing."""
        self.plan = plan
        self.store = store
        self._listed = {"record": store.record_keys(), "measure": store.measure_keys()}
        self._artifacts = store.artifact_keys()
        self._attempted = store.attempt_keys()
        self.without = frozenset(without)
        """The keys of jobs whose outputs count as missing."""
        self._results: dict[str, Record | None] = dict.fromkeys(without)
        if before is not None:
            read = before._results.items()
            self._results |= {key: one for key, one in read if one is not None and self.listed(key)}

    def outdated(self) -> bool:
        """True if results have come to the store, or gone, since this look."""
        return self._listed != {"record": self.store.record_keys(), "measure": self.store.measure_keys()}

    def listed(self, key: str) -> bool:
        """True if a record or a measure is there, whatever it holds."""
        return key in self._listed.get(self.plan.jobs[key].kind, ())

    def seek(self, cells: Iterable[PlannedCell]) -> None:
        """Look by name for what of these cells is not listed: on a network listings may lag behind."""
        for key in (target for cell in cells for target in cell.targets):
            kind = self.plan.jobs[key].kind
            if kind in self._listed and key not in self._listed[kind] and key not in self.without:
                has = self.store.has_record if kind == "record" else self.store.has_measure
                if has(key):
                    self._listed[kind].add(key)
                    self._results.pop(key, None)

    def result(self, key: str) -> Record | None:
        """Return a record or a measure of the plan, verified to be the planned one; None where it is missing.

        A record comes without its curve, which is verified too: a suite's curves would fill the memory.

        Raises: StoreError for one that cannot be read, or is of a newer schema.
        """
        if key not in self._results:
            self._results[key] = self._read(key)
        return self._results[key]

    def _read(self, key: str) -> Record | None:
        if not self.listed(key):
            return None
        try:
            if self.plan.jobs[key].kind == "record":
                return _without_curve(self.store.read_record(key, record_of(self.plan, key)))
            return self.store.read_measure(key, measure_of(self.plan, key))
        except (Missing, Damaged):
            return None

    def have(self, key: str) -> bool:
        """True if a job's output is in the store; a result has been read then."""
        if self.plan.jobs[key].kind in self._listed:
            return self.result(key) is not None
        return key in self._artifacts and key not in self.without

    def done(self, cell: PlannedCell) -> bool:
        """True if all that the cell is asked for is in the store."""
        return self.plan.done(cell, self.have)

    def recorded(self, cell: PlannedCell) -> bool:
        """True if the cell has its record (a measure of it may still be wanted)."""
        return self.have(cell.key)

    def status(self, cell: PlannedCell) -> str:
        """Return "done", "failed" (something that it needs failed last time), "partial" or "missing"."""
        if self.done(cell):
            return "done"
        if self._failed_jobs(cell):
            return "failed"
        return "partial" if self.recorded(cell) else "missing"

    def failure(self, cell: PlannedCell) -> Failure | None:
        """Return the newest failed attempt at anything that the cell still needs, or None."""
        newest: dict[str, Any] | None = None
        for key in self._failed_jobs(cell):
            attempts = self.store.attempts(key)
            if attempts and (newest is None or str(attempts[-1].get("time")) > str(newest.get("time"))):
                newest = {**attempts[-1], "key": key}
        if newest is None:
            return None
        lines = str(newest.get("error") or "").strip().splitlines()
        key = str(newest["key"])
        return Failure(
            job=key,
            kind=self.plan.jobs[key].kind,
            error=lines[0] if lines else "failed without a message",
            at=_at(newest),
            log=str(self.store.log_path(key)),
            time=str(newest.get("time", "")),
        )

    def remaining(self, cells: Sequence[PlannedCell]) -> list[str]:
        """Return the keys of the jobs that these cells still need, inputs first."""
        return self.plan.remaining((target for cell in cells for target in cell.targets), self.have)

    def _failed_jobs(self, cell: PlannedCell) -> list[str]:
        if not self._attempted:
            return []
        wanted: set[str] = set()
        for target in cell.targets:
            wanted |= self.plan.ancestors(target)
        return sorted(
            key for key in wanted & self._attempted if not self.have(key) and self.store.attempts(key)
        )


def listed(plan: Plan, store: Store) -> Callable[[str], bool]:
    """Return what says if the output of a plan's job is in a store, from one listing of it."""
    results = {"record": store.record_keys(), "measure": store.measure_keys()}
    artifacts = store.artifact_keys()
    return lambda key: key in results.get(plan.jobs[key].kind, artifacts)


def _without_curve(record: Record) -> Record:
    kept = {name: value for name, value in record.result.items() if name != "curve"}
    return Record(record.schema, record.key, record.digest, kept, record.provenance, record.seal)


def _at(attempt: dict[str, Any]) -> str:
    job = attempt.get("job")
    at = job.get("at") if isinstance(job, dict) else None
    return at if isinstance(at, str) else ""
