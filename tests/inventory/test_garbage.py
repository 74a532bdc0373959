"""What nothing in a store refers to: found by every plan, removed without harm to whoever works there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.on_slurm.submissions import Submission
from prunebench.errors import UsageError
from prunebench.inventory import garbage as module
from prunebench.inventory.garbage import ALWAYS, Garbage, find_garbage, remove
from prunebench.store import Store, host_name


@pytest.fixture
def engine(project: Any) -> Any:
    """A suite that was run to its end, its plan frozen."""
    session = project.session(project.suite(["snip"]))
    engine = session.worker(project.store())
    session.freeze(engine.store)
    for cell in engine.plan.cells:
        engine.make(cell)
    return engine


def names(garbage: Garbage, *kinds: Any) -> set[str]:
    return {path.name for kind in (kinds or garbage.files) for path in garbage.files.get(kind, {})}


def other(project: Any, store: Store, **changes: Any) -> Any:
    """Run another suite in the same store; its plan is frozen."""
    session = project.session(project.suite(["magnitude"], name="other", **changes))
    worker = session.worker(store)
    session.freeze(store)
    for cell in worker.plan.cells:
        worker.make(cell)
    return worker


def test_of_a_store_whose_plan_needs_everything_nothing_is_garbage(engine: Any) -> None:
    garbage = find_garbage(engine.store)
    assert garbage.files == {}
    assert garbage.plans == [engine.plan.name]


def test_what_no_plan_has_is_found_and_records_only_where_they_are_asked_for(
    project: Any, engine: Any
) -> None:
    """A suite whose plan was forgotten: artifacts, logs and failures go; its results stay unless asked for."""
    second = other(project, engine.store)
    alone = second.plan.jobs.keys() - engine.plan.jobs.keys()
    forgotten = find_garbage(engine.store, forget=[second.plan.name])
    assert find_garbage(engine.store).files == {}
    artifacts = engine.store.artifact_keys() & alone
    records = engine.store.record_keys() & alone
    assert artifacts
    assert names(forgotten, "artifacts") == {f"{key}.safetensors" for key in artifacts}
    assert names(forgotten, "records") == {f"{key}.json" for key in records}
    assert names(forgotten, "logs") == {f"{key}.log" for key in alone}
    assert names(forgotten, "plans") == {f"{second.plan.name}.json"}
    gone = remove(engine.store, [*ALWAYS, "plans"], forget=[second.plan.name])
    assert names(gone) == names(forgotten, *ALWAYS, "plans")
    assert engine.store.record_keys() >= records
    assert engine.store.artifact_keys() & alone == set()
    assert engine.store.plans() == [engine.store.root / "plans" / f"{engine.plan.name}.json"]
    for cell in engine.plan.cells:  # all that the other plan needs is still there
        assert engine.plan.done(cell, engine.have)
    assert names(find_garbage(engine.store)) == {f"{key}.json" for key in records}


def test_several_plans_are_all_respected(project: Any, engine: Any) -> None:
    """What two suites share stays when one is forgotten."""
    second = other(project, engine.store)
    shared = second.plan.jobs.keys() & engine.plan.jobs.keys() & engine.store.artifact_keys()
    assert shared
    remove(engine.store, [*ALWAYS, "plans"], forget=[engine.plan.name])
    assert shared <= engine.store.artifact_keys()
    assert all(second.plan.done(cell, second.have) for cell in second.plan.cells)


def test_states_that_nobody_has_to_read_are_found_apart(project: Any) -> None:
    """With --keep-states they stay on purpose: they go only where that is asked for, and then are made again."""
    session = project.session(project.suite(["snip"]), keep_states=True)
    worker = session.worker(project.store())
    session.freeze(worker.store)
    *others, last = worker.plan.cells
    for cell in others:
        worker.make(cell)
    end = worker.plan.jobs[last.key].inputs[0]
    worker.make_key(end)  # its record is not there: somebody has to read it
    (keeping,) = worker.store.root.glob("plans/*.keep-states")
    assert find_garbage(worker.store).files["keeping"].keys() == {keeping}
    assert find_garbage(worker.store).files.get("states", {}).keys() == {
        worker.store.artifact_path(key)
        for key in worker.store.artifact_keys()
        if worker.plan.jobs[key].kind == "score"
    }
    worker.make(last)
    found = find_garbage(worker.store)
    assert worker.store.artifact_path(end) in found.files["states"]
    assert not names(found, *ALWAYS)
    remove(worker.store, ["states", "keeping"])
    assert end not in worker.store.artifact_keys()
    assert not worker.store.keeps_states(worker.plan.name), "nobody keeps them from now on"
    assert worker.plan.done(last, worker.have)


def test_who_forgets_a_plan_forgets_that_its_states_are_kept(project: Any) -> None:
    """The plan that is made again later keeps none, unless that is asked for again."""
    session = project.session(project.suite(["snip"]), keep_states=True)
    store = project.store()
    session.freeze(store)
    name = session.plan.name
    found = find_garbage(store, forget=[name])
    assert names(found, "plans") == {f"{name}.json", f"{name}.keep-states"}
    assert not found.files.get("keeping")
    remove(store, [*ALWAYS, "plans"], forget=[name])
    assert not store.keeps_states(name)


def test_checkpoints_of_runs_that_go_on_stay(project: Any, engine: Any) -> None:
    """One of a run that is done, or in no plan, goes; one of a run that still has to be made stays."""
    key = next(key for key, job in engine.plan.jobs.items() if job.kind == "train" and job.params.step)
    run = engine.plan.jobs[key].params.run_key
    done = engine.store.artifact_path(f"{run}@1", checkpoint=True)
    stranger = engine.store.artifact_path(f"{'ab' * 32}@7", checkpoint=True)
    for path in (done, stranger):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"checkpoint")
    assert names(find_garbage(engine.store)) == {done.name, stranger.name}
    record = next(cell.key for cell in engine.plan.cells if engine.plan.jobs[cell.key].inputs[0] == key)
    (engine.store.root / "records" / record[:2] / f"{record}.json").unlink()
    engine.store.drop_artifact(key)
    assert names(find_garbage(engine.store)) == {stranger.name}


def test_failures_go_once_the_job_is_done(project: Any, engine: Any) -> None:
    done, missing = engine.plan.cells[0].key, engine.plan.cells[1].key
    (engine.store.root / "records" / missing[:2] / f"{missing}.json").unlink()
    for key in (done, missing, "ab" * 32):
        engine.store.write_attempt(key, "no such luck")
    found = find_garbage(engine.store).files["attempts"]
    assert {path.parent.name for path in found} == {done, "ab" * 32}
    remove(engine.store, ALWAYS)
    assert engine.store.attempt_keys() == {missing}


def test_only_leftovers_of_the_dead_go(engine: Any) -> None:
    me = f".x.json.elsewhere-12345678.1.1.{'0' * 8}.tmp"
    for folder in ("records", "times"):
        (engine.store.root / folder / me).write_bytes(b"half")
    old = engine.store.root / "times" / me
    os.utime(old, (1, 1))
    assert set(find_garbage(engine.store).files["leftovers"]) == {old}


def test_what_a_living_worker_needs_stays(project: Any, engine: Any) -> None:
    """A plan that somebody works on is not forgotten; where one works on what is in no plan, artifacts stay."""
    with engine.store.claim(engine.plan.cells[0].key):
        with pytest.raises(UsageError, match=r"somebody works on tiny-.* at this moment"):
            find_garbage(engine.store, forget=[engine.plan.name])
        assert find_garbage(engine.store).working == 1
    stranger = engine.store.artifact_path("ab" * 32)
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_bytes(b"x")
    with engine.store.claim("cd" * 32):
        found = find_garbage(engine.store)
        assert found.unknown == 1
        assert not names(found, "artifacts")
    assert names(find_garbage(engine.store), "artifacts") == {stranger.name}


def test_a_run_that_begins_meanwhile_keeps_what_it_needs(
    project: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan comes back when the first file is gone: the rest of what it refers to stays."""
    monkeypatch.setattr(module, "BATCH", 1)
    second = other(project, engine.store)
    plan = engine.store.root / "plans" / f"{second.plan.name}.json"
    aside = project.folder / "aside.json"
    shutil.move(plan, aside)
    assert find_garbage(engine.store).count(["artifacts", "logs"])[0] > 1
    removed: list[Path] = []

    def begins(path: Path) -> None:
        removed.append(path)
        if not plan.exists():
            shutil.copy(aside, plan)

    remove(engine.store, ["artifacts", "logs"], removed=begins)
    assert len(removed) == 1


