"""Checks as pytest items: behind the cells, waiting for those that are selected, training nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.checks.outcomes import Outcome, Verdicts
from prunebench.engine.failures import JobFailed
from prunebench.engine.on_pytest.plugin import TRIES, pytest_handlecrashitem
from prunebench.engine.on_pytest.suites import Loaded, use
from prunebench.engine.standing import Standing
from prunebench.store import now_text

from ...conftest import Project  # noqa: TID252
from .test_plugin import run_pytest

CHECKS = """
[[claim]]
id = "C1"
says = "Scores beat chance."
source = "nobody"
kind = "every"

[[check]]
name = "snip-above-random"
claim = "C1"
of = {method = "snip"}
against = {method = "random"}
range = "all"
expect = "above"
margin = 0.5

[[check]]
name = "random-above-snip"
of = {method = "random"}
against = {method = "snip"}
range = "all"
expect = "above"
margin = 0.5

[[check]]
name = "like-magnitude"
of = {method = "snip"}
against = {method = "magnitude"}
range = "all"
expect = "same"
margin = 0.5
"""
OF_A_RANGE = """
[[check]]
name = "broken"
quantity = "broken"
of = {method = "snip"}
against = 0.0
range = "all"
expect = "above"
margin = 1.0

[[check]]
name = "where-nothing-is-lost"
of = {method = "snip"}
against = {method = "magnitude"}
range = "trivial"
expect = "same"
margin = 50
"""
BROKEN = """
import prunebench

def broken(curves):
    raise ValueError("no such number")

@prunebench.hookimpl
def prunebench_quantities():
    return [prunebench.Quantity("broken", broken, "seeds")]
"""
BACKWARDS = "def pytest_collection_modifyitems(items):\n    items.reverse()\n"
METHODS = ["random", "snip", "magnitude"]


def write(project: Any, *, seeds: int = 2, checks: str = CHECKS, methods: list[str] = METHODS) -> Path:
    path = project.suite(methods, sparsities=[0.9], seeds=seeds)
    path.write_text(path.read_text() + checks)
    return path


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A suite with checks that pytest has run on two workers, items backwards, and what it said.

    By its margin nothing is lost anywhere; one of its quantities fails.
    """
    project = Project(tmp_path_factory.mktemp("judged"))
    path = write(project, seeds=3, checks=CHECKS + OF_A_RANGE, methods=[*METHODS, "magnitude-after-training"])
    text = path.read_text().replace('version = "1"', 'version = "1"\nplugins = ["broken.py"]', 1)
    path.write_text(text + "\n[leaderboard]\nmargin = 90\n")
    (project.folder / "broken.py").write_text(BROKEN)
    (project.folder / "conftest.py").write_text(BACKWARDS)
    done = run_pytest(project.folder, path.name, "-n", "2", "-rs", "-v", "--junitxml=junit.xml")
    return SimpleNamespace(project=project, path=path, done=done)


def test_checks_are_collected_behind_the_cells_and_a_suite_without_has_none(project: Any) -> None:
    """pai.toml::checks::NAME, in the file's order; the other items are as they were."""
    with_checks = write(project).rename(project.folder / "a.toml")
    bare = write(project, checks="")
    done = run_pytest(project.folder, with_checks.name, bare.name, "--collect-only", "-q")
    listed = [line for line in done.stdout.splitlines() if "::" in line]
    names, others = ([line for line in listed if line.startswith(f"{one}.toml")] for one in ("a", "tiny"))
    assert names[-3:] == [
        f"a.toml::checks::{name}" for name in ("snip-above-random", "random-above-snip", "like-magnitude")
    ]
    assert [name.replace("a.toml", "tiny.toml") for name in names[:-3]] == others
    assert len(others) == 8


def test_a_check_before_its_cells_makes_them_and_every_verdict_is_an_outcome_of_pytest(judged: Any) -> None:
    """Items backwards on two workers: holds passes, fails fails, undecided is skipped; each cell is made once."""
    said = judged.done.stdout
    assert "2 failed" in said, said
    assert "tiny.toml::checks::snip-above-random" in said
    assert "FAILED tiny.toml::checks::random-above-snip" in said
    assert "SKIPPED" in said
    assert "undecided" in said
    assert judged.done.returncode == 1
    store = judged.project.store()
    assert len(store.record_keys()) == 15
    assert not store.attempt_keys()
    logs = [path.read_text() for path in (store.root / "logs").glob("*.log")]
    assert all(log.count(" INFO done") == 1 for log in logs)  # no job was run twice


