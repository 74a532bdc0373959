"""`prunebench doctor`: what it finds wrong it names, with what to do; it changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from prunebench.cli._doctor import Finding, extras, gpus, kit, machine, plugins, stores
from prunebench.engine.request import Request
from prunebench.host import Host
from prunebench.store import Store

from .conftest import Place
from .test_outputs import checked

CPU = {"torch": "2.9.0+cpu", "cuda": None, "numerics": "class", "torchvision": "0.24", "gpus": []}
H200 = {"name": "NVIDIA H200", "free": 100e9, "total": 140e9, "works": True}
CUDA = {**CPU, "torch": "2.9.0+cu128", "cuda": "12.8"}


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch is not asked in a process of its own, and components are not checked in one."""
    monkeypatch.setattr(kit, "findings", lambda host, request: [])
    monkeypatch.setattr(gpus, "_torch", lambda: CPU)
    monkeypatch.setattr(gpus, "_driver", lambda: None)


@pytest.mark.usefixtures("light")
def test_where_nothing_is_wrong_it_says_what_there_is(done: tuple[Place, Result]) -> None:
    """Exit code 0, every area, and nothing has changed on disk."""
    place, _ = done
    before = place.files()
    value = place.json("doctor", *place.plugin)
    checked(value)
    assert value["ok"]
    after = place.files()
    assert {name: at for name, at in after.items() if (place.folder / name).is_file()} == {
        name: at for name, at in before.items() if name in after and (place.folder / name).is_file()
    }
    assert after.keys() == before.keys()
    assert {finding["area"] for finding in value["findings"]} >= {
        "machine", "gpus", "torch", "plugins", "data", "store", "extras",
    }  # fmt: skip
    text = place.call("doctor", *place.plugin).stdout
    assert "the first commit of a name wins (by hard links)" in text
    assert "8 records" in text
    assert text.splitlines()[-1].startswith("nothing wrong, ")


@pytest.mark.usefixtures("light")
def test_damage_in_the_store_is_found_and_left_where_it_is(done: tuple[Place, Result], place: Place) -> None:
    shutil.copytree(done[0].store, place.store)
    record = next((place.store / "records").rglob("*.json"))
    record.write_bytes(record.read_bytes()[:-20])
    result = place.call("doctor", *place.plugin, code=1)
    assert "damaged: 1, as records/" in result.stdout
    assert record.name in result.stdout
    assert record.exists()
    assert result.stdout.splitlines()[-1].startswith("1 wrong, ")


@pytest.mark.usefixtures("light")
def test_without_a_store_the_folder_is_tried_that_it_would_be_made_in(place: Place) -> None:
    before = place.files().keys()
    text = place.call("doctor", *place.plugin).stdout
    assert "no store at" in text
    assert "the first commit of a name wins" in text
    assert place.files().keys() == before


@pytest.mark.usefixtures("light")
def test_a_plugin_file_that_fails_is_a_finding(place: Place) -> None:
    place.write("broken.py", "import nothing_of_that_name")
    result = place.call("doctor", "--plugin", "broken.py", "--no-plugins", code=1)
    assert "nothing_of_that_name" in result.stdout


@pytest.mark.usefixtures("light")
def test_data_that_a_suite_needs_and_nobody_can_fetch_are_wrong(place: Place) -> None:
    suite = place.write(
        "images.toml", Path(place.suite).read_text().replace('"digits"\nrecipe', '"imagenet"\nrecipe')
    )
    assert "imagenet is not there" in place.call("doctor", suite, *place.plugin, code=1).stdout
    assert "imagenet is not there" in place.call("doctor", *place.plugin).stdout


@pytest.mark.parametrize(
    ("said", "driver", "visible", "state", "words"),
    [
        (CPU, None, None, "ok", "no GPU here"),
        (CPU, ["NVIDIA H200"] * 2, None, "bad", "2 × NVIDIA H200, and torch 2.9.0+cpu is built without CUDA"),
        (
            {**CUDA, "gpus": [H200]},
            ["NVIDIA H200"],
            None,
            "ok",
            "cuda:0: NVIDIA H200, 93 GiB of 130 GiB free",
        ),
        ({**CUDA, "gpus": [{**H200, "free": 1e9}]}, ["NVIDIA H200"], None, "warning", "others use it"),
        ({**CUDA, "gpus": [{**H200, "works": False}]}, ["NVIDIA H200"], None, "bad", "adds wrongly"),
        ({**CUDA, "cuda_error": "driver too old"}, ["NVIDIA H200"], None, "bad", "driver too old"),
        (CUDA, ["NVIDIA H200"], "", "note", "CUDA_VISIBLE_DEVICES is empty"),
        ({**CUDA, "gpus": [H200]}, ["NVIDIA H200"] * 8, "GPU-5f3a", "note", "CUDA_VISIBLE_DEVICES=GPU-5f3a"),
        ({**CPU, "torchvision_error": "no operator nms"}, None, None, "bad", "no operator nms"),
        ({"error": "importing torch ended its process: exit code -11"}, None, None, "bad", "exit code -11"),
    ],
)
def test_what_driver_and_torch_say_together(
    said: dict[str, Any], driver: list[str] | None, visible: str | None, state: str, words: str
) -> None:
    findings = list(gpus.judged(said, driver, visible))
    (found,) = (one for one in findings if words in f"{one.what} {one.do}")
    assert found.state == state
    assert found.do or state in ("ok", "note")


