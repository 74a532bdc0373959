"""Published leaderboards: made again to the byte, with what others submit and what was run again."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from hostile import TEXTS_IN_RECORDS

from prunebench.trust.archive import members
from prunebench.trust.folder import opened

from .conftest import Board, Files, records, rewritten, spoiled

SNIP = "main::digits-mlp-digits-snip-d0.5"
MADE = ("README.md", "leaderboard.csv", "data.zip", "page.zip")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def text(board: Board, name: str = "README.md") -> str:
    return (board.board / name).read_text("utf-8")


def submitted(board: Board, code: int | None = 0) -> Any:
    """Put the submission into the leaderboard, and make its tables again."""
    (board.board / "submissions").mkdir(exist_ok=True)
    (board.board / "submissions" / board.submission.name).write_bytes(board.submission.read_bytes())
    return board.call("leaderboard", "--from", board.board, code=code)


def test_all_of_it_is_made_of_its_records(board: Board) -> None:
    """Every file that is deleted or altered comes back to the byte."""
    before = contents(board.board)
    assert set(before) == {"records.tar.xz", *MADE}
    for name in MADE:
        (board.board / name).unlink()
    (board.board / "README.md").write_text("mine is better")
    done = board.call("leaderboard", "--from", board.board, "--check", code=1)
    assert "not what its records give: README.md, leaderboard.csv, data.zip" in done.output
    board.call("leaderboard", "--from", board.board)
    assert contents(board.board) == before
    assert "to the byte" in board.call("leaderboard", "--from", board.folder, "--check").output


def test_a_published_record_is_the_stores_own(finished: Board) -> None:
    """Byte for byte; the same store gives the same pack."""
    packed = dict(members(finished.board / "records.tar.xz"))
    for name in [*records(packed), *records(packed, "measures")]:
        assert packed[name] == (finished.path("store") / name).read_bytes()
    assert len(records(packed)) == 9
    again = finished.path("again")
    finished.call("publish", finished.path("tiny.toml"), "--store", finished.path("store"), "--to", again)
    assert contents(again) == contents(finished.board)


def test_how_long_scoring_took_is_published(finished: Board) -> None:
    """Records say it, so that a table made without the store's logs has it too."""
    packed = dict(members(finished.board / "records.tar.xz"))
    times = [orjson.loads(packed[name])["provenance"]["time"] for name in records(packed)]
    assert sum(time.get("scoring_seconds", 0) > 0 for time in times) == 6  # all but the unpruned
    rows = list(csv.DictReader(io.StringIO(text(finished, "leaderboard.csv"))))
    of = {row["method"]: row["scoring_seconds"] for row in rows if row["at"] == "sparsity"}
    assert of.pop("none") == ""
    assert all(float(value) > 0 for value in of.values())
    assert "scoring time" in text(finished)


def test_the_page_and_the_data_are_there(finished: Board) -> None:
    """One page that says what a claim is; every statistic as JSON and CSV."""
    with zipfile.ZipFile(finished.board / "page.zip") as page:
        first, *pictures = page.namelist()
        assert first == "index.html"
        assert {PurePosixPath(name).name for name in pictures} <= {"accuracy.svg"}
        html = page.read("index.html").decode()
    assert "Only a rerun gives trust" in html
    with zipfile.ZipFile(finished.board / "data.zip") as data:
        assert orjson.loads(data.read("leaderboard.json"))["schema"] == 1
    rows = list(csv.DictReader(io.StringIO(text(finished, "leaderboard.csv"))))
    assert {row["method"] for row in rows} == {"none", "random", "snip"}


def test_what_has_not_been_run_is_not_published(finished: Board, tmp_path: Path) -> None:
    """A cell without a record is named, and nothing is written; nor a smoke run."""
    suite = tmp_path / "tiny.toml"
    suite.write_text(finished.path("tiny.toml").read_text().replace("seeds = 3", "seeds = 4"))
    store = finished.path("store")
    done = finished.call("publish", suite, "--store", store, "--to", tmp_path / "out", code=2)
    assert "3 cells of tiny have no record" in done.output
    assert not (tmp_path / "out").exists()
    finished.call("publish", suite, "--store", store, "--to", tmp_path / "out", "--partial")
    for said in (
        "n = 3",
        "Partial: 9 of 12 cells have been run.",
        "Training the 9 networks of these rows took 0.",
    ):
        assert said in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_folders_that_are_no_leaderboards(board: Board, tmp_path: Path) -> None:
    """Said in a sentence; SUITE and --from are not given together."""
    assert "no published leaderboard" in board.call("leaderboard", "--from", tmp_path, code=2).output
    assert "give one of them" in board.call("leaderboard", "quick", "--from", board.board, code=2).output
    assert "--check goes with --from" in board.call("leaderboard", "quick", "--check", code=2).output
    assert "say which SUITE" in board.call("leaderboard", code=2).output
    assert "| snip" in board.call("leaderboard", "--from", board.board, "--format", "md").output


