"""Our part in a session of pytest: the reporter, and what becomes of workers that die or are to stop."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.devices.slots import Slot
from prunebench.engine.fronts.report import RunReport
from prunebench.engine.guarding.own_process import file_in_memory
from prunebench.engine.on_pytest import private as pytest_private
from prunebench.engine.on_pytest.gpus import LEFT, give_slots
from prunebench.engine.on_pytest.private import hurry_exit, live_nodes, next_event, send_signal, silence
from prunebench.engine.on_pytest.reporter import CellReporter
from prunebench.engine.on_pytest.suites import Loaded, use
from prunebench.errors import PrunebenchError
from prunebench.process import how_ended
from prunebench.store import process_name

__all__ = ["RunPlugin"]

STILLBORN = 3
"""So many workers in a row may die before they are at work, while none is."""

STILLBORN_BESIDE = 20
"""So many where others are at work."""

PATIENCE = 4.0
"""Seconds for workers to commit their checkpoints and end, once they are told to stop."""

AGAIN = 0.5
"""Seconds after which those that have not ended are told again: not all code lets an interrupt through."""


class RunPlugin:
    """Puts the reporter in place of pytest's own, and looks after the workers."""

    def __init__(
        self,
        loaded: Loaded,
        reporter: CellReporter,
        report: RunReport,
        *,
        workers: int | None,
        slots: Sequence[Slot] = (),
        begin: Callable[[Callable[[str], object]], object] = lambda tell: None,
    ) -> None:
        """`begin` is called, with what prints a line, once so many `workers` live that have read the plan."""
        self.report = report
        self.slots = slots
        self._loaded, self._reporter, self._workers, self._begin = loaded, reporter, workers, begin
        self._config: pytest.Config | None = None
        self._begun = False
        self._at_work: set[Any] = set()
        """The workers that live and have read the plan."""
        self._has_been_read = False
        self._stillborn = 0
        self._stderr: Any = None
        self._told = ""
        """What pytest-xdist says of the last worker that died: not all of that reaches its stderr."""

    @contextlib.contextmanager
    def hearing_workers(self) -> Iterator[None]:
        """Keep what workers write to standard error, which they inherit, in case they cannot start."""
        if not self._workers:
            yield
            return
        with file_in_memory() as file:
            sys.stderr.flush()
            kept = os.dup(2)
            os.dup2(file.fileno(), 2)
            self._stderr = file
            try:
                yield
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                if self._stillborn and self.report.problem:
                    self.report.problem += self._last_words()

    def _last_words(self) -> str:
        self._stderr.seek(0)
        text = self._stderr.read().decode("utf-8", "replace").strip() or self._told.strip()
        lines = text.splitlines()[-12:]
        return "\n".join([". It wrote:", *(f"  {line}" for line in lines)]) if lines else ""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Replace the reporter; hand over the plan."""
        self._config = config
        use(config, self._loaded)
        silence(config)
        # by another name: pytest-xdist would speak of its nodes through a terminal reporter
        config.pluginmanager.register(self._reporter, "cellreporter")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Give each worker its slot."""
        give_slots(specs, [slot.environment for slot in self.slots])

    # -- workers that cannot start -----------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any) -> None:
        """A worker is at work once it has read the plan; when all have, the first cells are handed out.

        All that live: no other is on its way then, which would still look for the plan where these read it.
        """
        self._at_work.add(node)
        self._has_been_read = True
        if self._workers and len(self._at_work) >= self._workers and not self._begun:
            self._begun = True
            try:
                self._begin(print)
            except PrunebenchError as error:
                self.report.problem = str(error)
                pytest.exit(self.report.problem, returncode=1)
            self._reporter.start()
        if self._begun:
            self._stillborn = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        """Keep which process a worker is: by that it is known what it ran, should it die."""
        if (process := pytest_private.process_of(node)) is not None:
            self.report.dead[node.gateway.id] = process_name(process)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Take in what a worker did; end the run where worker after worker dies before it has begun."""
        made = getattr(node, "workeroutput", {}).get("prunebench_made")
        if made is not None:
            import json

            self.report.made[node.gateway.id] = json.loads(made)
            self.report.dead.pop(node.gateway.id, None)
        worked = self._begun and node in self._at_work
        self._at_work.discard(node)
        if not self._begun and self._config is not None:
            pytest_private.forget_collection(self._config, node)
        if error is None or worked or stopping.requested():
            return
        self._stillborn += 1
        how = pytest_private.ended(node)
        if self._stillborn >= (STILLBORN_BESIDE if self._at_work else STILLBORN):
            early = "the run had begun" if self._has_been_read else "they had read the plan"
            self.report.problem = f"workers cannot start: {self._stillborn} in a row died before {early}" + (
                "" if how is None else f"; the last {how_ended(how[1])}"
            )
            self._told = str(error)
            pytest.exit(self.report.problem, returncode=1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """A worker that dies before pytest-xdist knows it is an error of the whole session."""
        if self._workers and isinstance(excinfo.value, EOFError | OSError) and not self._at_work:
            self._stillborn += 1
            self.report.problem = "a worker cannot start"

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keep why the session ended early, where that was no signal."""
        if isinstance(excinfo.value, pytest.exit.Exception):
            self.report.problem = self.report.problem or str(excinfo.value)

    # -- workers that are to stop ------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Where the run was told to stop, tell the workers, and wait for what they still have to say."""
        if not self._workers:
            self.report.made[""] = [job.key for job in self._loaded.worker.made]
            self.report.lost = session.config.stash.get(LEFT, None)
            return
        distributed = pytest_private.distributed(session.config)
        if stopping.requested() and distributed is not None:
            with stopping.held():
                self._stop(session.config, distributed)

    def _stop(self, config: pytest.Config, distributed: Any) -> None:
        nodes = live_nodes(distributed)
        alive = set(nodes)
        deadline, next_time = time.monotonic() + PATIENCE, 0.0
        while alive and (now := time.monotonic()) < deadline:
            if now >= next_time:
                next_time = now + AGAIN
                for node in alive:
                    send_signal(node, signal.SIGTERM)
            try:
                event, said = next_event(distributed, max(0.0, min(deadline, next_time) - now))
            except queue.Empty:
                continue
            if event == "testreport":
                config.hook.pytest_runtest_logreport(report=said["rep"])
            elif event in ("workerfinished", "errordown"):
                self.pytest_testnodedown(said["node"], said.get("error"))
                alive.discard(said["node"])
        for node in nodes:  # those that have ended too: Python's goodbye to torch takes a second
            send_signal(node, signal.SIGKILL)
        hurry_exit(distributed, 0.5)
