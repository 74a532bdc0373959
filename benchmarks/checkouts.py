"""Processes that benchmarks start: of this checkout, or of another one beside it, in turns.

Another checkout is a folder with `prunebench/` and `plugins/` in it, as `git worktree add ../before COMMIT`
makes it. It needs no environment of its own: its processes are this Python's, with the folder first in
PYTHONPATH, so that both are measured with the same torch.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]


def checkout(text: str) -> Path:
    """Read a command's argument: the folder of another checkout."""
    folder = Path(text).resolve()
    if not (folder / "prunebench" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{folder} holds no prunebench/__init__.py")
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of processes in which `import prunebench` is that of a checkout."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "plugins")])}


def check_imported(folder: Path) -> None:
    """Raise SystemExit where this process has the prunebench of another folder."""
    import prunebench

    if folder not in Path(prunebench.__file__).resolve().parents:
        raise SystemExit(f"prunebench was imported from {prunebench.__file__}, not from {folder}")


class Served:
    """A program that answers a line of JSON with a line of JSON: several of them can be asked in turn.

    What the program itself is: a loop over `asked()` that calls `answer`.
    """

    def __init__(self, folder: Path, *command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(folder),
        )

    def ask(self, **question: Any) -> Any:
        """Return the answer to a question."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a measured process ended with exit code {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Let the program end."""
        self._process.communicate()


def asked() -> dict[str, Any] | None:
    """Return the next question to this program; None where there are no more."""
    line = sys.stdin.readline()
    return json.loads(line) if line else None


def asked_again() -> None:
    """Wait for the next part of what is being asked; end this program where nobody asks any more."""
    if asked() is None:
        raise SystemExit("nobody asks any more")


def answer(value: Any) -> None:
    """Answer the last question."""
    print(json.dumps(value), flush=True)


class Clock:
    """Seconds since it was made, of this process's processor time and of the wall."""

    def __init__(self) -> None:
        self._processor, self._wall = time.process_time(), time.perf_counter()

    def seconds(self) -> dict[str, float]:
        return {
            "processor": time.process_time() - self._processor,
            "wall": time.perf_counter() - self._wall,
        }


def most_memory() -> int:
    """Return the most bytes that this process has held.

    Not `getrusage`'s: on Linux that begins with what the process that started it held.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the system does not say how much memory a process has held")


def timed_program(folder: Path, command: Sequence[str], where: Path) -> dict[str, float]:
    """Run this Python with arguments, with a checkout's prunebench; return what it and its children took.

    Seconds of the wall and of processors, and the most bytes that one process of it held.
    """
    began = time.perf_counter()
    with (where / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=where,
            env=environment(folder),
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (where / "output.txt").read_text()[-3000:]
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{said}")
    return {"wall": wall, "processor": used.ru_utime + used.ru_stime, "memory": _bytes(used)}


def _bytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