def test_hostile_texts_of_records_are_text(board: Board) -> None:
    """Layers' names that are markup, formulas, escapes: none of it is left as such in any file."""

    def change(files: Files) -> None:
        for number, name in enumerate(sorted(TEXTS_IN_RECORDS)):
            place = records(files)[number % 6]

            def write(document: dict[str, Any], name: str = name) -> None:
                kept = document["provenance"]
                TEXTS_IN_RECORDS[name](document)
                document["provenance"] = orjson.loads(before[document["key"]]) if before else kept

            rewritten(files, place, write)

    packed = dict(members(board.board / "records.tar.xz"))
    before = {
        orjson.loads(packed[name])["key"]: orjson.dumps(orjson.loads(packed[name])["provenance"])
        for name in records(packed)
    }
    spoiled(board.board / "records.tar.xz", change)
    board.call("leaderboard", "--from", board.board)
    for name in ("README.md", "leaderboard.csv"):
        assert "\x1b" not in text(board, name)
        assert "\u202e" not in text(board, name)
    assert "<script" not in text(board)
    assert "<img" not in text(board)
    for row in csv.reader(io.StringIO(text(board, "leaderboard.csv"))):
        assert not any(field.startswith(("=", "@", "\t", "\r")) for field in row)


def test_a_submission_is_a_row_that_is_claimed(board: Board) -> None:
    """Its numbers stand beside the others; its source and file are named, as text."""
    submitted(board)
    assert "| mine " in text(board)
    assert "3 rows" not in text(board)
    assert "4 rows (a method at a sparsity): 4 are claimed, 0 were rerun" in text(board)
    assert "mine.submission.tar.xz" in text(board)
    assert "<b>" not in text(board)
    rows = csv.DictReader(io.StringIO(text(board, "leaderboard.csv")))
    assert {row["n"] for row in rows if row["method"] == "mine" and row["at"] == "sparsity"} == {"3"}
    board.call("leaderboard", "--from", board.board, "--check")
    assert not board.path("imported").exists()


def test_a_rerun_is_kept_and_shown(board: Board) -> None:
    """Run again with the same bits, the row is rerun; with fresh seeds too. The claimed seeds' are known."""
    reruns = ("--store", board.path("reruns"), "--suite", board.path("tiny.toml"), "--no-plugins")
    done = board.call("verify", SNIP, "--from", board.board, *reruns, "--seeds", 4, "--add")
    assert "agrees; the same bits at 3 of 4 seeds" in done.output
    assert "3 rows (a method at a sparsity): 2 are claimed, 1 were rerun and agree" in text(board)
    assert "rerun at 50 %: agrees |" in text(board)
    assert "Run again, and within the claimed seeds' 95 % prediction interval" in text(board)
    rows = list(csv.DictReader(io.StringIO(text(board, "leaderboard.csv"))))
    trust = {row["method"]: row["trust"] for row in rows if row["at"] == "sparsity"}
    assert trust == {"none": "claimed", "random": "claimed", "snip": "rerun"}
    board.call("leaderboard", "--from", board.board, "--check")
    with opened(board.board) as published:
        (one,) = published.verified()
    assert sorted(one.rerun) == [0, 1, 2, 3]
    assert sorted(one.claimed) == [0, 1, 2]
    assert list(one.judged) == [3]  # the same bits again say nothing about the choice of seeds
    assert one.prediction is not None
    assert one.prediction.runs == 1
    again = board.call("verify", "snip-d0.5", "--from", board.board, *reruns, code=2)
    assert "no row" in again.output


