"""What commands print for programs: a version, and every key of it on the page that describes them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from .conftest import Place

PAGE = Path(__file__).parents[2] / "docs" / "outputs.md"
DOCUMENTED = set(re.findall(r"`([^`\n]+)`", PAGE.read_text("utf-8")))

OPEN = {
    "leaderboard",
    "failed",
    "missing_data",
    "parameters",
    "identity",
    "fields",
    "form",
    "weights",
    "scoring",
}
OPEN |= {"by_claim", "by_check", "again"}
OPEN |= {"registers", "baselines", "preset of", "measures"}
"""Keys whose values are described elsewhere, or whose own keys are names."""


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            name = re.sub(r"^(matrix|recipe|method) .*", r"\1 NAME", name)
            yield name
            if name not in OPEN and not name.endswith(" NAME"):
                yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def checked(value: Any) -> None:
    """Make sure of the version, and that the page has every key."""
    assert value["schema"] == 1
    assert set(keys(value)) <= DOCUMENTED


@pytest.mark.parametrize(
    "args",
    [
        ["run", "measured.toml"],
        ["validate", "measured.toml"],
        ["check", "measured.toml"],
        ["plan", "measured.toml"],
        ["plan", "tiny.toml"],
        ["status", "measured.toml"],
        ["measures", "measured.toml"],
        ["measures", "measured.toml", "--per-seed"],
        ["measures", "measured.toml", "--ratio", "shuffle", "-m", "effective-density"],
    ],
)
def test_of_a_suite(measured: Place, args: list[str]) -> None:
    """Every key of every command about a suite."""
    checked(measured.json(*args, *measured.plugin))


def test_of_failures(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed has keys of its own."""
    monkeypatch.setenv("MOODY", "1")
    chosen = (place.suite, "--scorer", "moody", "--seeds", "1", "-k", "moody", *place.plugin)
    run = place.json("run", *chosen, code=1)
    assert len(run["failed"]) == 1
    for value in (run, place.json("plan", *chosen), place.json("status", *chosen)):
        checked(value)


@pytest.mark.parametrize("kind", ["scorers", "methods", "architectures", "suites", "plugins", "diagnostics"])
def test_of_a_listing(place: Place, kind: str) -> None:
    """Rows under a key, with the kind beside them."""
    found = place.json("list", kind)
    checked(found)
    assert found["kind"] == kind
    assert found["rows"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("scorer", "snip"),
        ("method", "synflow"),
        ("architecture", "resnet20"),
        ("dataset", "digits"),
        ("recipe", "digits"),
        ("diagnostic", "flops"),
        ("suite", "quick"),
    ],
)
def test_of_one_thing(place: Place, kind: str, name: str) -> None:
    """The keys of `show`."""
    checked(place.json("show", kind, name))


def test_of_an_export(done: tuple[Place, Result], tmp_path: Path) -> None:
    """The keys of `export`."""
    place, _ = done
    chosen = ("export", "--suite", place.suite, "-k", "own and s0", "--mask")
    checked(place.json(*chosen, "-o", str(tmp_path / "mask.safetensors")))


@pytest.mark.parametrize("more", [[], ["--per-seed"], ["--ratio", "shuffle", "-m", "effective-density"]])
def test_columns_of_csv(measured: Place, more: list[str]) -> None:
    """Every column is on the page; cells are texts and numbers, not Python's spelling of something."""
    text = measured.call("measures", "measured.toml", "--format", "csv", *more).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert set(rows[0]) <= DOCUMENTED
    assert not any("()" in value or "None" in value for row in rows for value in row.values())


def test_the_page_names_nothing_that_is_gone(place: Place) -> None:
    """The version on the page is the one that is printed."""
    from prunebench.cli._output import SCHEMA

    assert f"this page says: {SCHEMA}." in " ".join(PAGE.read_text("utf-8").split())
