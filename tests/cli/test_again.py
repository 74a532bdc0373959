"""`run --again METHOD` makes new what a method made; the old is a store of its own, and can be put back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import UsageError
from prunebench.inventory.again import keep_aside, to_redo
from prunebench.store import Store

from .conftest import Place, make_place
from .test_outputs import checked


@pytest.fixture
def ran(tmp_path: Path) -> Place:
    """A folder in which the tiny suite has been run."""
    place = make_place(tmp_path)
    place.call("run", place.suite, *place.plugin, "-q", "--no-table")
    return place


def records(place: Place) -> dict[str, str]:
    """Return when each record was written, by its file's name."""
    folder = place.store / "records"
    return {path.name: str(path.stat().st_mtime_ns) for path in folder.rglob("*.json")}


def mine(place: Place) -> set[str]:
    cells = place.json("plan", place.suite, *place.plugin, "-k", "own")["cells"]
    return {f"{cell['key']}.json" for cell in cells}


def test_a_method_is_made_again_and_the_others_stay(ran: Place) -> None:
    """What will be redone is told first; the new records are made now, and have the same bits."""
    before, own = records(ran), mine(ran)
    digests = {
        key: Store.open(ran.store).read_record(key).digest for key in Store.open(ran.store).record_keys()
    }
    shown = ran.call("run", ran.suite, *ran.plugin, "--again", "own", "--no-table")
    assert (
        "made again: 2 cells of own (2 masks, 2 records; 2 jobs stay that other methods need)" in shown.stdout
    )
    assert "2 cells made now, 6 done before" in shown.stdout
    after = records(ran)
    assert {name for name in after if after[name] != before[name]} == own
    store = Store.open(ran.store)
    assert {key: store.read_record(key).digest for key in store.record_keys()} == digests
    assert "nothing to do" in ran.call("run", ran.suite, *ran.plugin, "--no-table").stdout


def test_plan_tells_what_would_be_made_again_and_changes_nothing(ran: Place) -> None:
    """The cells count as missing, with the reason."""
    before = ran.files()
    said = ran.json("plan", ran.suite, *ran.plugin, "--again", "own")
    assert said["counts"] == {"cells": 8, "done": 6, "missing": 2}
    assert said["again"] == {"mask": 2, "record": 2}
    assert {c["why"] for c in said["cells"] if c["method"] == "own"} == {"made again (--again)"}
    assert ran.files() == before


def test_the_old_is_a_store_that_tables_are_made_of_and_is_put_back_file_by_file(ran: Place) -> None:
    """Restored, the old records are the very files; the new ones are kept aside in their turn."""
    old = {path.name: path.read_bytes() for path in (ran.store / "records").rglob("*.json")}
    ran.call("run", ran.suite, *ran.plugin, "--again", "own", "-q", "--no-table")
    listed = ran.json("restore")
    checked(listed)
    (kept,) = listed["kept_aside"]
    assert (kept["suite"], kept["methods"], kept["records"]) == ("tiny", "own", 2)
    status = ran.json("status", ran.suite, *ran.plugin, "--store", kept["folder"])
    assert status["total"]["done"] == 2
    assert status["frozen"]
    table = ran.call("leaderboard", ran.suite, *ran.plugin, "--store", kept["folder"], code=1).stdout
    assert "| own " in table
    checked(ran.json("restore", kept["name"]))
    assert {path.name: path.read_bytes() for path in (ran.store / "records").rglob("*.json")} == old
    (newer,) = ran.json("restore")["kept_aside"]
    assert newer["name"] != kept["name"]
    assert newer["records"] == 2
    assert ran.json("status", ran.suite, *ran.plugin)["total"]["done"] == 8


def test_with_k_only_what_is_selected_is_made_again(ran: Place) -> None:
    """One seed of two."""
    before = records(ran)
    ran.call("run", ran.suite, *ran.plugin, "--again", "own", "-k", "s1", "-q", "--no-table")
    assert sum(before[name] != time for name, time in records(ran).items()) == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--again", "owm"], "did you mean 'own'"),
        (["--again", "own", "-k", "random"], "none of the 2 selected"),
    ],
)
def test_a_mistake_moves_nothing(ran: Place, args: list[str], told: str) -> None:
    """A method that is none; one that nothing selected is of."""
    before = ran.files()
    assert told in ran.call("run", ran.suite, *ran.plugin, *args, code=2).stderr
    assert ran.files() == before


def test_restoring_what_is_not_there_is_a_mistake(ran: Place) -> None:
    """And a store without anything aside says so."""
    assert "nothing is kept aside" in ran.call("restore").stdout
    assert "nothing is kept aside as 'x'" in ran.call("restore", "x", code=2).stderr


def test_nothing_is_moved_while_somebody_works_on_it(ran: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A living claim on one of the jobs, whoever holds it."""
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session

    request = Request(
        ran.suite, str(ran.store), "data", plugins=(str(ran.folder / "mine.py"),), third_party=False
    )
    plan = Session.prepare(request).plan
    redo = to_redo(plan, plan.cells, ["own"])
    store = Store.open(ran.store)
    before = records(ran)
    claim = store.claim(redo.cells[0].key)
    assert claim is not None
    with pytest.raises(UsageError, match="works on record"):
        keep_aside(redo, plan, store)
    claim.release()
    assert records(ran) == before


def test_what_other_methods_need_stays(project: Any) -> None:
    """The mask whose layers' counts another method takes, the scores behind it, and the unpruned runs."""
    like = {"method": "random", "allocation": {"like": "snip"}, "as": "like-snip"}
    plan = project.session(project.suite(["snip", like])).plan
    redo = to_redo(plan, plan.cells, ["snip"])
    kinds = sorted(plan.jobs[key].kind for key in redo.keys)
    assert kinds == ["record", "train"]
    assert {plan.jobs[key].kind for key in redo.shared} == {"mask", "score", "train"}
    alone = project.session(project.suite(["snip", "random"])).plan
    redo = to_redo(alone, alone.cells, ["snip"])
    assert sorted(alone.jobs[key].kind for key in redo.keys) == ["mask", "record", "score", "train"]
