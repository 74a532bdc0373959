"""The pytest plugin: suites are collected, one item a cell.

Collected is a suite file that is named on the command line, and each that lies directly in a folder named
there. Installed with prunebench, so it is loaded in other people's projects too: it does nothing there,
imports nothing heavy, and adds only options that begin with `--prunebench-`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prunebench.engine.session import Request, Session
    from prunebench.engine.worker import Worker
    from prunebench.plan import Job, PlannedCell

__all__ = ["CellItem", "Loaded", "MatrixCollector", "Notice", "SuiteFile"]


class Notice(UserWarning):
    """Something to be said on the screen while cells run: pytest brings warnings from workers."""


@dataclass(frozen=True)
class Loaded:
    """A suite's session and worker within one pytest process."""

    session: Session
    worker: Worker
    chosen: Sequence[str] | None = None
    """The cells that become items, by id; None: all."""


_LOADED = pytest.StashKey[dict[str, Loaded]]()


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
    add("--prunebench-device", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    add("--prunebench-threads", metavar="N", type=int, help="threads a job (default: 1)")
    add("--prunebench-keep-states", action="store_true", help="keep the weights of pruned networks")
    add("--prunebench-request", help="everything at once, as prunebench run passes it (internal)")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a worker of `prunebench run`, listen to signals from the start to the end."""
    if hasattr(config, "workerinput") and config.getoption("--prunebench-request"):
        from prunebench import stopping

        stack = contextlib.ExitStack()
        stack.enter_context(stopping.listening())
        config.add_cleanup(stack.close)
        # nobody sees it, and it would spend seconds on the traceback of an interrupt
        config.pluginmanager.unregister(name="terminalreporter")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Stop here if a signal came while plugins were imported: not every import lets an interrupt through."""
    from prunebench import stopping

    stopping.check()


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
        from prunebench.engine.selection import node_name
        from prunebench.engine.session import Request

        path = Path(Request.from_json(text).suite)
        session.config.args = []
        session.collect = lambda: iter(  # type: ignore[method-assign]
            [SuiteFile.from_parent(session, path=path, name=node_name(path), nodeid=node_name(path))]
        )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a suite file that was named on the command line, or whose folder was."""
    if file_path.suffix != ".toml" or not _is_named(file_path, parent.session):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


def _is_named(path: Path, session: pytest.Session) -> bool:
    if session.isinitpath(path):
        return _speaks_of_matrices(path)
    by_arguments = session.config.args_source == pytest.Config.ArgsSource.ARGS
    return by_arguments and session.isinitpath(path.parent) and _is_a_suite(path)


def _speaks_of_matrices(path: Path) -> bool:
    """Whether a TOML file has the word; anything else named to pytest is somebody else's."""
    return b"matrix" in _content(path)


def _is_a_suite(path: Path) -> bool:
    """Whether a TOML file that nobody named has a suite's `schema = …` and `[[matrix]]`, parsed or not."""
    content = _content(path)
    return bool(
        re.search(rb"^schema[ \t]*=", content, re.MULTILINE)
        and re.search(rb"^\[\[[ \t]*matrix[ \t]*\]\]", content, re.MULTILINE)
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def request_for(config: pytest.Config, path: Path) -> Request:
    """Return the request that pytest's options amount to for one suite file. Raises: UsageError."""
    from prunebench.engine.defaults import data_root, store_root
    from prunebench.engine.session import Request
    from prunebench.errors import UsageError

    text = config.getoption("--prunebench-request")
    if text:
        return Request.from_json(text)

    def option(name: str) -> Any:
        return config.getoption(f"--prunebench-{name}")

    if option("no-plugins") and option("load"):
        raise UsageError("--prunebench-no-plugins and --prunebench-load: give one of them")
    for name in ("seeds", "threads"):
        if option(name) is not None and option(name) < 1:
            raise UsageError(f"--prunebench-{name}: found {option(name)}, allowed: a number of at least 1")
    return Request(
        suite=str(path),
        store=str(store_root(option("store"))),
        data=str(data_root(option("data"))),
        plugins=tuple(str(Path(file).expanduser().absolute()) for file in option("plugin")),
        third_party=not option("no-plugins"),
        load=tuple(option("load")) or None,
        scorers=tuple(option("scorer")),
        seeds=option("seeds"),
        sparsities=tuple(option("sparsity") or ()),
        device=option("device") or "cpu",
        threads=option("threads") or 1,
        keep_states=option("keep-states"),
    )


def use(config: pytest.Config, found: Loaded) -> None:
    """Let a pytest process work with a suite that is made ready already."""
    found.worker.on_wait = lambda job: _say_waiting(config, found.worker, job)
    config.stash.setdefault(_LOADED, {})[str(found.session.path)] = found


def loaded(config: pytest.Config, path: Path) -> Loaded:
    """Return a suite made ready, once per process: planned and frozen here, or thawed in a worker."""
    sessions = config.stash.setdefault(_LOADED, {})
    if str(path) not in sessions:
        use(config, _load(config, path))
    return sessions[str(path)]


def _load(config: pytest.Config, path: Path) -> Loaded:
    from prunebench.engine.session import Session
    from prunebench.errors import StoreError
    from prunebench.results.frozen import read_frozen
    from prunebench.store import Store

    request = request_for(config, path)
    told_to_worker: dict[str, Any] = getattr(config, "workerinput", {})
    told = json.loads(told_to_worker.get("prunebench", "{}")).get(str(path))
    if told:
        frozen = Path(told["frozen"])
        store = Store.open(request.store)
        plan = read_frozen(frozen, store)
        if plan is None:
            raise StoreError(f"{frozen}: another prunebench has frozen its plan there: run again")
        request = request.with_suite_plugins()
        session = Session(request, request.host(), plan, path, frozen)
        session.check_identities()
        worker = session.worker(store, given_up=told["given_up"])
        return Loaded(session, worker, told["chosen"])
    session = Session.prepare(request)
    if config.option.collectonly:  # a listing writes and downloads nothing
        store = Store.open(request.store, create=False, write=False, absent_ok=True)
        return Loaded(session, session.worker(store))
    session.ready()
    store = Store.open(request.store)
    session.set_damaged_aside(store)
    session.freeze(store)
    return Loaded(session, session.worker(store))


def _say_waiting(config: pytest.Config, worker: Worker, job: Job) -> None:
    """Say which process of another run holds what is next; workers of this run do not count."""
    import psutil

    family = {os.getpid()}
    if hasattr(config, "workerinput"):
        with contextlib.suppress(psutil.Error):
            family |= {child.pid for child in psutil.Process(os.getppid()).children()}
    for claim in worker.store.running():
        if claim["key"] == job.key and claim["pid"] not in family:
            text = f"waiting for another run (pid {claim['pid']}) …"
            message = warnings.WarningMessage(Notice(text), Notice, __file__, 1)
            kwargs = {"warning_message": message, "when": "runtest", "nodeid": "", "location": None}
            config.hook.pytest_warning_recorded.call_historic(kwargs=kwargs)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Freeze the plans before a worker of pytest-xdist starts, and tell it where."""
    from prunebench.errors import PrunebenchError, readable

    config: pytest.Config = node.config
    argv = node.workerinput.get("mainargv", ())  # for show; what is not UTF-8 cannot be sent
    node.workerinput["mainargv"] = [readable(str(argument)) for argument in argv]
    told: dict[str, dict[str, Any]] = {}
    try:
        for path in _suites_of(config):
            found = loaded(config, path)
            told[str(path)] = {
                "frozen": str(found.session.frozen),
                "given_up": found.worker.given_up,
                "chosen": found.chosen,
            }
    except PrunebenchError as error:
        raise pytest.UsageError(str(error)) from error
    if told:
        node.workerinput["prunebench"] = json.dumps(told)


def _suites_of(config: pytest.Config) -> list[Path]:
    """Return the suite files that the workers of a pytest process will collect."""
    if config.getoption("--prunebench-request"):
        return [Path(path) for path in config.stash.get(_LOADED, {})]
    found = []
    for arg in config.args:
        path = (config.invocation_params.dir / str(arg).split("::")[0]).resolve()
        if path.is_dir() and config.args_source == pytest.Config.ArgsSource.ARGS:
            found += [file for file in sorted(path.glob("*.toml")) if _is_a_suite(file)]
        elif path.suffix == ".toml" and _speaks_of_matrices(path):
            found.append(path)
    return found


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: Any, sched: Any) -> None:
    """Write down what a worker that died was working on, and let its item say so."""
    from prunebench.engine.failures import JobFailed

    for found in sched.config.stash.get(_LOADED, {}).values():
        for _ in range(20):  # a killed process closes its pipes a moment before it is gone
            buried = found.worker.store.bury()
            if buried:
                break
            time.sleep(0.05)
        else:
            continue
        for key in (path.stem for path in buried):
            attempts = found.worker.store.attempts(key)
            if key in found.session.plan.jobs and attempts:
                job, log = found.session.plan.jobs[key], str(found.worker.store.log_path(key))
                error = found.worker.given_up[key] = str(attempts[-1].get("error"))
                report.longrepr = str(JobFailed(job, error, log_path=log))


@pytest.hookimpl
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker, tell at the end which jobs it ran: it may be told to stop before its item is through."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        made = [job.key for one in session.config.stash.get(_LOADED, {}).values() for job in one.worker.made]
        output["prunebench_made"] = json.dumps(made)


class SuiteFile(pytest.File):
    """A suite: its matrices."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Plan the suite, freeze the plan, and return a collector for each matrix."""
        from prunebench.engine.sparsities import of_sparsity
        from prunebench.errors import PrunebenchError

        try:
            found = loaded(self.config, self.path)
            cells = of_sparsity(found.session.plan.cells, found.session.request.sparsities)
        except PrunebenchError as error:
            raise self.CollectError(f"{type(error).__name__}: {error}") from error
        matrices: dict[str, list[PlannedCell]] = {}
        chosen = None if found.chosen is None else set(found.chosen)
        for cell in cells:
            if chosen is not None and cell.id not in chosen:
                continue
            matrices.setdefault(cell.matrix, []).append(cell)
        for name, cells in matrices.items():
            yield MatrixCollector.from_parent(self, name=name, cells=cells)


class MatrixCollector(pytest.Collector):
    """A matrix: its cells, in the file's order."""

    def __init__(self, *, cells: list[PlannedCell], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = cells

    def collect(self) -> Iterator[pytest.Item]:
        """Return an item for each cell."""
        for cell in self.cells:
            yield CellItem.from_parent(self, name=cell.name, cell=cell)


class CellItem(pytest.Item):
    """A cell: running it makes whatever it lacks, up to its record and measures."""

    def __init__(self, *, cell: PlannedCell, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        self.extra_keyword_matches.update(value for value in cell.labels.values() if value)

    def runtest(self) -> None:
        """Make the cell; what it took and how it came out are kept for the report."""
        from prunebench import stopping
        from prunebench.store import Unwritable

        worker = loaded(self.config, self.path).worker
        try:
            with stopping.listening():
                jobs = worker.make(self.cell)
        except Unwritable as error:  # every other cell would meet the same
            self.session.shouldstop = str(error)
            self.user_properties.append(("prunebench_unwritable", str(error)))
            raise
        self.user_properties.append(("prunebench_jobs", jobs))
        self.user_properties.append(("prunebench_result", summary(worker, self.cell)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return a failed job's own error, without a traceback: that is in the job's log and attempt."""
        from prunebench.engine.failures import JobFailed
        from prunebench.errors import PrunebenchError, readable

        if isinstance(excinfo.value, JobFailed | PrunebenchError):
            return str(excinfo.value)
        return readable(str(super().repr_failure(excinfo, style)))

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Return where the cell is defined, for pytest's headings.

        pytest reads a name that a node's id ends with as dotted, and would print `d0::5` for `d0.5`.
        """
        from prunebench.errors import readable

        # a worker sends it, and only text goes through
        return readable(str(self.path)), None, f"{self.cell.matrix}: {self.cell.name}"


def summary(worker: Worker, cell: PlannedCell) -> str:
    """Return how a cell came out, in a few words: "96.39 %" or "diverged at step 120"."""
    result = worker.store.read_record(cell.key).result
    if result["outcome"] == "diverged":
        return f"diverged at step {result['diverged']['step']}"
    return f"{100 * result['test']['correct'] / result['test']['examples']:.2f} %"
