"""Every hook has a test that registers through it, and a section in docs/plugins.md."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from prunebench.host import KINDS, Host
from prunebench.host._hooks import HOOKS
from prunebench.testing import check_component

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"

HEAD = "import torch\nimport prunebench\n"


def load(plugin_file, text: str) -> Host:
    """Load a plugin file with this text."""
    return Host.load(plugins=[plugin_file(HEAD + text)], third_party=False)


def test_every_hook_has_a_test():
    """A hook without a test `test_<hook>_…` in this module fails here."""
    tests = [name for name in globals() if name.startswith("test_prunebench_")]
    assert [hook for hook in HOOKS if not any(test.startswith(f"test_{hook}_") for test in tests)] == []


def test_hooks_are_those_of_the_specification():
    """What the host calls is what hookspecs.py specifies, each with a docstring."""
    from prunebench.host import hookspecs

    specified = {name: f for name, f in vars(hookspecs).items() if name.startswith("prunebench_")}
    assert set(specified) == set(HOOKS)
    assert all(function.__doc__ for function in specified.values())


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (heading, text) of each block of a language in the documentation."""
    found = []
    for section in re.split(r"^#+ ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0].strip()
        pattern = rf"^```{language}\n(.*?)^```"
        found += [(title, text) for text in re.findall(pattern, section, flags=re.MULTILINE | re.DOTALL)]
    return found


PYTHON = blocks("python")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_section_with_an_example(hook):
    """docs/plugins.md has a section named after each hook, and its example registers through that hook."""
    examples = [text for title, text in PYTHON if title == hook]
    assert examples, f"docs/plugins.md has no section {hook} with a Python example"
    assert f"@prunebench.hookimpl\ndef {hook}():" in examples[0]


@pytest.mark.parametrize(("title", "text"), PYTHON, ids=[title for title, _ in PYTHON])
def test_a_documented_example_works(plugin_file, title, text):
    """An example with hooks is a complete plugin that passes the conformance kit; another one just runs."""
    if "hookimpl" not in text:
        exec(compile(text, f"docs/plugins.md, {title}", "exec"), {"__name__": "example"})
        return
    path = plugin_file(text)
    host = Host.load(plugins=[path], third_party=False)
    mine = [(k, n) for k in KINDS for n in host.names(k) if host.origin(k, n).plugin == str(path)]
    assert mine
    for kind, name in mine:
        check_component(host.get(kind, name))
        assert host.identity(kind, name)["name"] == name


def test_the_documented_metadata_is_valid():
    """The pyproject.toml that is shown declares an entry point of the group."""
    ((_, text),) = blocks("toml")
    assert tomllib.loads(text)["project"]["entry-points"]["prunebench"] == {
        "my-scorers": "my_pruning.scorers"
    }


def test_prunebench_scorers_registers_a_scorer(plugin_file):
    """A scorer's fields come through as declared, its keyword-only arguments as parameters."""
    host = load(
        plugin_file,
        """
def score(net, batch, rng, *, power=2.0):
    "Powers of the weights."
    return {name: weight.abs() ** power for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("powers", score, mode="train", precision="float64", version="2")]
""",
    )
    scorer = host.get("scorer", "powers")
    assert (scorer.mode, scorer.precision, scorer.needs) == ("train", "float64", "nothing")
    assert scorer.parameters == {"power": 2.0}
    assert host.identity("scorer", "powers") == {"name": "powers", "version": "2"}


def test_prunebench_architectures_registers_an_architecture_and_a_preset(plugin_file):
    """A preset has its base's parameters with its own values in them."""
    host = load(
        plugin_file,
        """
def build(input_shape, classes, *, width=4):
    "One hidden layer."
    inputs = input_shape[0] * input_shape[1] * input_shape[2]
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(inputs, width), torch.nn.ReLU(), torch.nn.Linear(width, classes)
    )

@prunebench.hookimpl
def prunebench_architectures():
    wide = prunebench.Architecture("wide", build, preset=("hidden", {"width": 9}))
    return [prunebench.Architecture("hidden", build), wide]
""",
    )
    assert host.get("architecture", "hidden").parameters == {"width": 4}
    assert host.get("architecture", "wide").parameters == {"width": 9}
    assert host.get("architecture", "wide").build((1, 2, 2), 3, width=9)[1].weight.shape == (9, 4)


def test_prunebench_initializations_registers_an_initialization(plugin_file):
    """The drawing function is the one that draws."""
    host = load(
        plugin_file,
        """
def draw(module, name, parameter, rng):
    "Uniform."
    return torch.from_numpy(rng.uniform(tuple(parameter.shape))).float()

@prunebench.hookimpl
def prunebench_initializations():
    return [prunebench.Initialization("uniform", draw)]
""",
    )
    assert host.get("initialization", "uniform").summary == "Uniform."


def test_prunebench_datasets_registers_a_dataset(plugin_file):
    """Sizes and constants come through as declared."""
    host = load(
        plugin_file,
        """
def load(root, part):
    "Two grey images."
    return torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1), torch.tensor([0, 1])

@prunebench.hookimpl
def prunebench_datasets():
    return [prunebench.Dataset("two", load, (1, 1, 1), 2, 2, 2, (0.5,), (0.5,), margin=1.0)]
""",
    )
    dataset = host.get("dataset", "two")
    assert (dataset.shape, dataset.classes, dataset.train, dataset.margin) == ((1, 1, 1), 2, 2, 1.0)
    check_component(dataset)


def test_prunebench_ablations_registers_an_ablation(plugin_file):
    """The function of an ablation changes forms."""
    host = load(
        plugin_file,
        """
def uniform(form):
    "The same density in every layer."
    return form.changed(allocation="uniform")

@prunebench.hookimpl
def prunebench_ablations():
    return [prunebench.Ablation("uniform-layers", uniform)]
""",
    )
    form = host.method("ltr").form
    assert host.get("ablation", "uniform-layers").function(form).allocation == "uniform"


def test_prunebench_recipes_registers_a_recipe(plugin_file):
    """A recipe's values come through, and its identity changes with them."""
    text = """
@prunebench.hookimpl
def prunebench_recipes():
    recipe = prunebench.Recipe(epochs=EPOCHS, batch=8, lr=0.1)
    return [prunebench.RecipeComponent("short", recipe, text="Short.")]
"""
    hosts = [load(plugin_file, text.replace("EPOCHS", epochs)) for epochs in ("1", "2", "1.0")]
    assert hosts[0].get("recipe", "short").recipe.epochs == 1
    first, second, third = (host.identity("recipe", "short") for host in hosts)
    assert first != second
    assert first == third  # epochs are a float whichever way they are spelled


def test_prunebench_methods_registers_a_method(plugin_file):
    """A method is found by its name with its form."""
    host = load(
        plugin_file,
        """
@prunebench.hookimpl
def prunebench_methods():
    form = prunebench.Form(scorer="snip", schedule={"rounds": 3})
    return [prunebench.Method("snip-3", form, text="SNIP in three rounds.")]
""",
    )
    assert host.method("snip-3").form.schedule.rounds == 3


def test_prunebench_diagnostics_registers_a_diagnostic(plugin_file):
    """A diagnostic's function measures a mask."""
    host = load(
        plugin_file,
        """
def kept(net, mask):
    "The number of weights kept."
    return mask.kept

@prunebench.hookimpl
def prunebench_diagnostics():
    return [prunebench.Diagnostic("kept", kept, of="mask")]
""",
    )
    diagnostic = host.get("diagnostic", "kept")
    assert diagnostic.of == "mask"
    assert diagnostic.function(None, SimpleNamespace(kept=3)) == 3


def test_prunebench_forms_registers_a_functional_form(plugin_file):
    """Its coefficients come through with their texts; without a version its identity is a digest."""
    host = load(
        plugin_file,
        """
def flat(points, *, level):
    "The same error at every density."
    return level + 0 * points.density

@prunebench.hookimpl
def prunebench_forms():
    level = prunebench.Coefficient("level", 0, 1, (0.1, 0.9), text="the error")
    return [prunebench.FunctionalForm("flat", flat, (level,), text="Nothing changes.")]
""",
    )
    form = host.get("form", "flat")
    assert (form.parameters, form.columns, form.most) == ({"level": "the error"}, ("density",), 1.0)
    assert form.summary == "Nothing changes."
    assert "digest" in host.identity("form", "flat")
    check_component(form)


def test_prunebench_quantities_registers_a_quantity(plugin_file):
    """A quantity's parameters are its keyword-only arguments; those without a default have to be given."""
    host = load(
        plugin_file,
        """
def above(curves, *, other, by=0.5):
    "How far above another method, less something."
    return (curves.accuracy - other.accuracy).mean(axis=0) - by

@prunebench.hookimpl
def prunebench_quantities():
    return [prunebench.Quantity("above", above, "seeds", selections=("other",), points=True)]
""",
    )
    quantity = host.get("quantity", "above")
    assert (quantity.parameters, quantity.required) == ({"by": 0.5}, ("other",))
    assert (quantity.selections, quantity.points, quantity.axis) == (("other",), True, "")
    assert host.identity("quantity", "above")["name"] == "above"
