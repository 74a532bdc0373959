"""A tiny suite, a plugin file, and a way to call the command line in this process or another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from prunebench.cli import main

TINY = """
schema = 1
name = "tiny"
version = "3"
description = "Three methods on the digits.\\nNothing more."

[[matrix]]
name = "main"
architecture = "tiny-net"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["random", "own", "magnitude-after-training"]
sparsities = [0.5]
seeds = 2
"""

PLUGIN = '''
"""A network of one hidden layer, and two scorers."""

import os

import torch
from torch import nn

import prunebench


def build(input_shape, classes, *, hidden=4):
    """One hidden layer.

    For tests only.
    """
    return nn.Sequential(
        nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], hidden),
        nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes),
    )


def own(net, batch, rng, *, power=2):
    """Weights to a power."""
    return {name: weight.detach().abs() ** power for name, weight in net.weights.items()}


def moody(net, batch, rng):
    """Fails while the environment says so."""
    if os.environ.get("MOODY"):
        raise RuntimeError("in a mood")
    return {name: weight.detach().abs() for name, weight in net.weights.items()}


@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("tiny-net", build)]


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("own", own), prunebench.Scorer("moody", moody)]
'''


@dataclass
class Place:
    """A folder with a suite, a plugin and a store, and the command line called in it."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, "utf-8")
        return str(self.folder / name)

    @property
    def suite(self) -> str:
        return str(self.folder / "tiny.toml")

    @property
    def plugin(self) -> list[str]:
        return ["--plugin", str(self.folder / "mine.py"), "--no-plugins"]

    def call(self, *args: str, code: int | None = 0) -> Result:
        """Call the command line in this process; the exit code must be `code`."""
        runner = CliRunner()
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            result = runner.invoke(main, list(args), prog_name="prunebench")
        finally:
            os.chdir(before)
        assert code is None or result.exit_code == code, result.output
        return result

    def json(self, *args: str, code: int = 0) -> Any:
        """Call the command line with --json and return what it printed on standard output."""
        return json.loads(self.call(*args, "--json", code=code).stdout)

    def files(self) -> dict[str, float]:
        """Return every file and folder with its time of change."""
        return {str(p.relative_to(self.folder)): p.stat().st_mtime_ns for p in self.folder.rglob("*")}


def make_place(folder: Path) -> Place:
    place = Place(folder)
    place.write("tiny.toml", TINY)
    place.write("mine.py", PLUGIN)
    return place


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No colour, no network, no user's folders."""
    patch = pytest.MonkeyPatch()
    for name in ("PRUNEBENCH_STORE", "MOODY", "FORCE_COLOR"):
        patch.delenv(name, raising=False)
    patch.setenv("PRUNEBENCH_DATA", str(tmp_path_factory.mktemp("data")))
    patch.setenv("PRUNEBENCH_MIRROR", "http://127.0.0.1:9")
    patch.setenv("PRUNEBENCH_STORE", "store")
    yield
    patch.undo()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A fresh folder, nothing run."""
    return make_place(tmp_path)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> tuple[Place, Result]:
    """A folder in which the tiny suite has been run, and what `run` printed. Not to be changed."""
    place = make_place(tmp_path_factory.mktemp("done"))
    return place, place.call("run", place.suite, *place.plugin)


MEASURED = """
schema = 1
name = "measured"
version = "2"

[[matrix]]
name = "main"
architecture = "tiny-net"
dataset = "digits"
recipe = {name = "digits", epochs = 1}
methods = ["random", "magnitude-after-training"]
sparsities = [0.9]
ablations = [[], "shuffle"]
seeds = 2
measures = ["effective-density", "layer-sparsity", "flops", "weights-remaining", "training-flops"]
"""


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Place:
    """A folder in which measured.toml has been run: two methods, shuffled too, with measures."""
    place = make_place(tmp_path_factory.mktemp("measured"))
    place.call("run", place.write("measured.toml", MEASURED), *place.plugin)
    return place


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python code in a process of its own."""

    def call(code: str, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    return call
