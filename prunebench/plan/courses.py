"""What a cell's network goes through, read off its jobs: for measures of the course."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prunebench.plan.builder import FORWARD_AND_BACKWARD, Builder
from prunebench.plan.job import Job
from prunebench.plan.params import FromState, Run, ScoreParams, TrainParams
from prunebench.plan.scoring import passes_of, scoring_examples
from prunebench.plan.setting import Setting
from prunebench.training.course import Phase

__all__ = ["course_of"]


def course_of(builder: Builder, setting: Setting, end: str, mask: str | None) -> dict[str, Any]:
    """Return the phases of a cell, in order, as plain values: trainings and scorings, each run once.

    A run that is left at several steps (to be scored, to be rewound to) counts as far as it is trained.
    """
    runs: dict[str, Phase] = {}
    for job in _in_order(builder, end, mask):
        params = job.params
        if isinstance(params, TrainParams):
            _trained(builder, setting, params, runs, evaluated=job.key == end)
        else:
            there = _weights_there(builder, job.inputs[0], setting.network.prunable)
            for name, (scoring, kept) in params.scorings(there).items():
                runs[f"{job.key}{name}"] = _scored(builder, setting, scoring, kept)
    phases = tuple(runs.values())
    # one object for cells that differ in their seeds alone: a frozen plan writes it once
    return builder.once("phases", (), phases, lambda: {"phases": [phase.plain() for phase in phases]})


def _in_order(builder: Builder, end: str, mask: str | None) -> list[Job]:
    """Return the jobs that a cell descends from, inputs before what reads them."""
    order: list[Job] = []
    seen: set[str] = set()

    def visit(key: str) -> None:
        if key not in seen:
            seen.add(key)
            for needed in builder.jobs[key].inputs:
                visit(needed)
            order.append(builder.jobs[key])

    for key in (mask, end):
        if key is not None:
            visit(key)
    return order


def _trained(
    builder: Builder, setting: Setting, params: TrainParams, runs: dict[str, Phase], *, evaluated: bool
) -> None:
    run, key, stop = params.run, params.run_key, params.step
    start = run.start
    known = runs.get(key)
    stop = max(stop, known.start + known.steps if known else 0)
    if stop > start:
        runs[key] = Phase(
            "train",
            examples=run.recipe.examples_between(start, stop, setting.data.examples),
            passes=float(FORWARD_AND_BACKWARD),
            start=start,
            steps=stop - start,
            weights="history" if run.policy else "mask" if run.mask else "dense",
            evaluated=evaluated or bool(known and known.evaluated),
            before=_steps_before(builder, run),
        )
        if run.policy:
            runs[f"{key} scores"] = _scored(builder, setting, run.policy.scoring, run.policy.weights_there)


def _steps_before(builder: Builder, run: Run) -> int:
    """Return how many steps of other runs the weights had seen that a run starts from."""
    if not isinstance(run.origin, FromState):
        return 0
    state = builder.jobs[run.origin.state].params_as(TrainParams)
    return state.step - state.run.start + _steps_before(builder, state.run)


def _weights_there(builder: Builder, key: str, prunable: int) -> int:
    """Return how many weights are there in a state, or under a mask, as planned."""
    job = builder.jobs[key]
    if not isinstance(job.params, TrainParams):
        kept = job.params.most_kept
        return _weights_there(builder, job.inputs[0], prunable) if kept is None else kept
    run = job.params.run
    if run.policy is not None:
        return run.policy.shrinking.kept_at(job.params.step)
    return prunable if run.mask is None else _weights_there(builder, run.mask, prunable)


def _scored(builder: Builder, setting: Setting, scoring: ScoreParams, kept: tuple[int, ...]) -> Phase:
    one = Phase(
        "score",
        examples=scoring_examples(scoring.batch, setting),
        passes=passes_of(builder, scoring.scorer.name, scoring.scorer.parameters),
    )
    return replace(one, rounds=len(kept), kept=kept)
