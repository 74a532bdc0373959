"""What `prunebench work` prints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from prunebench.cli._keeping import keeping
from prunebench.cli._output import complain, counted, duration, say
from prunebench.engine.failures import JobFailed
from prunebench.engine.summary import described
from prunebench.engine.work_plan import Asked, Served, Watcher
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.store import Store
from prunebench.training.kernels import SPARSE

if TYPE_CHECKING:
    from prunebench.cli._supervise import Handover

__all__ = ["Lines", "ending"]


class Lines(Watcher):
    """A line for each cell that this worker makes, with `verbose` one for each job."""

    def __init__(self, asked: Asked, handover: Handover, *, quiet: bool, verbose: bool) -> None:
        self._asked, self._work, self._quiet, self._verbose = asked, handover, quiet, verbose
        self._waiting = False
        self._to_do = 0
        self._told = len(handover.noted.get("told", ()))
        """How many cells it has told of, in whichever process."""

    def begins(self, plan: Plan, cells: Sequence[PlannedCell], done: Collection[str]) -> None:
        self._plan, self._to_do = plan, len(cells) - len(done)
        self._seconds: dict[str, float] = {}
        """What jobs took that no cell has been told of with yet, by key."""
        if self._work.said:  # an earlier process has said it
            return
        say(
            f"plan {self._asked.plan.stem}: {counted(len(cells), 'cell')}, {len(done):,} done, "
            f"{len(cells) - len(done):,} to do",
            "bold",
        )
        if self._asked.kernels != "dense":
            say(SPARSE)
        store = Store.open(self._asked.plan.parent.parent, create=False, write=False)
        for line in keeping(store, plan.name, asked=self._asked.keep_states):
            say(line)
        self._work.say(store=str(self._asked.plan.parent.parent), before=list(done))

    def joined(self, run: str) -> None:
        self._work.say(run=run)

    def lacks(self, what: str, cells: int, *, of_data: bool) -> None:
        if of_data:
            complain(f"{what} ({counted(cells, 'cell')} left to others)", label="Missing data")
        else:
            complain(f"{counted(cells, 'cell')} left to others: {what}", label="Not here")

    def job(self, job: Job) -> None:
        self._work.note("begun", job.key)

    def made(self, job: Job, seconds: float, cells: Mapping[str, str]) -> None:
        self._work.note("made", job.key)
        self._waiting = False
        self._seconds[job.key] = seconds
        if self._verbose:
            say(f"  {described(job)}  {seconds:.1f} s")
        self.whole(cells)

    def whole(self, cells: Mapping[str, str]) -> None:
        for name, result in cells.items():
            self._work.note("told", name)
            self._told += 1
            took = self._took(self._plan.by_id[name])
            if not self._quiet:
                say(f"[{self._told}/{self._to_do}] {name}  {result:>9}" + (f"  {took:.1f} s" if took else ""))

    def _took(self, cell: PlannedCell) -> float:
        """Return the seconds that this process took for a cell; a job that several need counts once."""
        seconds, stack = 0.0, list(cell.targets)
        while stack:
            key = stack.pop()
            if key in self._seconds:
                seconds += self._seconds.pop(key)
                stack += self._plan.needs(key)
        return seconds

    def failed(self, failed: JobFailed, cells: Sequence[str]) -> None:
        say(f"FAILED  {failed}\n  {counted(len(cells), 'cell')} of this plan cannot be made", "bold red")

    def waits(self, job: Job) -> None:
        if not self._waiting and not self._quiet:
            self._waiting = True
            say(f"waiting for others: {described(job)} …", "yellow")


def ending(asked: Asked, served: Served, seconds: float) -> str:
    """Return the paragraph that says what a worker did, and what is left."""
    from prunebench.cli._failures import causes

    parts = [f"{counted(len(served.made), 'cell')} made here", f"{len(served.before):,} done before"]
    if served.elsewhere:
        parts.append(f"{len(served.elsewhere):,} by others meanwhile")
    if served.failed:
        parts.append(f"{len(served.failed):,} failed")
    if served.left:
        parts.append(f"{len(served.left):,} left")
    logs = asked.plan.parent.parent / "logs"
    text = f"{', '.join(parts)}; {counted(served.jobs, 'job')} in {duration(seconds)}. Logs: {logs}."
    if served.why and served.left:
        why = {
            "time": "Left in time",
            "jobs": f"Left after {counted(served.jobs, 'job')}",
            "stopped": "Interrupted",
        }[served.why]
        return f"{why}: {text} The same command goes on where this stopped."
    return "\n".join([text, *causes(served.failed.values())])
