"""Submissions: what is packed, and what a checker refuses without running any of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from prunebench.errors import StoreError
from prunebench.trust.archive import members
from prunebench.trust.submission import read_submission

from .conftest import Board, Files, records, rewritten, spoiled
from .test_packs import fresh, replanned


def check(board: Board, code: int = 0, *more: object) -> str:
    said = board.call("submit", "--check", board.submission, "--board", board.board, *more, code=code).output
    assert not board.path("imported").exists()
    return said


def test_a_submission_is_method_records_and_environment(finished: Board, tmp_path: Path) -> None:
    """Only the method's own cells; the file as it was; what it was measured with, by the allow-list."""
    one = read_submission(finished.submission, tmp_path)
    assert list(one.methods) == ["mine"]
    assert {cell.labels["method"] for cell in one.plan.cells} == {"mine"}
    assert one.files["mine.py"].read_bytes() == finished.path("mine.py").read_bytes()
    assert list(one.plugins) == ["mine.py"]
    assert one.environment["software"][0]["torch"]
    assert set(one.environment) == {"software", "numerics", "hardware"}
    assert one.source == "a <b>paper</b> | of ours"
    assert len(records(dict(members(finished.submission)))) == 3


def test_a_good_one_has_nothing_wrong(board: Board) -> None:
    """It is told how to run a row again; its files are written where one asks, to be read."""
    said = check(board, 0, "--unpack", board.path("method"))
    assert "nothing wrong with it" in said
    assert "mine on suite tiny 1: 3 cells" in said
    assert "verify 'main::digits-mlp-digits-mine-d0.5'" in said
    assert "--plugin method/mine.py" in said
    assert board.path("method").joinpath("mine.py").read_bytes() == board.path("mine.py").read_bytes()
    assert "is there already" in check(board, 2, "--unpack", board.path("method"))


def test_one_that_lies_in_the_leaderboard_is_checked_there(board: Board) -> None:
    """Its own rows are not the ones that it meets."""
    (board.board / "submissions").mkdir()
    inside = board.board / "submissions" / board.submission.name
    shutil.copyfile(board.submission, inside)
    assert "nothing wrong" in board.call("submit", "--check", inside).output
    said = board.call("submit", "--check", board.submission, code=2).output
    assert "--board DIR" in said
    again = board.board / "submissions" / "again.submission.tar.xz"
    shutil.copyfile(board.submission, again)
    said = board.call("leaderboard", "--from", board.board, code=2).output
    assert "this very cell is in the leaderboard already" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda plan: plan["suite"].update(name="other"), "another suite|its suite's name"),
        (lambda plan: plan["suite"].update(version="2"), "another suite|its suite's version"),
        (lambda plan: plan["labels"][0].update(method="snip"), "of method snip, which it does not submit"),
        (lambda plan: plan["labels"][0].update(recipe="longer"), "its setting is none of the suite's"),
        (lambda plan: plan["cells"][0].__setitem__(0, "other"), "the suite has no matrix 'other'"),
        (
            lambda plan: plan["identities"]["architecture mlp"].update(version="9"),
            "architecture mlp is another",
        ),
        (
            lambda plan: plan["identities"].update({"data other": {"fingerprint": "x"}}),
            "data other is no part",
        ),
    ],
    ids=range(7),
)
def test_cells_that_are_not_the_suites_are_refused(change: Any, said: str, board: Board) -> None:
    """Each by name; nothing of it is run."""
    import re

    spoiled(board.submission, replanned(change))
    assert re.search(said, check(board, 2).replace("\n", " "))


def replanned_by(board: Board, text: str, replacement: str, *options: object) -> None:
    """Run and submit the method on a suite that is not quite the leaderboard's."""
    suite = board.path("tiny.toml")
    suite.write_text(suite.read_text().replace(text, replacement))
    own = ("--store", board.path("s"), "--plugin", board.path("mine.py"))
    board.call("run", suite, *own, "--scorer", "mine", "-k", "mine", "-q", "--no-table", "--no-plugins")
    board.call("submit", suite, "mine", *own, "-o", board.submission)
    board.path("imported").unlink()


