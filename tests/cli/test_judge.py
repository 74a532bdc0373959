"""`prunebench judge`: a scorer of one's own is judged from a file, as a new user would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prunebench.cli._streams import lasting_stderr

from .conftest import Place

DOCUMENTED = set(re.findall(r"`(\w+)`", (Path(__file__).parents[2] / "docs" / "judge.md").read_text("utf-8")))
GIVEN = ("judge", "tiny.toml", "--scorer", "own")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Any]:
    """A folder in which the tiny suite has judged `own` with two seeds, and what was printed."""
    from .conftest import make_place

    place = make_place(tmp_path_factory.mktemp("judged"))
    return place, place.call(*GIVEN, *place.plugin, "--seeds", "2")


def test_it_runs_what_it_needs_and_prints_the_page(asked: tuple[Place, Any]) -> None:
    """One command: exit code 0, the answers first, no cell missing."""
    text = asked[1].stdout
    assert text.startswith("# What kind of method is own? (tiny-judges-own, version 3)\n")
    assert "Not run" not in text
    assert "Its scorer reads no data" not in text
    assert "its scorer reads no data, or the suite has no other batch" in text
    assert "| own + shuffle" in text or "own − own + shuffle" in text


def test_it_prints_a_line_a_cell_on_standard_error(asked: tuple[Place, Any]) -> None:
    """And none with -q."""
    assert re.search(r"^\[1/16\] ", asked[1].stderr, re.MULTILINE)
    assert "[1/" not in asked[1].stdout


def test_lines_reach_standard_error_while_its_descriptor_leads_elsewhere(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does while workers run, whose own words are kept from the terminal."""
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    with lasting_stderr() as stream:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        print("[1/2] a cell", file=stream)
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    assert capfd.readouterr().err == "[1/2] a cell\n"


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_program_of_its_own_with_workers_prints_a_line_a_cell(place: Place, quiet: tuple[str, ...]) -> None:
    """On standard error, the page on standard output; -q silences them."""
    command = [sys.executable, "-m", "prunebench", *GIVEN, *place.plugin, "--seeds", "1", "-n", "1", *quiet]
    ended = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("# What kind of method is own?")
    assert ("[1/" in ended.stderr) == (not quiet)


def test_again_it_runs_nothing_and_says_the_same(asked: tuple[Place, Any]) -> None:
    """What is done is never done again; without --plugin the suite that was written names the file."""
    place, first = asked
    again = place.call(*GIVEN, *place.plugin, "--seeds", "2")
    assert again.stdout == first.stdout
    board = place.call("leaderboard", "store/judged/tiny-judges-own.toml")
    assert "own + shuffle" in board.stdout


def test_masks_are_compared_with_others_of_the_same_seed(asked: tuple[Place, Any]) -> None:
    """By the masks in the store: shares of what is kept, and what chance would give."""
    whole = asked[0].json(*GIVEN, *asked[0].plugin, "--seeds", "2")
    rows = {row["other"]: row for row in whole["overlaps"] if row["seed"] == 0}
    assert set(rows) == {"random", "magnitude-after-training"}
    for row in rows.values():
        assert 0 <= row["shared"] <= 1
        assert row["by_layers"] == pytest.approx(0.5, abs=0.2)


def test_every_key_is_documented(asked: tuple[Place, Any]) -> None:
    """docs/judge.md has the keys of the JSON."""
    whole = asked[0].json(*GIVEN, *asked[0].plugin, "--seeds", "2")
    assert set(whole) <= DOCUMENTED
    assert {key for one in whole["questions"] for key in one} <= DOCUMENTED
    setting = {"architecture", "dataset", "recipe", "split", "find", "score_at"}
    common = {"density", "sparsity", "seed", "method", *setting}
    for part in ("masks", "overlaps", "costs"):
        assert {key for row in whole[part] for key in row} - common <= DOCUMENTED


def test_without_running_it_lists_what_is_missing_and_writes_nothing(place: Place) -> None:
    """Exit code 1."""
    before = place.files()
    result = place.call(*GIVEN, *place.plugin, "--no-run", code=1)
    assert (
        "Is it above random pruning? Not run in 1 of 1 place (all, 50 %); 10 cells are missing."
        in result.stdout
    )
    assert "## Not run" in result.stdout
    assert place.files() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["judge", "tiny.toml"], "Missing option '--scorer'"),
        (["judge", "tiny.toml", "--scorer", "ownn"], "no method or scorer 'ownn'; did you mean 'own'?"),
        (["judge", "tny.toml", "--scorer", "own"], "tny.toml: no such file"),
        (["judge", "tiny.toml", "--scorer", "own", "-k", "resnet"], "matches none of"),
        (["judge", "tiny.toml", "--scorer", "none"], "none prunes nothing"),
    ],
)
def test_mistakes_are_told(place: Place, args: list[str], message: str) -> None:
    """Exit code 2, nothing written."""
    before = place.files()
    result = place.call(*args, *place.plugin, code=2)
    assert message in result.output
    assert place.files() == before
