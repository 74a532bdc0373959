"""A run that goes on with other kernels says which came first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.jobs import train
from prunebench.training.kernels import sparse
from prunebench.training.numerics import numerics_class

pytestmark = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="sparse kernels are MKL's")


def test_the_classes_of_a_run_stand_in_their_turn(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun with sparse kernels, told to stop at a checkpoint, and gone on with dense ones: both are said."""
    monkeypatch.setattr(sparse, "WEIGHTS", 1000)
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
    assert progress.provenance == {}
    half = train.advance(job, first.context, progress, to_step=5)
    assert half.provenance["numerics"] == sparsely
    first.context.kernels = "dense"
    end = train.advance(job, first.context, half)
    assert end.provenance["numerics"] == f"{sparsely}; then {dense}"
    assert first.store.read_record(cell.key).provenance["numerics"] == sparsely
