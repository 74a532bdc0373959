"""What is told of an error: one line of text, and the line of the user's own file in which it arose."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.faults import LONGEST, place_of, said

SOURCE = """
import contextlib
import torch


def plain():
    raise ValueError("plain")


def in_a_lambda():
    return (lambda x: x["absent"])({})


def in_torch():
    a, b = torch.zeros(2, 3), torch.zeros(2, 3)
    return a @ b  # shapes do not fit


class Net(torch.nn.Module):
    def forward(self, x):
        return x.reshape(7, 7, 7)


def in_a_module():
    return Net()(torch.zeros(3))


class Back(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        raise ArithmeticError("backwards")


def in_a_gradient():
    Back.apply(torch.ones(1, requires_grad=True)).sum().backward()


def endless(n=0):
    return endless(n + 1)


def executed():
    exec("1 / 0")  # in no file


def parsed():
    return eval("1 +")


def chained():
    try:
        {}["first"]
    except KeyError as error:
        raise RuntimeError("second") from error


def grouped():
    errors = []
    for one in (plain, in_a_lambda):
        try:
            one()
        except Exception as error:
            errors.append(error)
    raise ExceptionGroup("several", errors)


def many():
    return sum(
        torch.zeros(2).view(9)
        for _ in range(2)
    )


def left():
    raise SystemExit("left")


def within_a_context():
    with contextlib.suppress(KeyError):
        raise OSError("inside")
"""

WANTED = {
    "plain": 'raise ValueError("plain")',
    "in_a_lambda": 'return (lambda x: x["absent"])({})',
    "in_torch": "return a @ b  # shapes do not fit",
    "in_a_module": "return x.reshape(7, 7, 7)",
    "in_a_gradient": 'raise ArithmeticError("backwards")',
    "endless": "return endless(n + 1)",
    "executed": 'exec("1 / 0")  # in no file',
    "parsed": 'return eval("1 +")',
    "chained": 'raise RuntimeError("second") from error',
    "grouped": 'raise ValueError("plain")',
    "many": "torch.zeros(2).view(9)",
    "left": 'raise SystemExit("left")',
    "within_a_context": 'raise OSError("inside")',
}


def caught(function: Callable[[], Any]) -> BaseException:
    """Call a function as prunebench does: from a frame that is not the user's."""
    space: dict[str, Any] = {}
    code = "def call(f):\n    try:\n        f()\n    except BaseException as e:\n        return e\n"
    exec(compile(code, str(Path(sys.modules["prunebench"].__file__ or "").parent / "call.py"), "exec"), space)
    found: BaseException = space["call"](function)
    return found


@pytest.fixture
def mine(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A user's file and what it defines."""
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    space: dict[str, Any] = {"__name__": "mine"}
    exec(compile(SOURCE, str(path), "exec"), space)
    return path, space


@pytest.mark.parametrize("name", WANTED)
def test_the_innermost_line_of_the_users_own_file(mine: tuple[Path, dict[str, Any]], name: str) -> None:
    """Whatever was called from there, and however the error came about."""
    path, space = mine
    place = place_of(caught(space[name]))
    assert place is not None
    assert place.file == str(path)
    assert place.source == WANTED[name]
    assert str(place) == f"{path}:{place.line}: {place.source}"
    assert SOURCE.splitlines()[place.line - 1].strip() == place.source


def test_what_is_wrapped_by_us_is_told_by_its_cause(mine: tuple[Path, dict[str, Any]]) -> None:
    """An error of prunebench's own that was raised from a user's."""
    _, space = mine
    cause = caught(space["in_torch"])
    error = RuntimeError("scorer failed")
    error.__cause__ = cause
    assert place_of(error) == place_of(cause)
    assert place_of(RuntimeError("nobody's")) is None


def test_a_file_that_does_not_parse(tmp_path: Path) -> None:
    """The line of the file, not of what imports it."""
    path = tmp_path / "broken.py"
    path.write_text("x = 1\ndef f(:\n    pass\n")
    place = place_of(caught(lambda: compile(path.read_text(), str(path), "exec")))
    assert place == (str(path), 2, "def f(:")


def test_code_in_no_file_and_in_installed_packages(tmp_path: Path) -> None:
    """Code without a file has a line and no source; of an installed plugin its own line is told."""
    space: dict[str, Any] = {}
    exec("\n\ndef f():\n    return {}['a']\n", space)
    assert str(place_of(caught(space["f"]))) == "<string>:4"
    home = tmp_path / "site-packages"
    exec(compile("def f(g):\n    return g()\n", str(home / "theirs" / "code.py"), "exec"), space)
    exec(compile("def g():\n    1 / 0\n", str(home / "library.py"), "exec"), space)
    place = place_of(caught(functools.partial(space["f"], space["g"])))
    assert place == (str(home / "theirs" / "code.py"), 2, "")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class NoText(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a word"), "ValueError: a word"),
        (ValueError(), "ValueError"),
        (ValueError("  \n "), "ValueError"),
        (RuntimeError("Errors:\n\tone\n\ttwo\x1b[31m"), "RuntimeError: Errors: one two [31m"),
        (Mute(), "Mute: (its message cannot be made: its str() fails)"),
        (NoText(), "NoText: (its message cannot be made: its str() fails)"),
        (SystemExit(2), "SystemExit: 2"),
        (
            ExceptionGroup("g", [ExceptionGroup("h", [Mute()]), ValueError("b")]),
            "ExceptionGroup: g (2 sub-exceptions): ExceptionGroup: h (1 sub-exception): "
            "Mute: (its message cannot be made: its str() fails); ValueError: b",
        ),
    ],
)
def test_an_error_on_one_line(error: BaseException, text: str) -> None:
    """Printable, without line ends, whatever the error's own text does."""
    assert said(error) == text


def test_a_long_text_is_cut() -> None:
    """An error that prints a tensor does not fill the screen."""
    for text in ("a" * 10**6, "a " * 10**6):
        told = said(ValueError(text))
        assert len(told) < LONGEST + 20
        assert told.endswith(" …")
