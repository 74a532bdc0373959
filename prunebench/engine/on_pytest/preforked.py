"""Workers forked before the run plans: they have torch then, and need not import it again.

A worker that is started when the plan is there has to import what this process has imported long ago, two
seconds of a core each. So `prefork` imports what a worker needs, and forks: at a moment when this process
knows nothing of the user's yet (no plugin, no suite), computes nothing and has not touched a GPU. The copies
wait on a socket, and end with it: nobody has to end them where the run does before it uses them.

One that is `taken` gets what a process has that is started that moment: the environment, the working
directory, standard streams, a program of its own (execnet's one line) and no argument. Where that cannot be
promised none is forked or taken, and workers are started as ever. So are those that take a dead one's place.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import signal
import socket
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, NoReturn, Self

from prunebench import kin
from prunebench.engine.on_pytest.private import WORKERS_MODULES, WORKERS_PROGRAM, starting_workers
from prunebench.process import is_here
from prunebench.stopping import SIGNALS

__all__ = ["Forked", "Preforked", "prefork"]

NEEDED = (
    *("torch", "pytest", "execnet", "scipy.special"),
    "prunebench.engine.devices.together",
    "prunebench.engine.guarding.guard",
    "prunebench.engine.on_pytest.run",
    "prunebench.engine.progress.looks",
    "prunebench.engine.session",
    "prunebench.engine.worker",
    "prunebench.plan.make",
)
"""What this process and its workers import anyway, of which nothing starts a thread or looks for a GPU."""

_HARMLESS_FLAGS = {"dont_write_bytecode", "gil", "hash_randomization", "int_max_str_digits", "safe_path"}
"""Flags of Python's that make no difference to a worker."""

_OF_A_SESSION = ("PYTEST_", "PYTHON")
"""How variables begin that are set for workers, and that no library reads as it loads."""

PATIENCE = 30.0
"""Seconds for a forked worker to answer; it does so at once, unless something has gone wrong in it."""


class Forked:
    """A worker that was forked, as what `subprocess.Popen` returns: with `stdin` and `stdout`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return how it ended, a signal negative; None while it has not."""
        if self._lock.acquire(blocking=False):  # else another thread waits for it
            try:
                self._look(os.WNOHANG)
            finally:
                self._lock.release()
        return self.returncode

    def wait(self) -> int:
        """Wait until it has ended; return how."""
        with self._lock:
            while self.returncode is None:
                self._look(0)
            return self.returncode

    def _look(self, options: int) -> None:
        if self.returncode is not None:
            return
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # somebody else has waited for it
            self.returncode = 0
        else:
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Preforked:
    """The workers that were forked and wait, oldest first."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._waiting: list[tuple[Forked, socket.socket]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.dismiss()

    def __len__(self) -> int:
        return len(self._waiting)

    def fork(self) -> None:
        """Fork one. Raises: OSError."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # no exception where a copy would take it on
        try:
            with warnings.catch_warnings():
                # Python warns of any other thread. Ours waits in a system call and holds no lock; OpenBLAS
                # ends its own before a fork, and starts them anew.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                _be_forked(theirs, parent, mask)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._waiting.append((Forked(pid), ours))

    def take(self) -> Forked | None:
        """Return one at work, as if it had been started now; None where there is none that passes for it."""
        if self._waiting and not self._is_as_it_was():
            self.dismiss()
        while self._waiting:
            forked, ours = self._waiting.pop(0)
            with ours:
                try:
                    forked.stdin, forked.stdout = _wake(ours)
                except BaseException as error:
                    forked.kill()
                    forked.wait()
                    if not isinstance(error, OSError):
                        raise
                else:
                    return forked
        return None

    def _is_as_it_was(self) -> bool:
        """True if no variable has changed that a library may have read as it was loaded, long ago."""
        return _lasting(self._environment) == _lasting(os.environ) and not any(map(is_here, sys.path))

    def dismiss(self, *, but: int = 0) -> None:
        """Let those that wait end, but so many."""
        waiting, self._waiting = self._waiting[but:], self._waiting[:but]
        for _, ours in waiting:
            ours.close()
        for forked, _ in waiting:
            forked.kill()  # it has nothing to lose, and may be in the midst of an import
            forked.wait()

    @contextlib.contextmanager
    def at_hand(self, workers: int) -> Iterator[None]:
        """Let pytest-xdist take these, so many at most, where it would start workers; end the others."""
        self.dismiss(but=workers)
        try:
            with starting_workers(self.take):
                yield
        finally:
            self.dismiss()


