"""The pytest plugin: suite files named on the command line are collected, one item a cell.

Installed with prunebench, so it is loaded in other people's projects too: it does nothing there, imports
nothing heavy, and adds only options that begin with `--prunebench-`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prunebench.engine.local import LocalEngine
    from prunebench.engine.session import Request, Session
    from prunebench.plan import PlannedCell

__all__ = ["CellItem", "MatrixCollector", "SuiteFile"]

_SESSIONS = pytest.StashKey[dict[str, Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that a suite given to pytest itself takes; `prunebench run` sets them."""
    group = parser.getgroup("prunebench", "prunebench: suites of pruning benchmarks")
    group.addoption("--prunebench-store", metavar="DIR", help="where results are kept (default: .prunebench)")
    group.addoption("--prunebench-data", metavar="DIR", help="data root (default: the user's cache folder)")
    group.addoption(
        "--prunebench-plugin", metavar="FILE", action="append", default=[], help="a plugin file; repeatable"
    )
    group.addoption("--prunebench-device", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    group.addoption("--prunebench-threads", metavar="N", type=int, help="threads a job (default: 1)")
    group.addoption("--prunebench-request", help="everything at once, as prunebench run passes it (internal)")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a suite file, if it was named on the command line."""
    if file_path.suffix != ".toml" or not parent.session.isinitpath(file_path):
        return None
    if not _looks_like_a_suite(file_path):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


def _looks_like_a_suite(path: Path) -> bool:
    """Whether a TOML file speaks of matrices; anything else named to pytest is somebody else's."""
    try:
        return b"matrix" in path.read_bytes()
    except OSError:
        return False


def request_for(config: pytest.Config, path: Path) -> Request:
    """Return the request that pytest's options amount to for one suite file."""
    from prunebench.engine.defaults import data_root, store_root
    from prunebench.engine.session import Request

    text = config.getoption("--prunebench-request")
    if text:
        return Request.from_json(text)
    return Request(
        suite=str(path),
        store=str(store_root(config.getoption("--prunebench-store"))),
        data=str(data_root(config.getoption("--prunebench-data"))),
        plugins=tuple(config.getoption("--prunebench-plugin")),
        device=config.getoption("--prunebench-device") or "cpu",
        threads=config.getoption("--prunebench-threads") or 1,
    )


class _Loaded:
    """A suite's session, store and engine within one pytest process."""

    def __init__(self, session: Session, engine: LocalEngine) -> None:
        self.session, self.engine = session, engine


def loaded(config: pytest.Config, path: Path) -> _Loaded:
    """Return a suite made ready, once per process: planned and frozen here, or thawed in a worker."""
    sessions = config.stash.setdefault(_SESSIONS, {})
    if str(path) not in sessions:
        sessions[str(path)] = _load(config, path)
    found: _Loaded = sessions[str(path)]
    return found


def _load(config: pytest.Config, path: Path) -> _Loaded:
    from prunebench.engine.session import Session, read_frozen
    from prunebench.store import Store

    request = request_for(config, path)
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    frozen = worker.get("prunebench", {}).get(str(path)) if worker else None
    if frozen:
        request = request.with_suite_plugins()
        session = Session(request, request.host(), read_frozen(Path(frozen)), path, Path(frozen))
        session.check_identities()
        store = Store.open(request.store)
    else:
        session = Session.prepare(request)
        if config.option.collectonly:  # a listing writes and downloads nothing
            store = Store.open(request.store, create=False, write=False, absent_ok=True)
            return _Loaded(session, session.engine(store))
        fetched = config.getoption("--prunebench-request")  # `prunebench run` has, for what is selected
        session.ready(fetch=not fetched)
        store = Store.open(request.store)
        session.set_damaged_aside(store)
        session.freeze(store)
    return _Loaded(session, session.engine(store))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Freeze the plan before a worker of pytest-xdist starts, and tell it where."""
    from prunebench.errors import PrunebenchError, readable

    config: pytest.Config = node.config
    told = node.workerinput.get("mainargv", ())  # for show; what is not UTF-8 cannot be sent
    node.workerinput["mainargv"] = [readable(str(argument)) for argument in told]
    frozen: dict[str, str] = {}
    for arg in config.args:
        path = Path(str(arg).split("::")[0])
        path = (config.invocation_params.dir / path).resolve()
        if path.suffix == ".toml" and path.is_file() and _looks_like_a_suite(path):
            try:
                frozen[str(path)] = str(loaded(config, path).session.frozen)
            except PrunebenchError as error:
                raise pytest.UsageError(str(error)) from error
    if frozen:
        node.workerinput["prunebench"] = frozen


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(sched: Any) -> None:
    """Write down, for `status` and whoever asks later, what a worker that died was working on."""
    for found in sched.config.stash.get(_SESSIONS, {}).values():
        for _ in range(20):  # a killed process closes its pipes a moment before it is gone
            if found.engine.store.bury():
                break
            time.sleep(0.05)


class SuiteFile(pytest.File):
    """A suite: its matrices."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Plan the suite, freeze the plan, and return a collector for each matrix."""
        from prunebench.engine.sparsities import of_sparsity
        from prunebench.errors import PrunebenchError

        try:
            session = loaded(self.config, self.path).session
            chosen = of_sparsity(session.plan.cells, session.request.sparsities)
        except PrunebenchError as error:
            raise self.CollectError(f"{type(error).__name__}: {error}") from error
        matrices: dict[str, list[PlannedCell]] = {}
        for cell in chosen:
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
        engine = loaded(self.config, self.path).engine
        jobs = engine.make(self.cell)
        self.user_properties.append(("prunebench_jobs", jobs))
        self.user_properties.append(("prunebench_result", summary(engine, self.cell)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return a failed job's own error, without a traceback: that is in the job's log and attempt."""
        from prunebench.engine.local import JobFailed
        from prunebench.errors import PrunebenchError

        if isinstance(excinfo.value, JobFailed | PrunebenchError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the cell is defined, for pytest's headings."""
        return self.path, None, f"{self.cell.matrix}::{self.cell.name}"


def summary(engine: LocalEngine, cell: PlannedCell) -> str:
    """Return how a cell came out, in a few words: "96.39 %" or "diverged at step 120"."""
    result = engine.store.read_record(cell.key).result
    if result["outcome"] == "diverged":
        return f"diverged at step {result['diverged']['step']}"
    return f"{100 * result['test']['correct'] / result['test']['examples']:.2f} %"
