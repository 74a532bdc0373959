"""What every command says of a store in which something is damaged."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from prunebench.canonical import digest
from prunebench.cli._output import visible

from .conftest import Place

OTHERS = {"compare": ["random"], "curve": ["random"]}
"""Other commands that read, with what they take beside the suite."""

COMMANDS = ("status", "leaderboard", "plan", "measures", "export")
INCOMPLETE = {"export": 2, "leaderboard": 1}
"""Exit codes of those that need a record that is not there."""


@pytest.fixture
def place(measured: Place, tmp_path: Path) -> Place:
    """A copy of a folder in which a suite with measures has been run."""
    shutil.copytree(measured.folder, tmp_path / "copy")
    return Place(tmp_path / "copy")


def call(place: Place, command: str, *options: str, code: int | None = 0) -> Result:
    """Call a command on the suite (for `export`, on its first record)."""
    what = str(place.folder / "measured.toml")
    if command == "export":
        key = place.json("plan", what, *place.plugin)["cells"][0]["key"]
        return place.call("export", key, "-o", "out.safetensors", "--force", *place.plugin, code=code)
    return place.call(command, what, *options, *place.plugin, code=code)


def first_record(place: Place) -> Path:
    """Return the record of the suite's first cell."""
    cells = place.json("plan", str(place.folder / "measured.toml"), *place.plugin)["cells"]
    key = cells[0]["key"]
    return place.store / "records" / key[:2] / f"{key}.json"


def plan_of(place: Place) -> Path:
    (path,) = (place.store / "plans").glob("*.json")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_which_record_is_damaged(place: Place, command: str) -> None:
    """It is said with the reason on standard error, and counts as missing; no traceback.

    Commands that only read leave it, and everything else, as it is; `export`, which makes what it needs again,
    sets it aside.
    """
    path = first_record(place)
    path.write_bytes(path.read_bytes()[:50])
    before = place.files()
    result = place.call(
        *(command, str(place.folder / "measured.toml") if command != "export" else path.stem),
        *place.plugin,
        code=INCOMPLETE.get(command, 0),
    )
    assert "Traceback" not in result.output
    if command == "export":
        assert re.search(
            r"1 record cannot be used and counts as missing \(set aside in \S+/set-aside\)", result.stderr
        )
        assert not path.exists()
        assert len(list((place.store / "set-aside").glob(f"*{path.name}"))) == 1
    else:
        assert f"{path.relative_to(place.store)}: not JSON" in result.stderr
        assert "1 record cannot be used and counts as missing (left in " in result.stderr
        assert place.files() == before


@pytest.mark.parametrize("command", OTHERS)
def test_other_commands_that_read_leave_what_is_damaged(place: Place, command: str) -> None:
    """They say that it counts as missing, and change no file."""
    path = first_record(place)
    path.write_bytes(path.read_bytes()[:50])
    before = place.files()
    suite = str(place.folder / "measured.toml")
    result = place.call(command, suite, *OTHERS[command], *place.plugin, code=None)
    assert "1 record cannot be used and counts as missing (left in " in result.stderr
    assert place.files() == before


def test_status_counts_what_it_could_read(place: Place) -> None:
    """Ten records are listed, one of them cut off: nine cells are done, and one is missing."""
    path = first_record(place)
    path.write_bytes(path.read_bytes()[:-20])
    total = place.json("status", str(place.folder / "measured.toml"))["total"]
    assert (total["cells"], total["done"], total["missing"]) == (10, 9, 1)


def test_run_makes_it_again_and_says_so(place: Place) -> None:
    """The run's summary says how many were set aside and made again, and why; `status` says it later."""
    before = call(place, "leaderboard").stdout
    path = first_record(place)
    path.write_bytes(path.read_bytes().replace(b'"correct":', b'"correct":1', 1))
    result = call(place, "run")
    assert "1 cell made now" in result.stdout
    assert re.search(
        r"1 record could not be used: 1 set aside in \S+/set-aside, 1 made again\.", result.stderr
    )
    assert f"{path.relative_to(place.store)}: its " in result.stderr
    assert call(place, "leaderboard").stdout == before
    status = call(place, "status")
    assert re.search(
        r"set aside as damaged or unusable: 1 file in \S+/set-aside, 1 made again", status.stdout
    )
    assert status.stderr == ""
    found = json.loads(call(place, "status", "--json").stdout)["set_aside"]
    assert (found["files"], found["made_again"]) == (1, 1)
    assert found["last"]["file"] == str(path.relative_to(place.store))


def test_a_damaged_state_is_said_by_the_run(place: Place) -> None:
    """So is what a worker finds while the run is under way."""
    for path in (place.store / "records").rglob("*.json"):
        path.unlink()
    state = sorted((place.store / "artifacts").rglob("*@0.safetensors"))[0]
    state.write_bytes(state.read_bytes()[:-1])
    for path in (place.store / "artifacts").rglob("*.safetensors"):
        if "@0" not in path.name:
            path.unlink()
    result = call(place, "run")
    assert "1 artifact could not be used: 1 set aside" in result.stderr
    assert "1 made again" in result.stderr


