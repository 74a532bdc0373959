"""The suites of a pytest process: which files are some, what was asked of them, and each made ready once."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.engine.standing import Standing
    from prunebench.engine.worker import Worker
    from prunebench.plan import Job

__all__ = [
    "Loaded",
    "Notice",
    "all_loaded",
    "is_named",
    "loaded",
    "request_for",
    "standing",
    "suites_of",
    "use",
]


class Notice(UserWarning):
    """Something to be said on the screen while cells run: pytest brings warnings from workers."""


@dataclass(frozen=True)
class Loaded:
    """A suite's session and worker within one pytest process."""

    session: Session
    worker: Worker
    chosen: Sequence[str] | None = None
    """The cells that become items, by id; None: all, and the checks."""
    since: str = ""
    """The run's id in the store."""
    tried_again: list[str] = field(default_factory=list)
    """The ids of items whose worker died of no job, once for each time."""


_LOADED = pytest.StashKey[dict[str, Loaded]]()
_STANDING = pytest.StashKey[dict[str, "Standing"]]()


def is_named(path: Path, session: pytest.Session) -> bool:
    """True if a file is a suite that the command line names, itself or by its folder."""
    if session.isinitpath(path):
        return _speaks_of_matrices(path)
    by_arguments = session.config.args_source == pytest.Config.ArgsSource.ARGS
    return by_arguments and session.isinitpath(path.parent) and _is_a_suite(path)


def _speaks_of_matrices(path: Path) -> bool:
    """True if a TOML file has the word; anything else named to pytest is somebody else's."""
    return b"matrix" in _content(path)


def _is_a_suite(path: Path) -> bool:
    """True if a TOML file that nobody named has a suite's `schema = …` and `[[matrix]]`, parsed or not."""
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


def suites_of(config: pytest.Config) -> list[Path]:
    """Return the suite files that the workers of a pytest process will collect."""
    if config.getoption("--prunebench-request"):
        return [Path(path) for path in config.stash.get(_LOADED, {})]
    suites = []
    for argument in config.args:
        path = (config.invocation_params.dir / str(argument).split("::")[0]).resolve()
        if path.is_dir() and config.args_source == pytest.Config.ArgsSource.ARGS:
            suites += [file for file in sorted(path.glob("*.toml")) if _is_a_suite(file)]
        elif path.suffix == ".toml" and _speaks_of_matrices(path):
            suites.append(path)
    return suites


def request_for(config: pytest.Config, path: Path) -> Request:
    """Return the request that pytest's options amount to for one suite file. Raises: UsageError."""
    from prunebench.amounts import parse_seconds
    from prunebench.engine.defaults import data_root, store_root
    from prunebench.engine.devices.device import parse_device, resolve_device
    from prunebench.engine.guarding.limits import parse_memory
    from prunebench.engine.request import Request
    from prunebench.errors import UsageError, nearest
    from prunebench.training.kernels import KERNELS

    text = config.getoption("--prunebench-request")
    if text:
        return Request.from_json(text)

    def option(name: str) -> Any:
        return config.getoption(f"--prunebench-{name}")

    if option("no-plugins") and option("load"):
        raise UsageError("--prunebench-no-plugins and --prunebench-load: give one of them")
    for name in ("seeds", "limit", "threads"):
        if option(name) is not None and option(name) < 1:
            raise UsageError(f"--prunebench-{name}: found {option(name)}, allowed: a number of at least 1")
    kernels = option("kernels") or "dense"
    if kernels not in KERNELS:
        raise UsageError(f"--prunebench-kernels: found {kernels!r}{nearest(kernels, KERNELS)}")
    timeout = option("job-timeout")
    return Request(
        suite=str(path),
        store=str(store_root(option("store"))),
        data=str(data_root(option("data"))),
        plugins=tuple(str(Path(file).expanduser().absolute()) for file in option("plugin")),
        third_party=not option("no-plugins"),
        load=tuple(option("load")) or None,
        scorers=tuple(option("scorer")),
        seeds=option("seeds"),
        limit=option("limit"),
        sparsities=tuple(option("sparsity") or ()),
        device=resolve_device(parse_device(option("device") or "auto")),
        threads=option("threads") or 1,
        kernels=kernels,
        keep_states=option("keep-states"),
        job_timeout=parse_seconds(timeout, "--prunebench-job-timeout", "s") if timeout else None,
        memory_limit=parse_memory(option("memory-limit") or "auto", "--prunebench-memory-limit"),
    )


