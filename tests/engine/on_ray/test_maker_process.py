"""What the process that makes jobs under Ray answers, asked without Ray."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from prunebench.engine.on_ray import maker_process
from prunebench.engine.on_ray.maker_process import answer
from prunebench.engine.on_ray.probe import versions_here
from prunebench.engine.on_ray.values import Asked, Came, Needs, Orders
from prunebench.store import now_text


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has done nothing yet."""
    monkeypatch.setattr(maker_process, "_process", maker_process._Process())
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
    came = answer(Asked(orders, record_of(plan)))
    assert (came.key, came.how) == (record_of(plan), "made")
    assert came.seconds > 0
    assert answer(Asked(orders, record_of(plan))).how == "there"
    assert project.store().has_record(record_of(plan))


def test_another_run_in_the_same_process_has_its_own_worker(project: Any) -> None:
    orders, plan = orders_for(project)
    answer(Asked(orders, record_of(plan)))
    first = maker_process._process.worker
    answer(Asked(orders, record_of(plan)))
    assert maker_process._process.worker is first
    answer(Asked(replace(orders, run="two"), record_of(plan)))
    assert maker_process._process.worker is not first


def test_limits_reach_the_worker_and_memory_is_shared_by_the_jobs_of_the_node(project: Any) -> None:
    orders, plan = orders_for(project, job_timeout=90.0, memory_limit=8 * 2**30)
    answer(Asked(replace(orders, needs=Needs(1, gpus=1, share=4)), record_of(plan), workers=6))
    worker = maker_process._process.worker
    assert worker is not None
    assert worker.guard is not None
    assert (worker.guard.limits.timeout, worker.guard.limits.memory) == (90.0, 8 * 2**30)
    assert worker.workers == 6
    assert os.environ["PRUNEBENCH_GPU_SHARED_BY"] == "4"


def test_a_node_without_the_store_is_unfit(project: Any) -> None:
    """The node's name is said."""
    orders, plan = orders_for(project)
    (project.folder / "store").rename(project.folder / "gone")
    came = answer(Asked(orders, record_of(plan)))
    assert came.how == "unfit"
    assert came.message.startswith(f"node {os.uname().nodename}: no store at ")
    (project.folder / "gone").rename(project.folder / "store")
    assert answer(Asked(orders, record_of(plan))).how == "made"


def test_a_node_with_other_versions_is_unfit(project: Any) -> None:
    orders, plan = orders_for(project)
    came = answer(Asked(replace(orders, versions={**versions_here(), "torch": "1.0"}), record_of(plan)))
    assert came.how == "unfit"
    assert "'torch': '1.0'" in came.message.partition("the other nodes")[2]


def test_where_plugins_or_data_are_others_the_node_says_so(project: Any) -> None:
    """As it is asked before a run."""
    plugin = project.folder / "mine.py"
    text = (
        "import prunebench\n\ndef score(net, batch, rng):\n    return {}\n\n"
        "@prunebench.hookimpl\ndef prunebench_scorers():\n    return [prunebench.Scorer('mine', score)]\n"
    )
    plugin.write_text(text)
    orders, _ = orders_for(project, "mine", plugins=(str(plugin),))
    assert answer(Asked(orders)) == ""
    plugin.write_text(text.replace("{}", "None"))
    assert "scorer mine has changed" in answer(Asked(replace(orders, run="two")))
    plugin.unlink()
    assert "mine.py" in answer(Asked(replace(orders, run="three")))


def test_one_whose_gpu_is_lost_says_that_it_can_make_no_other(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed kernel CUDA answers every call of the process with that error."""
    from prunebench.engine.failures import JobFailed, WorkerLost

    orders, plan = orders_for(project)

    def lose(worker: Any, key: str) -> bool:
        raise WorkerLost(JobFailed(worker.plan.jobs[key], "CUDA error: an illegal address", device_lost=True))

    monkeypatch.setattr("prunebench.engine.worker.Worker.make_job", lose)
    came = answer(Asked(orders, record_of(plan)))
    assert (came.how, came.message, came.last) == ("failed", "CUDA error: an illegal address", True)


def test_told_to_stop_it_says_so_once_a_checkpoint_is_there(project: Any) -> None:
    """Nothing has failed, and nothing stays claimed. It can be asked again."""
    orders, plan = orders_for(project)
    answer(Asked(orders, plan.cells[0].key))
    assert maker_process._process.worker is not None
    context = maker_process._process.worker.context
    context.progress = lambda *_: signal.raise_signal(signal.SIGTERM)
    assert answer(Asked(orders, record_of(plan))) == Came(record_of(plan), "cancelled")
    assert not project.store().attempt_keys()
    assert not project.store().running()
    assert list(project.store().root.rglob("*.checkpoint.safetensors"))
    context.progress = None
    assert answer(Asked(orders, record_of(plan))).how == "made"


def test_a_store_that_cannot_be_written_is_no_failure_of_the_job(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prunebench.store import Unwritable

    def full(*_: Any) -> None:
        raise Unwritable("no space left on the device")

    orders, plan = orders_for(project)
    monkeypatch.setattr("prunebench.engine.worker.Worker.make_job", full)
    came = answer(Asked(orders, record_of(plan)))
    assert (came.how, came.message) == ("stuck", "no space left on the device")
