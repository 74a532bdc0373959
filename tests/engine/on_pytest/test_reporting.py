"""What `prunebench run` says while cells run, and what it counts in the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from prunebench.engine.on_pytest import suites
from prunebench.engine.on_pytest.run import run_cells
from prunebench.engine.worker import Worker
from prunebench.errors import StoreError
from prunebench.inventory.snapshot import Snapshot


def lines(text: str) -> list[str]:
    """Return the lines of cells, without what they came to."""
    return [" ".join(line.split()[:2]) for line in text.splitlines() if line.startswith("[")]


def test_cells_are_counted_one_by_one_whoever_makes_them(
    project: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One was done before, one is made by another run meanwhile: [1/2], [2/2]; each counted for what it is."""
    path = project.suite(["snip", "magnitude"])
    first = project.engine(path)
    first.make(first.plan.cells[0])
    make, began = Worker.make, []

    def made_by_another_meanwhile(self: Worker, cell: Any) -> int:
        if not began:
            began.append(cell)
            other = project.engine(path)
            make(other, other.plan.cells[2])
        return make(self, cell)

    monkeypatch.setattr(Worker, "make", made_by_another_meanwhile)
    outcome = run_cells(project.session(path), project.store(), verbose=True)
    none, snip, magnitude = (cell.id for cell in first.plan.cells)
    assert (outcome.before, outcome.made, outcome.elsewhere) == ([none], [snip], [magnitude])
    assert outcome.exit_code == 0
    text = capsys.readouterr().out
    assert lines(text) == [f"[1/2] {snip}", f"[2/2] {magnitude}"]
    assert re.search(rf"^{none}  .*done before$", text, re.MULTILINE)


def test_what_another_run_makes_while_this_one_starts_is_counted_as_this_one_said_and_has_its_line(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three cells were to do when it looked, one of them is there when it begins: [1/2], [2/2]."""
    path = project.suite(["snip", "magnitude"])
    session, other = project.session(path), project.engine(path)
    none, snip, magnitude = session.plan.cells
    other.make(none)
    seen = Snapshot(session.plan, project.store())
    assert [seen.done(cell) for cell in session.plan.cells] == [True, False, False]
    other.make(magnitude)
    outcome = run_cells(session, project.store(), seen=seen)
    assert lines(capsys.readouterr().out) == [f"[1/2] {magnitude.id}", f"[2/2] {snip.id}"]
    assert (outcome.before, outcome.made, outcome.elsewhere) == ([none.id], [snip.id], [magnitude.id])


HOLDER = """
import sys
from prunebench.store import Store
with Store.open(sys.argv[1]).claim(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_waiting_for_another_run_is_said_once(
    project: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the process that is waited for, however often it is seen that it is."""
    session, store = project.session(project.suite(["snip"])), project.store()
    first = next(key for key, job in session.plan.jobs.items() if job.kind == "train" and not job.inputs)
    arguments = [sys.executable, "-c", HOLDER, str(store.root), first]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        say, said = suites._say_waiting, []

        def says(*arguments: Any) -> None:
            say(*arguments)
            said.append(arguments)
            say(*arguments)
            holder.stdin.close()  # type: ignore[union-attr]

        monkeypatch.setattr(suites, "_say_waiting", says)
        outcome = run_cells(session, store)
    assert len(outcome.made) == 2
    assert said
    holds = rf"waiting for another run \([\w-]+:process {holder.pid}\) …"
    assert len(re.findall(holds, capsys.readouterr().out)) == 1


def test_a_cell_that_is_not_there_in_the_end_is_no_success(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0 is what the store says, not what was reported."""
    make = Worker.make

    def forgets(self: Worker, cell: Any) -> int:
        jobs = make(self, cell)
        self.store._folder.path("records", cell.key, ".json").unlink()
        monkeypatch.setattr(Worker, "make", make)
        return jobs

    monkeypatch.setattr("prunebench.engine.on_pytest.items.summary", lambda engine, cell: "")
    monkeypatch.setattr(Worker, "make", forgets)
    outcome = run_cells(project.session(project.suite(["snip"])), project.store())
    assert outcome.exit_code == 1
    assert len(outcome.made) == 1
    assert not outcome.failed


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a small file system is mounted")
def test_a_small_file_system_fills_up(project: Any) -> None:
    """For real: one sentence, nothing blamed; with room again the rest is done."""
    root = project.folder / "small"
    root.mkdir()

    def mount(*options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(root)]
        return subprocess.run(command, capture_output=True).returncode == 0

    if not mount("size=160k"):
        pytest.skip("no file system can be mounted here")
    try:
        path = project.suite(["snip", "magnitude"], seeds=3)
        with pytest.raises(StoreError, match="No space left on device; free some space") as caught:
            session = project.session(path, "small/store")
            run_cells(session, project.store("small/store"), quiet=True)
        assert len(str(caught.value).splitlines()) == 1
        assert mount("remount", "size=64m")
        store = project.store("small/store")
        assert not store.attempt_keys()
        outcome = run_cells(project.session(path, "small/store"), store, quiet=True)
        assert len(outcome.made) + len(outcome.before) == 9
    finally:
        subprocess.run(["umount", str(root)], check=True)