def use(config: pytest.Config, suite: Loaded) -> None:
    """Let a pytest process work with a suite that is made ready already."""
    suite.worker.on_wait = lambda job: _say_waiting(config, suite.worker, job)
    config.stash.setdefault(_LOADED, {})[str(suite.session.path)] = suite


def all_loaded(config: pytest.Config) -> list[Loaded]:
    """Return the suites that have been made ready in this process."""
    return list(config.stash.get(_LOADED, {}).values())


def loaded(config: pytest.Config, path: Path) -> Loaded:
    """Return a suite made ready, once per process: planned and frozen here, or thawed in a worker."""
    sessions = config.stash.setdefault(_LOADED, {})
    if str(path) not in sessions:
        use(config, _load(config, path))
    return sessions[str(path)]


def standing(config: pytest.Config, path: Path) -> Standing:
    """Return how the checks of a suite stand, as this process knows it."""
    from prunebench.engine.standing import Standing

    suite = loaded(config, path)
    stash = config.stash.setdefault(_STANDING, {})
    if str(path) not in stash:
        stash[str(path)] = Standing(suite.worker, suite.session.host.quantity, suite.since)
    return stash[str(path)]


def _load(config: pytest.Config, path: Path) -> Loaded:
    from prunebench.engine.session import Session
    from prunebench.process import prepare_process
    from prunebench.store import Store

    prepare_process()
    request = request_for(config, path)
    told: dict[str, Any] = getattr(config, "workerinput", {})
    of_suite = json.loads(told.get("prunebench", "{}")).get(str(path))
    if of_suite:
        with _ending_alone(told):
            return _thaw(request, path, **of_suite)
    session = Session.prepare(request)
    if config.getoption("collectonly"):  # a listing writes and downloads nothing
        store = Store.open(request.store, create=False, write=False, absent_ok=True)
        return Loaded(session, session.worker(store))
    session.ready()
    store = Store.open(request.store)
    session.set_damaged_aside(store)
    session.freeze(store)
    since = session.begin(store)
    return Loaded(session, session.worker(store, since=since), since=since)


@contextlib.contextmanager
def _ending_alone(told: Mapping[str, Any]) -> Iterator[None]:
    """End a process that has taken a dead worker's place, and cannot use the plan, as one that cannot start.

    An error in pytest's collection would end the whole session: others are at work.
    """
    from prunebench.errors import PrunebenchError

    try:
        yield
    except PrunebenchError as error:
        number = re.fullmatch(r"gw(\d+)", told["workerid"])
        if number is None or int(number[1]) < told["workercount"]:
            raise
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)


def _thaw(
    request: Request,
    path: Path,
    frozen: str,
    given_up: dict[str, str],
    chosen: Sequence[str] | None,
    since: str,
) -> Loaded:
    """Make a suite ready in a worker of pytest-xdist, from the plan that its controller has frozen."""
    from prunebench.engine.session import Session
    from prunebench.errors import StoreError
    from prunebench.inventory.frozen import read_frozen
    from prunebench.store import Store

    of_plan = Store(Path(frozen).parent.parent, write=False)
    plan = read_frozen(Path(frozen), of_plan)
    if plan is None:
        raise StoreError(f"{frozen}: another prunebench has frozen its plan there: run again")
    request = request.with_suite_plugins()
    session = Session(request, request.host(), plan, path, Path(frozen))
    session.check_identities()
    session.note_gpus(plan.cells)
    begun = of_plan.root == Path(request.store)  # else nothing may be changed yet; all was tried before
    store = Store.open(request.store) if begun else Store(Path(request.store), write=True)
    return Loaded(session, session.worker(store, given_up=given_up, since=since), chosen, since)


def _say_waiting(config: pytest.Config, worker: Worker, job: Job) -> None:
    """Say which process of another run holds what is next; workers of this run do not count."""
    import psutil

    from prunebench.engine.progress.looks import running_of

    family = {os.getpid()}
    if hasattr(config, "workerinput"):
        with contextlib.suppress(psutil.Error):
            family |= {child.pid for child in psutil.Process(os.getppid()).children()}
    for claim in worker.store.running():
        if claim["key"] == job.key and claim["pid"] not in family:
            text = f"waiting for another run ({running_of(claim, time.time()).name}) …"
            message = warnings.WarningMessage(Notice(text), Notice, __file__, 1)
            kwargs = {"warning_message": message, "when": "runtest", "nodeid": "", "location": None}
            config.hook.pytest_warning_recorded.call_historic(kwargs=kwargs)
