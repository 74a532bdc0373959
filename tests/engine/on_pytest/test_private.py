"""What is not public of pytest and pytest-xdist is used in one module, where a newer version may break it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import execnet
import pytest

from prunebench.engine.on_pytest import private as pytest_private

ROOT = Path(__file__).parents[3]
HOME = ROOT / "prunebench" / "engine" / "on_pytest" / "private.py"
THEIRS = re.compile(r"^(_pytest|xdist|execnet)(\.|$)")
OBJECTS = re.compile(
    r"^(config|session|node|gateway|item|report|parser|pluginmanager|nodemanager|distributed)$"
)
"""Names under which pytest's and pytest-xdist's objects go here; a node of `ast` has `_fields`, too."""
INTERNAL = {"dsession", "nodemanager", "mainargv", "EXIT_TIMEOUT", "terminalreporter"}
"""Names that are public to look at, and stand in no documentation."""


def sources() -> Iterator[Path]:
    for folder in ("prunebench", "plugins", "tests", "benchmarks", "leaderboards"):
        yield from (path for path in (ROOT / folder).rglob("*.py") if path not in (HOME, Path(__file__)))


def private_uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if THEIRS.match(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and THEIRS.match(node.module or ""):
            yield str(node.module)
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if node.attr in INTERNAL or (OBJECTS.match(owner) and re.match(r"_(?!fields)[a-z]", node.attr)):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and node.value in INTERNAL:
            yield str(node.value)
        elif isinstance(node, ast.keyword) and node.arg == "_ispytest":
            yield node.arg


@pytest.mark.parametrize(
    "line",
    [
        "from _pytest.terminal import TerminalReporter",
        "import xdist.dsession",
        "config.pluginmanager.getplugin('dsession')",
        "node.gateway._io",
        "self.config._parser",
        "pytest.Parser(_ispytest=True)",
    ],
)
def test_a_private_use_is_seen(line: str) -> None:
    assert list(private_uses(ast.parse(line)))


def test_private_parts_are_used_in_one_module() -> None:
    seen = {
        f"{path.relative_to(ROOT)}: {use}"
        for path in sources()
        for use in private_uses(ast.parse(path.read_text("utf-8")))
    }
    assert not seen, f"say in {HOME.name} why it takes these: {sorted(seen)}"


@pytest.mark.parametrize("keyword", ["snip and", "(snip", "snip snip", "not"])
def test_what_is_no_expression_is_said_in_words(keyword: str) -> None:
    with pytest.raises(ValueError, match=r"expected|end of input|got"):
        pytest_private.compiled_keyword(keyword)


def test_the_errors_of_both_ends_of_the_range_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest 8 has a kind of error of its own for expressions, and no `msg` on it."""
    from _pytest.mark import expression

    class ParseError(Exception):
        def __init__(self, column: int, message: str) -> None:
            self.column, self.message = column, message

    def compile_as_before(keyword: str) -> None:
        raise ParseError(5, "expected not OR left parenthesis")

    monkeypatch.setattr(expression, "ParseError", ParseError, raising=False)
    monkeypatch.setattr(expression, "Expression", SimpleNamespace(compile=compile_as_before))
    with pytest.raises(ValueError, match=r"^expected not OR left parenthesis$"):
        pytest_private.compiled_keyword("snip and")


def started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", pytest_private.WORKERS_PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_a_gateway_is_given_what_is_there_and_starts_its_own_afterwards() -> None:
    there = [started()]
    first = there[0].pid
    group = execnet.Group(execmodel="main_thread_only")
    pids = []
    with pytest_private.starting_workers(lambda: there.pop() if there else None):
        for spec in ("popen", "popen//python=" + sys.executable, "popen"):
            gateway = group.makegateway(f"execmodel=main_thread_only//{spec}")
            pids.append(gateway.remote_exec("import os; channel.send(os.getpid())").receive())
            if len(pids) == 2:
                there.append(started())
    second = group[2]
    assert pytest_private.process_of(SimpleNamespace(gateway=second)) == pids[2]
    assert pids[0] == first
    assert len(set(pids)) == 3
    group.terminate(10)


@pytest.mark.parametrize("part", ["create_io", "Popen2IOMaster", "popen_args"])
def test_an_execnet_that_is_made_otherwise_starts_its_own(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = sys.modules["execnet.gateway_io"]
    monkeypatch.setattr(module, part, lambda spec, execmodel, loop: None)
    before = module.create_io
    with pytest_private.starting_workers(lambda: pytest.fail("taken")):
        assert module.create_io is before
    monkeypatch.delattr(module, part)
    with pytest_private.starting_workers(lambda: pytest.fail("taken")):
        assert getattr(module, "create_io", None) is (None if part == "create_io" else before)
