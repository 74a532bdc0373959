"""`--limit N`: a smoke run runs every cell on a few examples, and says that it is one wherever it is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import Result

from prunebench.engine.request import Request
from prunebench.engine.session import Session
from prunebench.store import Store

from .conftest import Place, make_place


@pytest.fixture(scope="module")
def smoked(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> tuple[Place, Result]:
    """A store with a smoke run on 32 examples, and what it printed; then the suite itself, two cells of it."""
    place = make_place(tmp_path_factory.mktemp("smoked"))
    printed = place.call("run", place.suite, *place.plugin, "--limit", "32")
    place.call("run", place.suite, *place.plugin, "-k", "random")
    return place, printed


def test_every_cell_is_trained_and_evaluated_on_so_many_examples(smoked: tuple[Place, Result]) -> None:
    """Records of the smoke run say the limit and count 32; the others count all of the digits' test part."""
    store = Store.open(smoked[0].store, create=False)
    limits = {}
    for key in store.record_keys():
        result = store.read_record(key).result
        limits.setdefault(result["cell"]["recipe"].get("limit"), []).append(result)
    assert {limit: len(results) for limit, results in limits.items()} == {32: 8, None: 2}
    assert {point["examples"] for result in limits[32] for point in result["curve"]} == {32}
    assert all(result["test"]["examples"] > 300 for result in limits[None])


def test_what_a_smoke_run_is_stands_in_all_that_is_shown_of_it(smoked: tuple[Place, Result]) -> None:
    """The run, its table, status and leaderboard in each format, and every record's provenance."""
    place, printed = smoked
    assert "version 3, smoke run with limit 32" in printed.stdout
    assert "digits\\[limit=32\\]" in printed.stdout
    assert "mean nothing" in printed.stderr
    limit = ("--limit", "32", *place.plugin)
    status = place.call("status", place.suite, *limit)
    assert "smoke run with limit 32" in status.stdout
    assert "8 of 8 cells done" in status.stdout
    assert "mean nothing" in status.stderr
    csv = place.call("leaderboard", place.suite, *limit, "--format", "csv").stdout.splitlines()
    assert all("smoke run with limit 32" in row and "digits[limit=32]" in row for row in csv[1:])
    assert "digits[limit=32]" in place.call("leaderboard", place.suite, *limit, "--format", "json").stdout
    store = Store.open(place.store, create=False)
    versions = [store.read_record(key).provenance["suite"]["version"] for key in store.record_keys()]
    assert sorted(versions) == ["3"] * 2 + ["3, smoke run with limit 32"] * 8


def test_without_the_option_nothing_of_a_smoke_run_is_shown(smoked: tuple[Place, Result]) -> None:
    """Status and leaderboard count the suite's own two cells; another limit is another smoke run."""
    place, _ = smoked
    assert place.json("status", place.suite, *place.plugin)["total"]["done"] == 2
    shown = place.call("leaderboard", place.suite, *place.plugin, code=1).stdout
    assert "limit" not in shown
    other = place.json("status", place.suite, *place.plugin, "--limit", "16")
    assert (other["limit"], other["total"]["done"]) == (16, 0)


def test_a_smoke_run_goes_on_like_any_run(smoked: tuple[Place, Result]) -> None:
    """Run again there is nothing to do."""
    place, _ = smoked
    assert "nothing to do" in place.call("run", place.suite, *place.plugin, "--limit", "32").stdout


def test_reasons_do_not_compare_a_suite_with_its_smoke_run(smoked: tuple[Place, Result]) -> None:
    """A cell that only the smoke run had is not run yet: nothing has changed."""
    place, _ = smoked
    whys = {cell["why"] for cell in place.json("plan", place.suite, *place.plugin)["cells"]}
    assert whys == {"", "not run yet"}


def test_a_cell_exported_by_name_is_the_suites_own(smoked: tuple[Place, Result]) -> None:
    """The smoke run's cell has the same name, and is found by its key alone."""
    place, _ = smoked
    missing = place.call(
        "export", "main::tiny-net-digits-own-d0.5-s0", "--suite", "tiny", "--mask", *place.plugin, code=2
    )
    assert "no record" in missing.stderr or "has a cell" in missing.stderr


def test_lf_of_a_smoke_run_is_of_its_own_failures(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed in a smoke run is no failure of the suite."""
    suite = place.write("moody.toml", (place.folder / "tiny.toml").read_text().replace('"own"', '"moody"'))
    monkeypatch.setenv("MOODY", "1")
    place.call("run", suite, *place.plugin, "--limit", "8", code=1)
    count = len(place.json("plan", suite, *place.plugin, "--lf", "--limit", "8")["cells"])
    assert count == 2
    assert len(place.json("plan", suite, *place.plugin, "--lf")["cells"]) == 8


def test_a_suite_cannot_say_a_limit_itself(place: Place) -> None:
    """Only the option makes smoke runs: in a file the limit would be one recipe among others."""
    text = (place.folder / "tiny.toml").read_text().replace("epochs = 1", "epochs = 1, limit = 5")
    shown = place.call("validate", place.write("bad.toml", text), *place.plugin, code=2)
    assert "--limit N" in shown.stderr


@pytest.mark.parametrize("wrong", ["0", "-3", "some"])
def test_a_limit_is_a_number_of_at_least_one(place: Place, wrong: str) -> None:
    """Anything else is a mistake, and nothing is written."""
    before = place.files()
    place.call("run", place.suite, *place.plugin, "--limit", wrong, code=2)
    assert place.files() == before


def test_the_plan_of_a_smoke_run_holds_no_reported_numbers(place: Place) -> None:
    """What others report is nothing to hold a smoke run against."""
    reported = '[[reported]]\nmethod = "random"\nsparsities = [0.5]\nvalues = [90.0]\nsource = "a paper"\n'
    suite = place.write("told.toml", (place.folder / "tiny.toml").read_text() + reported)
    asked = Request(suite, "store", "data", plugins=(str(place.folder / "mine.py"),), third_party=False)
    whole, limited = (Session.prepare(replace(asked, limit=limit)).plan.suite for limit in (None, 8))
    assert "reported" in whole
    assert "limit" not in whole
    assert "reported" not in limited
    assert limited["limit"] == 8
