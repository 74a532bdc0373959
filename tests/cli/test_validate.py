"""`prunebench validate`: everything wrong with a suite, told without running or writing anything."""

from __future__ import annotations

from .conftest import TINY, Place


def test_a_valid_suite_is_told_what_is_in_it_and_nothing_is_written(place: Place) -> None:
    """Its cells, jobs and matrices; the folder is as it was."""
    before = place.files()
    shown = place.call("validate", place.suite, *place.plugin)
    assert "suite tiny, version 3: valid" in shown.stdout
    assert "8 cells in 1 matrix" in shown.stdout
    assert place.files() == before


def test_all_that_is_wrong_is_told_at_once(place: Place) -> None:
    """A name that is none and a sparsity that is none, each with its place; exit code 2."""
    bad = place.write("bad.toml", TINY.replace('"own"', '"owm"').replace("[0.5]", "[1.5]"))
    shown = place.call("validate", bad, *place.plugin, code=2)
    assert "methods[1]: found 'owm'" in shown.stderr
    assert "sparsities" in shown.stderr
    assert not shown.stdout


def test_what_only_planning_finds_is_wrong_too(place: Place) -> None:
    """A density that keeps no weight is no mistake of the file's form."""
    bad = place.write("bad.toml", TINY.replace("[0.5]", "[0.9999999]"))
    shown = place.call("validate", bad, *place.plugin, code=2)
    assert "keeps none of" in shown.stderr


def test_as_json_a_suite_that_is_not_valid_says_its_problems(place: Place) -> None:
    """A line each, and the exit code of a mistake."""
    bad = place.write("bad.toml", TINY.replace('"own"', '"owm"').replace('"random"', '"randon"'))
    said = place.json("validate", bad, *place.plugin, code=2)
    assert said["valid"] is False
    assert len(said["problems"]) == 2
    assert all("bad.toml" in problem for problem in said["problems"])


def test_data_that_are_not_there_make_no_suite_invalid(place: Place) -> None:
    """They are named, on standard error."""
    suite = place.write(
        "big.toml",
        TINY.replace('"tiny-net"', '"resnet20"').replace('dataset = "digits"', 'dataset = "cifar10"'),
    )
    shown = place.call("validate", suite, *place.plugin)
    assert "valid" in shown.stdout
    assert "cifar" in shown.stderr


def test_a_file_that_is_not_there_is_a_mistake(place: Place) -> None:
    """Exit code 2, and the file's name."""
    assert "nothing.toml" in place.call("validate", "nothing.toml", code=2).stderr