def test_junit_tells_why_a_check_failed_or_was_skipped(judged: Any) -> None:
    """The effect, its bounds and seeds; verdicts are properties; the suite's file is named, not ours."""
    cases = {
        case.get("name"): case
        for case in ElementTree.parse(judged.project.folder / "junit.xml").getroot().iter("testcase")
    }
    failure = cases["random-above-snip"].find("failure")
    assert failure is not None
    assert "3 seeds" in str(failure.get("message"))
    broken = cases["broken"].find("failure")
    assert broken is not None
    assert "quantity 'broken' failed: ValueError: no such number" in str(broken.text)
    skipped = cases["like-magnitude"].find("skipped")
    assert skipped is not None
    assert str(skipped.get("message")).startswith("undecided: ")
    assert "tiny.toml" in str(skipped.text)
    verdicts = {
        name: prop.get("value")
        for name, case in cases.items()
        for prop in case.iter("property")
        if prop.get("name") == "prunebench_verdict"
    }
    assert verdicts.pop("where-nothing-is-lost") in (
        "holds",
        "fails",
        "undecided",
    )  # not before its baselines
    assert verdicts == {
        "broken": "not run",
        "snip-above-random": "holds",
        "random-above-snip": "fails",
        "like-magnitude": "undecided",
    }


def test_lf_takes_the_checks_that_failed(judged: Any) -> None:
    """Its cells are there and are not selected: it is judged by them, and nothing is run."""
    again = run_pytest(judged.project.folder, judged.path.name, "--lf", "-q")
    assert "2 failed, " in again.stdout, again.stdout
    assert " passed" not in again.stdout


def test_a_check_whose_cells_are_not_selected_trains_nothing_and_says_so(project: Any) -> None:
    """-k NAME selects the check alone: it is skipped as not run, by number of cells; the store has no record."""
    path = write(project)
    done = run_pytest(project.folder, path.name, "-k", "random-above", "-rs")
    assert "1 skipped" in done.stdout, done.stdout
    assert "SKIPPED" in done.stdout
    assert "4 of 4 cells are missing" in done.stdout
    assert "(missing: main::digits-mlp-digits-random-d0.1-s0, " in done.stdout
    assert "and 1 more)" in done.stdout
    assert "tiny.toml:" in done.stdout
    assert not project.store().record_keys()
    assert done.returncode == 0


DEADLY = """
import os
import pathlib

import prunebench

def score(net, batch, rng):
    died = pathlib.Path({marker!r})
    if not died.exists():
        died.write_text("once")
        os._exit(7)
    return {{name: weight.detach().abs() for name, weight in net.weights.items()}}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("deadly", score)]
"""


@pytest.mark.slow
def test_a_check_that_is_lost_with_its_worker_is_judged_all_the_same(project: Any) -> None:
    """The scorer ends its process while a check makes a cell: the check is handed out once more."""
    plugin = project.folder / "deadly.py"
    plugin.write_text(DEADLY.format(marker=str(project.folder / "died")))
    path = project.suite(["random", "deadly"], sparsities=[0.9], seeds=2)
    path.write_text(path.read_text() + CHECKS.replace("snip", "deadly").replace("magnitude", "random"))
    (project.folder / "conftest.py").write_text(BACKWARDS)
    done = run_pytest(project.folder, path.name, "--prunebench-plugin", str(plugin), "-n", "2", "-rsfR", "-v")
    assert (project.folder / "died").exists()
    ends = [line for line in done.stdout.splitlines() if "::checks::" in line and "FAILED" not in line]
    for name in ("deadly-above-random", "random-above-deadly", "like-random"):
        assert any(name in line and ("SKIPPED" in line or "PASSED" in line) for line in ends), done.stdout
    assert "1 rerun" in done.stdout


# -- waiting, with stand-ins ---------------------------------------------------------------------------------


class _Worker:
    """Makes cells by noting them."""

    def __init__(self, project: Any, path: Path) -> None:
        self.engine = project.engine(path)
        self.plan, self.store, self.made, self.asked = self.engine.plan, self.engine.store, [], []

    def have(self, key: str) -> bool:
        return self.engine.have(key)

    def make(self, cell: Any) -> int:
        self.asked.append(cell.id)
        raise JobFailed(self.plan.jobs[cell.key], "no")


