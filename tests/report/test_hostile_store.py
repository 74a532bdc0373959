"""Records of somebody who wishes harm, in a store: whole ones are shown as text, others by no number at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hostile import RECORDS, TEXTS_IN_RECORDS, sealed
from latex_reader import check
from markdown_it import MarkdownIt

from prunebench.cli._board import board

SOME = (
    "script",
    "closing tags",
    "markdown",
    "pipes",
    "fence",
    "latex braces",
    "latex marks",
    "right to left",
    "nul",
)
"""One of each kind; tests/report/test_hostile_tables.py has them all, without a store."""


@pytest.fixture
def made(project: Any) -> tuple[Any, Any, Path]:
    """Return a plan, the store in which it has been made, and the file of a pruned cell's record."""
    session = project.session(project.suite(["snip"]))
    store = project.store()
    session.freeze(store)
    engine = session.worker(store)
    for cell in session.plan.cells:
        engine.make(cell)
    key = next(cell.key for cell in session.plan.cells if float(cell.density) < 1)
    return session.plan, store, store.root / "records" / key[:2] / f"{key}.json"


def test_what_records_say_is_text(made: tuple[Any, Any, Path]) -> None:
    """Layers, numerics, software: accepted as they are, and nothing but text in any format."""
    plan, store, path = made
    document = json.loads(path.read_bytes())
    shapes = set()
    for name in SOME:
        changed = json.loads(json.dumps(document))
        TEXTS_IN_RECORDS[name](changed)
        path.write_text(json.dumps(sealed(changed)), encoding="utf-8")
        markdown = board(plan, store, "md")
        assert markdown is not None
        assert "No weight is left in" in markdown, name
        tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
        shapes.add(tuple(token.type for token in tokens))
        kinds = {child.type for token in tokens for child in token.children or ()}
        assert kinds <= {"text", "text_special"}, name
        latex = board(plan, store, "latex")
        assert latex is not None
        check(latex)
    assert len(shapes) == 1


def test_a_hostile_record_gives_no_number(made: tuple[Any, Any, Path]) -> None:
    """Not a wrong one either: its cell counts as missing, and the store says why."""
    plan, store, path = made
    content = path.read_bytes()
    whole = board(plan, store, "csv")
    assert whole is not None
    for hostile in RECORDS[::3]:  # tests/store/test_hostile_records.py has them all
        path.write_bytes(hostile.content(json.loads(content)))
        before = len(store.damaged)
        text = board(plan, store, "csv")
        assert text is not None
        assert text != whole, hostile.name
        assert len(store.damaged) == before + 1, hostile.name
        assert store.damaged[-1].reason.isprintable()
        path.write_bytes(content)
    assert board(plan, store, "csv") == whole
