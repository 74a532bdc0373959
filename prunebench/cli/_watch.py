"""`status --watch`: how far a suite is, again and again, until nothing is left to do (imports no torch)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from prunebench.cli._suite_plan import SuitePlan
from prunebench.engine.progress.progress import Look, Progress, Running, State

__all__ = ["running_rows", "watch"]

SHARE = 0.05
"""The part of its time that a watch looks at the store: a look at a large one takes a while."""


def watch(
    plan_of: Callable[[], SuitePlan], *, every: float | None, as_json: bool, device: str = "cpu"
) -> bool:
    """Show how far the selected cells are until nothing is left of them; return whether all are done.

    `plan_of` returns the plan; it is asked again when the suite has been frozen anew. A terminal shows it in
    place; other streams have a line for each look, with `as_json` a JSON object. Looks are `every` seconds
    apart. As long as it is the same plan nothing that was counted as done or failed is counted as left again.
    """
    terminal = sys.stdout.isatty() and not as_json
    every = every or (1.0 if terminal else 60.0)
    shown = plan_of()
    views: _View = _Board(shown) if terminal else _Lines(shown, as_json)
    mark, follower = _mark(shown), _Follower(shown, device)
    try:
        while True:
            began = time.monotonic()
            state = follower.look()
            views.show(state)
            if follower.over(state):
                return state.done == state.cells
            views.wait(max(every, (time.monotonic() - began) / SHARE))
            if (now := _mark(shown)) != mark:
                mark, before, shown = now, shown, plan_of()
                if _shows(shown) != _shows(before):
                    follower = _Follower(shown, device)
                    views.follow(shown)
    finally:
        views.end()


def _shows(shown: SuitePlan) -> tuple[str, list[str]]:
    """Return what two plans differ in where they have other cells, or others are selected."""
    return shown.plan.name, [cell.id for cell in shown.cells]


def _mark(shown: SuitePlan) -> tuple[str, int] | None:
    """Return what changes when another plan of the suite is frozen: a run does that first."""
    plans = shown.store.plans(str(shown.plan.suite["name"]))
    try:
        return (plans[-1].name, plans[-1].stat().st_mtime_ns) if plans else None
    except OSError:
        return None


class _Follower:
    """Looks at a store and reckons how far a plan is."""

    def __init__(self, shown: SuitePlan, device: str) -> None:
        from prunebench.engine.progress.looks import Looker
        from prunebench.engine.since import LastRuns

        self._shown = shown
        self._looker = Looker(shown.store, since=LastRuns(shown.plan, shown.store))
        self._make: Callable[[Look], Progress] = lambda look: Progress(
            shown.plan, shown.cells, look, device=device
        )
        self._progress: Progress | None = None
        self._again: set[str] = set()
        """Jobs that have failed, and that a run which has begun since is to try again."""

    def look(self) -> State:
        """Look, and return how far it is now."""
        look = self._looker.look()
        if self._progress is None:
            self._progress = self._make(look)
        else:
            self._progress.see(look)
        self._again = self._progress.failed.keys() - look.failed.keys() - set(look.have)
        state = self._progress.state()
        if not state.workers and not state.over and self._starting():
            return replace(state, workers=1, begun=False)
        return state

    def _starting(self) -> bool:
        """True while workers of a run of this suite are starting."""
        from prunebench.inventory.begun import starting

        return starting(str(self._shown.plan.suite["name"]), self._shown.store) is not None

    def over(self, state: State) -> bool:
        """True if nothing is left, and nobody works, or is to try again what has failed in an earlier run."""
        return state.over and not state.running and not self._again


class _View:
    """Shows states; what it is shown on is for subclasses."""

    def follow(self, shown: SuitePlan) -> None:
        """Show states of this plan from here on."""

    def show(self, state: State) -> None:
        """Show a state."""

    def wait(self, seconds: float) -> None:
        """Wait until the next look."""
        time.sleep(seconds)

    def end(self) -> None:
        """Take down what must not stay."""


class _Lines(_View):
    """A line a look: text, or JSON."""

    def __init__(self, shown: SuitePlan, as_json: bool) -> None:
        self._as_json = as_json
        self.follow(shown)

    def follow(self, shown: SuitePlan) -> None:
        """Show states of this plan from here on."""
        from prunebench.engine.progress.job_names import JobNames

        self._shown, self._names = shown, JobNames(shown.plan, shown.cells)

    def show(self, state: State) -> None:
        """Print a line."""
        from prunebench.cli._output import SCHEMA, say
        from prunebench.engine.progress.display import line_of

        if self._as_json:
            say(json.dumps({"schema": SCHEMA, **as_values(state, self._shown, self._names)}))
        else:
            say(f"{time.strftime('%H:%M')}  {line_of(state, time.time())}")
        sys.stdout.flush()


class _Board(_View):
    """Lines of a terminal that stand still."""

    def __init__(self, shown: SuitePlan) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self.follow(shown)
        self._live.start()

    def follow(self, shown: SuitePlan) -> None:
        """Show states of this plan from here on."""
        from prunebench.engine.progress.display import Board
        from prunebench.engine.progress.job_names import JobNames
        from prunebench.store import host_name

        self._shown = shown
        self._board = Board(JobNames(shown.plan, shown.cells), host_name())

    def show(self, state: State) -> None:
        """Draw the lines anew."""
        self._state = state
        size = self._console.size
        lines = self._board.render(state, time.time(), width=size.width, height=size.height)
        self._live.update(lines, refresh=True)

    def wait(self, seconds: float) -> None:
        """Wait until the next look; meanwhile times go on."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(1.0, left))
            self.show(self._state)

    def end(self) -> None:
        """Leave the last lines standing."""
        self._live.stop()


def as_values(state: State, shown: SuitePlan, names: Callable[[str], str]) -> dict[str, Any]:
    """Return a state as plain values, as `status --watch --json` prints it."""
    ends = asdict(state.ends)
    return {
        "suite": str(shown.plan.suite["name"]),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "total": {name: getattr(state, name) for name in ("cells", "done", "failed", "blocked", "left")},
        "jobs_left": state.jobs,
        "workers": state.workers,
        "images_per_second": state.images,
        "ends_in": None if state.over or not state.workers else ends,
        "running": running_rows(state.running, shown, names),
    }


def running_rows(
    running: Iterable[Running], shown: SuitePlan, names: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Return a row for each job that somebody works on, of this plan or of another one."""
    return [
        {
            "job": one.key[:12],
            "what": names(one.key) if one.key in shown.plan.jobs else "of another plan",
            "name": one.name,
            "worker": one.worker,
            "place": one.place,
            "host": one.host,
            "pid": one.pid,
            "since": one.since,
            "seconds": round(one.seconds),
            "step": one.step,
            "to_step": one.to_step,
        }
        for one in running
    ]
