"""A schedule is one class in one list: this one only these tests know, through the file of a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, ClassVar

import orjson
import pytest
from pydantic import Field
from torch import nn

import prunebench
from prunebench import schedules
from prunebench.canonical import canonical
from prunebench.errors import SuiteError, UsageError
from prunebench.plan.frozen import frozen, thawed
from prunebench.schedules import Planning, Schedule

PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10
KEPT = round(0.1 * PRUNABLE)


@dataclass(frozen=True)
class Line:
    """As many weights go after each of the first `last` steps."""

    kind: ClassVar[str] = "tests-line"

    last: int
    prunable: int
    kept: int

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(range(1, self.last + 1))

    def kept_at(self, step: int) -> int:
        return self.prunable - round((self.prunable - self.kept) * min(step, self.last) / self.last)

    def plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "last": self.last, "line": [self.prunable, self.kept]}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Line:
        return cls(value["last"], *value["line"])


class Straight(Schedule):
    """Pruned in a straight line over its first steps."""

    spelling = "{tests-line = n}"
    shrinking = Line

    straight: Annotated[int, Field(ge=1, alias="tests-line")]

    def plan(self, planning: Planning) -> tuple[str, str]:
        return planning.trained_while(Line(self.straight, planning.prunable, planning.target))


@dataclass(frozen=True)
class Off(Line):
    """A line that goes on beyond its run, or ends one weight short, or takes a name of the run's key."""

    kind: ClassVar[str] = "tests-off"

    def kept_at(self, step: int) -> int:
        return Line.kept_at(self, step) + (self.last == 4)

    def plain(self) -> dict[str, Any]:
        return {**super().plain(), **({"keep": 1} if self.last == 5 else {})}


class Wrong(Straight):
    """As `Straight`, of what does not go."""

    spelling = "{tests-wrong = n}"
    shrinking = Off

    straight: Annotated[int, Field(ge=1, alias="tests-wrong")]

    def plan(self, planning: Planning) -> tuple[str, str]:
        return planning.trained_while(Off(self.straight, planning.prunable, planning.target))


class EveryOther(Straight):
    """As `Straight`; a suite spells its key as no name in Python can be."""

    spelling = "{tests-every-other = n}"

    straight: Annotated[int, Field(ge=1, alias="tests-every-other")]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "SCHEDULES", [*schedules.SCHEDULES, EveryOther, Wrong, Straight])


def suite(project: Any, value: Any, **options: Any) -> Any:
    method = {"method": "magnitude", "as": "straight", "schedule": {"tests-line": value}}
    return project.suite([method], sparsities=[0.9], epochs=2, **options)


def test_it_runs_to_a_record_and_its_course_is_measured(project: Any) -> None:
    """Its mask shrinks as it says; the area under its curve counts the weights that are there, step by step."""
    engine = project.run(suite(project, 4, measures=["weights-remaining"]))
    cell = engine.plan.cells[-1]
    record, (end, mask) = engine.store.read_record(cell.key), engine.plan.jobs[cell.key].inputs
    assert record.result["mask"]["kept"] == KEPT
    history = engine.store.read_artifact(mask).meta["history"]
    line = Line(4, PRUNABLE, KEPT)
    assert [(c["step"], sum(c["kept"].values())) for c in history] == [
        (k, line.kept_at(k)) for k in line.steps
    ]
    area = engine.store.read_measure(cell.targets[1]).result["value"]["area"]
    steps = engine.plan.jobs[end].params.step
    assert area == pytest.approx(sum(line.kept_at(k) / PRUNABLE for k in range(steps)))
    again = thawed(orjson.loads(orjson.dumps(frozen(engine.plan))))
    assert [canonical(job.params.plain()) for job in again.jobs.values()] == [
        canonical(job.params.plain()) for job in engine.plan.jobs.values()
    ]


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        (0, {}, r"\.schedule\.tests-line: found 0; allowed: a whole number of at least 1"),
        (
            3,
            {"ablations": ["shuffle"]},
            "'shuffle' alters a mask before training, and tests-line pruning makes its mask in it",
        ),
        ({"n": 3}, {}, r"\.tests-line: found \{n = 3\}; allowed: a whole number of at least 1"),
        ("often", {}, r"\.tests-line: found 'often'; allowed: a whole number of at least 1"),
    ],
)
def test_what_does_not_go_is_told(project: Any, value: Any, options: Any, said: str) -> None:
    """A value that is none is told with what is allowed, an ablation that it has no mask for is refused."""
    with pytest.raises(SuiteError, match=said):
        project.session(suite(project, value, **options))


