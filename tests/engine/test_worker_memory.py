"""What a worker keeps of the cells that it has made: nothing that grows with their number."""

from __future__ import annotations

import gc
import logging
import tracemalloc
import weakref
from typing import Any

import pytest

from prunebench.jobs.run import run_job

CELLS, WARM = 150, 50


def test_cells_that_are_made_leave_nothing_behind(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims, logs and decisions of hundreds of jobs; what they compute is tested where that is."""
    monkeypatch.setattr(logging.getLogger("prunebench"), "propagate", False)  # pytest would keep each line
    engine = project.engine(project.suite(["random"], seeds=CELLS, more="dense = false"))
    engine.selected = engine.plan.cells
    there: set[str] = set()
    engine.run = lambda job, context: there.add(job.key)
    engine.have = there.__contains__
    engine.keep_states = True
    for cell in engine.plan.cells[:WARM]:
        engine.make(cell)
    gc.collect()
    tracemalloc.start()
    before, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
    for cell in engine.plan.cells[WARM:]:
        engine.make(cell)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(engine.made) >= 4 * CELLS
    assert len(gc.get_objects()) - objects < 200
    assert (after - before) / (
        CELLS - WARM
    ) < 2500  # bytes a cell: keys in lists, what caches of fixed size hold


def test_a_job_leaves_no_network_and_no_images_alive_but_the_data_that_are_kept(project: Any) -> None:
    """Nor what it read: all of a job is gone when the next begins."""
    import torch

    engine = project.engine(project.suite(["snip"]))
    seen: list[weakref.ref[Any]] = []

    def watched(job: Any, context: Any) -> None:
        build = context.network

        def network(*args: Any) -> Any:
            module = build(*args)
            seen.extend(weakref.ref(one) for one in (module, *module.parameters()))
            return module

        context.network = network
        try:
            run_job(job, context)
        finally:
            del context.network

    engine.run = watched
    for cell in engine.plan.cells:
        engine.make(cell)
    gc.collect()
    assert len(seen) > 10
    assert not [one for one in seen if one() is not None]
    assert len(engine.context._data) <= 2
    assert torch.is_grad_enabled()
