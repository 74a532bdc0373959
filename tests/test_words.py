"""Words of the code itself: docstrings that read by themselves, locals named for what they hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "prunebench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])

MOST_FOUND = 4
"""Functions that assign a local named `found`. Lower it with every one that goes; a new one needs a better name."""

pytestmark = pytest.mark.skipif(not (ROOT / "plugins").is_dir(), reason="the sources are not there")


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in FILES:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8"))


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.lineno} {node.name}", node


def texts() -> Iterator[tuple[str, str]]:
    """Yield every docstring, of attributes too, with its place."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                yield f"{path}:{node.lineno}", str(node.value.value)


def test_docstrings_say_what_is_true() -> None:
    """ "True if …", not "Whether …": a reader need not ask what is answered."""
    assert [place for place, text in texts() if text.lstrip().startswith("Whether")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_points_to_what_a_reader_has_not(path: Path) -> None:
    """Sections are of papers that are named beside them, not of documents outside the repository.

    A name that the module gives a value itself is there to be read.
    """
    text = path.read_text("utf-8")
    pointed = set(re.findall(r"\b(?:DESIGN|FACTS|CLAIMS)\b", text))
    assert not pointed - assigned(ast.parse(text))


def test_locals_are_named_for_what_they_hold() -> None:
    """`found` says where a value came from, not what it is."""
    named = [place for place, function in functions() if "found" in assigned(function)]
    assert len(named) <= MOST_FOUND, named


def assigned(function: ast.AST) -> set[str]:
    """Return the names that a function itself assigns: not those of functions within."""
    names: set[str] = set()
    stack: list[ast.AST] = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        stack.extend(ast.iter_child_nodes(node))
    return names


def test_functions_are_short() -> None:
    """The median is at most 8 lines, docstring and all."""
    assert median(node.end_lineno - node.lineno + 1 for _, node in functions() if node.end_lineno) <= 8


def test_files_can_be_read() -> None:
    """At most 400 lines a module, 500 a test."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    long = [(path, 400) for path in FILES] + [(path, 500) for path in tests]
    assert [str(path) for path, most in long if path.read_text("utf-8").count("\n") > most] == []