@pytest.fixture
def waiting(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker, and a standing on it by which the check "c" needs the cells of SNIP."""
    worker = _Worker(project, write(project))
    snip = [cell for cell in worker.plan.cells if cell.labels["method"] == "snip"]
    outcome = Outcome(check="c", verdict="not run", keys=tuple(cell.key for cell in snip))
    monkeypatch.setattr(
        "prunebench.checks.rows.evaluate_rows", lambda *args, **only: Verdicts(outcomes=(outcome,))
    )
    standing = Standing(worker, lambda name: None, now_text())  # type: ignore[arg-type]
    return SimpleNamespace(worker=worker, standing=standing, snip=snip)


def test_only_selected_cells_of_the_check_are_made(waiting: Any) -> None:
    """Of all that are selected those it needs; of those it needs none that is not selected."""
    plan = waiting.worker.plan
    waiting.standing.judge("c", [cell for cell in plan.cells if cell.seed == 1])
    assert waiting.worker.asked == [cell.id for cell in waiting.snip if cell.seed == 1]
    waiting.worker.asked.clear()
    waiting.standing.judge("c", [])
    assert waiting.worker.asked == []


def test_what_a_check_turns_out_to_need_once_others_are_there_is_made_too(
    waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a named range, whose sparsities nobody knows before the baselines are there."""
    order = ["random", "magnitude", "snip"]
    cells = sorted(
        (cell for cell in waiting.worker.plan.cells if cell.labels["method"] in order),
        key=lambda cell: order.index(cell.labels["method"]),
    )

    def needed(*args: Any, **only: Any) -> Verdicts:
        keys = tuple(cell.key for cell in cells[: 2 + len(waiting.worker.asked)])
        return Verdicts(outcomes=(Outcome(check="c", verdict="not run", keys=keys),))

    monkeypatch.setattr("prunebench.checks.rows.evaluate_rows", needed)
    monkeypatch.setattr("prunebench.inventory.snapshot.Snapshot.outdated", lambda self: True)
    waiting.standing.judge("c", waiting.worker.plan.cells)
    assert waiting.worker.asked == [cell.id for cell in cells]
    assert len(cells) == 6


def test_what_failed_in_this_run_is_not_tried_again_and_what_failed_before_is(waiting: Any) -> None:
    """By the times of the attempts, whichever process made them."""
    worker, cell = waiting.worker, waiting.snip[0]
    worker.store.write_attempt(cell.key, "failed now", job={"kind": "record"})
    waiting.standing.judge("c", [cell])
    assert worker.asked == []
    later = replace(waiting.standing, since="99999999T000000.000000Z")
    later.judge("c", [cell])
    assert worker.asked == [cell.id]


def test_a_job_that_one_process_died_of_has_not_failed_for_a_check_either(waiting: Any) -> None:
    """It may have been killed by chance; what two have died of has failed, as for cells."""
    worker, cell = waiting.worker, waiting.snip[0]
    worker.store.write_attempt(cell.key, "process 1 died while it worked on this")
    waiting.standing.judge("c", [cell])
    assert worker.asked == [cell.id]
    worker.asked.clear()
    worker.store.write_attempt(cell.key, "process 2 died while it worked on this")
    waiting.standing.judge("c", [cell])
    assert worker.asked == []


def test_a_job_whose_failures_are_damaged_or_gone_is_tried(waiting: Any) -> None:
    """Their folder may be there without a file, or with one that cannot be read."""
    worker, cell = waiting.worker, waiting.snip[0]
    path = worker.store.write_attempt(cell.key, "failed now", job={"kind": "record"})
    path.write_bytes(b"{")
    waiting.standing.judge("c", [cell])
    assert worker.asked == [cell.id]
    for left in path.parent.iterdir():
        left.unlink()
    waiting.standing.judge("c", [cell])
    assert worker.asked == [cell.id] * 2


@pytest.mark.parametrize("can", [True, False])
def test_a_check_that_loses_its_worker_is_handed_out_again(
    project: Any, can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many times, and a cell once; where pytest-xdist's distribution cannot do that, it stays a failure."""
    monkeypatch.setattr("prunebench.engine.on_pytest.plugin.time.sleep", lambda seconds: None)
    path = write(project)
    session = project.session(path)
    store = project.store()
    config = SimpleNamespace(stash=pytest.Stash(), pluginmanager=pytest.PytestPluginManager())
    use(config, Loaded(session, session.worker(store)))  # type: ignore[arg-type]
    pending: list[str] = []

    def mark(item: str) -> None:
        if not can:
            raise NotImplementedError
        pending.append(item)

    sched = SimpleNamespace(config=config, mark_test_pending=mark)

    def crash(item: str) -> str:
        node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"))
        report = SimpleNamespace(outcome="failed", longrepr="", node=node)
        pytest_handlecrashitem(crashitem=item, report=report, sched=sched)
        return report.outcome

    check, cell = "tiny.toml::checks::like-magnitude", f"tiny.toml::{session.plan.cells[0].id}"
    assert [crash(cell), crash(cell)] == ["rerun" if can else "failed", "failed"]
    outcomes = [crash(check) for _ in range(TRIES + 1)]
    assert outcomes == ["rerun" if can else "failed"] * TRIES + ["failed"]
    assert pending == [cell, *[check] * TRIES] * can
