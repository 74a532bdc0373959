"""What `prunebench run` prints while cells run: a line a cell, and a progress display on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from prunebench import stopping
from prunebench.engine.pytest_suites import Loaded, Notice
from prunebench.engine.selection import node_name
from prunebench.engine.summary import described, summary
from prunebench.plan import Job, PlannedCell

__all__ = ["CellReporter", "RunReport"]


@dataclass
class RunReport:
    """What the reports of a run say."""

    failed: dict[str, str] = field(default_factory=dict)
    """The error of each failed cell, by its id."""
    idle: set[str] = field(default_factory=set)
    """Cells that were there already when their turn came."""
    made: dict[str, list[str]] = field(default_factory=dict)
    """The keys of the jobs run, by process, as each said at its end."""
    reported: dict[str, int] = field(default_factory=dict)
    """The number of jobs run, by process, as its reports add up: all that is known of one that died."""
    interrupted: bool = False
    unwritable: str = ""
    """Why the store cannot be written, if that ended the run."""
    problem: str = ""
    """Why the run could not start or go on, otherwise."""
    detached: str = ""
    """What is to be said where cells are made elsewhere, and nobody waits for them."""

    @property
    def jobs(self) -> int:
        """The number of jobs run."""
        said = {name: len(keys) for name, keys in self.made.items()}
        return sum({**self.reported, **said}.values())

    def makes(self, cell: PlannedCell) -> bool:
        """True if a process of this run has made a result of this cell (under another name, say)."""
        return any(target in keys for keys in self.made.values() for target in cell.targets)


class CellReporter:
    """Stands in for pytest's own reporter: tells of cells and jobs instead of tests."""

    def __init__(
        self,
        loaded: Loaded,
        report: RunReport,
        *,
        shown: int,
        before: Sequence[PlannedCell],
        quiet: bool,
        verbose: bool,
    ) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._loaded, self._report, self._before = loaded, report, before
        self._console = Console(highlight=False, file=sys.stdout)
        self._progress: Progress | None = None
        self._cells: Any = None
        self._shown: Any = None
        self._spent: dict[str, float] = {}
        assert loaded.session.path is not None
        self._prefix = f"{node_name(loaded.session.path)}::"
        self._seen: set[str] = set()
        self._notices: set[str] = set()
        self._number = shown
        self._total = shown + len(loaded.chosen or ())

    # -- before and after ------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Say, where that was asked for, what is done already; start the display."""
        for cell in self._before if self._verbose else ():
            self._print(f"{cell.id}  {summary(self._loaded.worker, cell):>9}  done before", "dim")
        self._loaded.worker.on_job = self._on_job
        self._loaded.worker.context.progress = self._on_step
        self._start()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a worker could not read the plan."""
        if report.failed:
            self._report.problem = self._report.problem or str(report.longrepr)

    def pytest_internalerror(self, excrepr: Any) -> bool:
        """Keep what went wrong with pytest or its workers; the command says it."""
        self._report.problem = self._report.problem or str(excrepr)
        return True

    def _start(self) -> None:
        if self._quiet or self._progress is not None or not self._console.is_terminal:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(
            *columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._cells = self._progress.add_task("cells", completed=self._number, total=self._total)
        self._progress.start()

    def pytest_sessionfinish(self) -> None:
        """Take the display down."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        self._console.file.flush()

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that the user stopped the run."""
        # pytest's and pytest-xdist's own ways to stop a session, as -x does, are kinds of KeyboardInterrupt
        self._report.interrupted = type(excinfo.value) in (KeyboardInterrupt, stopping.Stopped)

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Print our own notices, once; warnings of libraries are for the job's log."""
        if warning_message.category is Notice:
            self.note(str(warning_message.message))

    def note(self, text: str) -> None:
        """Say something that is no cell's, once."""
        if text not in self._notices:
            self._notices.add(text)
            self._print(text, "yellow")

    # -- cells -----------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print a cell's line when it is done, found done, or failed."""
        name = report.nodeid.removeprefix(self._prefix)
        if (report.when != "call" and not report.failed) or name in self._seen:
            return
        properties = dict(report.user_properties)
        if "prunebench_unwritable" in properties:
            self._report.unwritable = str(properties["prunebench_unwritable"])
            return
        jobs = int(str(properties.get("prunebench_jobs", 0)))
        process = str(getattr(report, "worker_id", ""))
        self._report.reported[process] = self._report.reported.get(process, 0) + jobs
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
        self._seen.add(name)
        self._number += 1
        took = "" if seconds is None else f"  {seconds:.1f} s"
        if error is not None:
            self._report.failed[name] = error
            self._line(name, f"FAILED  {error}", "bold red")
        elif jobs:
            self._line(name, f"{result:>9}{took}", None)
        else:
            self._report.idle.add(name)
            self._line(name, f"{result:>9}  made meanwhile", "dim")
        if self._progress is not None and self._cells is not None:
            self._progress.update(self._cells, completed=self._number)

    def _line(self, name: str, text: str, style: str | None) -> None:
        if not self._quiet or style == "bold red":
            self._print(f"[{self._number}/{self._total}] {name}  {text}", style)

    def _print(self, text: str, style: str | None) -> None:
        console = self._console if self._progress is None else self._progress.console
        console.print(text, style=style, markup=False, soft_wrap=True)
        self._console.file.flush()

    # -- jobs ------------------------------------------------------------------------------------------

    def _on_job(self, job: Job) -> None:
        if self._progress is None:
            return
        if self._shown is not None:
            self._progress.remove_task(self._shown)
        self._shown = self._progress.add_task(described(job), total=None)

    def _on_step(self, job: Job, step: int, to_step: int) -> None:
        now = time.monotonic()
        if (
            self._progress is not None
            and self._shown is not None
            and now - self._spent.get("shown", 0.0) > 0.2
        ):
            self._spent["shown"] = now
            self._progress.update(self._shown, completed=step, total=to_step)
