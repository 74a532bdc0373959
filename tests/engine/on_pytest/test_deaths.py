"""Workers of pytest-xdist that die: before the run has begun, of no job, or when nothing is left to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.engine.fronts.report import RunReport
from prunebench.engine.on_pytest import plugin as pytest_plugin
from prunebench.engine.on_pytest import run, suites
from prunebench.engine.on_pytest.run_plugin import RunPlugin
from prunebench.errors import PrunebenchError, StoreError

# -- before the run has begun ----------------------------------------------------------------------------


class Node:
    """A worker, as pytest-xdist tells of it."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)


class Controller:
    """A run of two workers, as our plugin sees it; `begun` counts how often it has begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.report = RunReport()
        self.scheduler = SimpleNamespace(node2collection={}, collection=None, nodes=[])
        self.scheduler.add_node = self.scheduler.nodes.append
        distributed = SimpleNamespace(nodemanager=object(), sched=self.scheduler)
        plugins = SimpleNamespace(getplugin=lambda name: distributed)
        reporter: Any = SimpleNamespace(start=lambda: None)
        loaded: Any = None
        self.plugin = RunPlugin(loaded, reporter, self.report, workers=2, begin=self._begin)
        config: Any = SimpleNamespace(pluginmanager=plugins)
        self.plugin._config = config

    def _begin(self, tell: Callable[[str], object]) -> None:
        self.begun += 1

    def reads(self, name: str) -> Any:
        node = Node(name)
        self.plugin.pytest_xdist_node_collection_finished(node)
        self.scheduler.node2collection[node] = ["main::x"]
        return node

    def dies(self, node: Any) -> None:
        self.plugin.pytest_testnodedown(node, "crashed")


def test_a_run_begins_once_as_many_live_as_were_asked_for() -> None:
    """One that has read the plan and died is not counted: its replacement has still to read it."""
    controller = Controller()
    controller.dies(controller.reads("gw0"))
    controller.reads("gw1")
    assert not controller.begun
    controller.reads("gw2")
    assert controller.begun == 1
    controller.reads("gw3")
    assert controller.begun == 1


def test_pytest_xdist_waits_for_as_many_too() -> None:
    """It counts the dead, and would hand out the first cells before the run has begun; not once it has."""
    controller = Controller()
    controller.dies(controller.reads("gw0"))
    assert not controller.scheduler.node2collection
    late = [controller.reads("gw1"), controller.reads("gw2")]
    controller.scheduler.collection = ["main::x"]
    controller.dies(late[0])
    assert len(controller.scheduler.node2collection) == 2


def test_a_worker_that_got_ready_when_nothing_seemed_left_is_let_in() -> None:
    """Another has died since: pytest-xdist does not know it, and would end the session at its collection."""
    controller = Controller()
    late = controller.reads("gw2")
    assert controller.scheduler.nodes == [late]
    controller.plugin.pytest_xdist_node_collection_finished(late)
    assert controller.scheduler.nodes == [late]


def test_workers_that_die_again_and_again_before_the_run_has_begun_end_it() -> None:
    """Also where each has read the plan: else they would be replaced for ever."""
    controller = Controller()
    for number in range(2):
        controller.dies(controller.reads(f"gw{number}"))
    with pytest.raises(pytest.exit.Exception, match="3 in a row died before the run had begun"):
        controller.dies(controller.reads("gw2"))
    assert not controller.begun
    assert "3 in a row" in controller.report.problem


DIES = '''
import gc, os, time
from pathlib import Path
import prunebench

worker = os.environ.get("PYTEST_XDIST_WORKER")
died = Path(__file__).with_name("died")

def die_once_the_plan_is_read():
    interactor = next(one for one in gc.get_objects() if type(one).__name__ == "WorkerInteractor")
    send = interactor.sendevent
    def sendevent(name, **more):
        send(name, **more)
        if name == "collectionfinish":
            time.sleep(0.2)
            died.touch()
            os._exit(7)
    interactor.sendevent = sendevent

if worker == "gw0":
    die_once_the_plan_is_read()
until = time.monotonic() + 60
while worker == "gw1" and not died.exists() and time.monotonic() < until:
    time.sleep(0.02)
if worker == "gw1":
    time.sleep(0.5)

def score(net, batch, rng):
    """The magnitude."""
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


@pytest.mark.slow
def test_a_worker_that_dies_once_it_has_read_the_plan_is_replaced(project: Any) -> None:
    """The other one is still to read it, and so is the replacement: both find it, and make all cells."""
    (project.folder / "dies.py").write_text(DIES)
    path = project.suite(["mine"], epochs=0.1)
    command = [sys.executable, "-m", "prunebench", "run", path.name, "--plugin", "dies.py", "-n", "2"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [*command, "--store", "store"],
        cwd=project.folder,
        env=own,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (project.folder / "died").exists()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 cells made now" in done.stdout


# -- of no job -------------------------------------------------------------------------------------------


def crash(
    monkeypatch: pytest.MonkeyPatch, item: str, buried: list[Path], suite: Any
) -> tuple[str, list[str]]:
    """Let a worker die on an item; return the report's outcome and what is handed out again."""
    suite.worker.store.bury = lambda ended: buried
    monkeypatch.setattr(pytest_plugin.time, "sleep", lambda seconds: None)
    pending: list[str] = []
    stash = {suites._LOADED: {"suite": suite}}
    sched = SimpleNamespace(
        config=SimpleNamespace(stash=stash, pluginmanager=pytest.PytestPluginManager()),
        mark_test_pending=pending.append,
    )
    report = SimpleNamespace(
        longrepr="crashed", outcome="failed", node=SimpleNamespace(gateway=SimpleNamespace(id="gw0"))
    )
    pytest_plugin.pytest_handlecrashitem(item, report, sched)
    return report.outcome, pending


