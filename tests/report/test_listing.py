from __future__ import annotations

import json
from pathlib import Path

from prunebench.report.listing import render


def test_plain_listings_are_aligned() -> None:
    """Text stands left, numbers right, under the headings asked for."""
    rows = [{"name": "snip", "cells": 5, "why": None}, {"name": "magnitude", "cells": 12, "why": "new"}]
    found = render(
        rows, columns={"name": "method", "cells": "cells", "why": "why"}, as_json=False, title="Methods"
    )
    assert found.splitlines() == [
        "Methods",
        "method       cells  why",
        "---------  -------  -----",
        "snip             5",
        "magnitude       12  new",
    ]


def test_texts_that_look_like_numbers_stay_as_they_are() -> None:
    """A key such as 12e45678 or 007 is a text."""
    found = render([{"key": "12e45678"}, {"key": "007"}], columns=["key"], as_json=False)
    assert [line.strip() for line in found.splitlines()[2:]] == ["12e45678", "007"]


def test_values_are_shown_for_people() -> None:
    """Booleans, lists, mappings and floats read plainly."""
    row = {"a": True, "b": ["x", "y"], "c": {"lr": 0.1}, "d": 1 / 3, "e": {2, 1}}
    found = render([row], columns=list("abcde"), as_json=False).splitlines()[-1]
    assert found.split("  ")[0] == "yes"
    assert "x, y" in found
    assert "lr=0.1" in found
    assert "0.333333" in found
    assert "1, 2" in found


def test_terminals_are_not_commanded_by_others_texts() -> None:
    """Escape sequences and line ends of a plugin's text do not reach the terminal."""
    found = render([{"name": "\x1b[31mred\nnext"}], columns=["name"], as_json=False)
    assert "\x1b" not in found
    assert len(found.splitlines()) == 3


def test_nothing_is_said_plainly() -> None:
    """An empty listing is not an empty table."""
    assert render([], columns=["a"], as_json=False, title="Suites") == "Suites\nnothing"
    assert render([], columns=["a"], as_json=True) == "[]"


def test_json_holds_everything() -> None:
    """JSON has all a row holds, the listed columns first, absent ones null."""
    rows = [{"extra": {"path": Path("x")}, "name": "snip"}]
    found = json.loads(render(rows, columns=["name", "version"], as_json=True, title="no"))
    assert found == [{"name": "snip", "version": None, "extra": {"path": "x"}}]
    assert list(found[0]) == ["name", "version", "extra"]
