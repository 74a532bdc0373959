"""`prunebench work`: what it prints, how it ends, and that the rest goes on when a plugin ends its process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

DYING = '''
import os, time, pathlib
import prunebench

def score(net, batch, rng):
    """Does what a file says."""
    what = pathlib.Path(__file__).with_name("what").read_text()
    if what == "exit":
        os._exit(3)
    while what == "wait":
        pathlib.Path(__file__).with_name("waiting").touch()
        time.sleep(0.05)
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("dying", score)]
'''


@pytest.fixture
def planned(place: Any) -> Any:
    """A folder with a plan of two scorers, of which one does what a file says; the plan's path."""
    place.write("dying.py", DYING)
    suite = Path(place.suite)
    text = suite.read_text().replace('"random", "own", "magnitude-after-training"', '"dying", "random"')
    suite.write_text(text.replace("tiny-net", "digits-mlp").replace("seeds = 2", "seeds = 1"))
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.store import Store

    plugins = (str(place.folder / "dying.py"),)
    request = Request(str(suite), str(place.store), str(place.folder), plugins, third_party=False)
    path = Session.prepare(request).freeze(Store.open(place.store))
    suite.unlink()
    return place, path


def worker(path: Path, *args: str, **options: Any) -> subprocess.Popen[str]:
    """Start a worker as a program of its own."""
    command = [sys.executable, "-m", "prunebench", "work", str(path), *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=path.parents[2], **pipes, **options)


@pytest.mark.slow  # it is as for `run`, of which a quick test is
def test_a_scorer_that_exits_the_process_is_a_failed_attempt_and_the_rest_is_made(planned: Any) -> None:
    place, path = planned
    place.write("what", "exit")
    out, err = worker(path, "--json").communicate(timeout=120)
    told = json.loads(out)
    assert [name.split("::")[1] for name in told["made"]] == [
        "digits-mlp-digits-none-d1-s0",
        "digits-mlp-digits-random-d0.5-s0",
    ]
    [(cell, error)] = told["failed"].items()
    assert "dying" in cell
    assert "died while it worked on this" in error
    assert (told["left"], told["before"], told["exit_code"]) == ([], [], 1)
    assert told["jobs"] == 7  # the dense run's three and the other scorer's four, whichever process ran them
    assert "plan tiny-" in err
    assert "2 cells made here, 0 done before, 1 failed" in err


@pytest.mark.parametrize("how", ["os._exit(7)", "os.kill(os.getpid(), 9)"])
def test_a_worker_that_cannot_start_ends_at_once(planned: Any, how: str) -> None:
    """A plugin whose import ends the process, as where memory is short: it is not started again and again."""
    place, path = planned
    place.write("dying.py", DYING + f"\n{how}\n")
    out, err = worker(path).communicate(timeout=60)
    assert out == ""
    assert "Error: a plugin's code ended the run: the process " in err
    assert ("exit code 7" in err) == ("exit" in how)
    assert len(err.splitlines()) == 1
    assert not (place.store / "attempts").exists()


def test_told_to_stop_it_leaves_and_the_next_one_goes_on(planned: Any) -> None:
    place, path = planned
    place.write("what", "wait")
    process = worker(path)
    while not (place.folder / "waiting").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 143
    assert "Interrupted: " in err
    assert "The same command goes on where this stopped." in err
    assert not (place.store / "attempts").exists()
    place.write("what", "go")
    result = place.call("work", path.stem, "-v")
    assert "cells made here" in result.stdout
    assert "  score  " in result.stdout
    assert "  train mlp pruned to step 23  " in result.stdout
    assert "main::digits-mlp-digits-dying-d0.5-s0" in result.stdout


def test_it_prints_a_line_a_cell_and_counts(planned: Any) -> None:
    place, path = planned
    place.write("what", "go")
    first = place.call("work", str(path), "--max-jobs", "3", code=1)
    assert "plan tiny-" in first.stdout
    assert "Left after 3 jobs: 1 cell made here, 0 done before, 2 left; 3 jobs in" in first.stderr
    second = place.call("work", str(path), "-q", "-k", "random")
    assert second.stdout.splitlines()[0].endswith(": 1 cell, 0 done, 1 to do")
    assert len(second.stdout.splitlines()) == 2
    third = place.call("work", str(path))
    dense = r"\[1/3\] main::digits-mlp-digits-none-d1-s0 +\d+\.\d\d %  \d+\.\d s"
    assert re.search(f"^{dense}$", first.stdout, re.MULTILINE)
    pruned = r"\[1/1\] main::digits-mlp-digits-dying-d0.5-s0 +\d+\.\d\d %  \d+\.\d s"
    assert [bool(re.fullmatch(pruned, line)) for line in third.stdout.splitlines() if "::" in line] == [True]
    assert "1 cell made here, 2 done before; 4 jobs in" in third.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--time", "soon"], "--time: found 'soon', allowed: a time such as 90s"),
        (["--until", "2020-01-01T00:00"], "--until: 2020-01-01"),
        (["--max-jobs", "0"], "0 is not in the range"),
        (["-q", "-v"], "-q and -v: give one of them"),
        (["--device", "tpu"], "--device: found 'tpu'"),
        (["--device", "cuda"], "--device: cuda was asked for"),
        (["-k", "nothing"], "-k 'nothing' matches none of 3 cells"),
        (["--plugin", "absent.py"], "absent.py cannot be loaded: there is no such file"),
        (["--store", "elsewhere"], "and --store says"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_is_started(planned: Any, args: list[str], said: str) -> None:
    place, path = planned
    before = place.files()
    assert said in place.call("work", str(path), *args, code=2).stderr
    assert place.files() == before


def test_nothing_to_do_takes_no_torch(planned: Any, python: Any) -> None:
    place, path = planned
    place.write("what", "go")
    place.call("work", str(path), "-q")
    code = "import sys; from prunebench.cli import main\ntry: main(['work', sys.argv[1]])\nexcept SystemExit: pass\n"
    again = python(code + "print('torch' in sys.modules)", str(path), cwd=place.folder, env=os.environ)
    assert again.stdout.splitlines()[-1] == "False", again.stderr
    assert "0 cells made here, 3 done before" in again.stdout
    refused = place.call("work", str(path), "--device", "cuda:9", code=2)
    assert "--device: cuda:9 was asked for" in refused.stderr
