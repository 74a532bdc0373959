"""Parts of pytest and pytest-xdist that are not their public interface: all that prunebench uses of them.

Each says why there is no other way. They are the same in pytest 8.4 to 9.2 and pytest-xdist 3.6 to 3.8 but
where said otherwise; a newer version that fails fails here.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = [
    "WORKERS_MODULES",
    "WORKERS_PROGRAM",
    "Matcher",
    "collect_instead",
    "compiled_keyword",
    "config_of",
    "distributed",
    "ended",
    "forget_collection",
    "hurry_exit",
    "let_in",
    "live_nodes",
    "make_mainargv_sendable",
    "next_event",
    "process_of",
    "send_signal",
    "silence",
    "starting_workers",
]


WORKERS_MODULES = ("execnet.gateway_base", "xdist.plugin", "xdist.remote", "xdist.newhooks")
"""What a worker imports first; who starts it does so late, for pytest-xdist keeps sys.path as it is then."""

WORKERS_PROGRAM = "import sys;exec(eval(sys.stdin.readline()))"
"""What execnet lets a new Python run that is to be a worker; the line it reads is execnet's, too."""

Matcher = Callable[..., bool]
"""Says whether a name of an expression is one of an item's."""


def compiled_keyword(keyword: str) -> Callable[[Matcher], bool]:
    """Return what decides an expression of -k: pytest offers no other reader of its own grammar.

    Raises: ValueError, saying what is wrong. Up to pytest 8 the error is a kind of its own, then SyntaxError.
    """
    from _pytest.mark import expression

    try:
        return expression.Expression.compile(keyword).evaluate
    except getattr(expression, "ParseError", SyntaxError) as error:
        raise ValueError(getattr(error, "message", None) or getattr(error, "msg", str(error))) from error


def collect_instead(session: pytest.Session, collectors: Callable[[], Iterable[pytest.Collector]]) -> None:
    """Let a session collect these and not its arguments: there `[` and `::` in a path mean something."""
    session.config.args = []
    session.collect = lambda: iter(collectors())  # type: ignore[method-assign]


def silence(config: pytest.Config) -> None:
    """Take pytest's reporter away: it prints tests, and options only change how it does."""
    if config.pluginmanager.hasplugin("terminalreporter"):
        config.pluginmanager.unregister(name="terminalreporter")


def make_mainargv_sendable(node: Any, readable: Callable[[str], str]) -> None:
    """Let a worker's input be sent: pytest-xdist adds sys.argv for show, and text that is no UTF-8 fails."""
    argv = node.workerinput.get("mainargv", ())
    node.workerinput["mainargv"] = [readable(str(argument)) for argument in argv]


def config_of(scheduler: Any) -> pytest.Config:
    """Return the configuration of a scheduler: the hook that tells of a worker's death gives no other way."""
    config: pytest.Config = scheduler.config
    return config


def distributed(config: pytest.Config) -> Any:
    """Return pytest-xdist's own plugin once it has workers, else None: by itself it ends them unheard."""
    plugin = config.pluginmanager.getplugin("dsession")
    return None if plugin is None or plugin.nodemanager is None else plugin


def forget_collection(config: pytest.Config, node: Any) -> None:
    """Let pytest-xdist wait for another in place of a worker that died before any item was handed out.

    It counts those that have collected, the dead among them, and would begin before the others can.
    """
    scheduler = getattr(distributed(config), "sched", None)
    if scheduler is not None and scheduler.collection is None:
        scheduler.node2collection.pop(node, None)


def let_in(config: pytest.Config, node: Any) -> None:
    """Let a worker be one that pytest-xdist knows, which got ready when nothing seemed left to do.

    It was told to end then. Where another died since, its collection is an error of the session otherwise.
    """
    scheduler = getattr(distributed(config), "sched", None)
    if scheduler is not None and node not in scheduler.nodes:
        scheduler.add_node(node)


def live_nodes(distributed: Any) -> list[Any]:
    """Return the workers that have not ended: those that a session has lost since are in no public list."""
    every = [getattr(gateway, "node", None) for gateway in distributed.nodemanager.group]
    return [node for node in every if node is not None and not node._down]


def next_event(distributed: Any, timeout: float) -> tuple[str, dict[str, Any]]:
    """Return what a worker sends next: when a session ends, pytest-xdist no longer reads it.

    Raises: queue.Empty after `timeout` seconds.
    """
    event: tuple[str, dict[str, Any]] = distributed.queue.get(timeout=timeout)
    return event


def send_signal(node: Any, number: int) -> None:
    """Send a worker's process a signal, not where it has ended: its number may be another's by then.

    execnet itself only kills, and that would leave no time for a checkpoint.
    """
    with contextlib.suppress(OSError):
        node.gateway._io.popen.send_signal(number)


def ended(node: Any) -> tuple[int, int] | None:
    """Return the number and the exit code of a worker's process that has ended, a signal negative; else None.

    pytest-xdist only says that it is gone.
    """
    popen: Any = getattr(getattr(node.gateway, "_io", None), "popen", None)
    if popen is None or popen.poll() is None:
        return None
    return popen.pid, popen.returncode


def process_of(node: Any) -> int | None:
    """Return the number of a worker's process; None where it is none of this machine that we started."""
    popen: Any = getattr(getattr(node.gateway, "_io", None), "popen", None)
    return None if popen is None else int(popen.pid)


def hurry_exit(distributed: Any, seconds: float) -> None:
    """Let pytest-xdist wait only so long for workers that are dead already, instead of ten seconds."""
    distributed.nodemanager.EXIT_TIMEOUT = seconds


@contextlib.contextmanager
def starting_workers(take: Callable[[], Any]) -> Iterator[None]:
    """Let execnet have what `take` returns where it would start a Python: a process as of `subprocess.Popen`
    that runs `WORKERS_PROGRAM`. It starts one where that is None, or where it is made otherwise than its
    version 2.1. It has no public way to be handed a process.
    """
    from execnet import gateway_io

    start: Any = getattr(gateway_io, "create_io", None)
    io: Any = getattr(gateway_io, "Popen2IOMaster", None)
    arguments: Any = getattr(gateway_io, "popen_args", None)
    if not (
        _takes(start, "spec", "execmodel")
        and _takes(io, "args", "execmodel")
        and _takes(arguments, "spec")
        and _takes(getattr(io, "__base__", None), "outfile", "infile", "execmodel")
    ):
        yield
        return

    def create_io(spec: Any, execmodel: Any) -> Any:
        ordinary = [sys.executable, "-u", "-c", WORKERS_PROGRAM]
        process = take() if spec.popen and not spec.via and arguments(spec) == ordinary else None
        if process is None:
            return start(spec, execmodel)
        made = io.__new__(io)
        made.popen = process
        super(io, made).__init__(process.stdin, process.stdout, execmodel=execmodel)
        return made

    gateway_io.create_io = create_io
    try:
        yield
    finally:
        gateway_io.create_io = start


def _takes(function: Any, *names: str) -> bool:
    """True if this is a function, or a class, of these arguments."""
    try:
        return tuple(inspect.signature(function).parameters) == names
    except (TypeError, ValueError):
        return False
