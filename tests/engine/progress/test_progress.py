"""The model of progress against runs whose every job takes a known time: counts, ends, images a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prunebench.engine.progress.pace import Pace
from prunebench.engine.progress.progress import Look, Progress, Running
from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.plan import Plan
from prunebench.plan.params import TrainParams
from tests.engine.progress.quick_runs import QuickRun, quick_runs
from tests.engine.progress.simulated_looks import Recorded, looks, seconds_of


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    nowhere = str(tmp_path_factory.mktemp("nowhere"))
    return Session.prepare(Request(suite="quick", store=nowhere, data=nowhere, third_party=False)).plan


def simulated(plan: Plan, seed: int, workers: int) -> tuple[Recorded, float]:
    seconds = seconds_of(plan, np.random.default_rng(seed))
    run = Recorded(plan, [cell.targets for cell in plan.cells], seconds, [1.0] * workers)
    return run, run.run()


def followed(plan: Plan, run: Recorded | QuickRun, moments: list[float], workers: int = 0) -> Any:
    """Yield the state at each of these seconds of a run, the first left out."""
    first, *others = looks(plan, run, moments)
    progress = Progress(plan, plan.cells, first, workers=workers)
    for look in others:
        progress.see(look)
        yield progress.state()


def trained_images(plan: Plan) -> int:
    """Return the images of all training: each run to its last state, once."""
    runs: dict[str, tuple[int, int]] = {}
    for job in plan.jobs.values():
        if isinstance(job.params, TrainParams):
            steps, batch = job.params.step - job.params.run.start, job.params.run.recipe.batch
            runs[job.params.run_key] = max(runs.get(job.params.run_key, (0, 0)), (steps, batch))
    return sum(steps * batch for steps, batch in runs.values())


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_at_half_time_of_the_quick_suite_the_end_is_known_to_a_fifth(quick: Plan, workers: int) -> None:
    """With nothing measured before: what is done takes other times on every machine (a factor of 2.2 either
    way), with another network a quarter more or less, and each job a fifth."""
    within = 0
    for seed in range(4):
        run, end = simulated(quick, seed, workers)
        *_, state = followed(quick, run, [end * share / 24 for share in range(1, 13)], workers)
        left = end / 2
        assert abs(state.ends.middle - left) < 0.2 * left, (seed, state.ends.middle / left)
        within += state.ends.low <= left <= state.ends.high
        assert state.ends.high < 1.9 * state.ends.low
        assert state.ends.measured
    assert within >= 3


@pytest.mark.parametrize("number", [0, 1])
def test_at_half_time_of_a_real_run_the_end_is_known_to_a_fifth(quick: Plan, number: int) -> None:
    """Alone, and with two workers, on a machine that others used as well."""
    run = quick_runs(quick)[number]
    *_, state = followed(quick, run, [run.end * share / 40 for share in range(1, 21)], run.workers)
    left = run.end / 2
    assert abs(state.ends.middle - left) < 0.2 * left, state.ends.middle / left
    assert state.ends.low <= left <= state.ends.high


def test_before_anything_was_measured_it_is_a_guess_and_afterwards_surer_and_surer(quick: Plan) -> None:
    run, end = simulated(quick, 0, 2)
    states = list(followed(quick, run, [0.0, end / 1000, 0.3 * end, 0.7 * end], 2))
    assert not states[0].ends.measured
    widths = [state.ends.high / state.ends.low for state in states]
    assert widths[0] > 3 > widths[1] > widths[2]


def test_what_earlier_runs_of_the_store_measured_counts_from_the_start(quick: Plan) -> None:
    """The same was run before, and its results are gone: the first look knows the end to a fifth."""
    earlier, end = simulated(quick, 3, 1)
    known = [time for look in looks(quick, earlier, [1e6]) for time in look.times]
    state = Progress(quick, quick.cells, Look(0.0, set(), times=known), workers=1).state()
    assert abs(state.ends.middle - end) < 0.2 * end
    assert state.ends.measured


def test_counts_add_up_and_never_fall_back(quick: Plan) -> None:
    """At every moment of a run: done rises from nothing to all, and with what is left makes up all cells."""
    run, end = simulated(quick, 1, 3)
    done = [0]
    for state in followed(quick, run, [end * share / 40 for share in range(42)]):
        assert state.done + state.left == state.cells == len(quick.cells)
        assert state.done >= done[-1]
        assert len(state.running) <= 3
        done.append(state.done)
    assert done[-1] == len(quick.cells)
    assert state.over
    assert state.ends.high == 0
    assert not state.jobs


def test_a_state_that_was_dropped_is_not_counted_as_left(quick: Plan) -> None:
    """A pruned network's end state is gone once its record is there."""
    keys = set(quick.jobs) - {key for key, job in quick.jobs.items() if job.kind in ("train", "score")}
    state = Progress(quick, quick.cells, Look(0.0, keys)).state()
    assert (state.done, state.jobs) == (len(quick.cells), 0)


