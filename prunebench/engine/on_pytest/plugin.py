"""The pytest plugin: suites are collected, one item a cell.

Collected is a suite file that is named on the command line, and each that lies directly in a folder named
there. Installed with prunebench, so it is loaded in other people's projects too: it does nothing there,
imports nothing heavy, and adds only options that begin with `--prunebench-`.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.guarding.own_process import DEATHS
from prunebench.engine.on_pytest.items import CellItem, CheckItem, SuiteFile, checks_name
from prunebench.engine.on_pytest.private import (
    collect_instead,
    config_of,
    ended,
    make_mainargv_sendable,
    silence,
)
from prunebench.engine.on_pytest.suites import Loaded, all_loaded, is_named, loaded, suites_of

__all__: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that a suite given to pytest itself takes: those of `prunebench run`."""
    group = parser.getgroup("prunebench", "prunebench: suites of pruning benchmarks")
    add = group.addoption
    add("--prunebench-store", metavar="DIR", help="where results are kept (default: .prunebench)")
    add("--prunebench-data", metavar="DIR", help="data root (default: the user's cache folder)")
    for name, what in (
        ("scorer", "NAME; add this method or scorer to every matrix"),
        ("plugin", "FILE; load a plugin from a Python file"),
        ("load", "NAME; load only this third-party plugin"),
        ("sparsity", "S; only cells of this sparsity, as tables print it"),
    ):
        metavar, _, text = what.partition("; ")
        add(f"--prunebench-{name}", metavar=metavar, action="append", default=[], help=f"{text}; repeatable")
    add("--prunebench-no-plugins", action="store_true", help="load no third-party plugins")
    add("--prunebench-seeds", metavar="N", type=int, help="N seeds: 0 to N-1")
    add(
        "--prunebench-limit",
        metavar="N",
        type=int,
        help="a smoke run: train and evaluate on N examples at most",
    )
    add("--prunebench-device", metavar="D", help="auto (the default), cpu, cuda or cuda:N")
    add("--prunebench-threads", metavar="N", type=int, help="threads a job (default: 1)")
    add(
        "--prunebench-kernels",
        metavar="KIND",
        help="dense (the default), or sparse: linear layers compute with kept weights alone, of other bits",
    )
    add(
        "--prunebench-job-timeout",
        metavar="TIME",
        help="a job that shows no sign of life for so long has failed: seconds, or 30m, 2h",
    )
    add("--prunebench-memory-limit", metavar="SIZE", help="memory that a worker may take: 8GiB, auto or none")
    add("--prunebench-keep-states", action="store_true", help="keep the weights of pruned networks")
    add("--prunebench-request", help="everything at once, as prunebench run passes it (internal)")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which kernels compute, where they are not the usual ones."""
    from prunebench.training.kernels import SPARSE

    return SPARSE if config.getoption("--prunebench-kernels") == "sparse" else None


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a worker of suites, see to it that it ends with the controller, also while it imports torch.

    In one of `prunebench run`, listen to signals from the start to the end, and try its device.
    """
    if "prunebench" in getattr(config, "workerinput", {}):
        from prunebench.engine.guarding.own_process import end_after, may_be_killed, until_parent_ends

        may_be_killed(shared=not config.getoption("--prunebench-request"))
        end_after(until_parent_ends)
    if hasattr(config, "workerinput") and config.getoption("--prunebench-request"):
        from prunebench import stopping
        from prunebench.engine.on_pytest.gpus import start_or_leave
        from prunebench.engine.request import Request
        from prunebench.process import prepare_process

        stack = contextlib.ExitStack()
        stack.enter_context(stopping.listening())
        config.add_cleanup(stack.close)
        silence(config)  # nobody sees it, and it would spend seconds on the traceback of an interrupt
        prepare_process()
        start_or_leave(Request.from_json(config.getoption("--prunebench-request")).device)