def suite_of_one_cell() -> Any:
    cell = SimpleNamespace(id="main::x", matrix="main", targets=["cafe"])
    plan = SimpleNamespace(suite={}, cells=[cell], jobs={"cafe": None}, ancestors=lambda key: {key})
    failed = SimpleNamespace(message="died of cafe")
    worker: Any = SimpleNamespace(store=SimpleNamespace(), given_up={}, failed_elsewhere={"cafe": failed}.get)
    session: Any = SimpleNamespace(plan=plan)
    return suites.Loaded(session, worker)


def test_a_cell_whose_worker_died_of_no_job_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed by chance, before its claim or between two jobs; a second death is the cell's."""
    suite = suite_of_one_cell()
    item = "tiny.toml::main::x"
    assert crash(monkeypatch, item, [], suite) == ("rerun", [item])
    assert crash(monkeypatch, item, [], suite) == ("failed", [])


def test_a_test_of_the_users_own_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crash(monkeypatch, "test_own.py::test_it", [], suite_of_one_cell()) == ("failed", [])


def test_a_cell_that_a_job_of_its_own_has_failed_by_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of_one_cell()
    assert crash(monkeypatch, "tiny.toml::main::x", [Path("claims/cafe.json")], suite) == ("failed", [])


# -- when nothing is left to do --------------------------------------------------------------------------


@pytest.mark.parametrize("made", [True, False])
def test_a_late_death_fails_no_run_whose_cells_are_all_there(
    project: Any, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    """A replacement that cannot start ends the session, and the run only where something is left to do."""
    session = project.session(project.suite(["magnitude"], epochs=0.1))
    store = project.store()

    def session_that_ends(session: Any, plugin: RunPlugin, **options: Any) -> int:
        plugin._begin(print)
        plugin._reporter.start()
        worker = session.worker(store)
        for cell in session.plan.cells if made else ():
            worker.make(cell)
        plugin.report.problem = "workers cannot start"
        plugin._reporter.pytest_sessionfinish()
        return 1

    monkeypatch.setattr(run, "run_pytest", session_that_ends)
    if made:
        assert run.run_cells(session, store, workers=2).exit_code == 0
    else:
        with pytest.raises(PrunebenchError, match="workers cannot start"):
            run.run_cells(session, store, workers=2)


@pytest.mark.parametrize(("number", "alone"), [(1, False), (2, True)])
def test_who_takes_a_dead_workers_place_and_cannot_use_the_plan_ends_alone(
    monkeypatch: pytest.MonkeyPatch, number: int, alone: bool
) -> None:
    """An error in its collection would end the session of those at work; the first workers' is told."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(suites.os, "_exit", leave)
    told = {"workerid": f"gw{number}", "workercount": 2}
    with pytest.raises(SystemExit if alone else StoreError), suites._ending_alone(told):
        raise StoreError("no plan there")
