"""What pytest remembers of the last run: set aside where pytest could not read it."""

from __future__ import annotations

import json
import os

import pytest

from prunebench.store import Store

DAMAGED = ["", "{", "[" * 5000, "null", "1", '"x"', "\xff", '{"a": "\\ud800"}']


@pytest.mark.parametrize("text", [*DAMAGED, "[]", '["a"]'])
def test_failed_cells_that_are_no_table_are_set_aside(store: Store, text: str) -> None:
    """A list of failed cells is a table by name."""
    path = store.root / "pytest-cache" / "v" / "cache" / "lastfailed"
    path.parent.mkdir(parents=True)
    path.write_text(text, "latin-1")
    store.check_cache()
    assert not path.exists()
    assert len(store.damaged) == 1


@pytest.mark.parametrize("text", [*DAMAGED, "{}", "[1]", '["a", ["b"]]'])
def test_cells_that_are_no_list_of_names_are_set_aside(store: Store, text: str) -> None:
    """A list of cells is a list of names."""
    path = store.root / "pytest-cache" / "v" / "cache" / "nodeids"
    path.parent.mkdir(parents=True)
    path.write_text(text, "latin-1")
    store.check_cache()
    assert not path.exists()


def test_what_is_right_or_not_there_is_left(store: Store) -> None:
    """Nothing is set aside where nothing is wrong; a pipe is never waited for."""
    store.check_cache()
    folder = store.root / "pytest-cache" / "v" / "cache"
    folder.mkdir(parents=True)
    (folder / "lastfailed").write_text(json.dumps({"tiny.toml::main::a": True}))
    os.mkfifo(folder / "nodeids")
    store.check_cache()
    assert [path.name for path in folder.iterdir()] == ["lastfailed"]
    assert [found.reason for found in store.damaged] == ["a pipe stands in its place"]