@pytest.hookimpl
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the worker of each suite which cells the run is about, and how many workers there are."""
    for suite in all_loaded(session.config):
        items = (item for item in session.items if isinstance(item, CellItem))
        suite.worker.selected = [item.cell for item in items if item.path == suite.session.path]
        suite.worker.workers = getattr(session.config, "workerinput", {}).get("workercount", 1)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Once a worker of pytest-xdist has run its last item, let it help those that have not."""
    from prunebench import stopping
    from prunebench.engine.on_pytest.gpus import leaving
    from prunebench.store import Unwritable

    stopping.check()  # a signal came while plugins were imported: not every import lets an interrupt through
    ran = yield
    config = session.config
    if hasattr(config, "workerinput") and not (session.shouldstop or session.shouldfail):
        for suite in all_loaded(config) if not config.getvalue("maxfail") else ():
            # an item of another meets a store that cannot be written too
            with stopping.listening(), leaving(config), contextlib.suppress(Unwritable):
                suite.worker.help()
    return ran


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """Stop here if a signal came in a cell's last job, which then went on to its end: its report is sent."""
    from prunebench import stopping

    stopping.check()


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt() -> None:
    """From here on the session ends by itself."""
    from prunebench import stopping

    stopping.heard()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect the suite that `prunebench run` asks for, whatever its path holds, and nothing else."""
    text = session.config.getoption("--prunebench-request")
    if text:
        from prunebench.engine.request import Request
        from prunebench.engine.selection import node_name

        path = Path(Request.from_json(text).suite)
        name = node_name(path)
        collect_instead(session, lambda: [SuiteFile.from_parent(session, path=path, name=name, nodeid=name)])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a suite file that was named on the command line, or whose folder was."""
    if file_path.suffix != ".toml" or not is_named(file_path, parent.session):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Say how many workers `-n auto` is where pytest runs suites: as many as `prunebench run` would start."""
    from prunebench.engine.on_pytest.gpus import workers_of_suites

    return workers_of_suites(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[Any]) -> None:
    """Give the workers of suites that run on GPUs their slots; `prunebench run` has chosen its own."""
    if config.getoption("--prunebench-request") or not suites_of(config):
        return
    from prunebench.engine.on_pytest.gpus import give_slots, slots_of_suites
    from prunebench.errors import UsageError

    try:
        give_slots(specs, [slot.environment for slot in slots_of_suites(config, len(specs))])
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Freeze the plans before a worker of pytest-xdist starts, and tell it where."""
    from prunebench.engine.on_pytest.gpus import LostWorkers
    from prunebench.errors import PrunebenchError, readable

    config: pytest.Config = node.config
    make_mainargv_sendable(node, readable)
    told: dict[str, dict[str, Any]] = {}
    try:
        for path in suites_of(config):
            suite = loaded(config, path)
            told[str(path)] = {
                "frozen": str(suite.session.frozen),
                "given_up": suite.worker.given_up,
                "chosen": suite.chosen,
                "since": suite.since,
            }
    except PrunebenchError as error:
        raise pytest.UsageError(str(error)) from error
    if told:
        LostWorkers.of(config)  # listens from here on
        node.workerinput["prunebench"] = json.dumps(told)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: Any, sched: Any) -> None:
    """Write down what a worker that died was working on. Its item says so where that job has failed by that;
    else it is handed out again, and so is a check, and a cell of none of whose jobs it died.
    """
    from prunebench.engine.on_pytest.gpus import LostWorkers

    if LostWorkers.of(config_of(sched)).takes_up(crashitem, report, sched):
        return
    suites = all_loaded(config_of(sched))
    jobs = [(suite, key) for suite in suites for key in _buried(suite, report.node)]
    again = [_goes_on_after(suite, key, crashitem, report) for suite, key in jobs]
    again += [_has_another_try(suite, crashitem, bool(jobs)) for suite in suites]
    if any(again):
        with contextlib.suppress(NotImplementedError, AttributeError):  # not every distribution can
            sched.mark_test_pending(crashitem)
            report.outcome = "rerun"


def _goes_on_after(suite: Loaded, key: str, item: str, report: Any) -> bool:
    """True if an item whose worker died of a job is another's to try: by chance, or of another cell's job."""
    failed = suite.worker.failed_elsewhere(key)
    if failed is not None:
        suite.worker.given_up[key] = failed.message
    if failed is None or not _needs(item, suite, key):
        return True
    report.longrepr = str(failed)
    return False


def _has_another_try(suite: Loaded, item: str, died_of_a_job: bool) -> bool:
    """True if an item of a suite may lose another worker: a check, or a cell where that worked on no job."""
    if _is_check(item, suite):
        tries = TRIES
    elif not died_of_a_job and any(item.endswith(f"::{cell.id}") for cell in suite.session.plan.cells):
        tries = DEATHS - 1
    else:
        return False
    suite.tried_again.append(item)
    return suite.tried_again.count(item) <= tries


def _buried(suite: Loaded, node: Any) -> list[str]:
    """Write down of which jobs of a suite a worker has died, and return their keys."""
    for _ in range(20):  # a killed process closes its pipes a moment before it is gone
        how = ended(node)
        buried = suite.worker.store.bury(dict([how]) if how else {})
        if buried:
            break
        time.sleep(0.05)
    return [path.stem for path in buried if path.stem in suite.session.plan.jobs]


def _needs(nodeid: str, suite: Loaded, key: str) -> bool:
    """True if the cell of a node's id needs a job; a worker that waits makes jobs of other cells too."""
    plan = suite.session.plan
    own = [cell for cell in plan.cells if nodeid.endswith(f"::{cell.id}")]
    return not own or any(key in plan.ancestors(target) for cell in own for target in cell.targets)


TRIES = 3
"""How often a check may lose the worker that it was on: a job has ended that, and no fault of the check."""


def _is_check(nodeid: str, suite: Loaded) -> bool:
    """True if a node's id is that of one of the suite's checks."""
    checks = {check["name"] for check in suite.session.plan.suite.get("checks", ())}
    matrices = {cell.matrix for cell in suite.session.plan.cells}
    return nodeid.rpartition("::")[2] in checks and nodeid.split("::")[-2:-1] == [checks_name(matrices)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a check that is skipped say so of the suite's file, and not of ours."""
    report = yield
    if isinstance(item, CheckItem) and report.skipped and isinstance(report.longrepr, tuple):
        from prunebench.errors import readable

        report.longrepr = (readable(str(item.path)), item.line, str(report.longrepr[2]))
    return report


@pytest.hookimpl
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker, tell at the end which jobs it ran: it may be told to stop before its item is through."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        made = [job.key for suite in all_loaded(session.config) for job in suite.worker.made]
        output["prunebench_made"] = json.dumps(made)
