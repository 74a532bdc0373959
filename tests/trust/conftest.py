"""A published leaderboard of a tiny suite, a submission to it, and ways to spoil both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from little_suites import little_suite

from prunebench.canonical import digest
from prunebench.cli import main
from prunebench.trust.archive import archived, members

SUITE = little_suite(["random", "snip"], epochs=0.2, seeds=3, measures=["layer-sparsity"])

MINE = '''
import pathlib
import prunebench

pathlib.Path(__file__).with_name("imported").touch()


def score(net, batch, rng):
    """The size of a weight."""
    return {name: weight.detach().abs() for name, weight in net.weights.items()}


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
'''


@dataclass
class Board:
    """A folder with tiny.toml, mine.py, the published leaderboard `board` and a submission of `mine`."""

    folder: Path

    def __post_init__(self) -> None:
        self.board = self.folder / "board"
        self.submission = self.folder / "mine.submission.tar.xz"

    def call(self, *args: object, code: int | None = 0) -> Result:
        """Call the command line; paths are given whole."""
        done = CliRunner().invoke(main, [str(one) for one in args])
        assert "Traceback" not in done.output
        assert code is None or done.exit_code == code, done.output
        return done

    def path(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """What every test starts from; nobody changes it."""
    board = Board(tmp_path_factory.mktemp("trust"))
    suite, mine, store = board.path("tiny.toml"), board.path("mine.py"), board.path("store")
    suite.write_text(SUITE)
    mine.write_text(MINE)
    board.call("run", suite, "--store", store, "-q", "--no-table", "--no-plugins")
    board.call("publish", suite, "--store", store, "--to", board.board)
    own = ("--store", board.path("theirs"), "--plugin", mine)
    board.call("run", suite, *own, "--scorer", "mine", "-k", "mine", "-q", "--no-table", "--no-plugins")
    board.call("submit", suite, "mine", *own, "-o", board.submission, "--source", "a <b>paper</b> | of ours")
    board.path("imported").unlink()
    return board


@pytest.fixture
def board(finished: Board, tmp_path: Path) -> Board:
    """A copy that a test may spoil."""
    copy = Board(tmp_path / "copy")
    copy.folder.mkdir()
    shutil.copytree(finished.board, copy.board)
    for name in ("tiny.toml", "mine.py", "mine.submission.tar.xz"):
        shutil.copyfile(finished.path(name), copy.path(name))
    return copy


Files = dict[str, bytes]
Change = Callable[[Files], Any]


def spoiled(path: Path, change: Change) -> None:
    """Unpack an archive, change its files, and pack it again."""
    files = dict(members(path))
    change(files)
    path.write_bytes(archived(files))


def records(files: Files, part: str = "records") -> list[str]:
    """Return the names of an archive's records."""
    return sorted(name for name in files if name.startswith(f"{part}/"))


def rewritten(files: Files, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a record, seal it again as everybody can, and put it where its key says."""
    document = orjson.loads(files.pop(name))
    change(document)
    document["digest"] = digest({one: document[one] for one in ("schema", "key", "result")})
    document["seal"] = digest([document[one] for one in ("schema", "key", "digest", "provenance")])
    key, part = document["key"], name.partition("/")[0]
    files[f"{part}/{key[:2]}/{key}.json"] = orjson.dumps(document) + b"\n"
