"""Scorers that hang, exit, fork and eat memory: their jobs fail with a sentence, and the rest goes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import psutil
import pytest

SCORERS = '''
import os
import time

import torch
import prunebench


def scores(net):
    return {name: weight.detach().abs() for name, weight in net.weights.items()}


def deaf(net, batch, rng):
    """Hangs, and heeds nothing."""
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            pass


def eater(net, batch, rng):
    """Takes more and more memory."""
    held = []
    while True:
        held.append(torch.ones(2**23))
        time.sleep(0.01)


def leaver(net, batch, rng):
    """Ends its process, just when it has started others, by which nobody could tell whose they are."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        time.sleep(1000)
    os._exit(0)


def returner(net, batch, rng):
    """Forks, and the child returns scores too."""
    os.fork()
    return scores(net)


def raiser(net, batch, rng):
    """Forks, and the child fails."""
    if os.fork() == 0:
        raise RuntimeError("in the child")
    return scores(net)


def parent(net, batch, rng):
    """Forks, and the child stays for ever."""
    if os.fork() == 0:
        time.sleep(1000)
    return scores(net)


@prunebench.hookimpl
def prunebench_scorers():
    functions = (deaf, eater, leaver, returner, raiser, parent)
    return [prunebench.Scorer(function.__name__, function) for function in functions]
'''

SAID = {
    "deaf": r"no sign of life for 6 s \(--job-timeout\); nothing could interrupt it, so its process was killed",
    "eater": r"it took \S+ \S+ of memory, and --memory-limit allows 1.2 GiB",
    "leaver": r"process \d+ died while it worked on this: it left with exit code 0",
}


FORKS = ["returner", "raiser", "parent"]


@pytest.mark.parametrize(
    ("failing", "workers"),
    [
        (["deaf"], ()),
        pytest.param(list(SAID), (), marks=pytest.mark.slow),
        pytest.param(list(SAID), ("-n", "2"), marks=pytest.mark.slow),
    ],
    ids=["one hangs", "alone", "two"],
)
def test_each_fails_or_is_made_and_nothing_is_left_behind(
    project: Any, failing: list[str], workers: tuple[str, ...]
) -> None:
    """Each failure is told once, as all else; the masks of those that forked are right; no process stays."""
    (project.folder / "mine.py").write_text(SCORERS)
    methods = [*failing, *FORKS, "magnitude"]
    path = project.suite(methods)
    limits = ("--job-timeout", "6", "--memory-limit", "1200MiB")
    done = subprocess.run(
        [sys.executable, "-m", "prunebench", "run", path.name, "--plugin", "mine.py", *limits, *workers],
        cwd=project.folder,
        env={**os.environ, "PRUNEBENCH_STORE": "store"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    count = 1 + len(methods)
    lines = re.findall(rf"^\[(\d)/{count}\] main::digits-mlp-digits-(.*?)-d", done.stdout, re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(1, 1 + count))
    assert sorted(name for _, name in lines) == sorted(["none", *methods])
    for name in failing:
        assert re.search(rf"-{name}-d0.5-s0  FAILED  score \w+ failed: {SAID[name]}", done.stdout), (
            done.stdout
        )
    assert f"5 cells made now, 0 done before, {len(failing)} failed" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    engine = project.engine(path, plugins=(str(project.folder / "mine.py"),))
    made = {cell.labels["method"]: cell for cell in engine.plan.cells if engine.have(cell.key)}
    masks = {name: engine.store.read_record(cell.key).result.get("mask") for name, cell in made.items()}
    for name in FORKS:
        assert masks[name]["layers"] == masks["magnitude"]["layers"]
    assert not list((engine.store.root / "claims").iterdir())
    assert not [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(project.folder)]
