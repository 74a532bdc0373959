"""`prunebench check`, and what `run`, `status` and `leaderboard` say of checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from prunebench.checks.outcomes import ClaimVerdict, Verdicts
from prunebench.cli.check import _print
from prunebench.store import Store

from .conftest import TINY, Place, make_place
from .test_light import CALL
from .test_outputs import checked

SUITE = (
    TINY.replace('["random", "own", "magnitude-after-training"]', '["random", "magnitude-after-training"]')
    .replace("[0.5]", "[0.95]")
    .replace("seeds = 2", "seeds = 3")
    + """
[[claim]]
id = "K1"
says = "Magnitude after training is better than chance."
source = "somebody"
kind = "every"

[[check]]
name = "trained-above-random"
claim = "K1"
of = {method = "magnitude-after-training"}
against = {method = "random"}
range = "all"
expect = "not-same"
margin = 0

[[check]]
name = "random-far-above"
of = {method = "random"}
against = 99.0
range = "all"
expect = "above"

[[check]]
name = "open-question"
of = {method = "random"}
against = {method = "magnitude-after-training"}
range = "all"
expect = "same"
margin = 0.001
"""
)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Place:
    """A folder in which a suite with three checks has been run: one of them fails surely."""
    place = make_place(tmp_path_factory.mktemp("judged"))
    place.call("run", place.write("tiny.toml", SUITE), *place.plugin, "--no-table", "-q")
    return place


def test_a_row_a_claim_and_exit_code_1_where_one_fails(judged: Place) -> None:
    """A check that names no claim is one by itself; the failing check is told with its evidence."""
    before = judged.files()
    shown = judged.call("check", judged.suite, *judged.plugin, code=1)
    rows = {line.split()[0]: line for line in shown.stdout.splitlines() if line.strip()}
    assert "better than chance" in rows["K1"]
    assert rows["random-far-above"].split()[1] == "fails"
    assert "3 seeds" in shown.stdout
    assert "chance explains up to" in shown.stdout
    assert "trained-above-random" not in rows
    assert judged.files() == before


def test_rows_of_checks_on_request(judged: Place) -> None:
    """Each with its verdict, effect and bounds."""
    shown = judged.call("check", judged.suite, *judged.plugin, "--checks", code=1).stdout
    for name in ("trained-above-random", "random-far-above", "open-question"):
        assert name in shown


def test_k_chooses_checks_and_the_exit_code_is_theirs(judged: Place) -> None:
    """By name or by claim; an expression that matches nothing is a mistake."""
    said = judged.json("check", judged.suite, *judged.plugin, "-k", "K1")
    assert [one["id"] for one in said["claims"]] == ["K1"]
    assert [one["check"] for one in said["outcomes"]] == ["trained-above-random"]
    said = judged.json("check", judged.suite, *judged.plugin, "-k", "not K1", code=1)
    assert [one["check"] for one in said["outcomes"]] == ["random-far-above", "open-question"]
    assert "matches none" in judged.call("check", judged.suite, *judged.plugin, "-k", "zzz", code=2).stderr


def test_strict_counts_what_is_open(judged: Place) -> None:
    """Open is no failure, and with --strict not good enough."""
    open_one = ("check", judged.suite, *judged.plugin, "-k", "open")
    (claim,) = judged.json(*open_one)["claims"]
    assert claim["verdict"] == "open"
    judged.call(*open_one, "--strict", code=1)


def test_json_has_every_outcome_with_its_evidence(judged: Place) -> None:
    """Seeds, differences and the keys of the cells, under a schema."""
    said = judged.json("check", judged.suite, *judged.plugin, code=1)
    checked(said)  # documented, every key
    assert said["suite"]["name"] == "tiny"
    failing = next(one for one in said["outcomes"] if one["check"] == "random-far-above")
    assert failing["verdict"] == "fails"
    assert failing["seeds"] == [0, 1, 2]
    assert len(failing["differences"]) == 3
    assert len(failing["keys"]) == 3
    assert failing["effect"] == pytest.approx(sum(failing["differences"]) / 3)


def test_run_tells_of_failing_checks_and_only_strict_makes_them_its_exit_code(judged: Place) -> None:
    """On standard error, so that a table on standard output is a table; -k counts the checks of its cells."""
    run = ("run", judged.suite, *judged.plugin, "--no-table")
    told = judged.call(*run)
    assert re.search("3 checks: .*1 fails", told.stderr)
    assert "random-far-above: " in told.stderr
    judged.call(*run, "--strict", code=1)
    judged.call(*run, "--strict", "-k", "magnitude", code=0)
    said = judged.json(*run, "--strict", code=1)
    assert said["exit_code"] == 1
    assert said["checks"]["failing"] == ["random-far-above"]


def test_status_and_leaderboard_say_how_the_checks_stand(judged: Place) -> None:
    """In words and as JSON; csv and json tables alone stay what they are."""
    shown = judged.call("status", judged.suite, *judged.plugin).stdout
    assert "1 claim and 2 checks of no claim: " in shown  # as many claims as `validate` counts
    assert "; 1 claim\n" in judged.call("validate", judged.suite, *judged.plugin).stdout
    assert re.search("3 checks: .*1 fails", shown)
    said = judged.json("status", judged.suite, *judged.plugin)["checks"]
    assert said["by_check"]["fails"] == 1
    told = judged.call("leaderboard", judged.suite, *judged.plugin).stderr
    assert re.search("3 checks: .*1 fails", told)
    assert judged.call("leaderboard", judged.suite, *judged.plugin, "--format", "csv").stderr == ""


def test_while_cells_are_missing_checks_are_not_run(place: Place) -> None:
    """As in the midst of a run: what is there is judged, what is not is counted."""
    suite = place.write("tiny.toml", SUITE)
    shown = place.call("check", suite, *place.plugin).stdout
    assert "1 claim and 2 checks of no claim, 3 checks" in shown
    assert "no check could be judged yet" in shown
    assert "0 of 0" not in shown
    place.call("run", suite, *place.plugin, "-k", "random", "-q", "--no-table")
    verdicts = {one["check"]: one for one in place.json("check", suite, *place.plugin, code=1)["outcomes"]}
    assert verdicts["random-far-above"]["verdict"] == "fails"
    assert verdicts["open-question"]["verdict"] == "not run"
    assert verdicts["open-question"]["missing"] == 3


def test_check_and_status_while_a_job_is_being_worked_on(judged: Place) -> None:
    """A claim of a living process: status names it, check judges what is there."""
    store = Store.open(judged.store)
    key = judged.json("plan", judged.suite, *judged.plugin)["cells"][0]["key"]
    claim = store.claim(key)
    assert claim is not None
    assert [one["job"] for one in judged.json("status", judged.suite, *judged.plugin)["running"]] == [
        key[:12]
    ]
    assert judged.json("check", judged.suite, *judged.plugin, code=1)["failures"] == 1
    claim.release()


def test_a_suite_without_checks_has_nothing_to_judge(done: Any) -> None:
    """Exit code 0, with --strict too; run, status and leaderboard say nothing of checks."""
    place, printed = done
    assert "has no checks" in place.call("check", place.suite, *place.plugin, "--strict").stdout
    assert place.json("check", place.suite, *place.plugin)["outcomes"] == []
    assert "check" not in printed.output
    assert "claim" not in place.call("status", place.suite, *place.plugin).output


def test_a_smoke_run_judges_no_check(judged: Place) -> None:
    """Every check is not run, whatever the cells say."""
    suite = (judged.suite, *judged.plugin, "--limit", "16")
    judged.call("run", *suite, "-q", "--no-table", "--strict")
    said = judged.json("check", *suite)
    assert {one["verdict"] for one in said["outcomes"]} == {"not run"}
    assert all("smoke run" in one["reason"] for one in said["outcomes"])


def test_check_reads_a_frozen_plan_without_torch(judged: Place, python: Callable[..., Any]) -> None:
    """Built-in quantities need none."""
    found = python(CALL, "check", judged.suite, "-k", "trained", cwd=judged.folder)
    assert found.returncode == 0, found.stderr
    assert "'torch'" not in found.stderr


BROKEN = """
import prunebench

