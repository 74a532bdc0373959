"""What a cell's network goes through, read off its jobs: for measures of the course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from prunebench.plan.builder import FORWARD_AND_BACKWARD, Builder
from prunebench.plan.job import Job
from prunebench.plan.masks import passes_of, regrowth_rounds, scoring_examples
from prunebench.plan.setting import Setting
from prunebench.training.course import Phase
from prunebench.training.cubic import Cubic
from prunebench.training.recipe import Recipe

__all__ = ["course_of"]


def course_of(builder: Builder, setting: Setting, end: str, mask: str | None) -> dict[str, Any]:
    """Return the phases of a cell, in order, as plain values: trainings and scorings, each run once.

    A run that is left at several steps (to be scored, to be rewound to) counts as far as it is trained.
    """
    from prunebench.pruning.allocation import round_counts

    found: dict[str, Phase] = {}
    for job in _in_order(builder, end, mask):
        if job.kind == "train":
            _trained(builder, setting, job, found, evaluated=job.key == end)
        elif job.kind == "score":
            found[job.key] = _scored(builder, setting, job.params, (setting.network.prunable,))
        elif job.kind == "mask" and "rounds" in job.params:
            prunable = setting.network.prunable
            density, rounds = job.params["density"], job.params["rounds"]
            counts = builder.once(
                "rounds", (), (density, prunable, rounds), partial(round_counts, density, prunable, rounds)
            )
            there = (prunable, *counts[:-1])
            found[job.key] = _scored(builder, setting, job.params["scoring"], there)
            if "regrowth" in job.params:
                _regrown(builder, setting, job, found, there)
    phases = tuple(found.values())
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
    builder: Builder, setting: Setting, job: Job, found: dict[str, Phase], *, evaluated: bool
) -> None:
    run, key, stop = job.params["run"], job.params["run_key"], job.params["step"]
    start = run["start"]
    recipe = builder.once("recipe of", (run["recipe"],), (), lambda: Recipe.model_validate(run["recipe"]))
    known = found.get(key)
    stop = max(stop, known.start + known.steps if known else 0)
    if stop > start:
        policy = run.get("policy")
        found[key] = Phase(
            "train",
            examples=recipe.examples_between(start, stop, setting.data.examples),
            passes=float(FORWARD_AND_BACKWARD),
            start=start,
            steps=stop - start,
            weights="history" if policy else "mask" if "mask" in run else "dense",
            evaluated=evaluated or bool(known and known.evaluated),
            before=_steps_before(builder, job),
        )
        if policy:
            found[f"{key} scores"] = _policy_scored(builder, setting, policy)


def _steps_before(builder: Builder, job: Job) -> int:
    """Return how many steps of other runs the weights had seen that a run starts from."""
    origin = job.params["run"]["origin"].get("state")
    if origin is None:
        return 0
    state = builder.jobs[origin]
    own: int = state.params["step"] - state.params["run"]["start"]
    return own + _steps_before(builder, state)


def _policy_scored(builder: Builder, setting: Setting, policy: Mapping[str, Any]) -> Phase:
    schedule = Cubic.of(policy)
    before = (schedule.prunable, *map(schedule.kept_at, schedule.steps[:-1]))
    return _scored(builder, setting, policy["scoring"], before)


def _regrown(
    builder: Builder, setting: Setting, job: Job, found: dict[str, Phase], there: tuple[int, ...]
) -> None:
    """Add the scorings of removed weights, where another scorer makes them."""
    scoring, regrowth = job.params["scoring"], job.params["regrowth"]
    rounds = regrowth_rounds(scoring["scorer"], regrowth["scorer"], regrowth["every"], job.params["rounds"])
    if rounds:
        kept = tuple(there[k - 1] for k in rounds)
        other = {**scoring, "scorer": regrowth["scorer"]}
        found[f"{job.key} regrowth"] = _scored(builder, setting, other, kept)


def _scored(builder: Builder, setting: Setting, scoring: Mapping[str, Any], kept: tuple[int, ...]) -> Phase:
    one = Phase(
        "score",
        examples=scoring_examples(scoring.get("batch"), setting),
        passes=passes_of(builder, scoring["scorer"]["name"], scoring["scorer"]["parameters"]),
    )
    return replace(one, rounds=len(kept), kept=kept)
