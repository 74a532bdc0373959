"""`status --watch`: what runs where and when it ends, from another process, until nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from prunebench.cli import _watch
from prunebench.cli._suite_plan import suite_plan
from prunebench.store import Store, host_name

from .conftest import Place
from .test_light import CALL
from .test_outputs import checked

HOLDER = """
import sys
from prunebench.store import Store
with Store.open(sys.argv[1]).claim(sys.argv[2]) as claim:
    claim.tell({"worker": "worker 3", "place": "gpu 1", "device": "cpu", "seconds": 65.0, "step": 7, "to_step": 23})
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
    assert (running["worker"], running["place"], running["pid"]) == ("worker 3", "gpu 1", holder.pid)
    assert running["name"] == f"{host_name().rpartition('-')[0]}:gpu 1/worker 3"
    assert (running["step"], running["to_step"]) == (7, 23)
    assert 65 <= running["seconds"] < 90
    assert first["ends_in"]["high"] > first["ends_in"]["low"] >= 0
    assert final["total"]["done"] == 8
    assert final["running"] == []


def test_another_plan_of_the_suite_is_followed_and_the_same_one_goes_on(
    done: tuple[Place, Result], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suite is planned anew where it was frozen meanwhile; its counts begin anew with other cells alone."""
    broken(done[0], place)
    asked = []

    def plan_of() -> Any:
        options = {"store": str(place.store), "keyword": "random" if len(asked) == 2 else None}
        asked.append(suite_plan(place.suite, options))
        return asked[-1]

    marks = iter("aabbcc")
    monkeypatch.setattr(_watch, "_mark", lambda _: next(marks))
    monkeypatch.setattr(_watch._Follower, "over", lambda self, state: state.cells < 8)
    followed = []
    monkeypatch.setattr(_watch._Lines, "follow", lambda self, shown: followed.append(len(shown.cells)))
    monkeypatch.setattr(_watch._Lines, "show", lambda self, state: None)
    assert _watch.watch(plan_of, every=0.1, as_json=True)
    assert len(asked) == 3
    assert followed == [8, 2]


def broken(ready: Place, place: Place) -> str:
    """Let the suite have been run here, but for a cell whose job has failed; return that cell's key."""
    shutil.copytree(ready.store, place.store)
    plan = next((place.store / "plans").iterdir())
    key = next(cell[2] for cell in json.loads(plan.read_bytes())["plan"]["cells"] if "-own-" in cell[1])
    (place.store / "records" / key[:2] / f"{key}.json").unlink()
    Store.open(place.store).write_attempt(key, "no such luck", job={"kind": "record"})
    return str(key)


def counted(place: Place) -> list[dict[str, int]]:
    """Return the counts of each line of a watch that ends by itself."""
    lines = place.call("status", place.suite, "--watch", "--every", "0.1", "--json").stdout.splitlines()
    return [json.loads(line)["total"] for line in lines]


FAILED = {"cells": 8, "done": 7, "failed": 1, "blocked": 0, "left": 0}


def test_what_has_failed_stays_so_whoever_freezes_the_plan_again(
    done: tuple[Place, Result], place: Place
) -> None:
    """A run of other cells that has nothing to do, `plan --freeze`, a file with a new time."""
    broken(done[0], place)
    assert counted(place) == [FAILED]
    place.call("run", place.suite, *place.plugin, "-k", "random", "--no-table")
    before = place.files()
    place.call("plan", place.suite, *place.plugin, "--freeze")
    assert counted(place) == [FAILED]
    plan = next(name for name in before if name.startswith("store/plans/"))
    assert place.files()[plan] == before[plan], "it says the same: nothing was written"
    os.utime(place.folder / plan)
    assert counted(place) == [FAILED]


def test_across_a_second_run_no_count_jumps(done: tuple[Place, Result], place: Place) -> None:
    """It is to try again what has failed: the watch waits for that, and still calls it failed meanwhile; one
    that begins then calls it left, as it is."""
    key = broken(done[0], place)
    store = Store.open(place.store)
    (plan,) = store.plans()
    store.runs.begin(plan.stem, [key], None)
    watch = _watch._Follower(suite_plan(place.suite, {"store": str(place.store)}), "cpu")

    def look() -> tuple[int, int, bool]:
        state = watch.look()
        return state.failed, state.left, watch.over(state)

    assert look() == (0, 1, False)
    store.write_attempt(key, "again", job={"kind": "record"})
    assert look() == (1, 0, True)
    store.runs.begin(plan.stem, [key], None)
    assert look() == (1, 0, False)
    store.write_attempt(key, "and again", job={"kind": "record"})
    assert look() == (1, 0, True)


def test_every_without_watch_is_a_mistake(done: tuple[Place, Result]) -> None:
    assert (
        "--every belongs to --watch" in done[0].call("status", done[0].suite, "--every", "5", code=2).stderr
    )
