"""Failures are never results: a failed job leaves an attempt, and asking again tries again."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.engine.failures import JobFailed

BROKEN = '''
import torch
import prunebench

def score(net, batch, rng):
    """Broken on purpose."""
    scores = {{name: weight.detach().abs() for name, weight in net.weights.items()}}
    {fault}
    return scores

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("broken", score)]
'''


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("scores['fc1.weight'][0, 0] = float('nan')", "fc1.weight"),
        ("scores['fc2.weight'] = scores['fc2.weight'].T.contiguous()", "fc2.weight"),
        ("scores['fc9.weight'] = scores.pop('fc1.weight')", "fc9.weight"),
        ("raise ValueError('out of luck')", "out of luck"),
    ],
)
def test_a_broken_scorer_is_a_failed_attempt_and_never_a_result(project: Any, fault: str, said: str) -> None:
    """NaN scores, wrong shapes, wrong names: the cell fails with scorer and layer named, others go on."""
    plugin = project.folder / "broken.py"
    plugin.write_text(BROKEN.format(fault=fault))
    path = project.suite(["broken", "magnitude"])
    engine = project.engine(path, plugins=(str(plugin),))
    _, broken, magnitude = engine.plan.cells
    with pytest.raises(JobFailed, match=r"broken|out of luck") as failed:
        engine.make(broken)
    assert said in str(failed.value)
    engine.make(magnitude)
    assert not engine.store.has_record(broken.key)
    attempt = engine.store.attempts(failed.value.job.key)[-1]
    assert said in attempt["error"]
    plugin.write_text(BROKEN.format(fault="pass"))
    mended = project.engine(path, plugins=(str(plugin),))
    mended.make(mended.plan.cells[1])
    assert mended.store.has_record(mended.plan.cells[1].key)


def test_asking_again_tries_a_failed_job_again(project: Any) -> None:
    """A failure is remembered within a run, and not beyond it."""
    path = project.suite(["snip"])
    engine = project.engine(path)
    calls = []

    def fails(job: Any, context: Any) -> None:
        calls.append(job.key)
        raise RuntimeError("no luck")

    engine.run = fails
    for cell in engine.plan.cells:
        with pytest.raises(JobFailed, match="no luck"):
            engine.make(cell)
    assert len(calls) == 1  # the dense run's first state, which both cells need
    project.run(path)
