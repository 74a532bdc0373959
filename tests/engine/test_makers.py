"""Whose a cell is at the end of a run: its own, also where the worker that made it could not say so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prunebench.engine.fronts.report import RunReport
from prunebench.engine.makers import by_others, take_in_dead
from prunebench.engine.on_pytest.run_plugin import RunPlugin
from prunebench.inventory.snapshot import Snapshot
from prunebench.store import host_name, process_name


def test_jobs_of_a_dead_worker_are_known_by_their_times_and_by_what_it_died_of(project: Any) -> None:
    """It helped, and was killed between a record and its time. What others made stays theirs."""
    session = project.session(project.suite(["snip", "magnitude", "random"]))
    store = project.store()
    first = Snapshot(session.plan, store)
    worker = session.worker(store)
    mine, died, theirs, *_ = cells = session.plan.cells
    for cell in cells:
        worker.make(cell)
    own = process_name()
    file = store.root / "times" / f"{own}.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    of = {cell.key: next(line for line in lines if cell.key.encode() in line) for cell in cells}
    dead, other = f"{host_name()}-77-1234", f"{host_name()}-78-1234"
    file.unlink()
    (store.root / "times" / f"{dead}.jsonl").write_bytes(of[mine.key])
    (store.root / "times" / f"{other}.jsonl").write_bytes(of[theirs.key])
    store.write_attempt(died.key, "process 77 died", worker=77)
    store.write_attempt(theirs.key, "process 79 died", worker=79)
    report = RunReport(made={"gw0": [], "gw1": ["reported"]}, dead={"gw1": dead})
    take_in_dead(report, session.plan, store, worker.have)
    assert report.made == {"gw0": [], "gw1": ["reported", mine.key, died.key]}
    assert report.jobs == 3
    assert list(by_others(cells[:3], first, report)) == [theirs]


class Node:
    """A worker as pytest-xdist has it."""

    def __init__(self, number: int) -> None:
        popen = SimpleNamespace(pid=4_000_000 + number)
        self.gateway = SimpleNamespace(id=f"gw{number}", _io=SimpleNamespace(popen=popen))
        self.workeroutput: dict[str, str] = {}


def test_a_worker_is_dead_until_it_has_said_what_it_ran() -> None:
    """One that is killed while the run stops is no longer heard of at all."""
    nothing: Any = SimpleNamespace()
    plugin = RunPlugin(nothing, nothing, RunReport(), workers=2)
    nodes = [Node(number) for number in range(2)]
    for node in nodes:
        plugin.pytest_testnodeready(node)
    nodes[0].workeroutput = {"prunebench_made": '["a", "b"]'}
    plugin.pytest_testnodedown(nodes[0], None)
    assert plugin.report.made == {"gw0": ["a", "b"]}
    assert plugin.report.dead == {"gw1": f"{host_name()}-4000001-0"}
