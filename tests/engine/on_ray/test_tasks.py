"""What a task does on a node, called without Ray."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.on_ray import tasks
from prunebench.engine.on_ray.probe import versions_here
from prunebench.engine.on_ray.values import Came, Orders, Unfit
from prunebench.store import now_text


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has done nothing yet; what would end it raises instead."""

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(tasks, "_process", tasks._Process())
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)
    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setenv("PRUNEBENCH_WORKER", "ray")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setenv("PRUNEBENCH_GPU_SHARED_BY", "1")


def orders_for(project: Any, *methods: str, **options: Any) -> tuple[Orders, Any]:
    """Return the orders for all cells of a suite, and the plan."""
    session = project.session(project.suite(methods or ("snip",)), **options)
    session.freeze(project.store())
    orders = Orders(
        run="one",
        request=session.request.to_json(),
        frozen=str(session.frozen),
        since=now_text(),
        versions=versions_here(),
    )
    return orders, session.plan


def record_of(plan: Any) -> str:
    key: str = plan.cells[-1].key
    return key


def test_it_makes_a_job_from_nothing_but_its_orders(project: Any) -> None:
    """Once: whoever is asked again says that it is there."""
    orders, plan = orders_for(project)
    came = tasks.make([orders], record_of(plan))
    assert (came.key, came.how) == (record_of(plan), "made")
    assert came.seconds > 0
    assert tasks.make([orders], record_of(plan)).how == "there"
    assert project.store().has_record(record_of(plan))


def test_after_a_failed_job_nothing_is_done_and_its_error_goes_on(project: Any) -> None:
    orders, plan = orders_for(project)
    failed = Came("mask", "failed", 2.0, "score", "broke", "mine.py:3", "log")
    came = tasks.make([orders], record_of(plan), Came("other", "made"), failed)
    assert came == Came(record_of(plan), "failed", 0.0, "score", "broke", "mine.py:3", "log")
    assert tasks._process.worker is None


def test_another_run_in_the_same_process_has_its_own_worker(project: Any) -> None:
    orders, plan = orders_for(project)
    tasks.make([orders], record_of(plan))
    first = tasks._process.worker
    tasks.make([Orders(**{**vars(orders), "run": "two"})], record_of(plan))
    assert tasks._process.worker is not first


def test_a_node_without_the_store_is_unfit(project: Any) -> None:
    """Ray tries the job elsewhere; the node's name is said."""
    orders, plan = orders_for(project)
    (project.folder / "store").rename(project.folder / "gone")
    with pytest.raises(Unfit, match=r"^node \S+: no store at "):
        tasks.make([orders], record_of(plan))
    (project.folder / "gone").rename(project.folder / "store")
    assert tasks.make([orders], record_of(plan)).how == "made"


def test_a_node_with_other_versions_is_unfit(project: Any) -> None:
    orders, plan = orders_for(project)
    other = Orders(**{**vars(orders), "versions": {**versions_here(), "torch": "1.0"}})
    with pytest.raises(Unfit, match=r"the other nodes \{.*'torch': '1.0'"):
        tasks.make([other], record_of(plan))


def test_where_plugins_or_data_are_others_the_node_says_so(project: Any) -> None:
    """As it is asked before a run."""
    plugin = project.folder / "mine.py"
    text = (
        "import prunebench\n\ndef score(net, batch, rng):\n    return {}\n\n"
        "@prunebench.hookimpl\ndef prunebench_scorers():\n    return [prunebench.Scorer('mine', score)]\n"
    )
    plugin.write_text(text)
    orders, _ = orders_for(project, "mine", plugins=(str(plugin),))
    assert tasks.problem_here(orders) == ""
    plugin.write_text(text.replace("{}", "None"))
    assert "scorer mine has changed" in tasks.problem_here(orders)
    plugin.unlink()
    assert "mine.py" in tasks.problem_here(orders)


def test_a_process_bound_to_one_gpu_makes_way_where_it_is_given_another(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA reads CUDA_VISIBLE_DEVICES once: the job would run on the GPU of somebody else."""
    orders, plan = orders_for(project)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert tasks.make([orders], record_of(plan)).how == "made"
    assert tasks.make([orders], record_of(plan)).how == "there"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert tasks.make([orders], record_of(plan)).how == "there", "one that takes no GPU"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(SystemExit) as ended:
        tasks.make([orders], record_of(plan))
    assert ended.value.code == 0


def test_a_process_whose_gpu_is_lost_fails_its_job_and_makes_way_for_another(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed kernel CUDA answers every call of the process with that error."""
    from prunebench.engine.failures import JobFailed, WorkerLost

    orders, plan = orders_for(project)

    def lose(worker: Any, key: str) -> bool:
        raise WorkerLost(JobFailed(worker.plan.jobs[key], "CUDA error: an illegal address", device_lost=True))

    monkeypatch.setattr("prunebench.engine.worker.Worker.make_job", lose)
    came = tasks.make([orders], record_of(plan))
    assert (came.how, came.message) == ("failed", "CUDA error: an illegal address")
    with pytest.raises(SystemExit):
        tasks.make([orders], plan.cells[0].key)


@pytest.mark.parametrize(
    ("sent", "raised"), [(signal.SIGINT, stopping.Stopped), (signal.SIGTERM, SystemExit)]
)
def test_cancelled_it_raises_and_terminated_it_ends_with_its_process(
    project: Any, sent: signal.Signals, raised: type[BaseException]
) -> None:
    """Ray does not repeat what was cancelled; what went down with its node it does. Neither is a failure."""
    orders, plan = orders_for(project)
    tasks.make([orders], plan.cells[0].key)
    assert tasks._process.worker is not None
    tasks._process.worker.context.progress = lambda *_: signal.raise_signal(sent)
    with pytest.raises(raised):
        tasks.make([orders], record_of(plan))
    assert not project.store().attempt_keys()
    assert not project.store().running()
    assert list(project.store().root.rglob("*.checkpoint.safetensors"))


def test_a_store_that_cannot_be_written_is_no_failure_of_the_job(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prunebench.store import Unwritable

    def full(*_: Any) -> None:
        raise Unwritable("no space left on the device")

    orders, plan = orders_for(project)
    monkeypatch.setattr("prunebench.engine.worker.Worker.make_job", full)
    came = tasks.make([orders], record_of(plan))
    assert (came.how, came.message) == ("stuck", "no space left on the device")
