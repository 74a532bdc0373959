"""`list` and `show`."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import Any

import click
import pytest

from prunebench.cli._kinds import COMPONENTS, PLURAL
from prunebench.cli.list import command


@pytest.mark.parametrize("kind", COMPONENTS)
def test_every_kind_can_be_listed(place: Any, kind: str) -> None:
    """A row for each component, with a summary and where it comes from; the text names them all."""
    rows = place.json("list", kind)["rows"]
    assert rows
    assert all(row["summary"] and row["origin"].startswith("prunebench ") for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
    text = place.call("list", kind).stdout
    assert all(row["name"] in text for row in rows)


def test_scorers_are_methods(place: Any) -> None:
    """A scorer is listed among the methods once, registered methods beside it."""
    names = [row["name"] for row in place.json("list", "methods", *place.plugin)["rows"]]
    assert {"own", "snip", "synflow", "ltr", "none"} <= set(names)
    assert len(names) == len(set(names))


def test_a_plugin_file_is_listed_with_its_parameters(place: Any) -> None:
    """Components of a file say so; parameters have their defaults."""
    rows = {row["name"]: row for row in place.json("list", "scorers", *place.plugin)["rows"]}
    assert rows["own"]["parameters"] == {"power": 2}
    assert rows["own"]["summary"] == "Weights to a power."
    assert "mine.py" in rows["own"]["origin"]
    assert rows["snip"]["distribution"] == "prunebench"


def test_architectures_are_listed_with_their_weights(place: Any) -> None:
    """Prunable weights and all parameters, for the data that a network was made for; no network is left out."""
    rows = {row["name"]: row for row in place.json("list", "architectures")["rows"]}
    found = {name: tuple(rows[name][key] for key in ("input", "prunable", "total")) for name in rows}
    assert found["lenet-300-100"] == ("MNIST", 266_200, 266_610)
    assert found["resnet20"] == ("CIFAR-10", 270_896, 272_474)
    assert found["vgg16"] == ("CIFAR-10", 14_715_584, 14_728_266)
    assert found["resnet18"] == ("TinyImageNet", 11_269_312, 11_279_112)
    assert found["resnet50"] == ("ImageNet", 25_502_912, 25_557_032)
    assert found["vgg16-imagenet"] == ("ImageNet", 138_344_128, 138_357_544)
    assert found["digits-mlp"] == ("1×8×8, 10 classes", 6_464, 6_570)
    assert all(isinstance(number, int) for values in found.values() for number in values[1:])


def test_a_listing_of_architectures_prints_counts_with_thousands_apart(place: Any) -> None:
    """One line an architecture, its numbers readable."""
    text = place.call("list", "architectures").stdout
    (line,) = (line for line in text.splitlines() if line.startswith("resnet20 "))
    assert line.split()[:4] == ["resnet20", "CIFAR-10", "270,896", "272,474"]


def test_show_says_an_architectures_weights_for_every_usual_input(place: Any) -> None:
    """The one that it was made for first; inputs that it does not take are left out."""
    shown = place.json("show", "architecture", "modified-resnet18")["weights"]
    assert next(iter(shown)) == "TinyImageNet"
    assert shown["TinyImageNet"] == {"prunable": 11_261_632, "total": 11_271_432}
    assert shown["CIFAR-10"] == {"prunable": 11_164_352, "total": 11_173_962}
    assert shown["CIFAR-100"] == {"prunable": 11_210_432, "total": 11_220_132}
    assert "MNIST" not in place.json("show", "architecture", "vgg16")["weights"]


def test_suites_are_listed_from_their_files(place: Any) -> None:
    """The shipped suites with version and description."""
    rows = {row["name"]: row for row in place.json("list", "suites")["rows"]}
    assert {"quick", "pai-lenet", "pai-lenet-test"} <= set(rows)
    assert all(row["version"] and row["description"] for row in rows.values())


@pytest.mark.parametrize("kind", [*PLURAL, *PLURAL.values()])
def test_show_takes_singular_and_plural(place: Any, kind: str) -> None:
    """Everything about one, in text and as JSON."""
    singular = {plural: one for one, plural in PLURAL.items()}.get(kind, kind)
    name = {"plugin": "builtin-scorers", "suite": "quick"}.get(singular)
    name = name or place.json("list", PLURAL[singular])["rows"][0]["name"]
    found = place.json("show", kind, name)
    assert (found["kind"], found["name"]) == (singular, name)
    assert place.call("show", kind, name).stdout.startswith(f"{singular} {name}\n")


def test_show_a_component_of_a_plugin_file(place: Any) -> None:
    """The whole block: documentation, origin, identity, parameters, what it needs."""
    found = place.json("show", "scorer", "own", *place.plugin)
    assert set(found["identity"]) == {"name", "digest", "rule"}
    place_of_identity = found["identity"]["digest"]
    assert (
        place.call("show", "scorer", "own", *place.plugin).stdout
        == f"""\
scorer own

Weights to a power.

origin: {place.folder / "mine.py"}

identity:
  name    own
  digest  {place_of_identity}
  rule    2

parameters:
  power  2

scoring:
  needs      nothing
  mode       eval
  precision  float32