def test_a_run_that_begins_meanwhile_on_a_plan_that_is_there_is_noticed(
    project: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves the plan's file as it is, and has claimed nothing yet: who works is looked at again."""
    monkeypatch.setattr(module, "BATCH", 1)
    other(project, engine.store)
    looks: list[object] = []
    look = module.find_garbage
    monkeypatch.setattr(module, "find_garbage", lambda *args, **kw: looks.append(args) or look(*args, **kw))
    name = next(path.stem for path in engine.store.plans() if path.stem != engine.plan.name)

    def begins(path: Path) -> None:
        if len(looks) == 1:
            engine.store.runs.begin(engine.plan.name, engine.plan.jobs, None)

    remove(engine.store, ["artifacts", "logs", "plans"], forget=[name], removed=begins)
    assert len(looks) > 1


def test_a_plan_that_cannot_be_read_stops_everything(engine: Any) -> None:
    """What it refers to is not known."""
    path = engine.store.root / "plans" / "other-0123456789ab.json"
    path.write_text('{"format":2,"sha256":"%s","plan":{}}\n' % ("0" * 64))
    with pytest.raises(UsageError, match=r"damaged.*nothing is removed"):
        find_garbage(Store.open(engine.store.root, write=False))
    path.write_text(json.dumps({"format": 9}))
    path.write_bytes(b'{"format":9,"plan":{}}\n')
    with pytest.raises(UsageError, match="newer prunebench"):
        find_garbage(Store.open(engine.store.root, write=False))


def test_a_name_that_no_plan_has(engine: Any) -> None:
    with pytest.raises(UsageError, match="no plan 'tini'"):
        find_garbage(engine.store, forget=["tini"])


def test_pilots_that_nobody_wants_go_a_day_after_their_last_change(project: Any) -> None:
    """Cancelled, of a forgotten plan, or with all their cells there; not those that may yet make some."""
    session = project.session(project.suite(["snip"]))
    worker = session.worker(project.store())
    session.freeze(worker.store)
    first, second = worker.plan.cells
    worker.make(first)
    stays, cancelled, done, strange, _ = (
        Submission.new(worker.store, plan, "", [cell.id]).folder.rename(worker.store.root / "pilots" / name)
        for name, plan, cell in (
            ("stays", worker.plan.name, second),
            ("cancelled", worker.plan.name, second),
            ("done", worker.plan.name, first),
            ("strange", "other-0123456789ab", second),
            ("young", worker.plan.name, first),
        )
    )
    (cancelled / "cancelled").touch()
    (done / "states").mkdir()
    (done / "states" / "7_1.json").write_bytes(b"{}")
    temporary = f".7_1.json.{host_name()}.4194301.5.{'0' * 8}.tmp"
    (stays / "states").mkdir()
    (stays / "states" / temporary).write_bytes(b"half")
    for folder in (stays, cancelled, done, strange):
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (1e9, 1e9))
    found = find_garbage(worker.store)
    assert {path.relative_to(stays.parent).parts[0] for path in found.files["pilots"]} == {
        "cancelled", "done", "strange",
    }  # fmt: skip
    assert names(found, "leftovers") == {temporary}
    remove(worker.store, ALWAYS)
    assert sorted(path.name for path in stays.parent.iterdir()) == ["stays", "young"]
    assert worker.store.root.joinpath("pilots").is_dir()


def test_how_runs_began_goes_but_for_the_newest_once_their_cells_are_there(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RUNS", 1)
    first, second = engine.plan.cells
    runs = [
        engine.store.runs.begin(plan, engine.plan.jobs, cells)
        for plan, cells in (
            (engine.plan.name, None),
            (engine.plan.name, [first.id]),
            (engine.plan.name, [second.id]),
            ("other-0123456789ab", [second.id]),
            ("other-0123456789ab", None),
        )
    ]
    for number, run in enumerate(runs):
        os.utime(engine.store.root / "runs" / f"{run}.json", (1e9 + number,) * 2)
    assert names(find_garbage(engine.store)) == {f"{run}.json" for run in runs[:4]}
    (engine.store.root / "records" / second.key[:2] / f"{second.key}.json").unlink()
    assert names(find_garbage(engine.store), "runs") == {f"{runs[1]}.json", f"{runs[3]}.json"}
