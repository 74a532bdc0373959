"""Two stores, or two versions of a suite: which cells have the same bits, and what changed of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunebench.inventory.differences import Side, differences


def made(project: Any, path: Path, store: str, cells: int | None = None) -> Side:
    session, opened = project.session(path, store), project.store(store)
    session.freeze(opened)
    engine = session.worker(opened)
    for cell in list(session.plan.cells)[:cells]:
        engine.make(cell)
    return Side(store, session.plan, opened)


def test_the_same_suite_run_twice_has_the_same_bits(project: Any) -> None:
    """Cell by cell, and the difference is 0."""
    path = project.suite(["snip"], seeds=2)
    found = differences(made(project, path, "one"), made(project, path, "two"))
    assert [row["kind"] for row in found] == ["same bits"] * 4
    assert {row["difference"] for row in found} == {0.0}
    assert {(row["method"], row["seed"]) for row in found} == {
        ("none", 0),
        ("none", 1),
        ("snip", 0),
        ("snip", 1),
    }


def test_a_record_with_another_result_has_other_bits(project: Any) -> None:
    """The same key, another digest: told with the difference of the accuracies."""
    path = project.suite(["snip"])
    one, store = made(project, path, "one"), project.store("two")
    for cell in one.plan.cells:
        record = one.store.read_record(cell.key)
        result = {**record.result}
        if cell.labels["method"] == "snip":
            test = {**result["test"], "correct": result["test"]["correct"] - 9}
            result |= {"test": test, "curve": [*result["curve"][:-1], {**result["curve"][-1], **test}]}
        store.write_record(cell.key, result, {**record.provenance, "numerics": "another"})
    found = {row["method"]: row for row in differences(one, Side("B", one.plan, store))}
    assert found["none"]["kind"] == "same bits"  # where it was made is no part of the result
    assert found["snip"]["kind"] == "other bits"
    assert found["snip"]["difference"] == pytest.approx(-100 * 9 / test["examples"])
    assert found["snip"]["numerics_b"] == "another" != found["snip"]["numerics_a"]


def test_another_version_of_a_suite_says_what_of_a_cell_changed(project: Any) -> None:
    """Longer training: another cell, with the field, and the difference."""

    def suite(name: str, epochs: int) -> Path:
        path: Path = project.suite(["snip"], name=name, epochs=epochs)
        path.write_text(
            path.read_text().replace('{name = "digits", epochs', '{as = "short", name = "digits", epochs')
        )
        return path

    one, two = made(project, suite("old", 1), "one"), made(project, suite("new", 2), "two")
    found = differences(one, two)
    assert {row["kind"] for row in found} == {"other cell"}
    assert {row["why"] for row in found} == {"recipe.epochs: 1.0 → 2.0"}
    for row in found:
        assert row["difference"] == pytest.approx(row["accuracy_b"] - row["accuracy_a"])


def test_what_only_one_has_is_told_apart_from_what_only_one_planned(project: Any) -> None:
    """A method that B lacks, seeds that A lacks, a cell that B has not run yet, and one that nobody ran."""
    one = made(project, project.suite(["snip", "random"], name="old"), "one", cells=2)
    two = made(project, project.suite(["snip"], seeds=2, name="new"), "two", cells=1)
    found = {(row["method"], row["seed"]): (row["kind"], row["planned"]) for row in differences(one, two)}
    assert found == {
        ("none", 0): ("same bits", "both"),
        ("snip", 0): ("only in A", "both"),
        ("random", 0): ("neither", "A"),
        ("none", 1): ("neither", "B"),
        ("snip", 1): ("neither", "B"),
    }
