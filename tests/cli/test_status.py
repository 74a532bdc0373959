"""`status` before there is anything to count: whether a run has begun, when and where."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
from prunebench.cli import _verdicts
from prunebench.cli._options import request_of
from prunebench.cli._suite_plan import suite_plan
from prunebench.cli._verdicts import of_fitted_laws, verdicts_if_any
from prunebench.cli._watch import watch
from prunebench.engine.session import Session
from prunebench.store import Store, host_name, trial_store, trials


def prepared(place: Any) -> Session:
    asked = request_of(place.suite, {"plugin": (place.plugin[1],), "no_plugins": True})
    return Session.prepare(replace(asked, store=str(place.store)))


def test_status_of_a_run_that_has_made_nothing_yet_says_when_and_where_it_began(place: Any) -> None:
    """While its workers are starting, of which no store tells, and once it has begun; a dead one is none."""
    session = prepared(place)
    host = host_name().rpartition("-")[0]
    with trial_store(place.store) as trial:
        session.freeze(trial)
        before = place.files()
        text = place.call("status", place.suite, *place.plugin).stdout
        starting = (
            rf"^a run began at \d\d:\d\d:\d\d on {host}: its workers are starting, and nothing is made yet$"
        )
        assert re.search(starting, text, re.MULTILINE)
        assert place.json("status", place.suite, *place.plugin)["run"]["starting"] is True
        assert place.files() == before
    assert "nothing has been run" in place.call("status", place.suite, *place.plugin).stdout
    store = Store.open(place.store)
    session.freeze(store)
    run = session.begin(store)
    assert re.search(
        rf"^a run began at \d\d:\d\d:\d\d on {host}: nothing is made yet$",
        place.call("status", place.suite).stdout,
        re.MULTILINE,
    )
    told = place.json("status", place.suite)["run"]
    assert told == {"time": run.partition("-")[0], "host": host_name(), "starting": False}


def test_who_works_has_the_name_that_it_has_everywhere_and_a_time_of_day(place: Any) -> None:
    session, store = prepared(place), Store.open(place.store)
    session.freeze(store)
    with store.claim(session.plan.cells[0].key) as claim:
        assert claim is not None
        claim.tell({"worker": "worker 1", "place": "gpu 3"})
        text = place.call("status", place.suite).stdout
    name = f"{host_name().rpartition('-')[0]}:gpu 3/worker 1"
    assert re.search(rf"{name}  +{os.getpid()}  \d\d:\d\d:\d\d$", text, re.MULTILINE)


def test_a_watch_says_that_workers_are_starting(
    place: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not that nobody works on it: their run has changed nothing of the store yet."""
    session = prepared(place)
    store = Store.open(place.store, create=False, write=False, absent_ok=True)
    shown = suite_plan(
        place.suite, {"plugin": (place.plugin[1],), "no_plugins": True, "store": str(place.store)}
    )

    class Enough(Exception):
        pass

    def once(seconds: float) -> None:
        raise Enough

    monkeypatch.setattr("prunebench.cli._watch.time.sleep", once)
    with trial_store(place.store) as trial, pytest.raises(Enough):
        session.freeze(trial)
        watch(lambda: shown._replace(store=store), every=1.0, as_json=False)
    assert capsys.readouterr().out.strip().endswith("0 jobs running; workers are starting")
    with pytest.raises(Enough):
        watch(lambda: shown._replace(store=store), every=1.0, as_json=False)
    assert capsys.readouterr().out.strip().endswith("0 jobs running; nobody works on it now")


def test_a_trial_of_a_process_that_died_is_none_and_an_old_one_of_another_host_neither(tmp_path: Any) -> None:
    with trial_store(tmp_path) as trial:
        name = trial.root.name
        assert [one.host for one in trials(tmp_path)] == [host_name()]
        here = f".{host_name()}.{os.getpid()}."
        for other in (f".{host_name()}.4000001.", f".elsewhere-0a1b2c3d.{os.getpid()}."):
            folder = tmp_path / name.replace(here, other)
            folder.mkdir()
            (folder / "store.json").touch()
        assert sorted(one.host for one in trials(tmp_path)) == ["elsewhere-0a1b2c3d", host_name()]
        os.utime(folder / "store.json", (1e9, 1e9))
        assert [one.host for one in trials(tmp_path)] == [host_name()]
    assert len(trials(tmp_path)) == 0


def test_status_judges_no_check_for_which_laws_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that stands for such a check, nor a claim that has one: it is judged by all or not at all."""
    side = {"of": {"method": "imp"}, "against": 0.5, "range": "all", "expect": "above", "margin": 0.1}
    law = {"name": "fit:sigma", "alone": True}
    checks = [
        {"name": "law", "claim": "A", "quantity": "fit:sigma", **side},
        {"name": "alone", **side, "of": {"method": "imp", "quantity": law}},
        {"name": "both", "all": ["law", "plain"]},
        {"name": "plain", "claim": "A", **side},
        {"name": "own", "claim": "B", **side},
    ]
    claims = [{"id": one, "says": one, "source": one, "kind": "every"} for one in "AB"]
    plan: Any = SimpleNamespace(suite={"checks": checks, "claims": claims})
    left = of_fitted_laws(plan)
    assert left == ["law", "alone", "both"]

    def judged(*_: Any, only: list[str]) -> Verdicts:
        outcomes = tuple(Outcome(check=name, verdict="holds") for name in only)
        own = tuple(ClaimVerdict(id=one, says="", source="", kind="every", verdict="holds") for one in "AB")
        return Verdicts(outcomes=outcomes, claims=own)

    monkeypatch.setattr(_verdicts, "verdicts_of", judged)
    said = verdicts_if_any(plan, SimpleNamespace(), "s", {}, left=left)  # type: ignore[arg-type]
    assert said is not None
    assert [one.check for one in said.outcomes] == ["plain", "own"]
    assert [claim.id for claim in said.claims] == ["B"]