@pytest.mark.parametrize(
    ("value", "more", "said"),
    [
        (900, {}, r"removes weights from step 1 to step 900, but the run goes from step 0 to step \d+ \("),
        (
            9,
            {"clock": {"step": 3}},
            r"removes weights from step 1 to step 9, but the run goes from step 3 to",
        ),
        (4, {}, rf"schedule = \{{tests-wrong = n\}} leaves {KEPT + 1} weights; {KEPT} are to stay"),
        (5, {}, r"schedule 'tests-off': a run's key holds \['keep'\] of the method already"),
    ],
)
def test_a_run_that_cannot_be_pruned_so_is_refused_when_planned(
    project: Any, value: int, more: dict[str, Any], said: str
) -> None:
    """Beyond the run, before it, at another count than the target, or under a name that is taken."""
    method = {"method": "magnitude", "as": "wrong", "schedule": {"tests-wrong": value}, **more}
    with pytest.raises(SuiteError, match=said):
        project.session(project.suite([method], sparsities=[0.9], epochs=2))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"alter": ["shuffle"]},
            "schedule = {tests-line = …} has no mask before it trains: shuffle alters one",
        ),
        (
            {"allocation": {"like": "magnitude"}},
            "schedule = {tests-line = …} takes allocation 'global', 'uniform' or 'erk'",
        ),
        (
            {"regrowth": {"scorer": "random"}},
            "schedule = {tests-line = …} has no rounds between which weights could return: no regrowth",
        ),
    ],
)
def test_what_needs_a_mask_before_training_is_refused_whatever_the_schedule(
    project: Any, more: dict[str, Any], said: str
) -> None:
    """Its class says nothing of it: no schedule that prunes while training can forget to."""
    method = {"method": "magnitude", "as": "straight", "schedule": {"tests-line": 3}, **more}
    with pytest.raises(SuiteError) as caught:
        project.session(project.suite([method], sparsities=[0.9], epochs=2))
    assert f"matrix[0].methods[0]: {said}" in str(caught.value)


def test_a_schedule_that_does_not_say_what_its_keys_hold_is_refused(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `shrinking` it would count as one with a mask before it trains."""
    monkeypatch.setattr(Straight, "shrinking", None)
    with pytest.raises(SuiteError, match="its class must say shrinking = Line"):
        project.session(suite(project, 4))


def test_a_new_version_moves_the_keys_of_what_it_prunes_and_no_others(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run, its mask and its record are others; the plan is read back; the unpruned network stays."""
    before = project.session(suite(project, 4)).plan
    monkeypatch.setattr(Straight, "version", "2")
    after = project.session(suite(project, 4)).plan
    (dense, pruned), (same, other) = before.cells, after.cells
    assert dense.key == same.key
    assert pruned.key != other.key
    assert not {*before.jobs[pruned.key].inputs} & {*after.jobs[other.key].inputs}
    policies = [job.params.run.policy for job in after.jobs.values() if job.kind == "train"]
    assert [one.plain()["schedule_version"] for one in policies if one is not None] == ["2"]
    again = thawed(orjson.loads(orjson.dumps(frozen(after))))
    assert [job.params.plain() for job in again.jobs.values()] == [
        job.params.plain() for job in after.jobs.values()
    ]


def test_two_schedules_of_one_key_are_refused_with_their_modules() -> None:
    """A suite could mean either of them; so could a run's key where they shrink under one name."""
    first, second, third = (ModuleType(f"schedules.{name}") for name in ("first", "second", "third"))
    first.Straight = type("Straight", (Straight,), {"__module__": first.__name__})  # type: ignore[attr-defined]
    second.Same = type("Same", (Straight,), {"__module__": second.__name__})  # type: ignore[attr-defined]
    third.Other = type("Other", (EveryOther,), {"__module__": third.__name__})  # type: ignore[attr-defined]
    key = "'tests-line': Straight in schedules.first and Same in schedules.second"
    with pytest.raises(ValueError, match=f"two schedules have the key {key}"):
        schedules.collected([first, second])
    with pytest.raises(ValueError, match=r"the kind 'tests-line': Straight in .*first and Other in .*third"):
        schedules.collected([first, third])


def test_prune_refuses_it() -> None:
    """It prunes while the network trains."""
    form = prunebench.Form.model_validate({"scorer": "magnitude", "schedule": {"tests-line": 2}})
    assert form.model_dump(mode="json", by_alias=True)["schedule"] == {"tests-line": 2}
    with pytest.raises(UsageError, match="prunes while the network trains"):
        prunebench.prune(nn.Linear(3, 2), form, density=0.5)


def test_its_key_may_be_no_name_in_python(project: Any) -> None:
    """The key that a suite writes is the field's alias; it is written back so."""
    method = {"method": "magnitude", "as": "stairs", "schedule": {"tests-every-other": 3}}
    session = project.session(project.suite([method], sparsities=[0.9], epochs=2))
    record = session.plan.jobs[session.plan.cells[-1].key].params
    assert record.cell.form["schedule"] == {"tests-every-other": 3}