def test_images_a_second_are_those_of_all_workers(quick: Plan) -> None:
    """What was trained in the last minute, by jobs that ended and by those that run, over its seconds."""
    key = next(k for k, job in quick.jobs.items() if isinstance(job.params, TrainParams))
    progress = Progress(quick, quick.cells, Look(0.0, set()))
    for moment, images in ((10.0, 1000), (20.0, 3000)):
        one = Running(key, "here", 1, moment, step=images // 100, to_step=10_000, images=images)
        progress.see(Look(moment, set(), [one]))
    assert progress.state().images == pytest.approx(150.0)  # 3,000 in 20 seconds
    run, end = simulated(quick, 2, 2)
    *_, state = followed(quick, run, [0.0, end + 1])
    assert state.images == pytest.approx(trained_images(quick) / (end + 1), rel=1e-6)


def test_a_long_job_is_judged_by_its_own_pace(quick: Plan) -> None:
    """After a tenth of its steps in 100 seconds it takes 900 more, whatever its sort was thought to take."""
    key = max(quick.jobs, key=lambda k: quick.costs[k] if quick.jobs[k].kind == "train" else 0)
    params = quick.jobs[key].params_as(TrainParams)
    steps, batch = params.step, params.run.recipe.batch
    one = Running(key, "here", 1, 100.0, step=steps // 10, to_step=steps, images=steps // 10 * batch)
    progress = Progress(quick, quick.cells, Look(0.0, set()))
    progress.see(Look(100.0, set(quick.jobs) - set(progress.plan.later) - {key}, [one]))
    expected = progress._remaining(one)
    assert expected == pytest.approx(900, rel=0.02)


@pytest.fixture
def small(project: Any) -> Plan:
    plan: Plan = project.session(project.suite(["snip", "magnitude"], sparsities=[0.5, 0.9])).plan
    return plan


def test_a_failed_job_fails_the_first_cell_that_needs_it_and_blocks_the_others(small: Plan) -> None:
    """Scores are shared by two sparsities: one failed, one blocked, and the rest can still be made."""
    scores = next(key for key, job in small.jobs.items() if job.kind == "score")
    progress = Progress(small, small.cells, Look(0.0, set()))
    news = progress.see(Look(1.0, set(), failed={scores: "no such luck"}))
    state = progress.state()
    assert (state.failed, state.blocked, state.left) == (1, 1, 3)
    ((cell, error, more),) = news.failed
    assert (error, more) == ("no such luck", 1)
    assert not progress.see(Look(2.0, set(), failed={scores: "no such luck"})).failed
    # another run made them after all
    progress.see(Look(3.0, set(small.jobs)))
    assert (progress.state().done, progress.state().failed, progress.state().blocked) == (5, 0, 0)
    assert cell in small.cells


def test_a_cell_that_is_reported_as_failed_is_failed_whatever_the_store_says(small: Plan) -> None:
    progress = Progress(small, small.cells, Look(0.0, set()))
    progress.report_failed(small.cells[0].id)
    assert (progress.state().failed, progress.state().left) == (1, 4)


def test_workers_of_other_runs_on_the_same_cells_count(small: Plan) -> None:
    """Two processes on two hosts share what is left; one on jobs of no cell of ours does not."""
    first, second, *_ = [key for key, job in small.jobs.items() if job.kind == "train"]
    running = [Running(first, "here", 1, 1.0), Running(second, "there", 1, 1.0), Running("x", "there", 2, 1)]
    progress = Progress(small, small.cells, Look(0.0, set()), workers=1)
    progress.see(Look(1.0, set(), running))
    state = progress.state()
    assert state.workers == 2
    assert [one.host for one in state.running] == ["here", "there"]


def test_pace_goes_from_the_general_to_the_particular_without_jumps() -> None:
    """A sort that was never seen is like those on the same device; the first job of it moves that half way."""
    pace = Pace()
    train, other = ("train", "mlp digits"), ("train", "convnet digits")
    assert pace.expected(train, "cpu").ratio == 1
    for _ in range(50):
        pace.learn(train, "cpu", 4.0, 2.0)
    assert pace.expected(train, "cpu").ratio == pytest.approx(2, rel=0.02)
    assert pace.expected(other, "cpu").ratio == pytest.approx(2, rel=0.1)
    assert pace.expected(other, "cpu").doubt > pace.expected(train, "cpu").doubt
    assert pace.expected(train, "cuda A100").ratio == 0.1
    assert not pace.measured(other, "cpu")
    pace.learn(other, "cpu", 12.0, 2.0)
    assert pace.expected(other, "cpu").ratio == pytest.approx(4, rel=0.15)
    # a machine that has become twice as slow is believed after some dozens of jobs
    for _ in range(60):
        pace.learn(train, "cpu", 8.0, 2.0)
    assert pace.expected(train, "cpu").ratio > 3.5


def test_nothing_here_imports_rich_or_looks_at_a_clock() -> None:
    """The model is told of moments; what draws it is elsewhere."""
    from prunebench.engine.progress import ending, pace, progress, sorts

    for module in (ending, pace, progress, sorts):
        text = Path(str(module.__file__)).read_text("utf-8")
        assert "rich" not in text.replace("enrich", "")
        assert "import time" not in text
