"""Which numerics classes a record names: of its run, in their turn, and of all that this descends from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from little_suites import CHAIN

from prunebench.jobs import train
from prunebench.training import kernels
from prunebench.training.numerics import numerics_class

pytestmark = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="sparse kernels are MKL's")


def test_the_classes_of_a_run_stand_in_their_turn(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun with sparse kernels, told to stop at a checkpoint, and gone on with dense ones: both are said."""
    monkeypatch.setattr(kernels, "WEIGHTS", 1000)
    path: Path = project.suite(["snip"], sparsities=(0.9,))
    first = project.engine(path, kernels="sparse")
    (cell,) = [cell for cell in first.plan.cells if cell.target < cell.prunable]
    first.make(cell)
    (job,) = [
        job
        for job in (first.plan.jobs[key] for key in first.plan.ancestors(cell.key))
        if job.kind == "train" and job.prunes
    ]
    dense, sparsely = numerics_class("cpu", 1), numerics_class("cpu", 1, "sparse")
    progress = train.start(job, first.context)
    assert progress.trained is None
    half = train.advance(job, first.context, progress, to_step=5)
    assert half.provenance["numerics"] == half.provenance["trained"] == sparsely
    first.context.kernels = "dense"
    end = train.advance(job, first.context, half)
    assert end.provenance["numerics"] == f"{sparsely}; then {dense}"
    assert first.store.read_record(cell.key).provenance["numerics"] == sparsely


def test_a_record_names_the_classes_of_all_that_it_descends_from(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain of which a level before was trained with sparse kernels, gone on with dense ones."""
    monkeypatch.setattr(kernels, "WEIGHTS", 1000)
    steep = {**CHAIN, "schedule": {"levels": 0.9}}
    path: Path = project.suite([steep], sparsities=(0.9, 0.99))
    first = project.engine(path, kernels="sparse")
    pruned = [cell for cell in first.plan.cells if cell.target < cell.prunable]
    early, late = sorted(pruned, key=lambda cell: -cell.target)
    first.make(early)
    then = project.engine(path)
    then.make(late)
    dense, sparsely = numerics_class("cpu", 1), numerics_class("cpu", 1, "sparse")
    told = {cell.id: then.store.read_record(cell.key).provenance["numerics"] for cell in (early, late)}
    assert told[early.id] == f"{dense}; then {sparsely}"  # the unpruned network has no mask
    assert told[late.id] == f"{dense}; then {sparsely}"


def test_a_run_that_begins_from_what_was_only_stored_is_of_its_own_class(project: Any) -> None:
    """The initial weights that another process left for a scorer were trained by nobody."""
    path: Path = project.suite(["snip"])
    first = project.engine(path, threads=2)
    (pruned,) = [cell for cell in first.plan.cells if cell.target < cell.prunable]
    first.make(pruned)
    then = project.engine(path)
    (unpruned,) = [cell for cell in then.plan.cells if cell.target == cell.prunable]
    then.make(unpruned)
    assert then.store.read_record(unpruned.key).provenance["numerics"] == numerics_class("cpu", 1)
    assert then.store.read_record(pruned.key).provenance["numerics"] == numerics_class("cpu", 2)
