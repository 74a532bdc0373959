"""Data that are not there: planned and shown, and only the cells that need them are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.on_pytest.run import run_cells
from prunebench.errors import DataError
from prunebench.plan.facts import ABSENT

PLUGIN = '''
import torch
import prunebench
from prunebench.errors import DataError

def missing(root):
    return None if (root / "blobs").exists() else f"data set 'blobs': put the file blobs into {root}"

def load(root, part):
    """Random blobs, if a file says so."""
    if missing(root):
        raise DataError(missing(root))
    n = {"train": 300, "test": 50}[part]
    g = torch.Generator().manual_seed(n)
    return torch.randint(256, (n, 1, 8, 8), generator=g, dtype=torch.uint8), torch.arange(n) % 10

def download(root):
    root.mkdir(parents=True, exist_ok=True)
    (root / "blobs").touch()

def dataset(name, **more):
    return prunebench.Dataset(name, load, (1, 8, 8), 10, 300, 50, None, None, missing=missing, **more)

@prunebench.hookimpl
def prunebench_datasets():
    return [dataset("blobs"), dataset("fetched", download=download)]
'''
OTHER = """
[[matrix]]
name = "other"
architecture = "digits-mlp"
dataset = "{}"
recipe = {{name = "digits", epochs = 1}}
methods = ["random"]
sparsities = [0.5]
seeds = 1
"""


@pytest.fixture
def mixed(project: Any) -> Any:
    """A project whose suite has a matrix on digits and one on data that are not there."""
    (project.folder / "blobs.py").write_text(PLUGIN)
    project.options["plugins"] = (str(project.folder / "blobs.py"),)
    return project


def test_a_suite_is_planned_without_its_data(mixed: Any) -> None:
    """Shapes and sizes as declared; the fingerprint stands for nothing that could ever be there."""
    session = mixed.session(mixed.suite(more=OTHER.format("blobs")))
    assert session.plan.missing_data == {
        "blobs": f"data set 'blobs': put the file blobs into {mixed.folder}/data"
    }
    assert session.plan.identities["data blobs"] == {"fingerprint": ABSENT}
    assert len(session.plan.cells) == 4


def test_only_cells_whose_data_are_missing_are_refused(mixed: Any) -> None:
    """The others are made; the refused say what to put where, and leave no failed attempt."""
    session = mixed.session(mixed.suite(more=OTHER.format("blobs")))
    session.ready()
    store = mixed.store()
    session.freeze(store)
    outcome = run_cells(session, store, quiet=True)
    assert len(outcome.made) == 2
    assert len(outcome.failed) == 2
    assert all("put the file blobs into" in error for error in outcome.failed.values())
    assert not list((mixed.folder / "store" / "attempts").rglob("*.json"))


def test_where_no_cell_can_run_the_run_is_refused_at_once(mixed: Any) -> None:
    """One sentence, whatever the number of cells; so too for a selection of such cells."""
    session = mixed.session(mixed.suite(more=OTHER.format("blobs")))
    chosen = [cell for cell in session.plan.cells if cell.matrix == "other"]
    with pytest.raises(DataError) as caught:
        session.ready(chosen)
    assert str(caught.value) == f"data set 'blobs': put the file blobs into {mixed.folder}/data"


def test_data_that_nothing_selected_needs_are_not_fetched(mixed: Any) -> None:
    """Asked for are the data sets of the cells that will run."""
    session = mixed.session(mixed.suite(more=OTHER.format("fetched")))
    session.ready([cell for cell in session.plan.cells if cell.matrix == "main"])
    assert not (mixed.folder / "data").exists()


def test_what_was_fetched_is_planned_again_with_its_fingerprint(mixed: Any) -> None:
    """A fingerprint that nobody knew before the files were there is in the keys of what then runs."""
    session = mixed.session(mixed.suite(more=OTHER.format("fetched")))
    before = {cell.id: cell.key for cell in session.plan.cells}
    session.ready()
    after = {cell.id: cell.key for cell in session.plan.cells}
    assert session.plan.missing_data == {}
    assert {name for name in before if before[name] != after[name]} == {
        n for n in before if n.startswith("other")
    }
    engine = session.worker(mixed.store())
    for cell in session.plan.cells:
        engine.make(cell)


def test_a_mean_that_is_not_declared_is_that_of_the_training_images(mixed: Any) -> None:
    """Computed from what was loaded, by channel, on the scale 0–1."""
    (mixed.folder / "data").mkdir()
    (mixed.folder / "data" / "blobs").touch()
    session = mixed.session(mixed.suite(more=OTHER.format("blobs")))
    dataset = session.host.dataset("blobs")
    images = dataset.load(Path(session.request.data), "train")[0].double() / 255
    context = session.worker(mixed.store()).context
    job = next(
        j for j in session.plan.jobs.values() if j.kind == "train" and j.params.run.data.name == "blobs"
    )
    data = context.data(job.params.run.data, "cpu", 0)
    assert data.mean == pytest.approx([float(images.mean())], abs=1e-12)
    assert data.std == pytest.approx([float(images.std(correction=0))], abs=1e-12)
