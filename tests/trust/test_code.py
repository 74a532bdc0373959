"""A submission's files are the code that was run: by the digest in its keys, and none of it is imported."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest

from .conftest import MINE, Board, Files, records, rewritten, spoiled


def check(board: Board, code: int = 0) -> str:
    said = board.call("submit", "--check", board.submission, "--board", board.board, code=code).output
    assert not board.path("imported").exists()
    return said


def replaced(board: Board, code: str, change: Any = None) -> None:
    """Give the submission other code, and say so wherever everybody can."""

    def edit(files: Files) -> None:
        files["method/mine.py"] = code.encode()
        sha = hashlib.sha256(code.encode()).hexdigest()
        manifest = orjson.loads(files["submission.json"])
        manifest["files"][0]["sha256"] = sha
        if change is not None:
            change(manifest)
        files["submission.json"] = orjson.dumps(manifest) + b"\n"

        def loaded(document: dict[str, Any]) -> None:
            for plugin in document["provenance"]["plugins"]:
                if "file" in plugin:
                    plugin["digest"] = sha

        for name in records(files):
            rewritten(files, name, loaded)

    spoiled(board.submission, edit)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (MINE.replace("detach().abs()", "detach()"), None),
        ("import prunebench\n", None),
        ("def score(\n", None),
        ("(" * 5_000, None),
        (MINE, lambda manifest: manifest["code"][0].update(spelled=["[1, 2]"])),
        (MINE, lambda manifest: manifest["code"][0].update(spelled=["[" * 5_000])),
        (MINE, lambda manifest: manifest["code"][0]["roots"][0].update(name="prunebench_scorers")),
    ],
    ids=range(7),
)
def test_other_code_than_was_run_is_refused(code: str, change: Any, board: Board) -> None:
    """Even where its records say that this file was loaded: the digest in their keys is of the other code."""
    replaced(board, code, change)
    said = check(board, 2)
    assert "scorer mine: " in said
    assert "other code than what was run" in said or "cannot be computed" in said


def test_comments_and_layout_are_no_other_code(board: Board) -> None:
    """The digest is of what the code does."""
    replaced(
        board,
        MINE.replace("return {", "# a remark\n    return {").replace("import pathlib", "import pathlib\n"),
    )
    assert "nothing wrong" in check(board)


def test_what_the_code_is_cannot_be_left_unsaid(board: Board) -> None:
    """Neither for the component, nor by leaving the files out; nor of something that was not run."""
    replaced(board, MINE, lambda manifest: manifest.update(code=[]))
    assert "does not say how its files give scorer mine" in check(board, 2)
    replaced(board, MINE, lambda manifest: manifest.update(code=[], files=[]))
    spoiled(board.submission, lambda files: files.pop("method/mine.py"))
    assert "its records were made with mine.py, which is not in it" in check(board, 2)


def test_a_method_with_a_version_is_the_file_that_was_loaded(board: Board) -> None:
    """No key holds a digest of its code: the records say which file there was."""
    versioned = MINE.replace('Scorer("mine", score)', 'Scorer("mine", score, version="1")')
    board.path("mine.py").write_text(versioned)
    suite, own = board.path("tiny.toml"), ("--store", board.path("s"), "--plugin", board.path("mine.py"))
    board.call("run", suite, *own, "--scorer", "mine", "-k", "mine", "-q", "--no-table", "--no-plugins")
    board.call("submit", suite, "mine", *own, "-o", board.submission)
    board.path("imported").unlink()
    assert "nothing wrong" in check(board)
    board.path("mine.py").write_text(f"{versioned}# a remark\n")
    said = board.call("submit", suite, "mine", *own, "-o", board.submission, code=2).output
    assert "mine.py is not the file that 3 of 3 records were made with" in said
    board.path("imported").unlink()

    def edit(files: Files) -> None:
        code = files["method/mine.py"] + b"# a remark\n"
        manifest = orjson.loads(files["submission.json"])
        manifest["files"][0]["sha256"] = hashlib.sha256(code).hexdigest()
        files.update({"method/mine.py": code, "submission.json": orjson.dumps(manifest) + b"\n"})

    spoiled(board.submission, edit)
    assert "mine.py is not the file that 3 of 3 records were made with" in check(board, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e.update(hardware=[{"machine": "x", "device": "H200"}]), "its hardware is none that"),
        (lambda e: e.update(numerics=["another"]), "its numerics is none that"),
        (lambda e: e.update(software=[{"torch": "1.0"}]), "its software is none that"),
        (lambda e: e.update(hardware=[]), "it names 0 of the 1 hardware"),
        (lambda e: e["numerics"].append("another"), "its numerics is none that"),
    ],
    ids=range(5),
)
def test_its_environment_is_that_of_its_records(change: Any, said: str, board: Board) -> None:
    """What a submission says of where it was measured is in every record's provenance."""

    def edit(files: Files) -> None:
        manifest = orjson.loads(files["submission.json"])
        change(manifest["environment"])
        files["submission.json"] = orjson.dumps(manifest) + b"\n"

    spoiled(board.submission, edit)
    assert said in check(board, 2)
