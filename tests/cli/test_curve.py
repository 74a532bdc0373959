"""`curve`: what it prints in a terminal, what it writes, what it refuses; nothing is opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

TINY = ("curve", "tiny.toml")


def test_without_a_file_a_plot_and_the_numbers_are_printed(done: tuple[Any, Result]) -> None:
    place, _ = done
    text = place.call(*TINY, "own", "random").stdout
    board = place.json("leaderboard", "tiny.toml")["settings"][0]["rows"]
    assert "test accuracy (%) against weights kept" in text
    assert "A random" in text or "A own" in text
    for row in board:
        if row["at"] == "sparsity" and row["method"] in ("own", "random", "none"):
            assert f"{row['mean']:.2f}" in text


def test_numbers_as_json_are_those_of_the_leaderboard(done: tuple[Any, Result]) -> None:
    place, _ = done
    found = place.json(*TINY, "own")
    assert (found["schema"], found["kind"]) == (1, "curve")
    own = next(row for row in found["rows"] if row["name"] == "own")
    board = place.json("leaderboard", "tiny.toml")["settings"][0]["rows"]
    wanted = next(r for r in board if r["method"] == "own" and r["at"] == "sparsity")
    assert {name: own[name] for name in ("n", "sparsity")} == {
        name: wanted[name] for name in ("n", "sparsity")
    }
    assert own["mean"] == pytest.approx(wanted["mean"], abs=1e-6)


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "html", "json"])
def test_a_file_is_written_in_the_format_of_its_suffix(
    suffix: str, done: tuple[Any, Result], tmp_path: Path
) -> None:
    if suffix in ("svg", "pdf", "png"):
        pytest.importorskip("vl_convert")
    place, _ = done
    out = tmp_path / f"curve.{suffix}"
    said = place.call(*TINY, "own", "--out", str(out), "--dark").stdout
    assert said.startswith(str(out))
    content = out.read_bytes()
    starts = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG", "html": b"<!doctype", "json": b"{"}
    assert content.startswith(starts[suffix])
    if suffix == "json":
        assert {row["name"] for row in json.loads(content)["datasets"]["accuracy"]} == {"none", "own"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["onw"], "did you mean 'own'"),
        (["own", "--setting", "vgg"], "no setting 'vgg'"),
        (["own", "--out", "curve.gif"], "found '.gif'"),
        (["own", "--out", "absent/curve.json"], "cannot write absent/curve.json"),
        ([], "Missing argument"),
    ],
)
def test_mistakes_are_named_and_write_nothing(
    arguments: list[str], message: str, done: tuple[Any, Result]
) -> None:
    place, _ = done
    before = place.files()
    result = place.call(*TINY, *arguments, code=2)
    assert message in result.output
    assert "Traceback" not in result.output
    assert place.files() == before


def test_a_suite_that_has_not_been_run_has_no_curve_and_says_what_runs_it(place: Any) -> None:
    result = place.call(*TINY, "own", *place.plugin, code=1)
    assert "has been run in" in result.stderr
    assert "prunebench run tiny.toml" in result.stderr
    assert place.json(*TINY, "own", *place.plugin, code=1)["rows"] == []


def test_a_scorer_that_a_run_added_is_drawn_beside_the_others(place: Any) -> None:
    """No --plugin and no --scorer: the plan of that run is read, as `compare` reads it."""
    place.call("run", "tiny.toml", "--scorer", "moody", "-k", "moody or own or none", *place.plugin)
    rows = place.json(*TINY, "own", "moody")["rows"]
    assert {row["name"] for row in rows} == {"own"}  # whose masks are moody's: one row is both's
    assert "own (also: moody)" in place.call("leaderboard", "tiny.toml", "--scorer", "moody", code=1).stdout
