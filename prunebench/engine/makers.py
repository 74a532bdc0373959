"""Who made what: which jobs are a run's own, whatever became of the processes that ran them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prunebench.engine.fronts.report import RunReport
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import Plan, PlannedCell
from prunebench.store import Store

__all__ = ["by_others", "take_in_dead"]


def take_in_dead(report: RunReport, plan: Plan, store: Store, have: Callable[[str], bool]) -> None:
    """Let a report have the jobs of workers that died before they could tell: those that it helped with too.

    Each job's time says who ran it; of the job that a worker died of, between its result and its time, the
    attempt that was written down when it was buried.
    """
    if not report.dead:
        return
    tried = store.attempt_keys().intersection(plan.jobs)
    attempts = [(key, one) for key in sorted(tried) if have(key) for one in store.attempts(key)]
    for worker, process in report.dead.items():
        ran = [time.key for time in store.times.of(process) if time.key in plan.jobs]
        died = [key for key, one in attempts if process.startswith(f"{one['host']}-{one['pid']}-")]
        report.made[worker] = list(dict.fromkeys([*report.made.get(worker, ()), *ran, *died]))


def by_others(cells: Iterable[PlannedCell], first: Snapshot, report: RunReport) -> Iterator[PlannedCell]:
    """Yield those cells that another run has made: the first result that a cell lacked says whose it is.

    So of several runs that make a cell together one counts it as its own. Of workers that report nothing it
    is only known that somebody has made it.
    """
    ours = {key for keys in report.made.values() for key in keys}
    for cell in cells:
        lacked = next((target for target in cell.targets if not first.have(target)), None)
        if lacked is not None and lacked not in ours and (report.made or cell.id in report.idle):
            yield cell