def prefork(workers: int) -> Preforked:
    """Import what workers need, and fork so many; none where a worker would differ from one started later.

    Called where nothing of the user's is loaded yet, and this process has no threads of anybody's.
    """
    forked = Preforked(os.environ)
    if workers < 1 or not _would_be_same():
        return forked
    try:
        for name in NEEDED:
            importlib.import_module(name)
        for stream in (sys.stdout, sys.stderr):  # else each writes what is to be written once
            stream.flush()
        for _ in range(workers):
            forked.fork()
            if _has_foreign_threads():
                forked.dismiss()
                break
    except (ImportError, OSError):  # of no memory, say: who needs it says so, and workers are started as ever
        forked.dismiss()
    return forked


def _has_foreign_threads() -> bool:
    """True if a library has threads that it did not end for a fork: the copy of one that waits for its own
    would wait for ever.
    """
    return len(os.listdir("/proc/self/task")) > threading.active_count()


def _would_be_same() -> bool:
    """True if a copy of this process can pass for a new Python: of no options, and of no folder's."""
    flags = {name for name in dir(sys.flags) if not name.startswith(("_", "n_"))} - {"count", "index"}
    odd = any(getattr(sys.flags, name) for name in flags - _HARMLESS_FLAGS)
    return (
        sys.platform == "linux"  # elsewhere libraries may not be used after a fork
        and not (odd or sys.warnoptions or sys._xoptions)
        and "torch" not in sys.modules
        and not any(map(is_here, sys.path))
        and all(map(_is_open, (0, 1, 2)))
        and None not in (sys.stdin, sys.stdout, sys.stderr)
    )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _lasting(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_OF_A_SESSION)}


def _wake(ours: socket.socket) -> tuple[IO[bytes], IO[bytes]]:
    """Give a worker what a new process has; return its standard input and output. Raises: OSError."""
    told = json.dumps({"environment": dict(os.environ), "folder": os.getcwd()}).encode()
    ours.settimeout(PATIENCE)
    (to_read, stdin), (stdout, to_write) = os.pipe(), os.pipe()
    try:
        socket.send_fds(ours, [len(told).to_bytes(8, "big")], [to_read, to_write, 2])
        ours.sendall(told)
        if not ours.recv(1):
            raise ConnectionError("it has ended")
    except BaseException:
        os.close(stdin)
        os.close(stdout)
        raise
    finally:
        os.close(to_read)
        os.close(to_write)
    return open(stdin, "wb"), open(stdout, "rb")


# -- in a forked process ---------------------------------------------------------------------------------


def _be_forked(theirs: socket.socket, parent: int, mask: Iterable[signal.Signals | int]) -> NoReturn:
    """Wait to be taken, then be a worker to the end."""
    code = 1
    try:
        _wait(theirs, parent, mask)
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(WORKERS_PROGRAM, main.__dict__)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1 if error.code else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _end(code)


def _wait(theirs: socket.socket, parent: int, mask: Iterable[signal.Signals | int]) -> None:
    """Wait to be taken, and become new then; end without a word where nobody does."""
    try:
        heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        kin.end_with_parent()
        if os.getppid() != parent:
            os._exit(0)
        _let_go(theirs.fileno())
        for name in WORKERS_MODULES:  # which only workers import at once
            importlib.import_module(name)
        _become_new(theirs)
        kin.end_with_parent(False)
        if signal.SIGINT in heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        theirs.send(b"1")
        theirs.close()
    except BaseException:
        os._exit(0)


def _let_go(but: int) -> None:
    """Let go of every file that was open, but the standard ones and this; their numbers stay taken, as what
    this process has of its parent's objects may close them.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in (but, nothing):
            with contextlib.suppress(OSError):  # the listing itself
                os.fstat(number)
                os.dup2(nothing, number, inheritable=False)


def _become_new(theirs: socket.socket) -> None:
    """Wait, then take on what a new Python would have. Raises: OSError, ValueError where nobody is there."""
    size, received, _, _ = socket.recv_fds(theirs, 8, 3)
    told = json.loads(_read(theirs, int.from_bytes(size, "big")))
    for number, descriptor in enumerate(received):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = _stream(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w")  # type: ignore[misc]
    environment: dict[str, str] = told["environment"]
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    os.chdir(told["folder"])
    sys.argv = ["-c"]
    import numpy

    numpy.random.seed()  # which foreign code may draw from: not the same in each


def _read(theirs: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = theirs.recv(size - len(data))
        if not part:
            raise ConnectionError("nobody is there")
        data += part
    return bytes(data)


def _stream(number: int, mode: str) -> Any:
    raw = io.FileIO(number, mode, closefd=False)
    buffer: Any = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    errors = "backslashreplace" if number == 2 else None
    return io.TextIOWrapper(buffer, "utf-8", errors, write_through=mode == "w")


def _end(code: int) -> NoReturn:
    """End as Python does, but for its goodbye to every module, which takes a second."""
    shutdown: Callable[[], None] = threading._shutdown  # type: ignore[attr-defined]
    for last in (shutdown, atexit._run_exitfuncs):
        with contextlib.suppress(BaseException):
            last()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code)
