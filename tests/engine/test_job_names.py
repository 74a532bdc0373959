"""What jobs are called where people read it."""

from __future__ import annotations

from typing import Any

from prunebench.engine.job_names import JobNames


def test_a_name_says_what_is_done_for_which_network_method_density_and_seed(project: Any) -> None:
    """A job that several cells need has no density of its own; another run's density is none of the dense one."""
    path = project.suite(
        ["snip", "ltr"], sparsities=(0.5, 0.9), ablations=["none", "shuffle"], measures=["layer-sparsity"]
    )
    plan = project.session(path).plan
    names = JobNames(plan)
    said = {names(key) for key in plan.jobs}
    assert said >= {
        "train digits-mlp dense to step 23 s0",
        "record digits-mlp none d1 s0",
        "score digits-mlp snip s0",
        "mask digits-mlp snip d0.1 s0",
        "shuffle digits-mlp snip+shuffle d0.1 s0",
        "train digits-mlp snip d0.5 s0",
        "train digits-mlp snip+shuffle d0.5 s0",
        "record digits-mlp ltr d0.1 s0",
        "measure digits-mlp ltr d0.1 layer-sparsity s0",
    }
    assert not any("mask digits-mlp snip+shuffle" in one for one in said), "it is the mask of both"


def test_every_job_of_a_plan_has_one(project: Any) -> None:
    plan = project.session(project.suite(["snip", "synflow"], seeds=2)).plan
    names = JobNames(plan, plan.cells[:1])
    assert all(names(key) for key in plan.jobs)
    other = next(key for key in plan.jobs if key not in JobNames(plan, plan.cells[:1])._cell)
    assert names(other) == f"{plan.jobs[other].kind} {other[:12]}"
