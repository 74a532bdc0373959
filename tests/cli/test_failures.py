"""What a failure says: the error, the line of the user's own file, the log; in every command that tells it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import PLUGIN, TINY, Place, make_place

FAULT = '    raise ValueError("out of luck\\nand of words")  # here'

BROKEN = """

def unlucky(net, batch, rng):
%s


@prunebench.hookimpl
def prunebench_diagnostics():
    return []
""".replace("%s", FAULT)


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> tuple[Place, Any]:
    """A folder in which a suite was run whose scorer fails, and what `run` said. Not to be changed."""
    place = make_place(tmp_path_factory.mktemp("failed"))
    place.write("mine.py", PLUGIN.replace('Scorer("own", own)', 'Scorer("own", unlucky)') + BROKEN)
    place.write("tiny.toml", TINY.replace('"random", "own", "magnitude-after-training"', '"own"'))
    return place, place.call("run", place.suite, *place.plugin, code=1)


def where(place: Place) -> str:
    """Return file:line: source of the fault, read off the file."""
    path = place.folder / "mine.py"
    line = path.read_text("utf-8").splitlines().index(FAULT) + 1
    return f"{path}:{line}: {FAULT.strip()}"


def logs(place: Place, text: str) -> list[Path]:
    """Return the paths that a text gives of logs, and make sure that they can be opened."""
    found = [Path(path) for path in re.findall(r"log: (.*?\.log)\)?$", text, re.MULTILINE)]
    assert found
    assert all("Traceback" in path.read_text("utf-8") for path in found)
    assert all(path.is_absolute() for path in found)
    return found


def test_run_tells_line_and_log(failed: tuple[Place, Any]) -> None:
    """Beside the cell, and in the summary."""
    place, result = failed
    for text in (result.stdout, result.stderr):
        assert re.search(r"ValueError: out of luck and of words\n +at .*\n +log: ", text)
        assert f"at {where(place)}\n" in text
        logs(place, text)


@pytest.mark.parametrize("command", ["status", "plan"])
def test_status_and_plan_tell_line_and_log(failed: tuple[Place, Any], command: str) -> None:
    """In words and as JSON."""
    place, _ = failed
    text = place.call(command, place.suite, *place.plugin, code=None).stderr
    assert "for main::tiny-net-digits-own-d0.5-s" in text
    assert f"at {where(place)}\n" in text
    logs(place, text)
    found = place.call(command, place.suite, *place.plugin, "--json", code=None)
    value = json.loads(found.stdout)
    failures = value["failures"] if command == "status" else [c["failure"] for c in value["cells"]]
    one, other = [failure for failure in failures if failure]
    assert one["at"] == other["at"] == where(place)
    assert Path(one["log"]).is_file()


def test_the_log_of_a_store_with_brackets_in_its_path(place: Place) -> None:
    """The cause is told once for all cells, whatever the path looks like."""
    place.write("mine.py", PLUGIN.replace('Scorer("own", own)', 'Scorer("own", unlucky)') + BROKEN)
    place.write("tiny.toml", TINY.replace('"random", "own", "magnitude-after-training"', '"own"'))
    result = place.call("run", place.suite, *place.plugin, "--store", str(place.folder / "a (b)"), code=1)
    assert re.search(r"^  2 cells: score [0-9a-f]{12} failed: ", result.stderr, re.MULTILINE)
    logs(place, result.stderr)


@pytest.mark.parametrize(
    ("text", "line", "source"),
    [
        ("import prunebench\ndef f(:\n    pass\n", 2, "def f(:"),
        ("def f():\nreturn 1\n", 2, "return 1"),
        ("import prunebench\n\nx = {}['a']\n", 3, "x = {}['a']"),
        ("import json\n\njson.loads('{')\n", 3, "json.loads('{')"),
    ],
)
def test_a_plugin_file_that_cannot_be_loaded(place: Place, text: str, line: int, source: str) -> None:
    """The line of the file: what does not parse, or what raised."""
    place.write("mine.py", text)
    result = place.call("plan", place.suite, *place.plugin, code=2)
    assert f"({place.folder / 'mine.py'}:{line}: {source})" in result.stderr
    assert re.findall(r"^Error: ", result.stderr, re.MULTILINE) == ["Error: "]


BUILD = '    """One hidden layer.\n\n    For tests only.\n    """\n'
RAISES = "    return {}[classes]  # here\n"


@pytest.mark.parametrize(
    ("was", "becomes", "who", "line"),
    [
        (BUILD, BUILD + RAISES, "architecture 'tiny-net'", RAISES),
        (
            "@prunebench.hookimpl\ndef prunebench_architectures",
            "@prunebench.hookimpl\ndef prunebench_ablations():\n"
            '    """Fails."""\n'
            "    def fails(form):\n"
            '        """Fail."""\n'
            "        return form.nothing  # here\n\n"
            '    return [prunebench.Ablation("fails", fails)]\n\n\n'
            "@prunebench.hookimpl\ndef prunebench_architectures",
            "ablation 'fails'",
            "        return form.nothing  # here",
        ),
    ],
)
def test_a_component_that_fails_in_planning(
    place: Place, was: str, becomes: str, who: str, line: str
) -> None:
    """No fault of prunebench's, and no traceback: the component, its error and its line."""
    place.write("mine.py", PLUGIN.replace(was, becomes, 1))
    if "fails" in becomes:
        place.write("tiny.toml", TINY + 'ablations = ["fails"]\n')
    result = place.call("plan", place.suite, *place.plugin, code=2)
    assert "Traceback" not in result.stderr
    assert who in result.stderr
    source = (place.folder / "mine.py").read_text("utf-8").splitlines()
    where = source.index(line.rstrip("\n")) + 1
    assert f"{place.folder / 'mine.py'}:{where}: {line.strip()}" in result.stderr
