"""A second look at a store: what has come since, what was read before, what is left out."""

from __future__ import annotations

from typing import Any

from prunebench.inventory.snapshot import Snapshot


def test_a_look_is_outdated_once_a_result_has_come_and_a_second_one_reads_only_that(
    project: Any, monkeypatch: Any
) -> None:
    """Records that were read are kept; the new one is found."""
    engine = project.engine(project.suite(["random"], seeds=2))
    first, *_, last = [cell for cell in engine.plan.cells if cell.density == "0.5"]
    engine.make(first)
    look = Snapshot(engine.plan, engine.store)
    assert look.done(first)
    assert not look.outdated()
    engine.make(last)
    assert look.outdated()
    read: list[str] = []
    real = engine.store.read_record
    monkeypatch.setattr(engine.store, "read_record", lambda key, *fits: read.append(key) or real(key, *fits))
    again = Snapshot(engine.plan, engine.store, before=look)
    assert again.done(first)
    assert again.done(last)
    assert read == [last.key]
    assert not again.outdated()


def test_what_is_left_out_counts_as_missing(project: Any) -> None:
    """Its record and its mask, and nothing else's."""
    engine = project.run(project.suite(["random"], seeds=1))
    dense, cell = engine.plan.cells
    mask = engine.plan.jobs[cell.key].inputs[1]
    look = Snapshot(engine.plan, engine.store, without=[cell.key, mask])
    assert look.done(dense)
    assert look.status(cell) == "missing"
    assert not look.have(mask)
    assert Snapshot(engine.plan, engine.store).have(mask)
