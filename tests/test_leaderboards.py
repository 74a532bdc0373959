"""Published leaderboards: tables and data are made again from the records beside them, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from prunebench.cli import main
from prunebench.trust.folder import is_published, opened

FOLDER = Path(__file__).parents[1] / "leaderboards"
BOARDS = sorted(path.name for path in FOLDER.glob("*") if path.is_dir())

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="leaderboards/ is not part of a source archive")


@pytest.mark.parametrize("name", BOARDS)
def test_a_published_leaderboard_is_made_from_its_records(name: str) -> None:
    """Every record is whole and one of the suite's as it stands here, and they give every byte."""
    done = CliRunner().invoke(main, ["leaderboard", "--from", str(FOLDER / name), "--check"])
    assert done.exit_code == 0, done.output
    assert "to the byte" in done.output


def test_there_are_leaderboards() -> None:
    """Each folder is one; nothing else lies beside them."""
    assert {"pai-after-init-test", "pai-lenet-test", "quick"} <= set(BOARDS)
    assert all(is_published(FOLDER / name) for name in BOARDS)
    assert [path.name for path in FOLDER.glob("*") if path.is_file()] == ["README.md"]


@pytest.mark.parametrize("name", BOARDS)
def test_nothing_of_a_machine_is_published(name: str) -> None:
    """Of where records were made only what is on the list: no path, host or user."""
    with opened(FOLDER / name) as published:
        assert not published.plan.missing_data
        for path in published.store.root.rglob("*.json"):
            text = path.read_text("utf-8")
            assert '"/' not in text
            assert "/home/" not in text
