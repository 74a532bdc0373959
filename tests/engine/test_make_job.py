"""One job at a time: what an engine that orders jobs itself asks of a worker."""

from __future__ import annotations

from typing import Any

import pytest

from prunebench.engine.failures import JobFailed
from prunebench.engine.worker import Worker


def worker_for(project: Any, *methods: str, store: str = "store", **options: Any) -> Any:
    """Return a worker that knows which cells are to be made."""
    worker = project.engine(project.suite(methods or ("snip",), **options), store)
    worker.selected = list(worker.plan.cells)
    return worker


def anew(worker: Any) -> Any:
    """Return another process's worker on the same plan and store."""
    other = Worker(worker.plan, worker.context, since=worker.since)
    other.selected = worker.selected
    return other


def job_of(worker: Any, kind: str, *, prunes: bool | None = None) -> str:
    """Return the key of the plan's only job of a kind."""
    jobs = [job for job in worker.plan.jobs.values() if job.kind == kind]
    [key] = [job.key for job in jobs if prunes is None or job.prunes == prunes]
    return str(key)


def in_order(worker: Any) -> list[str]:
    """Return all jobs of the selected cells, inputs first."""
    targets = [target for cell in worker.selected for target in cell.targets]
    order: list[str] = worker.plan.remaining(targets, lambda key: False)
    return order


def test_job_by_job_each_by_another_process_the_results_are_the_same(project: Any) -> None:
    """And nothing lies about afterwards: what was only passed through is gone."""
    worker = worker_for(project, "snip", "ltr", sparsities=(0.5, 0.9), measures=["layer-sparsity"])
    assert all(anew(worker).make_job(key) for key in in_order(worker))
    alone = project.run(project.folder / "tiny.toml", "alone")
    assert project.results(worker) == project.results(alone)
    assert worker.store.artifact_keys() == alone.store.artifact_keys()


def test_it_makes_that_job_and_no_other(project: Any) -> None:
    """Nothing else of the selection, however urgent."""
    worker = worker_for(project, "snip", "random")
    first = in_order(worker)[0]
    assert worker.make_job(first)
    assert [job.key for job in worker.made] == [first]
    assert not worker.make_job(first)
    assert not anew(worker).make_job(first)


def test_what_it_needs_is_made_where_it_was_lost(project: Any) -> None:
    worker = worker_for(project)
    mask, end = job_of(worker, "mask"), job_of(worker, "train", prunes=True)
    for key in in_order(worker)[: in_order(worker).index(mask) + 1]:
        worker.make_job(key)
    worker.store.drop_artifact(mask)
    fresh = anew(worker)
    assert fresh.make_job(end)
    assert mask in [job.key for job in fresh.made]


def test_what_was_only_passed_through_and_is_needed_no_more_is_not_made_again(project: Any) -> None:
    """Another run has made the record meanwhile, and dropped the state that it was read from."""
    worker = worker_for(project)
    slow = anew(worker)
    end = job_of(worker, "train", prunes=True)
    assert end in slow._work
    worker.make(worker.plan.cells[1])
    assert not worker.store.has_artifact(end)
    assert not slow.make_job(end)
    assert not slow.made


def test_a_job_that_another_holds_is_waited_for(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And counts as not made here, once the other has made it."""
    worker = worker_for(project)
    first = in_order(worker)[0]
    claim = worker.store.claim(first)
    other = anew(worker)
    waited: list[str] = []

    def on_wait(job: Any) -> None:
        waited.append(job.key)
        worker.run(worker.plan.jobs[first], worker.context)
        claim.release()

    other.on_wait = on_wait
    assert not other.make_job(first)
    assert waited == [first]
    assert not other.made


def test_a_failure_is_raised_of_the_job_itself_and_of_what_it_needs(project: Any) -> None:
    plugin = project.folder / "mine.py"
    plugin.write_text(
        "import prunebench\n\ndef score(net, batch, rng):\n    raise RuntimeError('no')\n\n"
        "@prunebench.hookimpl\ndef prunebench_scorers():\n    return [prunebench.Scorer('mine', score)]\n"
    )
    project.options["plugins"] = (str(plugin),)
    worker = worker_for(project, "mine")
    end = job_of(worker, "train", prunes=True)
    with pytest.raises(JobFailed, match="no") as caught:
        worker.make_job(end)
    assert caught.value.job.key != end
    with pytest.raises(JobFailed, match="no"):
        worker.make_job(end)
    assert len(worker.store.attempts(caught.value.job.key)) == 1
