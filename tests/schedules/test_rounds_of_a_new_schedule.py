"""A schedule that makes its mask before training is one class in one list too: planned, run, measured, pruned."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import orjson
import pytest
from pydantic import Field
from torch import nn

import prunebench
from prunebench import schedules
from prunebench.canonical import canonical
from prunebench.errors import SuiteError, UsageError
from prunebench.jobs.states import mask_from
from prunebench.plan.frozen import frozen, thawed
from prunebench.plan.params import FromState, MaskInRounds, TrainParams
from prunebench.schedules import Planning, Removal, Schedule
from prunebench.training.images.data import scoring_batch

PRUNABLE = 64 * 64 + 64 * 32 + 32 * 10
KEPT = round(0.1 * PRUNABLE)


class LinearRounds(Schedule):
    """As many weights go in each of n rounds."""

    spelling = "{tests-linear-rounds = n}"

    linear: Annotated[int, Field(ge=1, alias="tests-linear-rounds")]

    def counts(self, removal: Removal) -> list[int]:
        there, n = removal.there, self.linear
        return [there - round((there - removal.target) * k / n) for k in range(1, n + 1)]


class Rising(Schedule):
    """Its last round keeps one weight more than is wanted."""

    spelling = "{tests-rising = n}"

    rising: Annotated[int, Field(alias="tests-rising")]

    def counts(self, removal: Removal) -> list[int]:
        return [removal.target] * self.rising + [removal.target + 1]


class TwoLevels(Schedule):
    """Trained with a mask of twice the target; then the state that came of it is scored."""

    spelling = "{tests-two-levels = n}"

    two: Annotated[int, Field(alias="tests-two-levels")]

    def plan(self, planning: Planning) -> tuple[str, str]:
        first, _ = planning.trained(planning.mask_of_scores(target=2 * planning.target))
        return planning.trained(planning.mask_of_scores(state=first))


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "SCHEDULES", [*schedules.SCHEDULES, LinearRounds, Rising, TwoLevels])


def suite(project: Any, schedule: dict[str, Any], method: str = "snip", **options: Any) -> Any:
    row = {"method": method, "as": "new", "schedule": schedule}
    return project.suite([row], sparsities=[0.9], **options)


def test_its_cell_runs_and_prune_makes_the_same_mask(project: Any) -> None:
    """Its course has its counts, it costs as many scorings as it has rounds, and a plan is read back as it was."""
    engine = project.run(suite(project, {"tests-linear-rounds": 5}, measures=["weights-remaining"]))
    cell, jobs = engine.plan.cells[-1], engine.plan.jobs
    counts = [PRUNABLE - round((PRUNABLE - KEPT) * k / 5) for k in range(1, 6)]
    key = jobs[cell.key].inputs[1]
    params = jobs[key].params_as(MaskInRounds)
    assert params.counts_from(PRUNABLE) == tuple(counts)
    assert {"rounds", "density"}.isdisjoint(params.plain())
    assert engine.store.read_record(cell.key).result["mask"]["kept"] == KEPT == counts[-1]
    (phase,) = [one for one in jobs[cell.targets[1]].params.course["phases"] if one["kind"] == "score"]
    assert (phase["rounds"], phase["kept"]) == (5, [PRUNABLE, *counts[:-1]])
    assert engine.plan.costs[key] == phase["passes"] * phase["examples"] * PRUNABLE * 5
    again = thawed(orjson.loads(orjson.dumps(frozen(engine.plan))))
    assert [canonical(job.params.plain()) for job in again.jobs.values()] == [
        canonical(job.params.plain()) for job in jobs.values()
    ]

    context = engine.context
    run = jobs[jobs[key].inputs[0]].params_as(TrainParams).run
    assert not isinstance(run.origin, FromState)
    network, data = (
        context.network(run.architecture, run.origin.init, run.seed),
        context.data(run.data, "cpu", run.seed),
    )
    form = prunebench.Form.model_validate({"scorer": "snip", "schedule": {"tests-linear-rounds": 5}})
    batch = scoring_batch(data, cell.seed, per_class=10)
    pruned = prunebench.prune(network, form, density=cell.density, batch=batch, seed=cell.seed)
    assert pruned == mask_from(engine.store.read_artifact(key))
    within = prunebench.prune(network, form, density=0.05, batch=batch, seed=cell.seed, mask=pruned)
    assert within.kept == round(0.05 * PRUNABLE)
    assert not any((within[name] & ~pruned[name]).any() for name in within)
    ratios = prunebench.prune(
        network, form.changed(schedule={"rounds": 5}), density=cell.density, batch=batch, seed=cell.seed
    )
    assert ratios != pruned


@pytest.mark.parametrize(
    ("schedule", "row"),
    [
        (schedules.Rounds, {"rounds": 3}),
        (LinearRounds, {"tests-linear-rounds": 3}),
        (TwoLevels, {"tests-two-levels": 2}),
    ],
)
def test_a_new_version_moves_the_keys_of_its_masks(
    project: Any, monkeypatch: pytest.MonkeyPatch, schedule: type[Schedule], row: dict[str, Any]
) -> None:
    """Whether a mask's key holds counts, a number of rounds, or one scoring's target."""
    before = project.session(suite(project, row)).plan
    monkeypatch.setattr(schedule, "version", "2")
    after = project.session(suite(project, row)).plan
    old, new = (
        [
            (job.key, job.params.plain().get("schedule_version"))
            for job in plan.jobs.values()
            if job.kind == "mask"
        ]
        for plan in (before, after)
    )
    assert {version for _, version in old} == {None}
    assert {version for _, version in new} == {"2"}
    assert not {key for key, _ in old} & {key for key, _ in new}


def test_counts_that_end_elsewhere_are_refused(project: Any) -> None:
    """Whoever plans it and whoever prunes with it is told what it keeps, and what it should."""
    said = r"schedule = \{tests-rising = n\} keeps \[646, 646, 647\] weights; its counts must fall from 6464 to 646"
    with pytest.raises(SuiteError, match=said):
        project.session(suite(project, {"tests-rising": 2}))
    form = prunebench.Form.model_validate({"scorer": "magnitude", "schedule": {"tests-rising": 1}})
    with pytest.raises(UsageError, match=r"keeps \[3, 4\] weights; its counts must fall from 6 to 3"):
        prunebench.prune(nn.Linear(3, 2), form, density=0.5)


def test_a_state_that_was_trained_with_a_mask_can_be_scored(project: Any) -> None:
    """The second mask lies within the first; its scoring counts the weights that the first has left."""
    engine = project.run(suite(project, {"tests-two-levels": 2}, "magnitude", measures=["weights-remaining"]))
    cell, jobs = engine.plan.cells[-1], engine.plan.jobs
    key = jobs[cell.key].inputs[1]
    first = jobs[jobs[jobs[key].inputs[0]].inputs[0]].params_as(TrainParams).run.mask
    outer, inner = (mask_from(engine.store.read_artifact(one)) for one in (first, key))
    assert (outer.kept, inner.kept) == (2 * KEPT, KEPT)
    assert not any((inner[name] & ~outer[name]).any() for name in inner)
    phases = jobs[cell.targets[1]].params.course["phases"]
    scorings = [one["kept"] for one in phases if one["kind"] == "score"]
    assert scorings == [[PRUNABLE], [2 * KEPT]]


@pytest.mark.parametrize("there", [100, 60])
def test_rounds_fall_in_equal_ratios_from_what_is_there(there: int) -> None:
    """Each count is the one before, times the same ratio, to the nearest."""
    counts = schedules.Rounds(rounds=4).counts(Removal(100, there, 10, 0.1))
    ratio = (10 / there) ** (1 / 4)
    for before, after in pairwise((there, *counts)):
        assert after == pytest.approx(before * ratio, abs=1)
    assert counts[-1] == 10
