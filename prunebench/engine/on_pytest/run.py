"""Runs cells through a pytest of our own, so that -x and -n mean what they mean there.

Nothing of the user's pytest reaches it: no variables, settings, conftests or plugins. Suites are passed by
option: as arguments, `[` and `::` in their paths would mean something to pytest.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.devices.device import start_device
from prunebench.engine.devices.slots import Slot
from prunebench.engine.fronts import HANDED_OVER, Assignment, Front
from prunebench.engine.fronts.watch import Watch
from prunebench.engine.on_pytest.reporter import CellReporter, RunReport
from prunebench.engine.on_pytest.run_plugin import RunPlugin
from prunebench.engine.on_pytest.selection import write_last_failed
from prunebench.engine.on_pytest.suites import Loaded
from prunebench.engine.session import Session
from prunebench.engine.worker import Worker
from prunebench.errors import PrunebenchError, StoreError
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import PlannedCell
from prunebench.store import Store

__all__ = ["Earlier", "Outcome", "run_cells"]

FAILED = 1


@dataclass(frozen=True)
class Earlier:
    """What of the same run was there before this process: one that died left the rest to it."""

    before: frozenset[str]
    """The cells that were done when the run began."""
    jobs: int
    """How many jobs were to do then."""
    given_up: Mapping[str, str]
    """The errors of the jobs, by key, that processes died of."""
    since: str
    """The run's id in the store; empty where that process died before it had one."""
    failed: Mapping[str, str]
    """The errors of the cells that failed before that process died, by their id."""


@dataclass(frozen=True)
class Outcome:
    """How a run came out, by the store's final state. Cells by their id, failed ones with the error."""

    exit_code: int
    jobs: int
    made: Sequence[str]
    before: Sequence[str]
    failed: dict[str, str]
    elsewhere: Sequence[str] = ()
    """Cells that another run made meanwhile."""
    detached: str = ""
    """What is to be said where cells are made elsewhere, and nobody waits for them."""


def run_cells(
    session: Session,
    store: Store,
    *,
    cells: Sequence[PlannedCell] | None = None,
    first_failure: bool = False,
    workers: int | None = None,
    slots: Sequence[Slot] = (),
    quiet: bool = False,
    verbose: bool = False,
    earlier: Earlier | None = None,
    on_start: Callable[[str], object] = lambda since: None,
    on_failure: Callable[[str, str], object] = lambda cell, error: None,
    front: Front | None = None,
    seen: Snapshot | None = None,
) -> Outcome:
    """Run the cells (None: all of the plan) that are not done: in this process, on `workers` processes, or
    wherever the front of an engine starts workers. Each of the `workers` gets one of the `slots`, if there
    are some. `seen` is an earlier look at the store.

    `on_start` is told the run's id, `on_failure` of each cell that fails, and its error.

    Raises: Unwritable where the store cannot be written; PrunebenchError where workers cannot start;
    WorkerLost where this process can use its GPU no more: another has to do the rest.
    """
    if session.path is None:
        raise StoreError("a thawed plan cannot be run: plan the suite")
    wanted = session.plan.cells if cells is None else cells
    first = Snapshot(session.plan, store, before=seen)
    if session.frozen is None:
        session.freeze(store)
    since = (earlier.since if earlier else "") or session.begin(store, wanted)
    on_start(since)
    had_failed = {} if earlier is None else dict(earlier.failed)
    if earlier is None:
        before = [cell for cell in wanted if first.done(cell)]
    else:
        before = [cell for cell in wanted if cell.id in earlier.before]
    ids = {cell.id for cell in before}
    to_do = [cell for cell in wanted if cell.id not in ids]
    items = [cell for cell in to_do if cell.id not in had_failed and not first.done(cell)]
    loaded = Loaded(
        session,
        session.worker(
            store,
            given_up=dict(earlier.given_up) if earlier else {},
            since=since,
        ),
        [cell.id for cell in items],
        since=since,
    )
    shown: dict[str, Any] = {
        "cells": to_do,
        "before": before,
        "quiet": quiet,
        "verbose": verbose,
        "told": had_failed,
    }
    if front is None:
        plugin = RunPlugin(loaded, workers=workers, slots=slots, **shown)
        plugin.report.on_failure = on_failure
        code = _pytest(session, plugin, first_failure, workers)
        report = plugin.report
    else:
        report = RunReport(on_failure=on_failure)
        given_up = loaded.worker.given_up
        assignment = Assignment(session, store, items, since, given_up, workers, first_failure)
        reporter = CellReporter(loaded, report, workers=0, **shown)
        _elsewhere(front, assignment, loaded.worker, reporter, report)
        code = 0
    if report.unwritable:
        raise StoreError(report.unwritable)
    if report.lost is not None:
        raise report.lost
    if report.problem:
        raise PrunebenchError(report.problem)
    last = Snapshot(session.plan, store, before=first)
    if not (stopping.requested() or report.interrupted):
        last.seek(cell for cell in to_do if cell.id not in report.failed)
    with contextlib.suppress(StoreError):  # what is not buried now is later
        store.bury()
    done = [cell for cell in to_do if last.done(cell)]
    now_done = {cell.id for cell in done}
    every_failed = {**had_failed, **report.failed}
    failed = {name: error for name, error in every_failed.items() if name not in now_done}
    limit = session.request.limit
    write_last_failed(store.root, session.path, failed=failed, passed=now_done, limit=limit)
    elsewhere = [cell.id for cell in _by_others(done, first, report)]
    jobs = report.jobs
    if earlier is not None:
        jobs += earlier.jobs - len(first.remaining(wanted))
    outcome = Outcome(
        exit_code=0,
        jobs=jobs,
        made=[cell.id for cell in done if cell.id not in elsewhere],
        before=[cell.id for cell in before],
        failed=failed,
        elsewhere=elsewhere,
    )
    if stopping.requested() or report.interrupted:
        return replace(outcome, exit_code=stopping.exit_code())
    if report.detached:
        handed_over = HANDED_OVER if len(done) < len(to_do) else 0
        return replace(outcome, exit_code=handed_over, detached=report.detached)
    if failed or len(done) < len(to_do):
        return replace(outcome, exit_code=FAILED)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        return replace(outcome, exit_code=FAILED)
    return outcome


