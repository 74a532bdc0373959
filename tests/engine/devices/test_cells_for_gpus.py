"""Cells whose scorers work on a GPU, on a machine that has none."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.engine import session as sessions
from prunebench.engine.devices.gpus import Gpu
from prunebench.engine.devices.slots import Workforce
from prunebench.engine.session import slots_of
from prunebench.errors import DataError

ON_GPU = [{"method": "snip", "as": "snip-on-gpu", "scorer": {"device": "cuda"}}]


@pytest.fixture
def mixed(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session of one method on the CPU and one on a GPU, where there is no GPU."""
    monkeypatch.setattr(sessions, "gpus_here", list)
    return project.session(project.suite(["magnitude", *ON_GPU]))


def test_they_are_left_to_machines_that_have_one(mixed: Any, project: Any):
    """The others are made here; of these it is said what they want."""
    mixed.ready()
    worker = mixed.worker(project.store(), selected=mixed.plan.cells)
    worker.help()
    done = [cell.labels["method"] for cell in mixed.plan.cells if worker.store.has_record(cell.key)]
    assert done == ["none", "magnitude"]
    with pytest.raises(DataError, match=r'scores on a GPU \(device = "cuda" of snip\), and torch sees none'):
        worker.make(mixed.plan.cells[-1])
    assert not worker.store.attempt_keys()


def test_alone_they_are_refused_before_anything_starts(mixed: Any):
    """As where no data are there."""
    with pytest.raises(DataError, match="or select others"):
        mixed.ready(mixed.plan.cells[-1:])


def test_where_there_is_a_gpu_nothing_is_left_out(mixed: Any, monkeypatch: pytest.MonkeyPatch):
    """Nor on a machine that only starts workers elsewhere."""
    mixed.ready(here=False)
    assert not mixed.plan.unable
    monkeypatch.setattr(sessions, "gpus_here", lambda: [Gpu("0")])
    mixed.ready()
    assert not mixed.plan.unable
    assert mixed.scorers_on_gpu() == ["snip"]


def test_workers_on_the_cpu_are_spread_over_the_gpus_that_they_score_on(
    mixed: Any, monkeypatch: pytest.MonkeyPatch
):
    """Only where a cell scores there, and there are some."""
    cells = mixed.plan.cells
    assert slots_of(mixed, Workforce(3), cells) == ()
    monkeypatch.setattr(sessions, "gpus_here", lambda: [Gpu("0"), Gpu("1")])
    assert [slot.gpus for slot in slots_of(mixed, Workforce(3), cells)] == [("0",), ("1",), ("0",)]
    assert slots_of(mixed, Workforce(3), cells[:2]) == ()
