"""Workers that are forked before the run plans pass for processes started when they are needed, and none
outlives the run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from prunebench import kin
from prunebench.engine.on_pytest import preforked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")

START = """
import json, os, signal, subprocess, sys, time
from prunebench.engine.on_pytest import preforked
preforked.NEEDED = ()
forked = preforked.prefork(2)
processes = [one.pid for one, _ in forked._waiting]
"""
"""How a program begins that forks two, without the seconds that torch takes."""

TELLS = """
import json, os, signal, sys
descriptors = []
for name in map(int, os.listdir("/proc/self/fd")):
    try:
        descriptors.append(os.readlink(f"/proc/self/fd/{name}"))
    except OSError:
        pass
told = {
    "arguments": sys.argv,
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "main": sorted(name for name in vars(sys.modules["__main__"]) if name not in ("__annotations__", "__warningregistry__")),
    "name": __name__,
    "handlers": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "stderr": os.readlink("/proc/self/fd/2"),
    "files": sorted({file for file in descriptors if not file.startswith(("pipe:", "/dev/null", "/proc/"))}),
    "encodings": [sys.stdin.encoding, sys.stderr.errors],
}
"""

COMPARES = (
    START
    + """
os.mkdir("sub")
os.chdir("sub")
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.environ["PYTHONSAFEPATH"] = "1"
os.environ.pop("PYTEST_ADDOPTS", None)
os.dup2(os.open("errors", os.O_CREAT | os.O_WRONLY), 2)
line = repr(TELLS + "sys.stdout.write(json.dumps(told)); sys.stdout.flush()").encode() + b"\\n"
new = subprocess.Popen(
    [sys.executable, "-u", "-c", preforked.WORKERS_PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
ours = forked.take()
answers = []
for process in (new, ours):
    process.stdin.write(line)
    process.stdin.close()
    answers.append(json.loads(process.stdout.read()))
    assert process.wait() == 0 == process.poll()
assert ours.pid == processes[0]
print(json.dumps(answers))
"""
)


def python(program: str, folder: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of `START`, from a folder that it does not import from."""
    return subprocess.run(
        [sys.executable, *(flags or ("-P",)), "-c", program],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def gone(processes: dict[int, str], seconds: float = 20) -> bool:
    """True if these have ended, within some time."""
    until = time.monotonic() + seconds
    while kin.living(processes) and time.monotonic() < until:
        time.sleep(0.02)
    return not kin.living(processes)


def test_one_that_is_taken_passes_for_a_new_process(tmp_path: Path) -> None:
    """Environment, folder, streams, open files, signals, arguments and program are those of one started then."""
    done = python(f"TELLS = {TELLS!r}\n{COMPARES}", tmp_path, PYTEST_ADDOPTS="-x", OWN="1")
    assert done.returncode == 0, done.stderr
    new, ours = json.loads(done.stdout)
    assert new["environment"]["OWN"] == "1"
    assert "PYTEST_ADDOPTS" not in new["environment"]
    assert ours == new
    assert new["stderr"].endswith("/sub/errors")


ENDS = {
    "returns": "",
    "leaves at once": "os._exit(3)",
    "raises": "raise ValueError",
    "is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "is interrupted": "signal.pause()",
    "dismisses them": "forked.dismiss(); signal.pause()",
    "forks": "os.fork(); os._exit(0) if os.getppid() == parent else os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("how", ENDS)
def test_those_that_wait_end_with_the_run_without_a_word(how: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-c",
            f"{START}\nparent = os.getpid()\nprint(processes, flush=True)\n{ENDS[how]}",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    waiting = {pid: kin.started(pid) for pid in json.loads(process.stdout.readline())}
    assert len(waiting) == 2
    if how == "is interrupted":
        os.killpg(process.pid, signal.SIGINT)
    if how == "dismisses them":
        assert gone(waiting)
        process.kill()
    out, err = process.communicate(timeout=60)
    assert gone(waiting)
    assert out == ""
    assert err.count("Traceback") == (how in ("raises", "is interrupted")), err


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (("-P", "-W", "error"), {}),
        (("-P", "-O"), {}),
        (("-P", "-X", "importtime=0"), {}),
        ((), {"PYTHONWARNINGS": "error"}),
        (("-B",), {}),  # the working directory is on the path
    ],
)
def test_none_is_forked_where_it_would_differ_from_a_new_process(
    flags: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    done = python(f"{START}\nprint(len(processes))", tmp_path, *flags, **environment)
    assert done.stdout == "0\n", done.stderr


def test_none_is_forked_where_a_library_has_threads_of_its_own(tmp_path: Path) -> None:
    """Native ones, which Python does not count, may hold what their copy waits for."""
    starts = """
import ctypes, threading
libc, nothing = ctypes.CDLL(None), ctypes.c_ulong()
libc.pthread_create(ctypes.byref(nothing), None, ctypes.cast(libc.sleep, ctypes.c_void_p), ctypes.c_void_p(60))
"""
    done = python(f"{starts}{START}\nprint(len(forked))\nsys.stdout.flush()\nos._exit(0)", tmp_path)
    assert done.stdout == "0\n", done.stderr


@pytest.mark.parametrize("change", ['os.environ["OMP_NUM_THREADS"] = "3"', 'sys.path.append("")'])
def test_none_is_taken_once_a_plugin_has_changed_what_a_new_process_starts_with(
    change: str, tmp_path: Path
) -> None:
    """A library may have read the variable as it was loaded."""
    done = python(f"{START}\n{change}\nprint(forked.take(), len(forked))", tmp_path)
    assert done.stdout == "None 0\n", done.stderr


def test_where_one_has_died_the_next_is_taken(tmp_path: Path) -> None:
    ends = "os.kill(processes[0], signal.SIGKILL); time.sleep(0.2)"
    done = python(f"{START}\n{ends}\nprint(forked.take().pid == processes[1], forked.take())", tmp_path)
    assert done.stdout == "True None\n", done.stderr


# -- prunebench run --------------------------------------------------------------------------------------

NOTES = '''
import json, os, sys
from pathlib import Path
import prunebench

worker = os.environ.get("PYTEST_XDIST_WORKER", "run")
command = Path("/proc/self/cmdline").read_text().split("\\0")
note = {"pid": os.getpid(), "parent": os.getppid(), "forked": "run" in command, "torch": "torch" in sys.modules,
        "environment": dict(os.environ)}
Path(__file__).with_name(worker + ".json").write_text(json.dumps(note))
if worker == "gw0":
    os._exit(7)

def score(net, batch, rng):
    """The magnitude."""
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


def apart_from_own(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment without what each worker has of its own, and the terminal's size, which C's readline
    tells C alone.
    """
    own = {kin.OWNER, "PYTEST_XDIST_WORKER", "COLUMNS", "LINES"}
    return {name: value for name, value in environment.items() if name not in own}


def left_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is a folder."""
    left = []
    for pid in kin.processes():
        try:
            if os.readlink(f"/proc/{pid}/cwd") == str(folder) and kin.started(pid):
                left.append(pid)
        except OSError:
            continue
    return left


def command(project: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OMP_"))}
    return subprocess.run(
        [sys.executable, "-m", "prunebench", "run", *arguments, "--store", "store", "-n", "2"],
        cwd=project.folder,
        env=own,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_run_works_with_those_it_has_forked_and_starts_another_where_one_dies(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many are forked as there are cores; afterwards nothing is to do, and nothing is left of either run."""
    from prunebench.cores import usable_cores

    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    (project.folder / "notes.py").write_text(NOTES)
    suite = project.suite(["mine"], epochs=0.1)
    done = command(project, suite.name, "--plugin", "notes.py")
    assert done.returncode == 0, done.stdout + done.stderr
    notes = {path.stem: json.loads(path.read_text()) for path in project.folder.glob("*.json")}
    assert {"run", "gw0", "gw1", "gw2"} <= notes.keys()
    run = notes["run"]
    for name, note in notes.items():
        forked = name in ("gw0", "gw1")[: usable_cores()]
        assert note["forked"] == (forked or name == "run")
        if name != "run":
            assert note["parent"] == run["pid"]
            assert apart_from_own(note["environment"]) == apart_from_own(notes["gw2"]["environment"])
    assert not left_in(project.folder)
    again = command(project, suite.name, "--plugin", "notes.py")
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert not left_in(project.folder)


def test_a_mistake_in_the_suite_leaves_none(project: Any) -> None:
    suite = project.suite(["no-such-method"])
    done = command(project, suite.name, "--no-plugins")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not left_in(project.folder)


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["the run", "who watches it", "both"])
def test_killed_while_it_plans_it_leaves_none(project: Any, whom: str) -> None:
    waits = NOTES.replace('if worker == "gw0":\n    os._exit(7)', "import time; time.sleep(60)")
    (project.folder / "notes.py").write_text(waits)
    suite = project.suite(["mine"])
    process = subprocess.Popen(
        [sys.executable, "-m", "prunebench", "run", suite.name, "--plugin", "notes.py", "-n", "2"],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 60
    note = project.folder / "run.json"
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    run = json.loads(note.read_text())["pid"]
    waiting = {pid: kin.started(pid) for pid in kin.children_of(run)}
    assert waiting
    for pid in {"the run": [run], "who watches it": [process.pid], "both": [process.pid, run]}[whom]:
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert gone({**waiting, run: kin.started(run)})
    assert gone(
        {pid: kin.started(pid) for pid in left_in(project.folder)}
    )  # who looks after it is through, too


def test_no_more_than_cores_are_forked_and_none_for_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from prunebench.cli import _workforce

    monkeypatch.setattr(_workforce, "usable_cores", lambda: 8)
    monkeypatch.setattr(preforked, "prefork", lambda workers: nullcontext(workers))

    def count(workers: str | None, front: Any = None, threads: int = 1) -> Any:
        with _workforce.fork_workers({"workers": workers, "threads": threads}, front) as forked:
            return forked

    assert [count(None), count("1"), count("8"), count("9"), count("auto")] == [None, 1, 8, 8, 8]
    assert count("auto", threads=3) == 2
    assert count("auto", threads=16) == 0
    assert count("4", front=object()) is None


def test_a_forked_process_says_how_it_ended() -> None:
    for end, code in (("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9)):
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", f"import os; {end}"], os.environ)
        forked = preforked.Forked(pid)
        assert forked.wait() == code == forked.poll() == forked.returncode
        forked.kill()