@pytest.mark.parametrize(
    ("text", "replacement", "said"),
    [
        ("seeds = 3", "seeds = [0, 1, 7]", "seed 7 is none of the suite's (0, 1, 2)"),
        ("[0.5]", "[0.5, 0.6]", "density 0.4 is none of the suite's"),
        ("epochs = 0.2", "epochs = 0.3", "its setting is none of the suite's"),
    ],
)
def test_a_suite_that_is_not_quite_the_same_is_refused(
    text: str, replacement: str, said: str, board: Board
) -> None:
    """Other seeds, other densities, longer training under the same name and version."""
    replanned_by(board, text, replacement)
    assert said in check(board, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.pop("submission.json"), "no submission.json"),
        (lambda files: files.pop("method/mine.py"), "names mine.py, which is not in it"),
        (lambda files: files.update({"method/mine.py": b"other"}), "another file than submission.json says"),
        (lambda files: files.update({"method/more.py": b""}), "does not name method/more.py"),
        (lambda files: files.update({"method/../x.py": b""}), "is no file of a pack"),
        (lambda files: files.update({"method/a/x.py": b""}), "is no file of a pack"),
        (lambda files: files.update({"method/.x": b""}), "is no file of a pack"),
        (lambda files: files.update({"method/x.py": b" " * 100_001}), "at most 100,000 are read"),
        (lambda files: files.pop(records(files)[0]), "has no record"),
    ],
    ids=range(9),
)
def test_files_that_do_not_belong_together_are_refused(change: Any, said: str, board: Board) -> None:
    """What is lacking, what nobody named, what is another file, what lies elsewhere."""
    spoiled(board.submission, change)
    assert said in check(board, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"methods": []},
        {"methods": ["mine", "\x1b[31m"]},
        {"more": 1},
        {"source": "x" * 400},
        {"files": [{"name": "../mine.py", "sha256": "ab" * 32, "plugin": True}]},
        {"files": [{"name": "mine.py", "sha256": "short", "plugin": True}]},
        {"environment": {"software": [], "numerics": [], "hardware": [], "user": "somebody"}},
        {"suite": {"name": "tiny", "version": 1}},
    ],
    ids=range(9),
)
def test_what_it_says_of_itself_is_of_one_shape(change: dict[str, Any], board: Board, tmp_path: Path) -> None:
    """Every field is known, of its kind, within bounds."""

    def edit(files: Files) -> None:
        files["submission.json"] = orjson.dumps({**orjson.loads(files["submission.json"]), **change}) + b"\n"

    spoiled(board.submission, edit)
    with pytest.raises(StoreError, match=r"submission\.json") as refused:
        read_submission(board.submission, fresh(tmp_path))
    assert str(refused.value).isprintable()


def test_edited_numbers_are_refused(board: Board) -> None:
    """As in a leaderboard."""

    def edit(files: Files) -> None:
        name = records(files)[0]
        document = orjson.loads(files[name])
        document["result"]["curve"][-1]["correct"] = document["result"]["test"]["correct"] = 355
        files[name] = orjson.dumps(document) + b"\n"

    spoiled(board.submission, edit)
    assert "its result has digest" in check(board, 2)


def test_what_cannot_be_submitted(finished: Board, tmp_path: Path) -> None:
    """A method that was not run, files that alone are not the method, another ending; nothing is written."""
    suite, store = finished.path("tiny.toml"), finished.path("theirs")
    own = ("--store", store, "--plugin", finished.path("mine.py"))
    out = tmp_path / "x.submission.tar.xz"
    said = finished.call("submit", suite, "magnitude", *own, "-o", out, code=2).output
    assert "have no record" in said or "nothing of suite tiny has been run" in said
    assert (
        ".submission.tar.xz"
        in finished.call("submit", suite, "mine", *own, "-o", tmp_path / "x.zip", code=2).output
    )
    assert "say what is submitted" in finished.call("submit", suite, code=2).output
    assert "give no SUITE" in finished.call("submit", suite, "mine", "--check", out, code=2).output
    plugin = tmp_path / "two.py"
    (tmp_path / "beside_two.py").write_text("power = 2\n")
    plugin.write_text(
        finished.path("mine.py")
        .read_text()
        .replace("import prunebench", "import prunebench\nfrom beside_two import power", 1)
    )
    done = finished.call("submit", suite, "mine", "--store", store, "--plugin", plugin, "-o", out, code=2)
    assert "name what" in done.output
    assert "--with FILE" in done.output
    assert not list(tmp_path.glob("*.xz"))
    finished.path("imported").unlink(missing_ok=True)


def test_a_method_of_another_name_is_another_row(board: Board) -> None:
    """A method that calls itself as one of the leaderboard's is refused by the row."""

    def rename(plan: dict[str, Any]) -> None:
        for labels in plan["labels"]:
            labels["method"] = "snip"
        for cell in plan["cells"]:
            cell[1] = cell[1].replace("mine", "snip")

    def edit(files: Files) -> None:
        replanned(rename)(files)
        whole = orjson.loads(files["submission.json"])
        files["submission.json"] = orjson.dumps({**whole, "methods": ["snip"]}) + b"\n"

    spoiled(board.submission, edit)
    assert "the leaderboard has this row already, of another method" in check(board, 2)
    assert rewritten
