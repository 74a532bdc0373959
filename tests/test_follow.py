"""docs/follow.md and docs/glossary.md: the files and functions that they name are there, the examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = DOCS / "follow.md"

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not there")

STEPS = re.findall(r"^\| (\d+) \| .* \| `([\w/.]+)` \| `([\w.]+)` \|$", PAGE.read_text("utf-8"), flags=re.M)


def test_every_row_of_the_walks_is_a_step() -> None:
    """Two walks, numbered from 1 without a gap: no row has lost its file or its function."""
    numbers = [int(number) for number, _, _ in STEPS]
    second = numbers.index(1, 1)
    assert numbers[:second] == list(range(1, second + 1))
    assert numbers[second:] == list(range(1, len(numbers) - second + 1))
    rows = re.findall(r"^\| \d", PAGE.read_text("utf-8"), flags=re.M)
    assert len(rows) == len(numbers) > 20


@pytest.mark.parametrize(("path", "function"), [step[1:] for step in STEPS])
def test_a_step_names_a_function_and_the_file_that_defines_it(path: str, function: str) -> None:
    """The file exists, and the function, or a class's method, is written in it."""
    assert (ROOT / path).is_file()
    found: Any = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for name in function.split("."):
        found = getattr(found, name)
    assert Path(inspect.getsourcefile(inspect.unwrap(found)) or "").resolve() == (ROOT / path).resolve()


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite and the plugin of the page give what the page says they give."""
    text = PAGE.read_text("utf-8")
    blocks = {
        language: re.search(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)
        for language in ("toml", "python")
    }
    for name, language in (("follow.toml", "toml"), ("mine.py", "python")):
        block = blocks[language]
        assert block is not None
        (tmp_path / name).write_text(block[1])
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(text, {}, "follow.md", str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert len(test.examples) > 25
    runner.run(test)
    assert runner.summarize().failed == 0


def test_every_word_is_explained_once() -> None:
    """A term of the glossary has one entry, of a sentence at least."""
    entries = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (DOCS / "glossary.md").read_text("utf-8"), flags=re.M)
    terms = [term for term, _ in entries if term not in ("word", "---")]
    assert len(terms) == len(set(terms)) > 60
    assert all(meaning.endswith((".", "…")) for term, meaning in entries if term in terms)
    wanted = "cell setting method form ablation run state job key identity fingerprint density sparsity target kept"
    wanted += " unit allocation regrowth schedule course policy record measure quantity check range border"
    assert not set(wanted.split()) - {term.split(" (")[0] for term in terms}
    wanted = "family `[sets]` expect inference resample slots clock alter grid place curve"
    assert not set(wanted.split()) - set(terms)
