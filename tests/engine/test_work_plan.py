"""One worker on a frozen plan: it makes what a run would, and says what is not here before it begins."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.failures import JobFailed
from prunebench.engine.work_plan import Asked, Past, Served, Watcher, _Service, plan_file, serve
from prunebench.errors import DataError, PluginError, StoreError, UsageError
from prunebench.inventory import making
from prunebench.plan import Job, Plan, PlannedCell
from tests.engine.test_missing_data import OTHER
from tests.engine.test_missing_data import PLUGIN as BLOBS

SCORER = """
import pathlib, time
import prunebench

def score(net, batch, rng):
    {fault}
    return {{name: weight.detach().abs() for name, weight in net.weights.items()}}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
"""


class Heard(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.done: Collection[str] = ()
        self.jobs: list[str] = []
        self.cells: dict[str, str] = {}
        self.failures: list[tuple[JobFailed, list[str]]] = []
        self.lacking: list[tuple[str, int]] = []
        self.runs: list[str] = []

    def joined(self, run: str) -> None:
        self.runs.append(run)

    def whole(self, cells: Mapping[str, str]) -> None:
        self.whole_already = cells

    def begins(self, plan: Plan, cells: Sequence[PlannedCell], done: Collection[str]) -> None:
        self.done = done

    def made(self, job: Job, seconds: float, cells: Mapping[str, str]) -> None:
        assert seconds > 0
        self.jobs.append(job.key)
        self.cells |= cells

    def failed(self, failed: JobFailed, cells: Sequence[str]) -> None:
        self.failures.append((failed, list(cells)))

    def lacks(self, what: str, cells: int, *, of_data: bool) -> None:
        assert of_data
        self.lacking.append((what, cells))


def frozen(project: Any, path: Path, **options: Any) -> Asked:
    """Plan a suite, freeze its plan in the project's store, and forget the suite."""
    session = project.session(path, **options)
    plan = session.freeze(project.store())
    path.unlink()
    return Asked(plan=plan, data=project.folder / "data")


def mine(project: Any, fault: str = "pass") -> Path:
    """Write a plugin whose scorer "mine" does something first."""
    path: Path = project.folder / "mine.py"
    path.write_text(SCORER.format(fault=fault))
    return path


def test_it_makes_what_a_run_makes_and_needs_no_suite(project: Any) -> None:
    path = project.suite(["snip", "random"], measures=["layer-sparsity"])
    elsewhere = project.results(project.run(path, "elsewhere"))
    session = project.session(path)
    asked, heard = frozen(project, path), Heard()
    served = serve(asked, heard)
    cells = [cell.id for cell in session.plan.cells]
    assert served == Served(len(session.plan.jobs), [], cells, [], {}, [])
    assert served.exit_code == 0
    assert project.results(session.worker(project.store())) == elsewhere
    assert sorted(heard.jobs) == sorted(session.plan.jobs)
    assert set(heard.cells) == set(cells)
    assert all(result.strip().endswith("%") for result in heard.cells.values())
    again = serve(asked, heard)
    assert again == Served(0, cells, [], [], {}, [])
    assert set(heard.done) == set(cells)


def test_of_some_cells_it_makes_no_others(project: Any) -> None:
    asked = frozen(project, project.suite(["snip", "random"]))
    served = serve(replace(asked, keyword="random"))
    assert [name.split("::")[1] for name in served.made] == ["digits-mlp-digits-random-d0.5-s0"]
    assert not served.left


