"""`prunebench gc`: shows what could go; removes it only when told to."""

from __future__ import annotations

import shutil

import pytest
from click.testing import Result

from .conftest import Place
from .test_outputs import checked


@pytest.fixture
def littered(done: tuple[Place, Result], place: Place) -> Place:
    """A store that was run, with an artifact of no plan, a failure of a job that is done, something set aside."""
    shutil.copytree(done[0].store, place.store)
    (place.store / "artifacts" / "ab").mkdir(exist_ok=True)
    (place.store / "artifacts" / "ab" / f"{'ab' * 32}.safetensors").write_bytes(bytes(2500))
    (place.store / "set-aside").mkdir(exist_ok=True)
    (place.store / "set-aside" / "x.json").write_bytes(b"{")
    return place


def test_it_shows_what_could_be_removed_and_removes_nothing(littered: Place) -> None:
    before = littered.files()
    text = littered.call("gc").stdout
    assert littered.files() == before
    assert "states, scores and masks of no plan" in text
    assert "could be removed: 1 file, 2.4 KiB; nothing was: `prunebench gc --yes` does that" in text
    assert "with --set-aside" in text


def test_with_yes_it_removes_that_and_no_result(littered: Place) -> None:
    records = sorted((littered.store / "records").rglob("*.json"))
    value = littered.json("gc", "--yes")
    checked(value)
    assert value["removed"] == value["total"] == {"files": 1, "bytes": 2500}
    assert sorted((littered.store / "records").rglob("*.json")) == records
    assert (littered.store / "set-aside" / "x.json").exists()
    assert "there is nothing to remove without the options that are named above" in littered.call("gc").stdout
    assert "removed: 1 file, 1 byte" in littered.call("gc", "--set-aside", "--yes").stdout
    assert not (littered.store / "set-aside" / "x.json").exists()
    assert "8 of 8 cells done" in littered.call("status", littered.suite).stdout


def test_word_that_states_are_kept_is_told_and_ends_where_that_is_asked_for(littered: Place) -> None:
    """By a run that was not asked to keep them, and by `gc`, which does not call it weights."""
    (plan,) = (littered.store / "plans").glob("*.json")
    plan.with_suffix(".keep-states").touch()
    said = (
        "weights of pruned networks are kept, as an earlier command on this plan was told to (--keep-states)"
    )
    assert said in littered.call("plan", littered.suite, *littered.plugin).stdout
    assert "word that a plan's states are kept" in littered.call("gc", "--yes").stdout
    assert plan.with_suffix(".keep-states").exists()
    littered.call("gc", "--states", "--yes")
    assert not plan.with_suffix(".keep-states").exists()
    assert said not in littered.call("plan", littered.suite, *littered.plugin).stdout


def test_where_nothing_has_been_run_there_is_nothing_to_remove(place: Place) -> None:
    assert "nothing to remove" in place.call("gc", "--yes").stdout
    checked(place.json("gc"))
    assert not place.store.exists()


def test_mistakes(littered: Place) -> None:
    """A plan that is not there is named with the nearest; so is a store."""
    name = next((littered.store / "plans").iterdir()).stem
    assert f"did you mean '{name}'" in littered.call("gc", "--forget", name[:-1], code=2).stderr
    assert "no store at" in littered.call("gc", "--store", "nowhere", code=2).stderr
    assert not (littered.folder / "nowhere").exists()
