"""Results are bound to the plan: what is whole, and belongs to another cell or counts something else, is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.canonical import digest
from prunebench.inventory.rows import measure_rows, rows
from prunebench.inventory.snapshot import Snapshot
from prunebench.store import Store


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A suite that has been run: an unpruned and a pruned cell, two seeds, a measure."""
    from ..conftest import Project  # noqa: TID252

    project = Project(tmp_path_factory.mktemp("finished"))
    engine = project.run(project.suite(["snip"], seeds=2, measures=["layer-sparsity"]))
    return project, engine.plan


class Copy:
    """A copy of the finished store, its plan, and ways to forge its records."""

    def __init__(self, finished: Any, folder: Path) -> None:
        import shutil

        project, self.plan = finished
        shutil.copytree(project.folder / "store", folder)
        self.store = Store.open(folder)
        self.dense, _, self.pruned, self.other = self.plan.cells

    def path(self, key: str, part: str = "records") -> Path:
        return self.store.root / part / key[:2] / f"{key}.json"

    def forge(
        self, key: str, change: Callable[[Any], object], part: str = "records", schema: int = 2
    ) -> None:
        """Change a record and make all its digests right, as whoever forges it can."""
        path = self.path(key, part)
        document = json.loads(path.read_text())
        document["schema"] = schema
        change(document)
        if schema == 1:
            document.pop("seal")
            document["digest"] = digest(document["result"])
        else:
            document["digest"] = digest({n: document[n] for n in ("schema", "key", "result")})
            document["seal"] = digest([document[n] for n in ("schema", "key", "digest", "provenance")])
        path.write_text(json.dumps(document))

    def refused(self, key: str) -> str:
        """Return why a result counts as missing, by what the store says of it."""
        snapshot = Snapshot(self.plan, self.store)
        assert snapshot.listed(key)
        assert snapshot.result(key) is None
        assert not snapshot.have(key)
        (found,) = self.store.damaged
        assert found.aside is not None
        return found.reason


@pytest.fixture
def copied(finished: Any, tmp_path: Path) -> Copy:
    return Copy(finished, tmp_path / "copy")


def test_what_was_run_is_there(copied: Copy) -> None:
    """An honest store is done, and nothing of it is refused."""
    snapshot = Snapshot(copied.plan, copied.store)
    assert {snapshot.status(cell) for cell in copied.plan.cells} == {"done"}
    assert copied.store.damaged == []


def change(*where: str, to: Any) -> Callable[[Any], None]:
    """Return what sets a value in a record's result."""

    def make(document: Any) -> None:
        value = document["result"]
        for name in where[:-1]:
            value = value[name]
        value[where[-1]] = to(value[where[-1]]) if callable(to) else to

    return make


def counted(document: Any, **counts: int) -> None:
    """Change what a record counts, at the end of its curve alike."""
    document["result"]["test"].update(counts)
    for point in document["result"]["curve"]:
        point.update(counts)


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize(
    ("forgery", "said"),
    [
        (change("cell", "seed", to=5), "another cell: its 'seed' is 5, planned is 0"),
        (change("cell", "density", to="0.4"), "another cell: its 'density' is '0.4', planned is '0.5'"),
        (change("cell", "recipe", "lr", to=9.0), "another cell: its 'recipe' is"),
        (change("cell", "form", to=lambda form: {**form, "keep": "low"}), "another cell: its 'form' is"),
        (
            change("cell", to=lambda cell: {**cell, "more": 1}),
            "another cell: its 'more' is 1, planned is None",
        ),
        (lambda record: counted(record, examples=10_000), "it counts 10000 examples, its data set has 355"),
        (lambda record: counted(record, examples=354, correct=3), "it counts 354 examples"),
        (change("mask", to=lambda mask: {**mask, "kept": mask["kept"] - 1, "layers": []}), "weights kept"),
        (change("mask", to=lambda mask: {**mask, "prunable": 10**6, "layers": []}), "weights prunable"),
    ],
)
def test_a_forged_record_is_refused(copied: Copy, schema: int, forgery: Any, said: str) -> None:
    """Whatever its digest says: its cell is the planned one, and its counts are the data set's and the mask's."""
    copied.forge(copied.pruned.key, forgery, schema=schema)
    assert said in copied.refused(copied.pruned.key)


@pytest.mark.parametrize(
    ("forgery", "said"),
    [
        (change("state", to=lambda key: "ab" * 32 + key[64:]), "made from state abababababab"),
        (change("mask", "key", to="cd" * 32), "its mask is cdcdcdcdcdcd"),
        (lambda record: record["result"].pop("mask"), "nothing of the cell's mask"),
    ],
)
def test_a_record_of_schema_2_says_what_it_was_made_from(copied: Copy, forgery: Any, said: str) -> None:
    """Its state and its mask are the planned ones."""
    copied.forge(copied.pruned.key, forgery)
    assert said in copied.refused(copied.pruned.key)


