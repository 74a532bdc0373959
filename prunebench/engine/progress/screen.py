"""Shows cells being made, whoever makes them: what every way to run a plan prints through.

A thread looks at the store now and then. On a terminal a display stands below what is printed; in a log there
is a line a minute. A cell has a line when it is done or has failed, once: whoever made it reports that, or it
is found in the store.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live

from prunebench import stopping
from prunebench.engine.progress.display import Board, line_of
from prunebench.engine.progress.job_names import JobNames
from prunebench.engine.progress.looks import Looker
from prunebench.engine.progress.progress import Look, Progress, State
from prunebench.engine.progress.worker_names import worker_called
from prunebench.engine.since import Since
from prunebench.engine.summary import came_out
from prunebench.errors import StoreError
from prunebench.plan import Plan, PlannedCell
from prunebench.store import JobTime, Store, host_name

__all__ = ["Screen"]

TICK = 1.0
"""Seconds between two drawings of a display."""

LOGGED = 60.0
"""Seconds between two lines of progress in a log."""

SHARE = 0.02
"""The part of its time that a thread looks at the store: a look at a large one takes a while."""

QUICK = 0.1
"""A look that takes no more seconds is taken for each cell that is told of."""

CLEARED = "\r\x1b[K"
"""What empties the line of a terminal that the cursor is in."""

OFTEN, SELDOM = 1.0, 10.0
"""Seconds between two looks at least: for a terminal, and for a log."""


class Screen:
    """What is printed of some cells of a plan while they are made. A context manager: the thread runs inside.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        plan: Plan,
        cells: Sequence[PlannedCell],
        store: Store,
        *,
        since: str,
        device: str = "cpu",
        workers: int = 0,
        failures: bool = True,
        quiet: bool = False,
        told: Collection[str] = (),
        had_failed: Collection[str] = (),
        on_told: Callable[[str], object] = lambda cell: None,
        file: TextIO | None = None,
    ) -> None:
        """Show `cells`: each is printed once it is done, those that are there already when it starts.

        `since` is the run's id in the store, or when it began. `workers` is how many the run has at least, 0
        where they come and go. With `failures`, cells that the store says have failed are printed; without,
        those that `failed` is called for. `quiet` prints nothing but these.
        `told` are the ids of cells that an earlier process of the run has printed, `had_failed` of those that
        failed in it. `on_told` hears of each line.
        """
        self._plan, self._cells = plan, list(cells)
        self._failures, self._quiet = failures, quiet
        self._store = Store.open(store.root, create=False, write=False)
        self._looker = Looker(self._store, since=Since(since, self._store))
        first = self._looker.look()
        self._progress = Progress(plan, cells, first, device=device, workers=workers)
        self._state = self._progress.state()
        self._looker.times()  # of earlier runs
        self._times: dict[str, JobTime] = {}
        self._by_id = {cell.id: cell for cell in self._cells}
        self._family = {os.getpid()}
        self._told = {*told, *had_failed}
        self._on_told = on_told
        for cell in had_failed:
            self._progress.report_failed(cell)
        self._waiting: list[PlannedCell] = []
        """Cells found in the store whose maker may yet report them."""
        self._beside = ""
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._looked = self._logged = time.monotonic()
        self._took = 0.0
        self._console = Console(highlight=False, file=file or sys.stdout)
        self._board = Board(JobNames(plan, self._cells), host_name())
        self._live: Live | None = None
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)

    def __enter__(self) -> Screen:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to look; a display appears on a terminal."""
        if self._console.is_terminal and not self._quiet:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        for cell in self._progress.news.done:
            self.done(cell.id, self._result(cell))
        self._thread.start()

    def stop(self) -> None:
        """Take the display down; what is printed from here on stays."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None
            if self._console.is_terminal:
                self._console.file.write(CLEARED)  # of "stopping…"
            self._console.file.flush()

    # -- what is said ------------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """How many cells have come to an end."""
        return len(self._told)

    def say(self, text: str, style: str | None = None) -> None:
        """Print a text above the display."""
        with self._lock:
            self._console.print(text, style=style, markup=False, soft_wrap=True)
            self._console.file.flush()

    def beside(self, text: str) -> None:
        """Show a text with the display, and in a log's lines, until another takes its place."""
        self._beside = text

    def done(self, cell: str, result: str, seconds: float | None = None) -> None:
        """Print that a cell, by its id, is done, unless that was printed: how it came out, what it took.

        `seconds` are said where the store does not say what it took.
        """
        with self._lock:
            if cell not in self._told:
                self._catch_up()
                known = "made meanwhile" if seconds is None else f"{seconds:.1f} s"
                self._tell(cell, f"{result:>9}  {self._made(cell) or known}", None)

    def failed(self, cell: str, error: str) -> None:
        """Print that a cell, by its id, has failed, unless that was printed."""
        with self._lock:
            self._progress.report_failed(cell)
            if cell not in self._told:
                self._tell(cell, f"FAILED  {error}", "bold red")

    def look(self) -> State:
        """Look at the store now, print what is new there, and return how far it is."""
        with self._lock:
            self._look()
            return self._state

    # -- looking -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        terminal = self._live is not None
        while not self._over.wait(TICK):
            with self._lock:
                if self._over.is_set():
                    return
                now = time.monotonic()
                if now - self._looked >= max(OFTEN if terminal else SELDOM, self._took / SHARE):
                    self._look()
                if terminal:
                    self._draw()
                elif now - self._logged >= LOGGED and not self._quiet:
                    self._look()
                    self._logged = now
                    self.say(f"{time.strftime('%H:%M')}  {line_of(self._state, time.time(), self._beside)}")

    def _look(self) -> None:
        began = time.monotonic()
        try:
            look = self._looker.look()
        except StoreError:  # a folder that is away for a moment: the workers meet it too, and say so
            self._looked = began
            return
        self._take_in(look)
        self._looked = time.monotonic()
        self._took = self._looked - began

    def _take_in(self, look: Look) -> None:
        self._times |= {one.key: one for one in look.times}
        news = self._progress.see(look)
        waiting, self._waiting = self._waiting, list(news.done)
        for cell in waiting:
            if cell.id not in self._told:
                self.done(cell.id, self._result(cell))
        for cell, error, more in news.failed if self._failures else ():
            needs = "cell needs" if more == 1 else "cells need"
            self.failed(cell.id, f"{error}\n  {more:,} more {needs} the same" if more else error)
        self._state = self._progress.state()

    def _catch_up(self) -> None:
        """Look before a cell is told of, where that takes no time: else the counts beneath lag behind."""
        if self._live is not None and self._took < QUICK:
            self._look()
            self._draw()

    def _draw(self) -> None:
        assert self._live is not None
        size = self._console.size
        note = "stopping…" if stopping.requested() else self._beside
        lines = self._board.render(self._state, time.time(), width=size.width, height=size.height, note=note)
        self._live.update(lines, refresh=True)

    # -- lines of cells ----------------------------------------------------------------------------------

    def _tell(self, cell: str, text: str, style: str | None) -> None:
        self._told.add(cell)
        self._on_told(cell)
        if not self._quiet or style == "bold red":
            self.say(f"[{len(self._told)}/{len(self._cells)}] {cell}  {text}", style)

    def _result(self, cell: PlannedCell) -> str:
        try:
            return came_out(self._store, cell)
        except StoreError:  # damaged, or gone again
            return ""

    def _made(self, cell: str) -> str:
        """Return how long a cell took, and who made it where that was another run; "" where nobody says.

        A job that several cells need counts for the first of them that is done.
        """
        planned = self._by_id[cell]
        self._times |= {one.key: one for one in self._looker.times()}
        if planned.key not in self._times:
            return ""
        last, seconds = self._times[planned.key], 0.0
        stack = list(planned.targets)
        while stack:
            key = stack.pop()
            if key in self._times:
                seconds += self._times.pop(key).seconds
                stack += self._plan.needs(key)
        host, _, pid = last.process.rpartition("-")[0].rpartition("-")
        if host == host_name() and int(pid) in self._own_processes(int(pid)):
            return f"{seconds:.1f} s"
        return f"{seconds:.1f} s, by {worker_called(host, last.place, last.worker, int(pid))}"

    def _own_processes(self, wanted: int) -> set[int]:
        """Return this process and its descendants as far as seen; look again for an unknown one."""
        if wanted not in self._family:
            import psutil

            with contextlib.suppress(psutil.Error):
                self._family |= {child.pid for child in psutil.Process().children(recursive=True)}
        return self._family
