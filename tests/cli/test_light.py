"""What must be at once: help, completion, status of a finished suite; no torch is imported."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import Result

from prunebench.cli import main
from prunebench.cli._main import COMMANDS

HEAVY = ("torch", "pandas", "scipy", "pytest", "numpy", "torchvision")

CALL = f"""
import sys
from prunebench.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["run", "--help"],
        ["export", "-h"],
        ["list", "suites"],
        ["completion", "zsh"],
    ],
)
def test_help_and_the_like_import_nothing_heavy(python: Callable[..., Any], args: list[str]) -> None:
    """Neither torch nor pandas, scipy, numpy or pytest is imported."""
    done = python(CALL, *args)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_status_reads_the_frozen_plan_without_torch(
    done: tuple[Any, Result], python: Callable[..., Any]
) -> None:
    """Status of a suite that was run imports no torch."""
    place, _ = done
    found = python(CALL, "status", place.suite, cwd=place.folder)
    assert found.returncode == 0, found.stderr
    assert "'torch'" not in found.stderr
    assert "8 of 8 cells done" in found.stdout


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["pl"], "plan"),
        (["list", "sc"], "scorers"),
        (["show", "ar"], "architecture"),
        (["run", "ti"], "tiny.toml"),
        (["completion", "f"], "fish"),
        (["plan", "tiny.toml", "--ce"], "--cells"),
    ],
)
def test_completion_completes_without_torch(
    done: tuple[Any, Result], python: Callable[..., Any], typed: list[str], wanted: str
) -> None:
    """Commands, kinds, suite files and options are completed; torch is not imported."""
    environment = {
        **os.environ,
        "_PRUNEBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["prunebench", *typed]),
        "COMP_CWORD": str(len(typed)),
    }
    found = python(CALL, cwd=done[0].folder, env=environment)
    assert f"plain,{wanted}" in found.stdout.splitlines()
    assert found.stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(place: Any, shell: str) -> None:
    """The script of each shell registers a completion for prunebench."""
    script = place.call("completion", shell).stdout
    assert "_PRUNEBENCH_COMPLETE" in script
    assert re.search(r"complet|compdef", script)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_with_examples(place: Any, name: str) -> None:
    """Help says what the command does in the list of commands, and gives examples of its own."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    summary = command.get_short_help_str(60)
    assert summary.endswith((".", "…"))
    assert not summary.endswith("...")
    text = place.call(name, "--help").stdout
    assert "Examples:" in text
    assert f"prunebench {name}" in text


def test_the_version(place: Any) -> None:
    """--version prints name and version."""
    from prunebench import __version__

    assert place.call("--version").stdout == f"prunebench {__version__}\n"


def test_colour_is_for_terminals_alone(done: tuple[Any, Result]) -> None:
    """What is captured has no escape sequences."""
    assert "\x1b" not in done[1].output
    assert sys.stdout is not None
