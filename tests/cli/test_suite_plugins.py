"""A suite that names its plugin files needs no option: in every command, by workers, through pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.request import Request
from prunebench.engine.session import Session
from tests.cli.conftest import PLUGIN, TINY, Place

NAMED = TINY.replace('version = "3"', 'version = "3"\nplugins = ["lib/mine.py"]').replace('"tiny"', '"named"')


@pytest.fixture
def named(tmp_path: Path) -> Place:
    """A suite in a folder of its own, its plugin below it; commands are called from above."""
    place = Place(tmp_path)
    (tmp_path / "suites" / "lib").mkdir(parents=True)
    place.write("suites/lib/mine.py", PLUGIN)
    place.write("suites/named.toml", NAMED)
    return place


def test_every_command_that_plans_loads_them(named: Place) -> None:
    """plan, show, run, status, leaderboard; asking for the same file once more changes nothing."""
    suite = "suites/named.toml"
    option = ["--plugin", str(named.folder / "suites/lib/mine.py"), "--no-plugins"]
    planned = named.json("plan", suite, "--no-plugins")
    assert planned == named.json("plan", suite, *option)
    shown = named.json("show", "suite", suite, "--no-plugins")
    assert shown["plugins"] == ["lib/mine.py"]
    made = named.call("run", suite, "--no-plugins").output
    assert "own" in made
    for status in (["status", suite], ["status", suite, *option]):
        total: Any = named.json(*status)["total"]
        assert total["cells"] == total["done"] > 0
    assert "| own" in named.call("leaderboard", suite).output
    again = named.call("run", suite, *option)
    assert "nothing to do" in again.output


def test_a_plugin_that_changed_runs_again_what_it_makes(named: Place) -> None:
    """Through its components' identities: the suite's digest is the same."""
    suite = "suites/named.toml"
    before = named.json("show", "suite", suite)["digest"]
    named.call("run", suite, "-k", "own and s0", "--no-plugins")
    assert named.json("plan", suite, "-k", "own and s0")["counts"]["done"] == 1
    named.write("suites/lib/mine.py", PLUGIN.replace("** power", "** power + 1"))
    assert named.json("plan", suite, "-k", "own and s0")["counts"].get("done", 0) == 0
    assert named.json("show", "suite", suite)["digest"] == before


def test_a_plugin_file_that_is_not_there_is_a_mistake_and_changes_nothing(named: Place) -> None:
    """One sentence, from every command that needs it."""
    (named.folder / "suites" / "lib" / "mine.py").unlink()
    before = named.files()
    for command in (["plan"], ["run"], ["status"], ["leaderboard"]):
        said = named.call(command[0], "suites/named.toml", code=2).output
        assert "named.toml: plugins[0]: found 'lib/mine.py'; there is no file" in said
    assert "there is no file" in named.call("show", "suite", "suites/named.toml", code=2).output
    assert named.files() == before


def test_what_workers_are_given_names_the_files(named: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole paths, in the request that travels to them: they need not find the suite's folder again."""
    monkeypatch.chdir(named.folder)
    asked = Request("suites/named.toml", str(named.store), "data", third_party=False)
    sent = Request.from_json(Session.prepare(asked).request.to_json())
    assert sent.plugins == (str((named.folder / "suites" / "lib" / "mine.py").resolve()),)
    monkeypatch.chdir("/")
    assert "own" in sent.host().names("scorers")


@pytest.mark.slow
@pytest.mark.parametrize("front", ["run", "pytest"])
def test_workers_load_them_too(front: str, named: Place) -> None:
    """`run -n 2` from another folder, and pytest with and without workers."""
    if front == "run":
        command = [sys.executable, "-m", "prunebench", "run", "suites/named.toml", "-n", "2", "-k", "s0"]
    else:
        command = [sys.executable, "-m", "pytest", "suites/named.toml", "-q", "-n", "2", "-k", "s0"]
    environment = {**os.environ, "PRUNEBENCH_STORE": str(named.folder / "store")}
    done = subprocess.run(
        command, cwd=named.folder, capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert named.json("status", "suites/named.toml")["total"]["done"] == 4