def broken(curves):
    raise ValueError("no such number")

@prunebench.hookimpl
def prunebench_quantities():
    return [prunebench.Quantity("broken", broken, "seeds")]
"""

BROKEN_CHECK = """
[[check]]
name = "broken-one"
of = {method = "random"}
against = 1.0
range = "all"
expect = "above"
quantity = "broken"
margin = 1.0
"""


def test_a_quantity_that_fails_keeps_no_other_check_back(place: Place) -> None:
    """It is told, by every command; what is not strict is content. The suite names its plugin."""
    place.write("quantity.py", BROKEN)
    suite = SUITE.replace('version = "3"', 'version = "3"\nplugins = ["quantity.py", "mine.py"]', 1)
    suite += BROKEN_CHECK
    path = place.write("tiny.toml", suite)
    run = ("run", path, "-k", "random", "--no-table", "--no-plugins")
    told = place.call(*run, "-q").stderr
    assert "Warning: 1 check cannot be judged (broken-one): quantity 'broken' failed: ValueError: no" in told
    assert "Traceback" not in told
    place.call(*run, "--strict", code=1)
    chosen = ("check", path, "--no-plugins", "-k", "broken or far")
    rows = {one["check"]: one for one in place.json(*chosen, code=1)["outcomes"]}
    assert rows["random-far-above"]["verdict"] == "fails"
    assert rows["broken-one"]["error"].startswith("quantity 'broken' failed: ValueError: no such number\n")
    place.call(*chosen[:-1], "broken")
    place.call(*chosen[:-1], "broken", "--strict", code=1)
    assert place.json("status", path, "--no-plugins")["checks"]["unjudged"] == ["broken-one"]


@pytest.mark.parametrize(
    ("verdict", "fails", "told"), [("open", 2, True), ("fails", 2, False), ("open", 0, False)]
)
def test_a_claim_that_does_not_fail_though_checks_of_it_do_says_why(
    verdict: Any, fails: int, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = ClaimVerdict(id="C", says="c", source="s", kind="every", verdict=verdict, fails=fails)
    _print("suite", Verdicts(claims=(claim,)), 0, {}, each=False)
    assert ("C is open though 2 checks of it fail: of several" in capsys.readouterr().out) is told
