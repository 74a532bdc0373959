"""What `prunebench run` prints while cells run: a line a cell, and a progress display on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.fronts.report import RunReport
from prunebench.engine.on_pytest.suites import Loaded, Notice
from prunebench.engine.progress.screen import Screen
from prunebench.engine.selection import node_name
from prunebench.engine.summary import summary
from prunebench.plan import PlannedCell

__all__ = ["CellReporter"]


class CellReporter:
    """Stands in for pytest's own reporter: tells of cells and jobs instead of tests."""

    def __init__(
        self,
        loaded: Loaded,
        report: RunReport,
        *,
        cells: Sequence[PlannedCell],
        before: Sequence[PlannedCell],
        workers: int | None,
        quiet: bool,
        verbose: bool,
        told: Collection[str] = (),
        had_failed: Collection[str] = (),
    ) -> None:
        """Report on `cells`, those that are to be done; `before` are those that were done before.

        `workers` is None where this process works itself, and 0 where it is not known how many there are.
        `told` are cells, by their id, that an earlier process of the run has told of, `had_failed` those that
        failed in it.
        """
        self._verbose = verbose and not quiet
        self._loaded, self._report, self._before = loaded, report, before
        self._cells, self._workers, self._quiet = cells, workers, quiet
        self._told, self._had_failed = told, had_failed
        self._screen: Screen | None = None
        """None before the run has begun: there may be no store before."""
        assert loaded.session.path is not None
        self._prefix = f"{node_name(loaded.session.path)}::"
        self._seen: set[str] = set()
        self._notices: dict[str, None] = {}

    # -- before and after ------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Start, unless workers have still to show that they can."""
        if not self._workers:
            self.start()

    def start(self) -> None:
        """Say, where that was asked for, what is done already; start the display."""
        self._screen = Screen(
            self._loaded.session.plan,
            self._cells,
            self._loaded.worker.store,
            since=self._loaded.since,
            device=self._loaded.session.request.device,
            workers=1 if self._workers is None else self._workers,
            failures=False,  # each cell has an item that reports its own
            quiet=self._quiet,
            told=self._told,
            had_failed=self._had_failed,
            on_told=self._report.on_told,
        )
        for cell in self._before if self._verbose else ():
            self._screen.say(f"{cell.id}  {summary(self._loaded.worker, cell):>9}  done before", "dim")
        self._screen.start()
        for text in self._notices:
            self._screen.say(text, "yellow")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a worker could not read the plan."""
        if report.failed:
            self._report.problem = self._report.problem or str(report.longrepr)

    def pytest_internalerror(self, excrepr: Any) -> bool:
        """Keep what went wrong with pytest or its workers; the command says it."""
        self._report.problem = self._report.problem or str(excrepr)
        return True

    def pytest_sessionfinish(self) -> None:
        """Take the display down."""
        if self._screen is not None:
            self._screen.stop()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that the user stopped the run."""
        # pytest's and pytest-xdist's own ways to stop a session, as -x does, are kinds of KeyboardInterrupt
        self._report.interrupted = type(excinfo.value) in (KeyboardInterrupt, stopping.Stopped)

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Print our own notices, once; warnings of libraries are for the job's log."""
        if issubclass(warning_message.category or Warning, Notice):
            self.note(str(warning_message.message))

    def note(self, text: str) -> None:
        """Say something that is no cell's, once."""
        if text not in self._notices:
            self._notices[text] = None
            if self._screen is not None:
                self._screen.say(text, "yellow")

    def beside(self, text: str) -> None:
        """Show a text with the display until another takes its place: what a scheduler says, for example."""
        if self._screen is not None:
            self._screen.beside(text)

    # -- cells -----------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in that a cell is done, was found done, or failed, and have it printed."""
        name = report.nodeid.removeprefix(self._prefix)
        if (report.when != "call" and not report.failed) or name in self._seen:
            return
        properties = dict(report.user_properties)
        if "prunebench_unwritable" in properties:
            self._report.unwritable = str(properties["prunebench_unwritable"])
            return
        jobs = int(str(properties.get("prunebench_jobs", 0)))
        made = self._report.made.setdefault(str(getattr(report, "worker_id", "")), [])
        made += map(str, properties.get("prunebench_made", ()))  # type: ignore[call-overload]
        self.cell(
            name,
            result=str(properties.get("prunebench_result", "")),
            error=str(report.longrepr).strip() if report.failed else None,
            jobs=jobs,
            seconds=report.duration,
        )

    def cell(
        self,
        name: str,
        *,
        result: str = "",
        error: str | None = None,
        jobs: int = 1,
        seconds: float | None = None,
    ) -> None:
        """Say that a cell is done, after so many jobs of this run, or has failed with an error."""
        assert self._screen is not None, "cells are made once the run has begun"
        self._seen.add(name)
        if error is not None:
            self._report.fails(name, error)
            self._screen.failed(name, error)
            return
        if not jobs:
            self._report.idle.add(name)
        self._screen.done(name, result, seconds if jobs else None)
