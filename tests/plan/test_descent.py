"""What levels cost alone, summed up level by level: the same as looked at job by job."""

from __future__ import annotations

import random
from typing import Any

import pytest

from prunebench.host.registry import Host
from prunebench.plan.builder import Builder
from prunebench.plan.descent import Descent

CHAIN = {"scorer": "magnitude", "score_at": "end", "schedule": {"levels": 0.2}}
REWOUND = {**CHAIN, "train_from": "rewind", "clock": "rewind"}
METHODS = [
    {**REWOUND, "as": "imp"},
    {**CHAIN, "as": "as-it-is", "scorer": "snip"},
    {**CHAIN, "as": "early", "score_at": {"epoch": 1.5}, "train_from": "init"},
    {**CHAIN, "as": "find", "find": {"lr": 0.01}, "train_from": "init"},
    {**CHAIN, "as": "random-like", "scorer": "random", "score_at": "init", "schedule": "one-shot"}
    | {"allocation": {"like": REWOUND}},
    {**CHAIN, "as": "chain-like", "allocation": {"like": {"scorer": "snip", "schedule": "one-shot"}}},
    "ltr",
    "snip",
]


@pytest.mark.parametrize("ablations", [["none"], ["shuffle"], ["reinit", "shuffle+reinit"]], ids=str)
def test_a_cost_is_that_of_everything_that_a_cell_descends_from(project: Any, ablations: list[str]) -> None:
    """Each job once, of a run its furthest state, in whatever order the cells are asked."""
    plan = project.session(
        project.suite(METHODS, sparsities=[0.2, 0.488, 0.36], ablations=ablations, epochs=2)
    ).plan
    builder = Builder(Host.load(third_party=False), project.folder)
    builder.jobs.update(plan.jobs)
    builder.costs.update(plan.costs)
    descent = Descent(plan.jobs, plan.costs)
    keys = list(plan.jobs)
    random.Random(0).shuffle(keys)
    assert {key: descent.cost(key) for key in keys} == {key: builder.cost_alone(key) for key in keys}
