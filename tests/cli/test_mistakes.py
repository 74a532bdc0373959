"""Mistakes: what was found and what is allowed, exit code 2, nothing changed on disk."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest


def refused(place: Any, *args: str) -> str:
    """Call, expecting exit code 2, no traceback and nothing changed on disk; return standard error."""
    before = place.files()
    result = place.call(*args, code=2)
    assert "Traceback" not in result.output
    assert place.files() == before
    return str(result.stderr)


COMMANDS = pytest.mark.parametrize("command", ["run", "plan", "status", "leaderboard"])


@COMMANDS
def test_an_unknown_suite(place: Any, command: str) -> None:
    """The nearest shipped suite is suggested."""
    text = refused(place, command, "quik")
    assert "Error: no shipped suite 'quik'; did you mean 'quick'?" in text


@COMMANDS
def test_a_suite_file_that_is_not_there(place: Any, command: str) -> None:
    """A path is named as given."""
    assert "Error: none.toml: no such file" in refused(place, command, "none.toml")


@COMMANDS
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'schema = 1\nname = "x', "bad.toml:2:10: not TOML"),
        (b"schema = 1\nname = \xff", "bad.toml:2:8: not UTF-8: byte 0xff"),
    ],
)
def test_a_file_that_is_no_toml(place: Any, command: str, content: bytes, told: str) -> None:
    """Line and column are told."""
    (place.folder / "bad.toml").write_bytes(content)
    assert told in refused(place, command, "bad.toml")


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        (
            '"random"',
            '"randm"',
            "matrix[0].methods[0]: found 'randm', which is no method; did you mean 'random'?",
        ),
        ("[0.5]", "[1.5]", "matrix[0].sparsities[0]: found 1.5; allowed: a number from 0 up to, but not"),
        ("[0.5]", "[-0.5]", "matrix[0].sparsities[0]: found -0.5; allowed: a number from 0"),
        ("sparsities", "sparsitys", "matrix[0].sparsitys: is no key here; did you mean 'sparsities'?"),
        ("schema = 1", "schema = 99", "schema"),
        ("seeds = 2", "seeds = 0", "matrix[0].seeds: found 0; allowed"),
        ('"digits"\n', '"digit"\n', "did you mean 'digits'?"),
        ("[0.5]", "[0.99999]", "keeps none of"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_suite_that_says_what_is_not_allowed(
    place: Any, command: str, was: str, becomes: str, told: str
) -> None:
    """File, key path, what was found, what is allowed."""
    suite = (place.folder / "tiny.toml").read_text("utf-8")
    assert was in suite
    place.write("bad.toml", suite.replace(was, becomes))
    text = refused(place, command, "bad.toml", *place.plugin)
    assert told in text
    assert text.startswith("Error: ")


@pytest.mark.parametrize("command", ["run", "plan", "status"])
def test_an_unknown_scorer(place: Any, command: str) -> None:
    """--scorer suggests the nearest method or scorer."""
    text = refused(place, command, place.suite, "--scorer", "snap", *place.plugin)
    assert "Error: no method or scorer 'snap'; did you mean 'snip'?" in text


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_selection_of_nothing(place: Any, command: str) -> None:
    """-k that matches no cell says so, with the number of cells."""
    text = refused(place, command, place.suite, "-k", "nosuch", *place.plugin)
    assert "Error: -k 'nosuch' matches none of 8 cells" in text


def test_a_selection_that_is_no_expression(place: Any) -> None:
    """-k that cannot be parsed says what is allowed."""
    text = refused(place, "run", place.suite, "-k", "own and (", *place.plugin)
    assert "Error: -k 'own and (': not an expression" in text
    assert "allowed: names with and, or, not and brackets" in text


def test_a_data_root_without_data(place: Any) -> None:
    """What to put where is told; nothing is downloaded or written where that fails."""
    suite = (place.folder / "tiny.toml").read_text("utf-8").replace('dataset = "digits"', 'dataset = "mnist"')
    place.write("mnist.toml", suite)
    (place.folder / "data").mkdir()
    before = {p for p in place.folder.rglob("*") if p.is_file()}
    result = place.call("run", "mnist.toml", "--data", "data", *place.plugin, code=2)
    assert "train-images-idx3-ubyte" in result.stderr
    assert str(place.folder / "data") in result.stderr
    assert "127.0.0.1:9" in result.stderr
    assert "Traceback" not in result.output
    assert {p for p in place.folder.rglob("*") if p.is_file()} == before
    assert not place.store.exists()


def test_planning_works_without_the_data(place: Any) -> None:
    """`plan` says which data set is missing, and plans."""
    suite = (place.folder / "tiny.toml").read_text("utf-8").replace('dataset = "digits"', 'dataset = "mnist"')
    place.write("mnist.toml", suite)
    result = place.call("plan", "mnist.toml", "--data", "data", *place.plugin)
    assert "8 cells in 1 matrix" in result.stdout
    assert "train-images-idx3-ubyte" in result.stderr
    found = place.json("plan", "mnist.toml", "--data", "data", *place.plugin)
    assert list(found["missing_data"]) == ["mnist"]


@pytest.mark.parametrize("where", ["file", "below-file"])
def test_a_store_that_cannot_be_written(place: Any, where: str) -> None:
    """A store that is a file, or below one, is refused before any work, with what to do."""
    place.write("taken", "mine")
    store = "taken" if where == "file" else "taken/store"
    assert "--store" in refused(place, "run", place.suite, "--store", store, *place.plugin)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_permission(place: Any) -> None:
    """A folder that may not be written is refused before any work."""
    (place.folder / "closed").mkdir(mode=0o555)
    assert "--store" in refused(place, "run", place.suite, "--store", "closed", *place.plugin)


def test_a_plugin_file_that_fails(place: Any) -> None:
    """The file and its error are named."""
    place.write("broken.py", "import nothing_of_this_name")
    text = refused(place, "run", place.suite, "--plugin", "broken.py")
    assert "broken.py" in text
    assert "nothing_of_this_name" in text


def test_a_plugin_file_that_is_not_there(place: Any) -> None:
    """The file is named."""
    assert "absent.py" in refused(place, "list", "scorers", "--plugin", "absent.py")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["rum"], "no command 'rum'; did you mean 'run'?"),
        (["run"], "Missing argument 'SUITE'"),
        (["run", "tiny.toml", "-n", "none"], "found 'none', allowed: a number of at least 1, or auto"),
        (["run", "tiny.toml", "--seeds", "0"], "0 is not in the range x>=1"),
        (["run", "tiny.toml", "-q", "-v"], "-q and -v: give one of them"),
        (["run", "tiny.toml", "--stor", "x"], "--store"),
        (["list", "scorer-s"], "there is no kind 'scorer-s'; did you mean 'scorers'?"),
        (["show", "recepie", "digits"], "there is no kind 'recepie'; did you mean 'recipe'?"),
        (["show", "scorer", "snap"], "there is no scorer 'snap'; did you mean 'snip'?"),
        (["show", "method", "snap"], "there is no method 'snap'; did you mean 'snip'?"),
        (["show", "plugin", "builtin-scorer"], "did you mean 'builtin-scorers'?"),
        (["show", "suite", "quik"], "did you mean 'quick'?"),
        (["run", "tiny.toml", "--no-plugins", "--load", "x"], "give one of them"),
        (["list", "scorers", "--load", "nosuch"], "nosuch"),
        (["leaderboard", "tiny.toml", "--format", "cvs"], "'cvs' is not one of"),
        (["completion", "csh"], "'csh' is not one of"),
    ],
)
def test_usage(place: Any, args: list[str], told: str) -> None:
    """A misspelt command, kind, name or option says what is allowed."""
    assert told in refused(place, *args)


def test_a_device_that_is_not_there(place: Any) -> None:
    """--device names what is allowed."""
    text = refused(place, "run", place.suite, "--device", "tpu", *place.plugin)
    assert "Error: --device: found 'tpu', allowed: auto, cpu, cuda, cuda:N" in text


def test_our_own_mistake_is_exit_code_1_with_a_traceback(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no user's mistake is shown whole, and said to be ours."""

    def fail(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("prunebench.engine.session.Session.prepare", fail)
    result = place.call("plan", place.suite, code=1)
    assert "ZeroDivisionError: oops" in result.stderr
    assert "this is a mistake of prunebench" in result.stderr


def test_interrupted_anywhere_is_exit_code_130(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while planning ends with 130 and no traceback."""

    def stop(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prunebench.engine.session.Session.prepare", stop)
    result = place.call("plan", place.suite, code=130)
    assert "Interrupted." in result.stderr
    assert "Traceback" not in result.output


def test_a_broken_third_party_plugin_is_told_and_left_out(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest goes on: exit code 0, the problem on standard error and in `list plugins`."""
    from prunebench.host.registry import Host, Problem

    real = Host.load.__func__  # type: ignore[attr-defined]

    def load(cls: type[Host], **options: Any) -> Host:
        host: Host = real(cls, **options)
        host.problems.append(Problem("theirs", "their-dist", "1.2", "ImportError: no module\nsecond line"))
        return host

    monkeypatch.setattr(Host, "load", classmethod(load))
    result = place.call("plan", place.suite, *place.plugin)
    assert result.stderr == "Warning: plugin theirs (their-dist 1.2) is left out: ImportError: no module\n"
    listed = place.json("list", "plugins")["rows"]
    assert listed[-1]["plugin"] == "theirs"
    assert listed[-1]["problem"].startswith("ImportError: no module")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["plan", "PAI"], "no shipped suite 'PAI'; did you mean 'pai'?"),
        (["plan", "Quick"], "did you mean 'quick'?"),
        (["plan", "tiny"], "given as a path that ends in .toml: 'tiny.toml'"),
        (["plan", "tiny.tml"], "given as a path that ends in .toml: 'tiny.toml'"),
        (["plan", "Tinny.toml"], "Tinny.toml: no such file; did you mean 'tiny.toml'?"),
        (["plan", "none/tiny.toml"], "none/tiny.toml: no such file"),
        (["plan", "quick", "--scorer", "SNIP"], "no method or scorer 'SNIP'; did you mean 'snip'?"),
        (["plan", "quick", "--scorer", "SynFlow"], "did you mean 'synflow'?"),
        (["show", "method", "LTR"], "there is no method 'LTR'; did you mean 'ltr'?"),
        (["show", "architecture", "VGG"], "did you mean '"),
        (
            ["plan", "quick", "--plugin", "min.py"],
            "min.py cannot be loaded: there is no such file; did you mean '",
        ),
        (["plan", "quick", "--plugin", "tiny.toml"], "tiny.toml cannot be loaded: a Python file is wanted"),
        (["status", "quick", "-k", "SNIPP"], "none has 'SNIPP' (did you mean 'snip'?)"),
        (["plan", "quick", "-k", "snip and synfow"], "none has 'synfow' (did you mean 'synflow'?)"),
        (["measures", "quick", "-m", "Layer-Sparsity"], "did you mean 'layer-sparsity'?"),
        (["plan", "quick", "--device", "gpu"], "--device: found 'gpu', allowed: auto, cpu, cuda, cuda:N"),
        (["list", "SCORRERS"], "did you mean 'scorers'?"),
        (["list"], "Missing argument 'KIND'. allowed: scorers, methods, "),
        (["show"], "Missing argument 'KIND'. allowed: scorer, method, "),
        (["plan", "quick", "--scorer", "mine"], "; one of your own comes with plugins = ["),
        (["Plan", "quick"], "did you mean 'plan'?"),
    ],
)
def test_names_that_are_wrong_are_answered_with_the_nearest(place: Any, args: list[str], told: str) -> None:
    """Whatever the case of their letters; once, and nothing is written."""
    before = place.files()
    result = place.call(*args, code=2)
    assert told in result.stderr
    assert re.findall(r"Error:", result.stderr) == ["Error:"]
    assert place.files() == before


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (
            ["plan", "quick", "--plugin", "folder.py"],
            "folder.py cannot be loaded: it is a folder; a Python file is",
        ),
        (
            ["compare", "folder.py", "mine.py"],
            "folder.py is a folder, so a store; mine.py: is a file, and none",
        ),
        (["compare", "folder.py", "min.py"], "min.py: no such folder"),
        (
            ["compare", "folder.py", "."],
            "no store at folder.py; `prunebench run SUITE` makes one; name another\n",
        ),
        (["merge", "mine.py"], "the store mine.py is a file; give a folder\n"),
        (["merge", "folder.py", "--store", "mine.py"], "no store at folder.py"),
    ],
)
def test_an_error_points_to_what_was_given(place: Any, args: list[str], told: str) -> None:
    """Not to the same path once more, nor to an option that has no part in it."""
    (place.folder / "folder.py").mkdir()
    stderr = refused(place, *args)
    assert told in stderr
    assert not any(f"did you mean '{where}{args[-1]}'" in stderr for where in ("", f"{place.folder}/"))


def test_a_leaderboard_in_the_place_of_a_file_is_refused_with_its_own_option(done: tuple[Any, Any]) -> None:
    """`publish` names a folder, not a store."""
    place, _ = done
    stderr = refused(place, "publish", "tiny.toml", "--to", "mine.py", *place.plugin, "--partial")
    assert "mine.py/records.tar.xz: Not a directory" in stderr or "File exists" in stderr
    assert "give another folder\n" in stderr
    assert "--store" not in stderr
