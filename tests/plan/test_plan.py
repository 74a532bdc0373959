"""The plan as a value: what is still to do, the frozen form, reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from prunebench.errors import StoreError
from prunebench.plan import Earlier, Plan, reason
from prunebench.plan.frozen import frozen, thawed


def test_remaining_lists_inputs_before_what_reads_them(project: Any) -> None:
    """In the order given no job comes before one of its inputs."""
    plan = project.session(project.suite(["snip", "ltr", "synflow"], seeds=2)).plan
    order = plan.remaining([t for c in plan.cells for t in c.targets], lambda key: False)
    assert sorted(order) == sorted(plan.jobs)
    for place, key in enumerate(order):
        assert set(plan.needs(key)) <= set(order[:place])


def test_what_was_dropped_and_nobody_needs_is_not_planned(project: Any) -> None:
    """With its record there, a cell's missing states are not made again."""
    plan = project.session(project.suite(["snip"])).plan
    assert plan.remaining(plan.cells[-1].targets, lambda key: key in plan.cells[-1].targets) == []


def test_the_earlier_states_of_a_run_are_passed_on_the_way(project: Any) -> None:
    """Whoever trains the dense run to its end first commits step 0, which others read."""
    plan = project.session(project.suite(["snip", "magnitude-after-training"])).plan
    end = plan.jobs[plan.cells[0].key].inputs[0]
    assert plan.needs(end) == (end.split("@")[0] + "@0",)


def test_a_frozen_plan_thaws_to_the_same_plan(project: Any) -> None:
    """Written as JSON and read back, cells and jobs are equal."""
    suite = project.suite(
        ["snip", "synflow", "ltr"], ablations=["none", "shuffle"], measures=["layer-sparsity"]
    )
    plan = project.session(suite).plan
    again = thawed(orjson.loads(orjson.dumps(frozen(plan))))
    assert again.digest == plan.digest
    assert [dict(c.labels) for c in again.cells] == [dict(c.labels) for c in plan.cells]
    assert again.jobs.keys() == plan.jobs.keys()
    for key, job in plan.jobs.items():
        assert type(again.jobs[key].params) is type(job.params)
        assert orjson.dumps(again.jobs[key].params.plain(), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            job.params.plain(), option=orjson.OPT_SORT_KEYS
        )
        assert again.jobs[key].inputs == job.inputs


def test_what_jobs_are_asked_is_read_when_it_is_wanted(project: Any) -> None:
    """Most commands want it of few; who wants the whole plan is told of what is none at once."""
    plan = project.session(project.suite(["snip"])).plan
    value = orjson.loads(orjson.dumps(frozen(plan)))
    later = thawed(value, whole=False)
    assert {key: job.params.plain() for key, job in later.jobs.items()} == {
        key: job.params.plain() for key, job in thawed(value).jobs.items()
    }
    place = next(i for i, (_, kind, *_) in enumerate(value["jobs"]) if kind == "score")
    key = value["jobs"][place][0]
    value["jobs"][place][2]["zzz"] = 1
    with pytest.raises(ValueError, match=f"^not a frozen plan: job {key} is incomplete"):
        thawed(value)
    later = thawed(value, whole=False)
    assert (later.jobs[key].kind, later.jobs[key].inputs) == ("score", plan.jobs[key].inputs)
    with pytest.raises(StoreError, match=f"not a frozen plan: job {key} is incomplete"):
        _ = later.jobs[key].params
    assert [key for key, job in later.jobs.items() if job.kind != plan.jobs[key].kind] == []


def test_why_a_cell_runs_names_what_changed(project: Any) -> None:
    """A changed plugin is named with its old and new identity; other cells are not."""
    plugin = project.folder / "mine.py"
    plugin.write_text(PLUGIN)
    path = project.suite(["mine", "snip"])
    before = project.session(path, plugins=(str(plugin),)).plan
    plugin.write_text(PLUGIN.replace("abs()", "square()"))
    after = project.session(path, plugins=(str(plugin),)).plan
    mine = next(c for c in after.cells if c.labels["method"] == "mine")
    snip = next(c for c in after.cells if c.labels["method"] == "snip")
    old, new = before.identities["scorer mine"]["digest"][:8], after.identities["scorer mine"]["digest"][:8]
    assert reason(mine, after, before) == f"scorer mine changed: {old} → {new}"
    assert snip.key in {c.key for c in before.cells}


def test_a_cell_is_compared_with_the_last_plan_that_had_it(project: Any) -> None:
    """What was asked for in between, other scorers, other seeds, hides no change; plans are read as needed."""
    plugin = project.folder / "mine.py"
    plugin.write_text(PLUGIN)
    options = {"plugins": (str(plugin),)}
    path = project.suite(["snip"])
    first = project.session(path, scorers=("mine",), **options).plan
    between = project.session(path, **options).plan
    plugin.write_text(PLUGIN.replace("abs()", "square()"))
    now = project.session(path, scorers=("mine",), **options).plan
    read = []

    def newest_first() -> Any:
        for plan in (between, first, between):
            read.append(plan)
            yield plan

    earlier = Earlier(newest_first())
    snip, mine = (next(c for c in now.cells if c.labels["method"] == name) for name in ("snip", "mine"))
    assert reason(snip, now, earlier.having(snip.id)) == "not run yet"
    assert len(read) == 1
    old, new = first.identities["scorer mine"]["digest"][:8], now.identities["scorer mine"]["digest"][:8]
    for _ in range(2):
        assert reason(mine, now, earlier.having(mine.id)) == f"scorer mine changed: {old} → {new}"
    assert len(read) == 2
    assert earlier.having("main::nobody") is None
    assert reason(mine, now, Earlier([]).having(mine.id)) == "not run yet"


def test_a_digest_of_an_older_rule_says_so(project: Any) -> None:
    """Keys of components without a version moved once; that is no change of the component."""
    plugin = project.folder / "mine.py"
    plugin.write_text(PLUGIN)
    now = project.session(project.suite(["mine"]), plugins=(str(plugin),)).plan
    mine = next(c for c in now.cells if c.labels["method"] == "mine")
    identities = {**now.identities, "scorer mine": {"name": "mine", "digest": "1" * 64}}
    cells = [replace(cell, key="2" * 64) for cell in now.cells]
    before = Plan(now.suite, cells, now.jobs, now.costs, identities)
    assert reason(mine, now, before) == "scorer mine: identity rule changed"


PLUGIN = '''
import prunebench

def score(net, batch, rng):
    """The size of a weight."""
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''