def test_one_flipped_bit_in_a_plan_changes_no_table(place: Place) -> None:
    """The plan counts as missing, the suite is planned anew, and that is said; the table is the same."""
    options = [str(place.folder / "measured.toml")]
    before = place.call("leaderboard", *options).stdout
    path = plan_of(place)
    whole = path.read_bytes()
    target = whole.index(b"random-shuffle") if b"random-shuffle" in whole else whole.index(b'"random"') + 1
    path.write_bytes(whole[:target] + bytes([whole[target] ^ 1]) + whole[target + 1 :])
    result = place.call("leaderboard", *options, *place.plugin)
    assert result.stdout == before
    anew = place.call("leaderboard", *options, code=2)  # planning anew takes the plugin file
    assert anew.stdout == ""
    assert "1 plan cannot be used" in anew.stderr
    assert path.exists()


def test_a_damaged_plan_is_said(place: Place) -> None:
    """In one line, with the reason."""
    path = plan_of(place)
    path.write_bytes(path.read_bytes()[:-3])
    result = place.call("status", str(place.folder / "measured.toml"), code=2)  # no plugin: no network
    warning, *_ = result.stderr.splitlines()
    assert re.fullmatch(
        r"Warning: 1 plan cannot be used and counts as missing \(left in \S+, until a run makes it "
        rf"again\)\. plans/{path.name}: not a frozen plan, or cut off; the store is only read",
        warning,
    )


def test_a_plan_of_an_older_format_is_made_anew(place: Place) -> None:
    """It has no checksum: it is not used, and the next run writes it with one."""
    path = plan_of(place)
    path.write_bytes(b'{"format":1,"suite":{"name":"measured"}}')
    assert "10 of 10 cells done" in call(place, "status").stdout
    call(place, "run")
    assert path.read_bytes().startswith(b'{"format":2,')


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_cannot_be_changed_is_read(
    place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is damaged there is said, left, and counts as missing."""
    path = first_record(place)
    path.write_text("{")

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    what = path.stem if command == "export" else str(place.folder / "measured.toml")
    monkeypatch.setattr(os, "rename", refuse)
    result = place.call(command, what, *place.plugin, code=INCOMPLETE.get(command, 0))
    assert "1 record cannot be used and counts as missing (left in " in result.stderr
    assert path.read_text() == "{"


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreadable_record_is_named_in_one_sentence(
    place: Place, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not missing: nobody knows what it says."""
    path = first_record(place)

    def refuse(self: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(self, mode, *rest, **named)

    real: Any = Path.open
    what = path.stem if command == "export" else str(place.folder / "measured.toml")
    monkeypatch.setattr(Path, "open", refuse)
    result = place.call(command, what, *place.plugin, code=2)
    assert result.stderr.startswith(f"Error: cannot read {path}: Permission denied; make it readable")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["status", "leaderboard", "plan", "measures", "run"])
def test_other_peoples_text_reaches_no_terminal_raw(place: Place, command: str) -> None:
    """Names and messages of records, attempts and claims are shown without what a terminal acts upon."""
    path = first_record(place)
    document = json.loads(path.read_text())
    document["provenance"]["numerics"] = "\x1b[31mred\x07|<b>\u202e"
    document["provenance"]["components"]["\x9bx"] = {"\x1b": 1}
    document["seal"] = digest([document[name] for name in ("schema", "key", "digest", "provenance")])
    path.write_text(json.dumps(document))
    other = sorted(p for p in (place.store / "records").rglob("*.json") if p != path)[0]
    spoilt = json.loads(other.read_text())
    spoilt["result"]["\x1b]0;title\x07"] = 1
    spoilt["digest"] = digest({name: spoilt[name] for name in ("schema", "key", "result")})
    other.write_text(json.dumps(spoilt))
    for options in ([], ["--json"]) if command != "run" else ([],):
        result = call(place, command, *options, code=INCOMPLETE.get(command, 0) if command != "export" else 0)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", result.output), command
        if not options:
            assert "<b>" not in result.stdout


def test_visible_leaves_plain_text_alone() -> None:
    """Letters of all scripts, line ends, tabs and emoji stay."""
    text = "Prüfung 剪枝 ± 0.1 %\n\tnext\r\nline 👍"
    assert visible(text) == text
    assert visible("\x1b[2J\rover\u202e\x9b\ud800") == "\\u001b[2J\\u000dover\\u202e\\u009b\\ud800"
    assert json.loads(visible(json.dumps({"a": "\x9b"}, ensure_ascii=False))) == {"a": "\x9b"}


@pytest.mark.parametrize("text", ["[" * 5000, "null"])
def test_a_damaged_list_of_failed_cells_stops_no_run(place: Place, text: str) -> None:
    """Which cells failed last time is no result: where the list is damaged it is forgotten."""
    first_record(place).unlink()
    path = place.store / "pytest-cache" / "v" / "cache" / "lastfailed"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "latin-1")
    result = call(place, "run", "--lf")
    assert "1 cell made now" in result.stdout
    assert "Traceback" not in result.output
    assert "INTERNALERROR" not in result.output
