"""The store's pilots/: what a run and its pilots write there, and what is made of anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunebench.engine.on_slurm.submissions import PilotState, Submission, submissions_of
from prunebench.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def test_what_is_written_is_read(store: Store) -> None:
    """A submission, its cells, and the states of its pilots, by whoever has the store."""
    written = Submission.new(store, "quick-0123", "gpu", ["a::x", "a::y"])
    written.arrays += ["12", "13"]
    written.write()
    written.say(PilotState("12_0", "working", starts=2))
    written.say(PilotState("12_1", "ended", why="cannot start", error="no GPU"))
    (read,) = submissions_of(store, "quick-0123")
    assert read == written
    assert read.makes(["a::y"])
    assert read.makes(["a::x", "a::y"])
    assert not read.makes(["a::y", "a::z"])
    states = read.states()
    assert {job: (state.stage, state.starts, state.error) for job, state in states.items()} == {
        "12_0": ("working", 2, ""),
        "12_1": ("ended", 1, "no GPU"),
    }
    assert read.state("12_0") == states["12_0"]
    assert read.state("12_5") is None


def test_submissions_of_other_plans_and_cancelled_ones_are_none(store: Store) -> None:
    """Nobody joins pilots that make something else, or that somebody has given up."""
    Submission.new(store, "other-0123", "", [])
    given_up = Submission.new(store, "quick-0123", "", [])
    given_up.cancel()
    assert given_up.cancelled
    assert list(submissions_of(store, "quick-0123")) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{",
        b"[" * 100_000,
        b'{"schema": 2}',
        json.dumps({"schema": 1, "plan": "quick-0123", "arrays": ["1; rm -rf /"]}).encode(),
        json.dumps(
            {
                "schema": 1,
                "plan": "quick-0123",
                "time": "",
                "host": "",
                "pid": 1,
                "partition": "",
                "arrays": ["--help"],
            }
        ).encode(),
    ],
)
def test_what_is_no_submission_is_passed_over(store: Store, content: bytes) -> None:
    """Numbers of jobs go to Slurm's commands, so that nothing but numbers is taken for one."""
    folder = store.root / "pilots" / "somebodys"
    folder.mkdir(parents=True)
    (folder / "submission.json").write_bytes(content)
    (store.root / "pilots" / "a-file").write_bytes(content)
    assert list(submissions_of(store, "quick-0123")) == []


def test_what_is_no_state_is_passed_over(store: Store) -> None:
    """A pilot that wrote rubbish has said nothing."""
    submission = Submission.new(store, "quick-0123", "", [])
    submission.say(PilotState("12_0", "working"))
    (submission.folder / "states" / "12_1.json").write_text("{}")
    (submission.folder / "states" / "12_2.json").mkdir()
    assert list(submission.states()) == ["12_0"]
    submission.cells_file.write_text("3")
    assert not submission.makes([])


def test_a_folder_of_pilots_makes_a_store_no_foreign_folder(tmp_path: Path) -> None:
    """A store that lost its store.json is one all the same."""
    Submission.new(Store.open(tmp_path / "store"), "quick-0123", "", [])
    (tmp_path / "store" / "store.json").unlink()
    assert Store.open(tmp_path / "store").writable
