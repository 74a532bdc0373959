"""`plan --freeze`: the plan in the store, for workers that are started before or without a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_a_frozen_plan_is_what_work_takes(place: Any) -> None:
    """It is written where it says, nothing is run, and a worker makes its cells."""
    told = place.json("plan", place.suite, "--freeze", *place.plugin)
    path = Path(told["frozen_at"])
    assert path.parent == place.store / "plans"
    assert told["counts"] == {"cells": 8, "missing": 8}
    assert sorted(entry.name for entry in place.store.iterdir()) == ["plans", "store.json"]
    result = place.call("work", str(path), "-k", "random and s0")
    assert "1 cell made here" in result.output
    again = place.call("plan", place.suite, "--freeze", *place.plugin)
    assert f"written: {path}" in again.output


def test_without_it_nothing_is_written(place: Any) -> None:
    assert place.json("plan", place.suite, *place.plugin)["frozen_at"] is None
    assert not place.store.exists()
