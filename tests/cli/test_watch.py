"""`status --watch`: what runs where and when it ends, from another process, until nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from prunebench.cli import _watch
from prunebench.cli._suite_plan import suite_plan
from prunebench.store import Store

from .conftest import Place
from .test_light import CALL
from .test_outputs import checked

HOLDER = """
import sys
from prunebench.store import Store
with Store.open(sys.argv[1]).claim(sys.argv[2]) as claim:
    claim.tell({"worker": "gw3", "place": "gpu 1", "device": "cpu", "seconds": 65.0, "step": 7, "to_step": 23})
    print("held", flush=True)
    sys.stdin.read()
"""


def test_of_a_suite_that_is_done_it_says_so_and_ends(
    done: tuple[Place, Result], python: Callable[..., Any]
) -> None:
    """One line; no torch is imported."""
    place, _ = done
    shown = python(CALL, "status", place.suite, "--watch", "--check", cwd=place.folder)
    assert shown.returncode == 0, shown.stderr
    (line,) = shown.stdout.splitlines()
    assert line.endswith("  8 of 8 cells done, 0 left; 0 jobs running")
    assert "'torch'" not in shown.stderr
    value = place.json("status", place.suite, "--watch")
    checked(value)
    assert value["total"] == {"cells": 8, "done": 8, "failed": 0, "blocked": 0, "left": 0}
    assert value["ends_in"] is None


def test_what_another_process_works_on_is_shown_until_all_is_done(
    done: tuple[Place, Result], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line each: first with what the other says of its job; the last when its record is there."""
    ready, _ = done
    plan = json.loads(next((ready.store / "plans").iterdir()).read_bytes())["plan"]
    store, theirs = Store.open(place.store), Store.open(ready.store, write=False)
    for path in (ready.store / "plans").iterdir():
        (place.store / "plans").mkdir()
        (place.store / "plans" / path.name).write_bytes(path.read_bytes())
    keys = [cell[2] for cell in plan["cells"]]
    for key in keys[1:]:
        record = theirs.read_record(key)
        store.write_record(key, record.result, record.provenance)
    state = next(job[3][0] for job in plan["jobs"] if job[0] == keys[0])
    arguments = [sys.executable, "-c", HOLDER, str(place.store), state]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        last = theirs.read_record(keys[0])

        def ends(seconds: float) -> None:
            store.write_record(keys[0], last.result, last.provenance)
            holder.stdin.close()  # type: ignore[union-attr]
            holder.wait(20)

        monkeypatch.setattr(_watch.time, "sleep", ends)
        shown = place.call("status", place.suite, "--watch", "--every", "5", "--json")
    first, *_, final = map(json.loads, shown.stdout.splitlines())
    checked(first)
    assert (first["total"]["done"], first["total"]["left"], first["workers"]) == (7, 1, 1)
    (running,) = first["running"]
    assert running["what"] == "train tiny-net unpruned s0"
    assert (running["worker"], running["place"], running["pid"]) == ("gw3", "gpu 1", holder.pid)
    assert (running["step"], running["to_step"]) == (7, 23)
    assert 65 <= running["seconds"] < 90
    assert first["ends_in"]["high"] > first["ends_in"]["low"] >= 0
    assert final["total"]["done"] == 8
    assert final["running"] == []


def test_a_run_that_begins_meanwhile_is_followed(
    done: tuple[Place, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan is read: another one, or the same one, written when the run began."""
    place, _ = done
    asked = []

    def plan_of() -> Any:
        asked.append(suite_plan(place.suite, {"store": str(place.store)}))
        return asked[-1]

    marks = iter([("a", 1), ("b", 1), ("b", 1), ("b", 1)])
    monkeypatch.setattr(_watch, "_mark", lambda _: next(marks))
    assert _watch.watch(plan_of, every=0.1, as_json=True)
    assert len(asked) == 2


def test_every_without_watch_is_a_mistake(done: tuple[Place, Result]) -> None:
    assert (
        "--every belongs to --watch" in done[0].call("status", done[0].suite, "--every", "5", code=2).stderr
    )


def test_since_when_failures_count_is_when_the_plan_was_frozen(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.touch()
    os.utime(plan, (1e9, 1e9))
    assert _watch._since(plan) == "20010909T014640.000000Z"
    assert _watch._since(None) == ""
    assert _watch._since(tmp_path / "gone") == ""