def test_of_cells_named_in_a_file_it_makes_no_others(project: Any) -> None:
    asked = frozen(project, project.suite(["snip", "random"]))
    file = project.folder / "cells.json"
    name = "main::digits-mlp-digits-random-d0.5-s0"
    file.write_text(json.dumps([name]))
    served = serve(replace(asked, cells=file))
    assert served.made == [name]
    assert not served.left


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "cannot be read"),
        ("[]", "it names no cell; allowed: a JSON list of names"),
        ('["main::other"]', "'main::other' is no cell of this plan"),
        ('[{"a": 1}]', "{'a': 1} is no cell of this plan"),
        ("3", "3 is no cell of this plan"),
    ],
)
def test_a_file_that_names_no_cells_is_refused(project: Any, content: str, told: str) -> None:
    asked = frozen(project, project.suite(["random"]))
    file = project.folder / "cells.json"
    file.write_text(content)
    with pytest.raises(UsageError) as caught:
        serve(replace(asked, cells=file))
    assert f"--cells {file}: {told}" in str(caught.value)


def test_it_leaves_after_so_many_jobs(project: Any) -> None:
    asked = frozen(project, project.suite(["random"]))
    served = serve(replace(asked, max_jobs=2))
    assert (served.jobs, served.why, served.exit_code) == (2, "jobs", 1)
    assert len(served.left) + len(served.made) == 2
    earlier = Past(made=["a", "b"], before=[])
    assert serve(replace(asked, max_jobs=3), past=earlier).jobs == 3


def test_it_leaves_in_time_whatever_it_is_doing_and_nothing_has_failed(project: Any) -> None:
    plugin = mine(project, "time.sleep(30)")
    path = project.suite(["mine"])
    asked = frozen(project, path, plugins=(str(plugin),))
    began = time.monotonic()
    served = serve(replace(asked, seconds=1.0 + 3), began=began - 3)
    assert time.monotonic() - began < 10
    assert (served.why, served.exit_code) == ("time", 1)
    assert served.left
    assert not served.failed
    assert not project.store().attempt_keys()
    assert not project.store().claimed_keys()
    assert not stopping.is_listening()