"""
    )


def test_show_a_method_has_its_form_resolved(place: Any) -> None:
    """SynFlow: a hundred rounds, at initialisation."""
    form = place.json("show", "method", "synflow")["form"]
    assert form["scorer"]["name"] == "synflow"
    assert form["schedule"] == {"rounds": 100}
    assert form["score_at"] == "init"


def test_show_a_suite_has_its_matrices_resolved(place: Any) -> None:
    """Cells counted, axes opened, recipes and forms written out."""
    found = place.json("show", "suite", "tiny.toml", *place.plugin)
    assert found["cells"] == 8
    assert found["matrix main"]["method"] == ["none", "random", "own", "magnitude-after-training"]
    assert found["matrix main"]["sparsity"] == [0.0, 0.5]
    assert found["matrix main"]["seed"] == [0, 1]
    assert found["method own"]["scorer"]["parameters"] == {"power": 2}
    recipe = next(value for key, value in found.items() if key.startswith("recipe "))
    assert recipe["epochs"] == 1


def test_show_says_which_fields_of_a_recipe_are_inferred(place: Any) -> None:
    """By itself and in a suite; a field that a suite gives itself is not."""
    shown = place.json("show", "recipe", "tanaka-resnet18-cifar10")
    assert shown["inferred"] == ["epochs", "momentum", "weight_decay", "drops", "augment"]
    assert place.json("show", "recipe", "pai-cifar10")["inferred"] == []
    suite = place.json("show", "suite", "pai-replication")
    assert suite["recipe pai-table7-resnet18-cifar10"]["inferred"] == shown["inferred"]
    assert "inferred" not in suite["recipe pai-cifar10"]
    matrix = (
        '[[matrix]]\nname = "main"\narchitecture = "modified-resnet18"\ndataset = "cifar10"\nseeds = 1\n'
        'recipe = {name = "tanaka-resnet18-cifar10", epochs = 2, drops = [1], as = "tanaka-resnet18-cifar10"}\n'
        'methods = ["none"]\nsparsities = [0.0]\n'
    )
    place.write("short.toml", f'schema = 1\nname = "short"\nversion = "1"\n{matrix}')
    short = place.json("show", "suite", "short.toml")
    assert short["recipe tanaka-resnet18-cifar10"]["inferred"] == ["momentum", "weight_decay", "augment"]


def test_control_characters_of_others_are_not_printed(place: Any) -> None:
    """A plugin's documentation cannot drive the terminal."""
    from .conftest import PLUGIN

    place.write("mine.py", PLUGIN.replace("Weights to a power.", "Weights \\x1b[31mto a power."))
    for args in (["list", "scorers"], ["show", "scorer", "own"]):
        assert "\x1b" not in place.call(*args, *place.plugin).stdout


def test_an_unknown_name_says_how_a_component_of_ones_own_is_loaded(place: Any) -> None:
    """The nearest name and --plugin, behind one "Error:"; with a plugin file there is no such hint."""
    for args in (["show", "scorer", "snap"], ["show", "architecture", "vgg17"], ["show", "dataset", "mnits"]):
        error = place.call(*args, code=2).stderr
        assert error.startswith(f"Error: there is no {args[1]} '{args[2]}'; did you mean")
        assert error.count("Error:") == 1
        assert "; one of your own comes with --plugin FILE" in error
        assert "--plugin FILE" not in place.call(*args, *place.plugin, code=2).stderr


@pytest.mark.parametrize("columns", [60, 100])
def test_a_shown_suite_fits_the_terminal(columns: int, place: Any, monkeypatch: Any) -> None:
    """Long lists go on below their beginning, and nothing is left out; elsewhere they stay on one line."""
    from prunebench.cli import show

    lines: list[str] = []
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("prunebench.cli._output.say", lambda text="", *style: lines.append(text))
    values = [f"{1 - 0.8**k:.6f}" for k in range(1, 19)]
    monkeypatch.setattr("sys.stdout", type("Terminal", (), {"isatty": lambda self: True})())
    show._block("matrix", {"sparsity": values, "seed": [0]})
    assert len(lines) > 3
    assert max(map(len, lines)) <= columns
    assert "".join(lines).replace(" ", "") == "matrix:sparsity[" + ",".join(values) + "]seed[0]"
    lines.clear()
    monkeypatch.setattr("sys.stdout", type("Pipe", (), {"isatty": lambda self: False})())
    show._block("matrix", {"sparsity": values, "seed": [0]})
    assert len(lines) == 3


@pytest.mark.parametrize("kind", ["methods", "architectures", "datasets", "recipes", "suites", "ablations"])
def test_a_listing_fits_a_terminal_of_100_columns(
    place: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Long texts are shortened there; in a file they are whole."""
    whole = place.call("list", kind).stdout
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((100, 24)))
    with click.Context(command) as context:
        context.invoke(command, kind=kind, as_json=False, plugin=(), no_plugins=True, load=())
    shown = terminal.getvalue()
    assert max(map(len, shown.splitlines())) <= 100
    assert len(shown.splitlines()) == len(whole.splitlines())
    assert "…" in shown


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_show_suite_has_a_line_a_method(place: Any) -> None:
    """Of each method what differs from an ordinary one; sparsities as tables print them; JSON has all."""
    text = place.call("show", "suite", "quick").stdout
    assert re.search(r"^  sparsity +0 %, 80 %, 95 %$", text, re.MULTILINE)
    assert re.search(r"^  random +scorer random$", text, re.MULTILINE)
    assert re.search(r"^  ltr +scorer magnitude, score_at = end, train_from = rewind$", text, re.MULTILINE)
    assert re.search(r"^  synflow +scorer synflow, schedule = \{rounds = 100\}$", text, re.MULTILINE)
    found = place.json("show", "suite", "quick")
    assert found["method synflow"]["score_at"] == "init"
    assert found["matrix methods"]["sparsity"] == [0.0, 0.8, 0.95]
