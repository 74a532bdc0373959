"""The examples of every --help, of README and of the pages work when they are pasted."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from prunebench.cli import main
from prunebench.cli._main import COMMANDS

from .conftest import PLUGIN, TINY, Place, make_place

ROOT = Path(__file__).parents[2]
OPERATORS = {";", "&&", "||", "|", "&"}
CHEAP = {"quick", "pai-lenet", "pai-lenet-test", "my.toml", "my-suite.toml"}
"""Suites that are planned in a second or two."""


SUITES_COMMANDS = (
    "run", "validate", "plan", "status", "leaderboard", "check", "compare", "judge", "measures",
)  # fmt: skip
"""Commands whose first argument is a suite."""
OF_FILES = ("fit", "merge", "predict", "publish", "restore", "submit", "verify", "work")
"""Commands whose examples name stores or folders that are somebody's own: that they are understood is tested."""


def commands_in(lines: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each prunebench command of these lines, as a shell splits them."""
    for line in lines:
        if not re.match(r"\s*(\$ |watch )?prunebench ", line):
            continue
        lexer = shlex.shlex(line.replace("$ ", "", 1), posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word in OPERATORS:
                if words and words[0] == "prunebench":
                    yield tuple(words[1:])
                words = []
            elif word == ">" or word != "watch":
                words.append(word)


def helps() -> Iterator[tuple[str, ...]]:
    for command in (main, *(main.get_command(click.Context(main), name) for name in COMMANDS)):
        assert command is not None
        assert command.epilog is not None
        yield from commands_in(command.epilog.splitlines())


def pages() -> Iterator[tuple[str, ...]]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in re.findall(r"^```\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            yield from commands_in(block.splitlines())


def plain(args: tuple[str, ...]) -> list[str]:
    """Return the arguments without a redirection."""
    return list(args[: args.index(">")] if ">" in args else args)


EXAMPLES = [plain(args) for args in dict.fromkeys([*helps(), *pages()])]


def suite_of(args: list[str]) -> str | None:
    """Return the suite that a command is about."""
    if args[0] == "export":
        return args[args.index("--suite") + 1] if "--suite" in args else None
    return (
        args[1]
        if args[0]
        in ("run", "validate", "plan", "status", "leaderboard", "check", "compare", "judge", "measures")
        else None
    )


def at_once(args: list[str]) -> bool:
    """Whether an example needs no results and plans no large suite."""
    waits = "--watch" in args
    return (
        args[0] not in ("run", "judge", "export", *OF_FILES)
        and suite_of(args) in (None, *CHEAP)
        and not waits
    )


def prepared(folder: Path) -> Place:
    """Return a folder with the files that examples speak of."""
    place = make_place(folder)
    mine = PLUGIN.replace('Scorer("own", own)', 'Scorer("mine", own)')
    mine = mine.replace('Scorer("moody", moody)', 'Scorer("weight-times-gradient", moody, needs="batch")')
    place.write("mine.py", mine)
    suite = TINY.replace('["random", "own", "magnitude-after-training"]', '["random"]')
    for name in ("my.toml", "my-suite.toml", "old.toml", "new.toml"):
        place.write(name, suite.replace("tiny-net", "digits-mlp"))
    return place


def test_the_page_of_the_command_line_has_every_command() -> None:
    """With a row that says what it does, and its exit codes."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    first, _, rest = text.partition("\n## ")
    does = set(re.findall(r"^\| `(\w+)[^|]*` \|", first, re.MULTILINE))
    assert does == set(COMMANDS)
    codes = rest[rest.index("| command | 0 | 1 |") :].partition("\n\n")[0]
    told = {
        name
        for row in re.findall(r"^\| (`.*?) \|", codes, re.MULTILINE)
        for name in re.findall(r"`(\w+)", row)
    }
    assert told == set(COMMANDS)


def test_there_are_examples() -> None:
    """Of every command, in its help; and in README."""
    assert {args[0] for args in map(plain, helps())} == set(COMMANDS)
    assert len(list(pages())) > 10


@pytest.mark.parametrize("args", EXAMPLES, ids=" ".join)
def test_an_example_is_understood(args: list[str]) -> None:
    """Every option is there and takes what it is given: a comment behind it is none for the command."""
    command = main.get_command(click.Context(main), args[0])
    assert command is not None
    command.make_context(args[0], args[1:])


def works() -> Iterator[Any]:
    """Yield the examples that work at once: quick is one of each command, and all that plan no suite of the paper.

    `doctor` asks torch in another process.
    """
    there: set[str] = set()
    for args in filter(at_once, EXAMPLES):
        takes_long = args[0] == "doctor" or suite_of(args) not in (None, "quick")
        again = takes_long and args[0] in there
        there |= {args[0]} if takes_long else set()
        yield pytest.param(args, id=" ".join(args), marks=[pytest.mark.slow] if again else [])


@pytest.mark.parametrize("args", list(works()))
def test_an_example_works(tmp_path: Path, args: list[str]) -> None:
    """Nothing has been run: that may be told by exit code 1, never as a mistake in what was asked."""
    result = prepared(tmp_path).call(*args, code=None)
    assert result.exit_code in (0, 1), result.output
    assert "Traceback" not in result.output


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder in which the quick suite has been run."""
    place = prepared(tmp_path_factory.mktemp("finished"))
    place.call("run", "quick")
    for name in ("here", "there"):
        shutil.copytree(place.store, place.folder / name)
    return place


@pytest.mark.slow
@pytest.mark.parametrize(
    "args",
    [
        a
        for a in EXAMPLES
        if a[0] not in OF_FILES
        and "--from" not in a
        and "--watch" not in a
        and not at_once(a)
        and (a[0] not in ("run", "judge") or suite_of(a) in CHEAP - {"pai-lenet"} or "--no-run" in a)
    ],
    ids=" ".join,
)
def test_an_example_works_on_results(finished: Place, args: list[str]) -> None:
    """What needs results of the quick suite, or plans a large one."""
    for exported in finished.folder.glob("*.safetensors"):
        exported.unlink()
    result = finished.call(*args, code=None)
    assert result.exit_code == 0 or (result.exit_code == 1 and suite_of(args) != "quick"), result.output