def told(enough: Callable[[], bool]) -> None:
    """A job at which SIGTERM comes, and that ends when the time is over."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
    except KeyboardInterrupt:
        while not enough():
            with contextlib.suppress(KeyboardInterrupt):
                time.sleep(0.1)
        raise


def late(enough: Callable[[], bool]) -> None:
    """A job at which the time is over, and SIGTERM comes while that ends it."""
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGTERM)
        raise


def between(enough: Callable[[], bool]) -> None:
    """A job that is not to be interrupted, within which SIGTERM comes and the time is over."""
    with stopping.held():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.3)


@pytest.mark.parametrize("job", [told, late, between])
def test_told_to_stop_when_its_time_is_nearly_over_it_says_that_it_was_told(job: Any) -> None:
    """The time alone would be exit code 1."""
    worker: Any = SimpleNamespace(help=job, made=())
    asked = Asked(Path("none"), Path("none"), seconds=0.2)
    assert _Service(worker, [], (), Watcher(), asked, time.monotonic(), ())._work() == "stopped"
    assert stopping.exit_code() == 143


def test_with_its_time_over_it_begins_nothing(project: Any) -> None:
    asked = frozen(project, project.suite(["random"]))
    served = serve(replace(asked, seconds=5.0), began=time.monotonic() - 6)
    assert (served.jobs, served.why) == (0, "time")


def test_a_failure_is_told_with_the_cells_that_it_blocks(project: Any) -> None:
    plugin = mine(project, "raise ValueError('no such luck')")
    asked = frozen(project, project.suite(["mine", "random"]), plugins=(str(plugin),))
    heard = Heard()
    served = serve(asked, heard)
    [(failed, cells)], [run] = heard.failures, heard.runs
    assert failed.job.kind == "score"
    assert list(served.failed) == cells == ["main::digits-mlp-digits-mine-d0.5-s0"]
    assert "no such luck" in served.failed[cells[0]]
    assert (len(served.made), served.left, served.exit_code) == (2, [], 1)
    attempts = project.store().attempts(failed.job.key)
    assert serve(replace(asked, since=run)).failed.keys() == served.failed.keys()
    assert project.store().attempts(failed.job.key) == attempts, "tried in this run: not again"
    serve(asked)
    assert len(project.store().attempts(failed.job.key)) == 2


def test_a_run_that_there_is_not_and_that_of_another_plan_are_refused(project: Any) -> None:
    asked = frozen(project, project.suite(["random"]))
    with pytest.raises(UsageError, match=r"--run: the store .* has no run 'nothing-like-it'"):
        serve(replace(asked, since="nothing-like-it"))
    run = project.store().runs.begin("quick-0123456789ab", [], None)
    with pytest.raises(UsageError, match=f"--run {run}: it is a run of quick-0123456789ab, and the plan is "):
        serve(replace(asked, since=run))


def test_what_another_process_of_it_died_of_is_not_tried_again(project: Any) -> None:
    asked = frozen(project, project.suite(["random"]))
    session_plan = project.session(project.suite(["random"])).plan
    [cell] = [cell for cell in session_plan.cells if "random" in cell.id]
    [score] = [key for key in session_plan.ancestors(cell.key) if session_plan.jobs[key].kind == "score"]
    served = serve(asked, past=Past({score: "process 1 died"}, [], []))
    assert list(served.failed) == [cell.id]
    assert "process 1 died" in served.failed[cell.id]


def test_a_cell_that_another_process_of_it_had_made_when_it_died_is_told_of_once(project: Any) -> None:
    """Killed once the record was there, before it had said so: the next one says so, and counts the job."""
    asked = frozen(project, project.suite(["random"]))
    plan = project.session(project.suite(["random"])).plan
    serve(replace(asked, keyword="random"))
    random, dense = (next(c for c in plan.cells if ("random" in c.id) == pruned) for pruned in (True, False))
    heard = Heard()
    past = Past(before=[], made=["score"], begun=[random.key, dense.key], told=[])
    served = serve(replace(asked, max_jobs=2), heard, past=past)
    assert list(heard.whole_already) == [random.id]
    assert heard.cells == {}
    assert (served.jobs, list(served.made), served.left) == (2, [random.id], [dense.id])
    again = Heard()
    serve(asked, again, past=replace(past, told=[random.id]))
    assert list(again.whole_already) == []
    assert list(again.cells) == [dense.id]


def test_a_plugin_file_that_is_not_here_is_named_and_can_lie_elsewhere(project: Any) -> None:
    plugin = mine(project)
    asked = frozen(project, project.suite(["mine"]), plugins=(str(plugin),))
    other = project.folder / "other" / "mine.py"
    other.parent.mkdir()
    plugin.rename(other)
    with pytest.raises(PluginError, match=rf"plugin file {plugin}, which is not here.*--plugin"):
        serve(asked)
    assert len(serve(replace(asked, plugins=(str(other),))).made) == 2


def test_a_plugin_that_has_changed_is_refused(project: Any) -> None:
    asked = frozen(project, project.suite(["mine"]), plugins=(str(mine(project)),))
    mine(project, "net.weights")
    with pytest.raises(PluginError, match=r"scorer mine has changed since the plan was made"):
        serve(asked)
    assert not project.store().record_keys()


def test_a_component_that_nothing_registers_here_is_named(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of another distribution's plugin, which this machine lacks."""
    text = making.Making.to_text
    monkeypatch.setattr(making.Making, "to_text", lambda self: text(self.model_copy(update={"plugins": ()})))
    asked = frozen(project, project.suite(["mine"]), plugins=(str(mine(project)),))
    with pytest.raises(PluginError, match=r"the plan needs a plugin that is not here: .*mine"):
        serve(asked)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prunebench": "99.1"}, r"frozen by prunebench 99\.1, and this is \S+: `prunebench run SUITE`"),
        ({"jobs": {**making.JOB_VERSIONS, "score": 77}}, "whose score jobs compute something else"),
    ],
)
def test_a_plan_of_another_version_is_refused_and_stays_where_it_is(
    project: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    text = making.Making.to_text
    monkeypatch.setattr(making.Making, "to_text", lambda self: text(self.model_copy(update=change)))
    asked = frozen(project, project.suite(["random"]))
    with pytest.raises(StoreError, match=said):
        serve(asked)
    assert asked.plan.is_file()


def test_a_plan_that_does_not_say_what_it_was_made_with_is_an_older_version_s(project: Any) -> None:
    from prunebench.inventory.frozen import freeze

    session = project.session(project.suite(["random"]))
    asked = Asked(freeze(session.plan, project.store()), project.folder)
    with pytest.raises(StoreError, match=r"frozen by another version of prunebench: .* freezes it anew"):
        serve(asked)


def test_cells_whose_data_are_not_on_this_machine_are_left_to_others(project: Any) -> None:
    """And fail nowhere: another machine may have the data."""
    (project.folder / "blobs.py").write_text(BLOBS)
    (project.folder / "data").mkdir()
    (project.folder / "data" / "blobs").touch()
    options = {"plugins": (str(project.folder / "blobs.py"),)}
    asked = frozen(project, project.suite(["random"], more=OTHER.format("blobs")), **options)
    away, heard = replace(asked, data=project.folder / "away"), Heard()
    served = serve(away, heard)
    assert (len(served.made), len(served.left), served.failed) == (2, 2, {})
    assert [cells for _, cells in heard.lacking] == [2]
    with pytest.raises(DataError, match="put the file blobs into"):
        serve(away)
    assert not project.store().attempt_keys()
    assert len(serve(asked).made) == 2


def test_two_workers_on_one_plan_make_each_job_once(project: Any) -> None:
    asked = frozen(project, project.suite(["snip", "random", "synflow"], seeds=2))
    jobs = len(project.session(project.suite(["snip", "random", "synflow"], seeds=2)).plan.jobs)
    command = (
        "import sys; from pathlib import Path; from prunebench.engine.work_plan import Asked, serve; "
        "served = serve(Asked(Path(sys.argv[1]), Path('data'))); print(served.jobs, len(served.left))"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", command, str(asked.plan)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=project.folder,
    )
    served = serve(asked)
    out, _ = other.communicate(timeout=120)
    theirs, left = map(int, out.split())
    assert (served.jobs + theirs, left, served.left) == (jobs, 0, [])


def test_outside_the_main_thread_the_time_is_looked_at_between_jobs(project: Any) -> None:
    """There no signal can be listened to, and one that nobody hears would end the process."""
    asked = replace(frozen(project, project.suite(["random"])), seconds=1e-3)
    served: list[Served] = []
    thread = threading.Thread(target=lambda: served.append(serve(asked)))
    thread.start()
    thread.join(60)
    assert [one.why for one in served] == ["time"]


# -- which plan ------------------------------------------------------------------------------------------------


def test_a_plan_is_named_by_its_file_or_in_a_store(project: Any) -> None:
    path = project.session(project.suite(["random"])).freeze(project.store())
    store, default = project.folder / "store", project.folder / "nowhere"
    for given in (path.stem, path.name):
        assert plan_file(given, store, default) == path
        assert plan_file(given, None, store) == path
    assert plan_file(str(path), None, default) == path
    assert plan_file(os.path.relpath(path), store, default) == path


def test_a_plan_that_is_none_is_refused_with_the_nearest_name(project: Any) -> None:
    path = project.session(project.suite(["random"])).freeze(project.store())
    store = project.folder / "store"
    with pytest.raises(UsageError, match=rf"did you mean '{path.stem}'"):
        plan_file(path.stem[:-1], None, store)
    with pytest.raises(UsageError, match="no plan tiny: no store at"):
        plan_file("tiny", None, project.folder / "nowhere")
    with pytest.raises(UsageError, match=r"is no frozen plan in a store"):
        plan_file(str(project.suite(["random"])), None, store)
    with pytest.raises(UsageError, match=r"lies in the store .*, and --store says"):
        plan_file(str(path), project.folder / "nowhere", store)