def test_a_claim_that_is_too_good_differs(board: Board) -> None:
    """Somebody has edited all seeds of a row and sealed them: only a rerun tells."""

    def lie(files: Files) -> None:
        def better(document: dict[str, Any]) -> None:
            form = document["result"]["cell"].get("form") or {}
            if (form.get("scorer") or {}).get("name") == "snip":
                for counts in (document["result"]["test"], document["result"]["curve"][-1]):
                    counts["correct"] = 350 + document["result"]["cell"]["seed"]

        for name in records(files):
            rewritten(files, name, better)

    spoiled(board.board / "records.tar.xz", lie)
    board.call("leaderboard", "--from", board.board)
    done = board.call(
        "verify",
        SNIP,
        "--from",
        board.board,
        "--store",
        board.path("reruns"),
        "--add",
        "--no-plugins",
        code=1,
    )
    assert "differs; other bits within one numerics class at seeds 0, 1, 2" in done.output
    assert "1 were rerun and differ" in text(board)
    assert f"A rerun contradicts 1 of the rows: snip: {SNIP}." in text(board)
    lines = [line for line in text(board).splitlines() if line.startswith("| snip ")]
    assert "rerun at 50 %: differs" in lines[0]
    assert all("[" in line for line in lines[:2])  # the mean, and the place over a range, have a footnote
    assert "Rests on a claim that a rerun at 50 % contradicts" in text(board)
    assert "Run again, and outside the claimed seeds' 95 % prediction interval" in text(board)


def test_a_pack_that_is_no_rerun_is_refused(board: Board, finished: Board) -> None:
    """The claimed records once more, whatever else of where they come from is edited; another kind of pack."""
    claimed = (finished.board / "records.tar.xz").read_bytes()
    for change in (
        lambda document: None,
        lambda document: document["provenance"]["hardware"].update(machine="another"),
        lambda document: document["provenance"]["time"].pop("finished"),
    ):
        (board.board / "reruns.tar.xz").write_bytes(claimed)
        spoiled(board.board / "reruns.tar.xz", lambda files, c=change: each_record(files, c))
        done = board.call("leaderboard", "--from", board.board, code=2)
        assert f"{SNIP}, seed 0: it " in done.output
        assert "is the claimed run once more" in done.output or "when it was run" in done.output
    (board.board / "reruns.tar.xz").write_bytes(board.submission.read_bytes())
    done = board.call("leaderboard", "--from", board.board, code=2)
    assert "is no file of a pack" in done.output


def each_record(files: Files, change: Any) -> None:
    for name in records(files):
        rewritten(files, name, change)


def verified(board: Board, *more: object, code: int | None = 0) -> Any:
    """Run a row again, into the folder `reruns`."""
    own = ("--store", board.path("reruns"), "--no-plugins", *more)
    return board.call("verify", SNIP, "--from", board.board, *own, code=code)


def test_only_what_verify_has_made_counts(board: Board, finished: Board) -> None:
    """Records, masks and states that are copied into its store are set aside, and all of it is run again."""
    jobs = 3 * len(("start", "scores", "mask", "training", "record"))
    assert f"{jobs} jobs run\n" in verified(board).output
    assert "0 jobs run; " in verified(board).output
    (own,) = board.path("reruns").iterdir()
    shutil.rmtree(own)
    shutil.copytree(finished.path("store"), own / "store")
    output = verified(board).output
    assert f"{jobs} jobs run; " in output
    assert "set aside, which no verify had made" in output


def test_a_store_of_results_is_no_place_for_a_rerun(board: Board, finished: Board) -> None:
    """Neither the one that the claim was published from, nor a link to it from where verify would run."""
    before = contents(finished.path("store"))
    store = ("--store", finished.path("store"))
    done = board.call("verify", SNIP, "--from", board.board, *store, "--no-plugins", code=2)
    assert "is a store of results, and a rerun believes none" in done.output
    verified(board)
    (own,) = board.path("reruns").iterdir()
    shutil.rmtree(own / "store")
    (own / "store").symlink_to(finished.path("store"))
    assert "is a link, and what it leads to is not verify's own" in verified(board, code=2).output
    assert contents(finished.path("store")) == before


def test_a_claim_made_of_a_rerun_is_another_claim(board: Board) -> None:
    """Its rerun is not the one that it was published from: that is run anew."""
    verified(board)
    (own,) = board.path("reruns").iterdir()
    suite = ("--suite", "tiny", "--store", board.path("reruns"), "--no-plugins")
    done = board.call("verify", SNIP, "--from", own / "store", *suite)
    assert not done.output.startswith("0 jobs")
    assert len(list(board.path("reruns").iterdir())) == 2


def test_a_row_is_run_again_apart_from_its_claim(finished: Board) -> None:
    """Never in the store that has it; a store may be what is verified."""
    store = finished.path("store")
    done = finished.call("verify", SNIP, "--from", store, "--store", store, code=2)
    assert "nothing would be run again" in done.output
    done = finished.call(
        "verify", SNIP, "--from", store, "--store", finished.path("r"), "--seeds", 1, "--json"
    )
    whole = orjson.loads(done.stdout)
    assert (whole["outcome"], whole["same_bits"], len(whole["claimed"])) == ("agrees", [0], 3)
