"""A suite may name its plugin files: found beside the suite's file, whatever the working directory is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.request import Request
from prunebench.errors import SuiteError
from prunebench.suite import Suite, shipped_suites
from prunebench.suite.load import plugin_files

HEAD = 'schema = 1\nname = "s"\nversion = "1"\n'


def write(folder: Path, line: str) -> Path:
    (folder / "below").mkdir(exist_ok=True)
    for name in ("mine.py", "below/other.py", "notes.txt"):
        (folder / name).write_text("")
    path = folder / "s.toml"
    path.write_text(HEAD + line + "\n")
    return path


def test_plugin_files_are_beside_the_suites_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to its folder, upwards too; absolute paths are taken as they are."""
    suites = tmp_path / "suites"
    suites.mkdir()
    (tmp_path / "up.py").write_text("")
    there = tmp_path / "up.py"
    path = write(suites, f"plugins = ['mine.py', 'below/other.py', '../up.py', '{there}']")
    wanted = [suites / "mine.py", suites / "below" / "other.py", there, there]
    for here, name in ((tmp_path, path), (suites, "s.toml"), (tmp_path, "suites/s.toml")):
        monkeypatch.chdir(here)
        assert plugin_files(name) == [p.resolve() for p in wanted]
    assert plugin_files(write(tmp_path, "")) == []


def test_a_file_that_both_name_is_loaded_once(tmp_path: Path) -> None:
    """The suite's come first, in its order."""
    path = write(tmp_path, 'plugins = ["below/other.py", "mine.py"]')
    mine, other = (str((tmp_path / name).resolve()) for name in ("mine.py", "below/other.py"))
    request = Request(str(path), "store", "data", plugins=(mine, "/else.py")).with_suite_plugins()
    assert request.plugins == (other, mine, "/else.py")
    assert request.with_suite_plugins() == request


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'plugins = ["no.py"]',
            "s.toml: plugins[0]: found 'no.py'; there is no file {}/no.py (paths are from",
        ),
        ('plugins = ["mine.py", "below"]', "s.toml: plugins[1]: found 'below'; there is no file {}/below"),
        ('plugins = ["notes.txt"]', "s.toml: plugins[0]: found 'notes.txt'; allowed: Python files"),
    ],
)
def test_what_is_no_plugin_file_is_refused(line: str, message: str, tmp_path: Path) -> None:
    """With the key, the name and the place that was looked at."""
    path = write(tmp_path, line)
    with pytest.raises(SuiteError) as caught:
        plugin_files(path)
    assert message.format(os.path.realpath(tmp_path)) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('plugins = "mine.py"', "s.toml: plugins: found 'mine.py'; allowed: a list; write ['mine.py']"),
        ("plugins = [3]", "s.toml: plugins[0]: found 3; allowed: a text in quotes"),
        ('plugin = ["mine.py"]', "s.toml: plugin: is no key here; did you mean 'plugins'?"),
    ],
)
def test_a_key_of_the_wrong_kind_is_a_problem_of_the_file(
    line: str, message: str, problems: Callable[[str], list[str]], tmp_path: Path
) -> None:
    """Said with all the others, and nothing is loaded before."""
    assert any(message in one for one in problems(f"{HEAD}{line}\nmatrix = []\n"))
    assert plugin_files(tmp_path / "s.toml") == []


def test_the_key_is_part_of_the_digest(suite: Callable[..., str], load: Callable[[str], Suite]) -> None:
    """As any key is; a suite without it keeps its digest."""
    plain, named = load(suite()), load(suite(HEAD + "plugins = []\n"))
    assert plain.digest != named.digest
    assert plain.digest == load("# a comment\n" + suite()).digest


def test_the_shipped_suites_name_no_plugins() -> None:
    """They need nothing but what comes along."""
    found: dict[str, Any] = {name: plugin_files(path) for name, path in shipped_suites().items()}
    assert not any(found.values())
