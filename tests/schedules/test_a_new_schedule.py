"""A schedule is one class in one list: this one only these tests know, through the file of a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import orjson
import pytest
from pydantic import Field
from torch import nn

import prunebench
from prunebench import schedules
from prunebench.canonical import canonical
from prunebench.errors import SuiteError, UsageError
from prunebench.plan import Plan
from prunebench.schedules import Planning, Schedule

PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10
KEPT = round(0.1 * PRUNABLE)


@dataclass(frozen=True)
class Line:
    """As many weights go after each of the first `last` steps."""

    kind: ClassVar[str] = "line"

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

    spelling = "{straight = n}"
    prunes_in_training = True
    shrinking = Line

    straight: Annotated[int, Field(ge=1)]

    def lacks(self, changed: Literal["mask", "scored network"]) -> str | None:
        return "a straight line ends in one"

    def plan(self, planning: Planning) -> tuple[str, str]:
        return planning.trained_while(Line(self.straight, planning.prunable, planning.target))


@dataclass(frozen=True)
class Off(Line):
    """A line that goes on beyond its run, or ends one weight short, or takes a name of the run's key."""

    kind: ClassVar[str] = "off"

    def kept_at(self, step: int) -> int:
        return Line.kept_at(self, step) + (self.last == 4)

    def plain(self) -> dict[str, Any]:
        return {**super().plain(), **({"keep": 1} if self.last == 5 else {})}


class Wrong(Straight):
    """As `Straight`, of what does not go."""

    spelling = "{wrong = n}"
    shrinking = Off

    straight: Annotated[int, Field(ge=1, alias="wrong")]

    def plan(self, planning: Planning) -> tuple[str, str]:
        return planning.trained_while(Off(self.straight, planning.prunable, planning.target))


class EveryOther(Straight):
    """As `Straight`; a suite spells its key as no name in Python can be."""

    spelling = "{every-other = n}"

    straight: Annotated[int, Field(ge=1, alias="every-other")]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "SCHEDULES", [*schedules.SCHEDULES, EveryOther, Wrong, Straight])


def suite(project: Any, value: Any, **options: Any) -> Any:
    method = {"method": "magnitude", "as": "straight", "schedule": {"straight": value}}
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
    again = Plan.thaw(orjson.loads(orjson.dumps(engine.plan.frozen())))
    assert [canonical(job.params.plain()) for job in again.jobs.values()] == [
        canonical(job.params.plain()) for job in engine.plan.jobs.values()
    ]


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        (0, {}, r"found \{straight = 0\}; allowed: 'one-shot', .* or \{straight = n\}"),
        (
            3,
            {"ablations": ["shuffle"]},
            "'shuffle' alters a mask before training, and a straight line ends in",
        ),
        ({"n": 3}, {}, r"allowed: 'one-shot', .* or \{straight = n\}"),
    ],
)
def test_what_does_not_go_is_told(project: Any, value: Any, options: Any, said: str) -> None:
    """A spelling that is none names it among the others, an ablation that it has no mask for is refused."""
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
        (4, {}, rf"schedule = \{{wrong = n\}} leaves {KEPT + 1} weights; {KEPT} are to stay"),
        (5, {}, r"schedule 'off': a run's key holds \['keep'\] of the method already"),
    ],
)
def test_a_run_that_cannot_be_pruned_so_is_refused_when_planned(
    project: Any, value: int, more: dict[str, Any], said: str
) -> None:
    """Beyond the run, before it, at another count than the target, or under a name that is taken."""
    method = {"method": "magnitude", "as": "wrong", "schedule": {"wrong": value}, **more}
    with pytest.raises(SuiteError, match=said):
        project.session(project.suite([method], sparsities=[0.9], epochs=2))


def test_prune_refuses_it() -> None:
    """It prunes while the network trains."""
    form = prunebench.Form.model_validate({"scorer": "magnitude", "schedule": {"straight": 2}})
    assert form.model_dump(mode="json")["schedule"] == {"straight": 2}
    with pytest.raises(UsageError, match="prunes while the network trains"):
        prunebench.prune(nn.Linear(3, 2), form, density=0.5)


def test_its_key_may_be_no_name_in_python(project: Any) -> None:
    """The key that a suite writes is the field's alias; it is written back so."""
    method = {"method": "magnitude", "as": "stairs", "schedule": {"every-other": 3}}
    session = project.session(project.suite([method], sparsities=[0.9], epochs=2))
    record = session.plan.jobs[session.plan.cells[-1].key].params
    assert record.cell.form["schedule"] == {"every-other": 3}
