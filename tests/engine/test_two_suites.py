"""Two suites in one store: what only one of them passes through, the other may keep, or still have to read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from prunebench.store import artifacts as artifacts_module
from prunebench.training.numerics import deterministic


@pytest.fixture(autouse=True)
def settings_as_before() -> Iterator[None]:
    """Put torch's settings back: two threads of one process put back what the other has set."""
    with deterministic("cpu"):
        yield


ONE = {"as": "one", "scorer": "magnitude", "score_at": "end", "train_from": "init"}
EARLY = {**ONE, "as": "early", "score_at": {"epoch": 1}}
BY_EPOCH = ("ratios-by-epoch",)


def frozen(project: Any, methods: Any, name: str, **options: Any) -> Any:
    """Return a worker on a suite whose plan is in the store."""
    keep = options.pop("keep_states", False)
    path = project.suite(methods, name=name, **{"epochs": 2, **options})
    session = project.session(path, keep_states=keep)
    store = project.store()
    session.freeze(store)
    return session.worker(store)


def made(worker: Any) -> Any:
    """Make all cells of a worker's plan; return it."""
    for cell in worker.plan.cells:
        worker.make(cell)
    return worker


def mask_of(worker: Any) -> str:
    """Return the key of the mask of a suite's pruned cell."""
    key: str = worker.plan.jobs[worker.plan.cells[-1].key].inputs[1]
    return key


def test_what_another_suite_keeps_stays_when_measures_by_epoch_come(project: Any) -> None:
    """Its masks and scored states of the same run, by the very bytes; so one more measure trains nothing."""
    early = made(frozen(project, [EARLY], "early"))
    before = {key: early.store.artifact_path(key).read_bytes() for key in early.store.artifact_keys()}
    by = made(frozen(project, [ONE], "by", measures=BY_EPOCH))
    assert mask_of(early) in by.plan.jobs
    assert any(by.plan.passes(key) for key in before)
    assert {key: early.store.artifact_path(key).read_bytes() for key in before} == before
    more = made(frozen(project, [EARLY], "more", measures=["layer-sparsity"]))
    assert {job.kind for job in more.made} == {"measure"}


def test_a_mask_that_a_record_names_stays_though_no_plan_has_it(project: Any) -> None:
    """The plans of a store may be deleted, and results come without them."""
    early = made(frozen(project, [EARLY], "early"))
    for path in early.store.plans():
        path.unlink()
    made(frozen(project, [ONE], "by", measures=BY_EPOCH))
    assert early.store.has_artifact(mask_of(early))


@pytest.mark.parametrize("scorer", ["magnitude", "snip"])
def test_suites_that_measure_by_epoch_share_the_snapshots_of_a_run(project: Any, scorer: str) -> None:
    """The first leaves what the second still has to prune: the scores, or the states where it scores anew."""
    options: Any = {"measures": BY_EPOCH, "epochs": 3}
    one = frozen(project, [ONE], "first", **options)
    two = frozen(project, [{**ONE, "scorer": scorer}], "second", sparsities=[0.75], **options)
    store, snapshots = two.store, one.plan.snapshots.keys()
    assert len(snapshots) == 2
    assert snapshots == two.plan.snapshots.keys()
    made(one)
    scores = {
        key for key in one.plan.jobs.keys() & two.plan.jobs.keys() if one.plan.jobs[key].kind == "score"
    }
    assert bool(scores) == (scorer == "magnitude")
    assert store.artifact_keys() & (scores | snapshots) == (scores or snapshots)
    made(two)
    assert not [job for job in two.made if job.key in one.plan.jobs]
    for plan in (one.plan, two.plan):
        assert not [key for key in store.artifact_keys() & plan.jobs.keys() if plan.passes(key)]


def test_suites_that_measure_by_epoch_at_the_same_time_train_nothing_twice(project: Any) -> None:
    """Two processes' worth of work, a job of the one and a job of the other by turns."""
    options: Any = {"measures": BY_EPOCH, "epochs": 3}
    one = frozen(project, [ONE], "first", **options)
    two = frozen(project, [{**ONE, "scorer": "snip"}], "second", **options)
    turns = threading.Barrier(2)
    for worker in (one, two):
        worker.on_job = lambda job: None if turns.broken else _meet(turns)
    threads = [threading.Thread(target=made, args=(worker,)) for worker in (one, two)]
    for thread in threads:
        thread.start()
    threads[0].join(60)
    turns.abort()
    threads[1].join(60)
    done = [job.key for worker in (one, two) for job in worker.made]
    assert len(done) == len(set(done))
    for worker in (one, two):
        assert all(worker.plan.done(cell, worker.have) for cell in worker.plan.cells)
        assert not worker.plan.snapshots.keys() & worker.store.artifact_keys()


def _meet(turns: threading.Barrier) -> None:
    with suppress(threading.BrokenBarrierError):
        turns.wait(0.2)


def test_a_plan_that_comes_between_the_look_and_the_dropping_has_its_mask(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when that run looked, so it is there when it reads it, by the very bytes."""
    by = frozen(project, [ONE], "by", measures=BY_EPOCH)
    early = project.session(project.suite([EARLY], name="early", epochs=2))
    key = next(job.key for job in early.plan.jobs.values() if job.kind == "mask")
    hide, seen = artifacts_module.hide, []

    def hides(path: Path) -> Path | None:
        if path == by.store.artifact_path(key) and path.exists():
            early.freeze(by.store)
            seen.append(path.read_bytes())
        return hide(path)

    monkeypatch.setattr(artifacts_module, "hide", hides)
    made(by)
    assert len(seen) == 1
    assert by.store.artifact_path(key).read_bytes() == seen[0]
    assert not list(by.store.root.rglob("*.tmp"))
    assert key not in {job.key for job in made(early.worker(by.store)).made}


def test_states_that_another_plan_keeps_on_purpose_stay(project: Any) -> None:
    """Somebody ran a suite with --keep-states; another that has its cells drops none of them."""
    kept = made(frozen(project, ["snip"], "kept", keep_states=True))
    before = kept.store.artifact_keys()
    made(frozen(project, ["snip", "random"], "plain"))
    assert before <= kept.store.artifact_keys()


def test_what_a_plan_of_a_newer_prunebench_needs_is_not_known_so_nothing_is_dropped(project: Any) -> None:
    worker = project.engine(project.suite(["snip"]))
    newer = worker.store.root / "plans" / f"new-{'ab' * 6}.json"
    newer.parent.mkdir(exist_ok=True)
    newer.write_text('{"format":3,"sha256":"?","plan":{}}\n')
    made(worker)
    assert any(worker.plan.passes(key) for key in worker.store.artifact_keys())