def _by_others(cells: Iterable[PlannedCell], first: Snapshot, report: RunReport) -> Iterator[PlannedCell]:
    """Yield those cells that another run has made: the first result that a cell lacked says whose it is.

    So of several runs that make a cell together one counts it as its own. Of workers that report nothing it
    is only known that somebody has made it.
    """
    ours = {key for keys in report.made.values() for key in keys}
    for cell in cells:
        lacked = next((target for target in cell.targets if not first.have(target)), None)
        if lacked is not None and lacked not in ours and (report.made or cell.id in report.idle):
            yield cell


def _elsewhere(
    front: Front, assignment: Assignment, worker: Worker, reporter: CellReporter, report: RunReport
) -> None:
    """Let a front get the cells made; `report` says then what became of them."""
    reporter.pytest_sessionstart()
    try:
        watch = Watch(worker, assignment.cells, report, reporter, first_failure=assignment.first_failure)
        try:
            front.run(assignment, watch)
        except stopping.Stopped:
            stopping.heard()
            report.interrupted = True
        except PrunebenchError as error:
            report.problem = str(error)
        report.counted = watch.jobs()
    finally:
        reporter.pytest_sessionfinish()


def _pytest(session: Session, plugin: RunPlugin, first_failure: bool, workers: int | None) -> int:
    request = replace(session.request, suite=str(session.path))
    args = [
        "-c", str(Path(__file__).parent / "pytest.ini"),
        "--noconftest",
        "--assert=plain",
        "--capture=no",  # what a job prints goes to its log
        f"--prunebench-request={request.to_json()}",
        "-p", "prunebench.engine.on_pytest.plugin",
        "-p", "xdist.plugin",
    ]  # fmt: skip
    for name in ("cacheprovider", "warnings", "threadexception", "unraisableexception"):
        args += ["-p", f"no:{name}"]
    if first_failure:
        args += ["-x"]
    if workers:
        # how often a worker is replaced is for our plugin to say
        args += [
            "-n",
            str(workers),
            "--dist",
            "load",
            "--maxschedchunk",
            "1",
            "--max-worker-restart",
            "100000",
        ]
    if not workers:
        start_device(request.device)
    with _surroundings(), plugin.hearing_workers():
        return int(pytest.main(args, plugins=[plugin]))


@contextlib.contextmanager
def _surroundings() -> Iterator[None]:
    """Keep the user's pytest variables and working directory out of pytest, its workers and theirs."""
    environment, path = dict(os.environ), list(sys.path)
    for name in environment:
        if name.startswith("PYTEST_") or name == "PYTHONWARNINGS":
            del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["PYTHONSAFEPATH"] = "1"  # no '' on the path of python -c, which is how workers start
    named = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if "PYTHONPATH" in environment:  # an empty entry, as in ":/my/plugins", means the working directory
        os.environ["PYTHONPATH"] = os.pathsep.join(named)
    if any(map(_is_here, path)):
        kept = {*named, *_installed_paths()}
        sys.path[:] = [entry for entry in path if entry in kept or not _is_here(entry)]
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)


def _installed_paths() -> list[str]:
    """Return sys.path as Python has it in no folder: an editable install may lie in the working directory."""
    command = [sys.executable, "-P", "-c", "import json, sys; print(json.dumps(sys.path))"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        return [str(entry) for entry in json.loads(told)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _is_here(entry: str) -> bool:
    """True if an entry of sys.path is the working directory."""
    try:
        return entry == "" or entry == os.getcwd()
    except OSError:  # the working directory is gone
        return entry == ""