def test_torch_is_asked_in_a_process_that_may_die(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpus._torch()["torch"]
    monkeypatch.setattr(gpus, "_ASK", "import os; os.abort()")
    assert "exit code -6" in gpus._torch()["error"]


def test_the_machine_is_judged_by_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared memory for less than one worker that streams images is a warning with what to do; so is memory."""

    def disk(free: float) -> Callable[[object], object]:
        return lambda _: SimpleNamespace(free=free)

    monkeypatch.setattr(machine.shutil, "disk_usage", disk(64e6))
    small = machine._shared_memory()
    assert (small.state, "--shm-size" in small.do, "PRUNEBENCH_LOADERS" in small.do) == (
        "warning",
        True,
        True,
    )
    monkeypatch.setattr(machine.shutil, "disk_usage", disk(11e9))
    assert "enough for 4 workers" in machine._shared_memory().what
    monkeypatch.setattr(machine, "available_memory", lambda: (1e9, 8e9))
    assert machine._memory().state == "warning"
    assert {finding.state for finding in machine.findings()} <= {"ok", "warning"}


def test_a_component_that_cannot_be_identified_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    host, identity = Host.load(third_party=False), Host.identity

    def fails(self: Host, kind: str, name: str) -> Any:
        if name == "snip":
            raise OSError("no source")
        return identity(self, kind, name)

    monkeypatch.setattr(Host, "identity", fails)
    bad = [finding for finding in plugins.findings(host) if finding.state == "bad"]
    assert any("scorer snip cannot be identified: OSError: no source" in finding.what for finding in bad)


def test_a_clock_that_is_off_and_missing_links_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "store")
    now = stores.server_now
    monkeypatch.setattr(stores, "server_now", lambda folder: now(folder) + 90)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", refuse)
    findings = list(stores.findings(store.root, store))
    assert any("without hard links" in finding.what for finding in findings)
    (clock,) = (finding for finding in findings if "clock of its file server" in finding.what)
    assert (clock.state, "90 s ahead" in clock.what) == ("warning", True)
    assert all(isinstance(finding, Finding) for finding in findings)


def test_a_store_that_cannot_be_written_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    (finding, *_) = stores.findings(tmp_path / "store", None)
    assert finding.state == "bad"
    assert "--store DIR" in finding.do


CONFORMING = '''
"""Two scorers that conform, and two that do not."""

import os

import prunebench


def fine(net, batch, rng):
    """Weights."""
    print("hello")
    return {name: weight.detach().abs() for name, weight in net.weights.items()}


def leaves(net, batch, rng):
    """Ends the process."""
    os._exit(3)


def empty(net, batch, rng):
    """No scores."""
    return {}


@prunebench.hookimpl
def prunebench_scorers():
    scorers = {"a-fine": fine, "b-leaves": leaves, "c-empty": empty, "d-fine": fine}
    return [prunebench.Scorer(name, function) for name, function in scorers.items()]
'''


def test_components_of_others_are_checked_in_a_process_that_they_may_end(tmp_path: Path) -> None:
    """Those behind one that does are checked all the same; those that come with prunebench are not."""
    file = tmp_path / "mine.py"
    file.write_text(CONFORMING)
    request = Request(suite="", store="", data="", plugins=(str(file),), third_party=False)
    left, empty, fine = kit.findings(request.host(), request)
    assert (
        f"scorer b-leaves of {file} does not conform: its check ended the process: exit code 3" in left.what
    )
    assert f"scorer c-empty of {file} does not conform: scorer 'c-empty' on a " in empty.what
    assert (left.state, empty.state, fine.state) == ("bad", "bad", "ok")
    assert fine.what.startswith("2 components conform")


def test_a_component_whose_check_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had been found before counts; where nothing is of others no process is started."""

    def hangs(command: list[str], **options: Any) -> Any:
        first = b"" if "d-fine" not in command[-1] or "a-fine" not in command[-1] else b'""\n"odd"\n'
        raise subprocess.TimeoutExpired(command, 300, output=first)

    monkeypatch.setattr(kit.subprocess, "run", hangs)
    file = tmp_path / "mine.py"
    file.write_text(CONFORMING)
    request = Request(suite="", store="", data="", plugins=(str(file),), third_party=False)
    told = [
        finding.what.partition(" does not conform: ")[2] for finding in kit.findings(request.host(), request)
    ]
    assert told == ["odd", "its check took more than 300 s", "its check took more than 300 s", ""]
    alone = Request(suite="", store="", data="", third_party=False)
    assert list(kit.findings(alone.host(), alone)) == []


def test_the_extra_that_asks_the_driver_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        extras.importlib.util, "find_spec", lambda name: None if name == "pynvml" else object()
    )
    (missing,) = (finding for finding in extras.findings() if finding.state == "note")
    assert missing.what.startswith("pynvml is not installed")
    assert missing.do == 'pip install "prunebench[gpu]"'
