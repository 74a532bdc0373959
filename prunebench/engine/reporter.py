"""What `prunebench run` prints while cells run: a line a cell, and a progress display on a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter
from _pytest.timing import Instant
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from prunebench.engine.pytest_plugin import CellItem, loaded
from prunebench.plan import Job

__all__ = ["CellReporter", "RunPlugin"]


class CellReporter(TerminalReporter):  # type: ignore[misc]  # pytest has no other way to be replaced
    """Stands in for pytest's own reporter: speaks of cells and jobs instead of tests."""

    def __init__(self, config: pytest.Config, *, quiet: bool, verbose: bool) -> None:
        super().__init__(config)
        self._quiet, self._verbose = quiet, verbose
        self._console = Console(highlight=False)
        self._progress: Progress | None = None
        self._cells: Any = None
        self._shown: Any = None
        self._began = time.monotonic()
        self._spent: dict[str, float] = {}
        self._number = 0
        self.total = 0
        self.jobs = 0
        self.made: list[str] = []
        self.before: list[str] = []
        self.failed: dict[str, str] = {}
        self.interrupted = False

    # -- before and after ------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember the session; no header: the command has said what will run."""
        self._session = session
        self._session_start = Instant()

    def pytest_collection(self) -> None:
        """Say nothing while cells are collected."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Say nothing yet."""

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Say nothing: the number of cells that run is said."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the display when it is known which cells run."""
        self.total = len(session.items)
        for item in session.items:
            if isinstance(item, CellItem):
                loaded(item.config, item.path).engine.on_job = self._on_job
                loaded(item.config, item.path).engine.context.progress = self._on_step
        self._start()

    def _start(self) -> None:
        if self._quiet or self._progress is not None or not self._console.is_terminal:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._cells = self._progress.add_task("cells", total=self.total or None)
        self._progress.start()

    def pytest_sessionfinish(self) -> None:  # type: ignore[override]
        """Take the display down."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def pytest_terminal_summary(self) -> None:  # type: ignore[override]
        """Say nothing more: the command prints the summary."""

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that the user stopped the run."""
        # pytest's and pytest-xdist's own ways to stop a session, as -x does, are kinds of KeyboardInterrupt
        self.interrupted = type(excinfo.value) is KeyboardInterrupt

    def pytest_unconfigure(self) -> None:
        """Print nothing at the end."""

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """Warnings of libraries are for the job's log."""

    # -- cells -----------------------------------------------------------------------------------------

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """Show nothing when a cell begins."""

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Show nothing when a cell ends: its report has been shown."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print a cell's line when it is done, found done, or failed."""
        if report.when != "call" and not report.failed:
            return
        self._number += 1
        name = report.nodeid.split("::", 1)[-1]
        properties = dict(report.user_properties)
        jobs = int(str(properties.get("prunebench_jobs", 0)))
        self.jobs += jobs
        if report.failed:
            self.failed[name] = str(report.longrepr).strip()
            self._line(name, f"FAILED  {self.failed[name]}", "bold red")
        elif jobs:
            self.made.append(name)
            self._line(name, f"{properties.get('prunebench_result', ''):>9}  {report.duration:.1f} s", None)
        else:
            self.before.append(name)
            if self._verbose:
                self._line(name, f"{properties.get('prunebench_result', ''):>9}  done before", "dim")
        if self._progress is not None and self._cells is not None:
            self._progress.update(self._cells, completed=self._number, total=max(self.total, self._number))

    def _line(self, name: str, text: str, style: str | None) -> None:
        if self._quiet and style != "bold red":
            return
        of = f"/{self.total}" if self.total else ""
        line = f"[{self._number}{of}] {name}  {text}"
        if self._progress is not None:
            self._progress.console.print(line, style=style, markup=False, soft_wrap=True)
        else:
            self._console.print(line, style=style, markup=False, soft_wrap=True)

    # -- jobs ------------------------------------------------------------------------------------------

    def _on_job(self, job: Job) -> None:
        if self._progress is None:
            return
        if self._shown is not None:
            self._progress.remove_task(self._shown)
        self._shown = self._progress.add_task(_described(job), total=None)

    def _on_step(self, job: Job, step: int, to_step: int) -> None:
        now = time.monotonic()
        if (
            self._progress is not None
            and self._shown is not None
            and now - self._spent.get("shown", 0.0) > 0.2
        ):
            self._spent["shown"] = now
            self._progress.update(self._shown, completed=step, total=to_step)


def _described(job: Job) -> str:
    if job.kind == "train":
        run = job.params["run"]
        what = "pruned" if job.prunes else "dense"
        return f"train {run['architecture']['name']} {what} to step {job.params['step']}"
    return job.kind


class RunPlugin:
    """Puts the reporter in place of pytest's own, and learns the number of cells from workers."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._options = {"quiet": quiet, "verbose": verbose}
        self.reporter: CellReporter | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Replace the reporter."""
        standard = config.pluginmanager.getplugin("terminalreporter")
        if standard is not None:
            config.pluginmanager.unregister(standard)
        self.reporter = CellReporter(config, **self._options)
        config.pluginmanager.register(self.reporter, "terminalreporter")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Learn the number of cells when workers collect."""
        if self.reporter is not None:
            self.reporter.total = len(ids)
            self.reporter._start()
