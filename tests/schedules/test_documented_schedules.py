"""The schedules of docs/schedules.md work as they stand there: as modules, in suites, with `prune`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from torch import nn

import prunebench
from prunebench import schedules
from prunebench.plan.params import MaskInRounds
from prunebench.schedules import Schedule

DOCS = Path(__file__).parents[2] / "docs" / "schedules.md"

pytestmark = pytest.mark.skipif(not DOCS.is_file(), reason="docs/ is not there")

KEYS = {"linear-rounds", "straight"}
PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10


@pytest.fixture(autouse=True)
def documented(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Schedule]]:
    """The page's modules, in the list of schedules in place of any that have their keys."""
    modules = []
    for number, text in enumerate(re.findall(r"^```python\n(.*?)^```", DOCS.read_text("utf-8"), re.M | re.S)):
        module = ModuleType(f"documented_schedule_{number}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(text, f"{DOCS.name}, example {number}", "exec"), module.__dict__)
        modules.append(module)
    own = schedules.collected(modules)
    others = [one for one in schedules.SCHEDULES if one.key() not in KEYS]
    monkeypatch.setattr(schedules, "SCHEDULES", [*others, *own])
    return {one.key(): one for one in own}


def test_the_page_has_one_schedule_of_each_kind(documented: dict[str, type[Schedule]]) -> None:
    """One prunes before training, one while."""
    assert documented.keys() == KEYS
    assert [one.shrinking is None for one in documented.values()] == [True, False]


@pytest.mark.parametrize(("key", "counts"), [("linear-rounds", 5), ("straight", 4)])
def test_a_documented_schedule_runs_to_a_record(project: Any, key: str, counts: int) -> None:
    """Its mask has exactly the target, and as many weights went each time."""
    row = {"method": "magnitude", "as": "new", "schedule": {key: counts}}
    engine = project.run(project.suite([row], sparsities=[0.9], epochs=2))
    cell = engine.plan.cells[-1]
    kept = round(0.1 * PRUNABLE)
    assert engine.store.read_record(cell.key).result["mask"]["kept"] == kept
    mask = engine.plan.jobs[cell.key].inputs[1]
    asked = engine.plan.jobs[mask].params
    left: Any = asked.counts_from(PRUNABLE) if isinstance(asked, MaskInRounds) else None
    if left is None:
        left = [sum(one["kept"].values()) for one in engine.store.read_artifact(mask).meta["history"]]
    assert list(left) == [PRUNABLE - round((PRUNABLE - kept) * k / counts) for k in range(1, counts + 1)]


def test_prune_takes_the_one_with_rounds() -> None:
    """Four of eight weights stay, after two rounds, whether the others may return or not."""
    for more in ({}, {"regrowth": {"scorer": "magnitude"}}):
        row = {"scorer": "magnitude", "schedule": {"linear-rounds": 2}, **more}
        form = prunebench.Form.model_validate(row)
        assert prunebench.prune(nn.Linear(4, 2), form, density=0.5).kept == 4


def test_every_part_of_a_schedule_is_on_the_page() -> None:
    """Whatever a class may override, or a value of `shrinking` has, is named there."""
    text = DOCS.read_text("utf-8")
    parts = [name for name in vars(schedules.Schedule) if f"`{name}" in text]
    assert {"version", "regrows", "shrinking", "check", "points", "counts"} <= set(parts)
    assert {"lacks", "mask", "plan", "passed", "within", "trains_between"} <= set(parts)
    for name in ("kind", "steps", "kept_at", "plain", "of"):
        assert f"`{name}" in text
    for name in ("mask_of_scores", "mask_in_rounds", "trained", "trained_while", "between", "at", "once"):
        assert hasattr(schedules.Planning, name)
        assert f"`{name}" in text


def test_every_module_of_the_package_is_registered() -> None:
    """A file beside the others that nobody named would be a schedule that does not exist."""
    files = {path.stem for path in Path(schedules.__file__).parent.glob("*.py")} - {"__init__", "schedule"}
    assert files == set(schedules.MODULES)