def test_the_mask_of_an_unpruned_cell_is_refused(copied: Copy) -> None:
    """A dense cell has none."""
    mask = json.loads(copied.path(copied.pruned.key).read_text())["result"]["mask"]
    dense = {**mask, "kept": copied.dense.target, "prunable": copied.dense.prunable, "layers": []}
    copied.forge(copied.dense.key, lambda record: record["result"].update(mask=dense))
    assert "planned is none" in copied.refused(copied.dense.key)


@pytest.mark.parametrize("schema", [1, 2])
def test_another_cells_record_under_this_key_is_refused(copied: Copy, schema: int) -> None:
    """A record of another seed, renamed and its digests made right, is never taken for this one's."""
    copied.path(copied.pruned.key).write_bytes(copied.path(copied.other.key).read_bytes())
    copied.forge(copied.pruned.key, lambda record: record.update(key=copied.pruned.key), schema=schema)
    assert "its 'seed' is 1, planned is 0" in copied.refused(copied.pruned.key)
    row = rows(copied.plan, copied.store)[2]
    assert (row["status"], "correct" in row) == ("missing", False)


@pytest.mark.parametrize("schema", [1, 2])
def test_an_honest_record_of_each_schema_is_taken(copied: Copy, schema: int) -> None:
    """So is one of schema 1 as it was written then, without what came later, and its file stays as it is."""
    copied.forge(copied.pruned.key, lambda record: None, schema=schema)
    before = copied.path(copied.pruned.key).read_bytes()
    assert rows(copied.plan, copied.store)[2]["status"] == "finished"
    assert copied.path(copied.pruned.key).read_bytes() == before


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize(
    ("forgery", "said"),
    [
        (change("diagnostic", to="flops"), "a measure of 'flops', planned is 'layer-sparsity'"),
        (change("of", to="state"), "it measures a 'state', planned is a mask"),
        (change("made_from", to={"ab" * 32: "cd" * 32}), "made from abababababab"),
    ],
)
def test_a_forged_measure_is_refused(copied: Copy, schema: int, forgery: Any, said: str) -> None:
    """A measure is the planned diagnostic of the planned mask."""
    key = copied.pruned.targets[1]
    copied.forge(key, forgery, "measures", schema)
    assert said in copied.refused(key)
    assert [row["status"] for row in measure_rows(copied.plan, copied.store)] == ["missing", "finished"]


def test_a_suite_whose_checks_changed_refuses_nothing(finished: Any, tmp_path: Path) -> None:
    """Records are bound by their cells: with other checks, a title and another margin they are all there."""
    project, _ = finished
    suite = project.folder / "tiny.toml"
    text = suite.read_text()
    try:
        suite.write_text(text.replace('version = "1"', 'version = "2"') + '[leaderboard]\ntitle = "New"\n')
        plan = project.session(suite).plan
    finally:
        suite.write_text(text)
    store = Copy(finished, tmp_path / "copy").store
    assert {Snapshot(plan, store).status(cell) for cell in plan.cells} == {"done"}


def test_a_plan_that_does_not_know_its_data_sets_size_binds_the_rest(copied: Copy) -> None:
    """Without the number of examples everything else is compared."""
    plan = copy.copy(copied.plan)
    plan.suite = {name: value for name, value in copied.plan.suite.items() if name != "examples"}
    copied.forge(copied.pruned.key, lambda record: counted(record, examples=10_000))
    assert Snapshot(plan, copied.store).result(copied.pruned.key) is not None


def test_what_cannot_be_read_is_not_done(copied: Copy) -> None:
    """A cell counts as done where its record and all its measures were read: an empty file is none."""
    copied.path(copied.dense.key).write_bytes(b"")
    copied.path(copied.pruned.targets[1], "measures").write_bytes(b"{}")
    snapshot = Snapshot(copied.plan, copied.store)
    assert [snapshot.status(cell) for cell in copied.plan.cells] == ["missing", "done", "partial", "done"]


def test_a_failure_that_cannot_be_read_makes_nothing_failed(copied: Copy) -> None:
    """Without a readable attempt a missing cell is missing, not failed."""
    copied.path(copied.dense.key).unlink()
    attempt = copied.store.write_attempt(copied.dense.key, "out of memory")
    assert Snapshot(copied.plan, copied.store).status(copied.dense) == "failed"
    attempt.write_bytes(b"\xff")
    assert Snapshot(copied.plan, copied.store).status(copied.dense) == "missing"
