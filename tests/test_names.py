"""What docstrings of the public API and the documentation name can be imported, as they name it."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import prunebench
import prunebench.diagnostics
import prunebench.testing

ROOT = Path(__file__).parent.parent
CLASS = re.compile(r"[A-Z][A-Za-z]*[a-z][A-Za-z]*")
DOTTED = re.compile(r"prunebench(?:\.[A-Za-z_]\w*)+")


def objects() -> Iterator[tuple[str, Any]]:
    """Yield every public object, and the methods and properties of those that are classes."""
    for module in (prunebench, prunebench.diagnostics, prunebench.testing):
        for name in module.__all__:
            found = getattr(module, name)
            yield f"{module.__name__}.{name}", found
            for inner, value in vars(found).items() if inspect.isclass(found) else ():
                if not inner.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    yield f"{module.__name__}.{name}.{inner}", value


def texts() -> Iterator[tuple[str, str]]:
    """Yield what is read: docstrings, README, docs."""
    for name, found in objects():
        described = inspect.isclass(found) or inspect.isfunction(found) or isinstance(found, property)
        if described and (text := inspect.getdoc(found)):
            yield name, text
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        yield path.name, path.read_text("utf-8")


def named(text: str) -> set[str]:
    """Return the names of classes, and dotted names of prunebench, between backticks or in code blocks."""
    found = set()
    for tick in re.findall(r"`([^`\n]+)`", text):
        if (match := CLASS.match(tick)) and re.fullmatch(rf"{match[0]}(\(.*\))?", tick):
            found.add(match[0])
        if match := DOTTED.match(tick):
            found.add(match[0])
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        found |= set(DOTTED.findall(block))
    return found


def there(name: str) -> bool:
    """Whether a name can be had: dotted ones by import, others from `prunebench`, torch.nn or Python."""
    if not name.startswith("prunebench."):
        return hasattr(builtins, name) or hasattr(torch.nn, name) or name in prunebench.__all__
    module, _, rest = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ImportError:
        try:
            return hasattr(importlib.import_module(module), rest)
        except ImportError:
            return there(module) and hasattr(_object(module), rest)
    return True


def _object(name: str) -> Any:
    module, _, rest = name.rpartition(".")
    return getattr(importlib.import_module(module), rest)


@pytest.mark.parametrize(("where", "text"), texts(), ids=lambda value: value if len(value) < 80 else "")
def test_what_is_named_can_be_imported(where: str, text: str) -> None:
    """A name between backticks is there."""
    assert [name for name in sorted(named(text)) if not there(name)] == []


def test_names_are_found_where_they_are() -> None:
    """The look at texts finds what it is for."""
    assert named("`ScorerCall(name='grasp')`, `prunebench.errors.DataError` and `snip`") == {
        "ScorerCall",
        "prunebench.errors.DataError",
    }
    assert not there("NoSuchThing")
    assert not there("prunebench.NoSuchThing")
    assert sum(len(named(text)) for _, text in texts()) > 15


def test_every_public_name_is_there_and_lists_are_sorted() -> None:
    """`__all__`, `dir` and what can be had agree."""
    assert [name for name in prunebench.__all__ if not hasattr(prunebench, name)] == []
    assert dir(prunebench) == sorted(prunebench.__all__)


def test_a_scorers_parameters_can_be_given_from_the_public_api() -> None:
    """As the docstring of `score` says."""
    from torch import nn

    call = prunebench.ScorerCall(name="magnitude", parameters={})
    assert set(prunebench.score(nn.Linear(4, 3), call)) == {"weight"}
