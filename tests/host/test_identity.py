"""Identities: a declared version, or a digest that changes exactly when what runs may change."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from prunebench import Dataset, Initialization, PluginError, Scorer
from prunebench.host import Host
from prunebench.host.identity import component_digest, component_identity, source_digest

PLUGIN = """
    import identity_helper
    import prunebench

    def score(net, batch, rng):
        "A docstring."
        return identity_helper.work(net)  # a comment

    @prunebench.hookimpl
    def prunebench_scorers():
        return [prunebench.Scorer("mine", score)]
"""
HELPER = """
    def work(net):
        return {name: weight.abs() for name, weight in net.weights.items()}
"""


@pytest.fixture
def identity(plugin_file):
    """Return the identity of the scorer "mine" of a plugin file and its helper as they stand."""

    def of(plugin: str = PLUGIN, helper: str = HELPER, name: str = "plugin.py", **more: str) -> dict:
        path = plugin_file(plugin, name, identity_helper=helper, **more)
        return Host.load(plugins=[path], third_party=False).identity("scorer", "mine")

    return of


def test_a_component_without_a_version_is_its_name_and_a_digest(identity):
    """The digest is a SHA-256 in hexadecimal, beside it the number of the rule that it follows."""
    found = identity()
    assert set(found) == {"name", "digest", "rule"}
    assert found["name"] == "mine"
    assert len(bytes.fromhex(found["digest"])) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"plugin": PLUGIN.replace("A docstring.", "Another docstring.")},
        {"plugin": PLUGIN.replace("# a comment", "")},
        {"plugin": PLUGIN.replace('"mine", score)', '\n            "mine",\n            score,\n        )')},
        {"helper": HELPER.replace("def work", "# new\n    def work")},
        {"helper": HELPER.replace("return", "'Works.'\n        return")},
        {"name": "other_name.py"},
        {"unrelated": "x = 1"},
    ],
)
def test_comments_docstrings_layout_and_strangers_do_not_change_it(identity, change):
    """What does nothing, the file's name, and modules that nobody imports are not part of it."""
    assert identity(**change) == identity()


@pytest.mark.parametrize(
    "change",
    [
        {"plugin": PLUGIN.replace("work(net)", "work(net) or {}")},
        {"helper": HELPER.replace("abs()", "neg()")},
        {"helper": HELPER + "\n    import deeper_helper\n", "deeper_helper": "print()"},
        {"plugin": PLUGIN.replace("score)]", "score, mode='train')]")},
    ],
)
def test_code_that_does_something_else_changes_it(identity, change):
    """The plugin, the helper beside it, and the component's own fields count."""
    assert identity(**change) != identity()


def test_a_helper_of_a_helper_counts_even_inside_a_function(identity):
    """Imports are followed wherever they stand."""
    helper = HELPER.replace("return", "import deepest_helper\n        return")
    assert identity(helper=helper, deepest_helper="X = 1") != identity(helper=helper, deepest_helper="X = 2")


def test_a_helper_package_beside_a_plugin_file_sees_the_whole_folder(plugin_file, tmp_path):
    """A function in a folder beside the plugin file counts with what it imports from the file's folder."""
    text = """
        import prunebench
        from algorithms_beside.one import score

        @prunebench.hookimpl
        def prunebench_scorers():
            return [prunebench.Scorer("mine", score)]
    """
    (tmp_path / "algorithms_beside").mkdir()
    (tmp_path / "algorithms_beside" / "__init__.py").touch()
    one = "from common_beside import F\ndef score(net, batch, rng):\n    return F\n"
    (tmp_path / "algorithms_beside" / "one.py").write_text(one)
    found = []
    for value in "12":
        path = plugin_file(text, common_beside=f"F = {value}")
        found.append(Host.load(plugins=[path], third_party=False).identity("scorer", "mine"))
    assert found[0] != found[1]


def test_a_declared_version_replaces_the_digest(identity):
    """A component with a version is its name and version, whatever its source."""
    versioned = PLUGIN.replace("score)]", "score, version='3')]")
    assert identity(plugin=versioned) == {"name": "mine", "version": "3"}
    assert identity(plugin=versioned, helper=HELPER.replace("abs", "neg")) == {"name": "mine", "version": "3"}


def test_distributions_that_a_component_depends_on_are_part_of_it(identity):
    """Their installed versions count where it says so."""
    found = identity(
        plugin=PLUGIN.replace("score)]", "score, version='3', depends=('torchvision', 'pluggy'))]")
    )
    assert found["depends"] == {name: importlib.metadata.version(name) for name in ("pluggy", "torchvision")}


def test_a_distribution_that_is_not_installed_is_named(identity):
    """A component that depends on what is not there cannot be identified."""
    with pytest.raises(PluginError, match="scorer 'mine' depends on the distribution 'nothing-such'"):
        identity(plugin=PLUGIN.replace("score)]", "score, version='3', depends=('nothing-such',))]"))


def test_an_identity_handed_out_cannot_be_spoilt(plugin_file):
    """It is cached; what callers do to their copy does not matter."""
    path = plugin_file(PLUGIN, identity_helper=HELPER)
    host = Host.load(plugins=[path], third_party=False)
    host.identity("scorer", "mine").clear()
    assert host.identity("scorers", "mine")["name"] == "mine"


def scale(net, batch, rng, *, by=1):
    return by


def make(by):
    def score(net, batch, rng):
        return by

    return score


def decorate(by):
    def decorator(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs) * by

        return wrapper

    return decorator


def make_class(width):
    class Net(torch.nn.Module):
        def __init__(self, shape, classes):
            super().__init__()
            self.layer = torch.nn.Linear(shape[0] * width, classes)

    return Net


def make_default(by):
    def score(net, batch, rng, *, by=by):
        return by

    return score


class Thing:
    def __init__(self, by):
        self.by = by

    def score(self, net, batch, rng):
        return self.by

    def __call__(self, net, batch, rng):
        return self.by


FACTORIES = {
    "partial": lambda by: functools.partial(scale, by=by),
    "partial positional": lambda by: functools.partial(scale, by),
    "nested partial": lambda by: functools.partial(functools.partial(scale, by=by), 1),
    "closure": make,
    "closure over a function": lambda by: make(make(by)),
    "closure over containers": lambda by: make({"a": [by, (None, {"x"})]}),
    "decorator": lambda by: decorate(by)(scale),
    "default": make_default,
    "local class": make_class,
    "bound method": lambda by: Thing(by).score,
    "object": Thing,
    "type": lambda by: make(torch.float32 if by == 1 else torch.float64),
}


@pytest.mark.parametrize("factory", FACTORIES)
def test_arguments_that_are_bound_to_a_function_count(factory):
    """Two functions of one text differ by what was bound to them, and only by that."""
    build = FACTORIES[factory]
    assert source_digest(build(1)) == source_digest(build(1))
    assert source_digest(build(1)) != source_digest(build(2))


def test_one_and_one_point_zero_and_true_are_three_arguments():
    """Numbers keep their types."""
    assert (
        len({source_digest(functools.partial(scale, by=by)) for by in (1, 1.0, True, "1", b"1", 1 + 0j)}) == 6
    )


def test_the_function_counts_not_only_its_module():
    """Two functions of one module are two sources."""
    assert source_digest(scale) != source_digest(decorate)


def test_wrappers_of_others_are_looked_through():
    """functools.cache and torch.no_grad around a function leave it identifiable."""
    for wrapped in (
        functools.cache(scale),
        torch.no_grad()(scale),
        functools.wraps(scale)(lambda *a: scale(*a)),
    ):
        source_digest(wrapped)


def test_a_function_that_holds_itself_is_spelled_once():
    """A recursive closure ends."""

    def again(n):
        return again(n - 1) if n else 0

    assert source_digest(again) == source_digest(again)


@pytest.mark.parametrize(
    "held", [torch.ones(2), (i for i in "a"), torch.nn.Linear(1, 1)], ids=["tensor", "generator", "module"]
)
def test_what_has_no_fixed_spelling_asks_for_a_version(held):
    """A tensor inside a function cannot be spelled: the component must say its version itself."""
    with pytest.raises(PluginError, match=r"scorer 'held' has no version .*declare a version"):
        component_identity(Scorer("held", make(held)))
    assert component_identity(Scorer("held", make(held), version="1"))["version"] == "1"


@pytest.mark.parametrize("source", [len, torch.abs, functools.partial(print, 1)])
def test_what_has_no_python_source_asks_for_a_version(source):
    """A function written in C has no text."""
    with pytest.raises(PluginError, match="declare a version"):
        source_digest(source)


def test_what_was_typed_in_asks_for_a_version():
    """In an interactive session there is no file to read."""
    code = """
        from prunebench import PluginError, Scorer
        from prunebench.host.identity import component_identity
        def score(net, batch, rng): return {}
        try:
            component_identity(Scorer("typed", score))
        except PluginError as error:
            print(error)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert "scorer 'typed' has no version and cannot be identified by its source" in ran.stdout
    assert "typed in" in ran.stdout


def test_fields_that_change_numbers_count_and_names_do_not():
    """A data set's constants are part of it; its margin, name and fingerprint function are not."""

    def dataset(**changes):
        fields = {"shape": (1, 2, 2), "classes": 2, "train": 4, "test": 2, "mean": (0.5,), "std": (0.5,)}
        return component_digest(Dataset(changes.pop("name", "d"), scale, **{**fields, **changes}))

    assert dataset() == dataset(margin=0.1) == dataset(name="e") == dataset(fingerprint=make(1))
    assert len({dataset(), dataset(mean=(0.4,)), dataset(classes=3), dataset(shape=(1, 1, 4))}) == 4


def test_a_component_of_no_source_of_its_own_is_its_fields():
    """The initialization "own" has no function."""
    assert component_digest(Initialization("own", None)) == component_digest(
        Initialization("mine", None, text="t")
    )


def test_modules_of_a_package_count_where_they_are_imported(distribution):
    """In an installed package, a change beside counts for those who import it and for nobody else."""
    init = """
        import prunebench
        from counting_package import one, two

        @prunebench.hookimpl
        def prunebench_scorers():
            return [prunebench.Scorer("one", one.score), prunebench.Scorer("two", two.score)]
    """
    one = "from counting_package._shared import X\ndef score(net, batch, rng):\n    return X\n"
    two = "def score(net, batch, rng):\n    return 2\n"
    files = {"__init__.py": init, "one.py": one, "two.py": two, "_shared.py": "X = 1\n"}
    files = {f"counting_package/{name}": text for name, text in files.items()}
    site = distribution("counting", files, {"c": "counting_package"})
    before = Host.load()
    first = [before.identity("scorer", name) for name in ("one", "two")]
    (site / "counting_package" / "_shared.py").write_text("X = 2\n")
    after = Host.load()
    second = [after.identity("scorer", name) for name in ("one", "two")]
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_bytecode_without_source_asks_for_a_version(tmp_path, monkeypatch):
    """A module that is there only compiled cannot be read."""
    import py_compile

    source = tmp_path / "compiled_only.py"
    source.write_text("def score(net, batch, rng):\n    return {}\n")
    py_compile.compile(str(source), cfile=str(tmp_path / "compiled_only.pyc"))
    source.unlink()
    monkeypatch.syspath_prepend(tmp_path)
    import compiled_only

    with pytest.raises(PluginError, match="not in a Python file that can be read"):
        source_digest(compiled_only.score)
    del sys.modules["compiled_only"]


def test_an_identity_does_not_depend_on_where_or_how_python_runs(plugin_file):
    """Another folder, another hash seed, optimised or not: the same digest."""
    path = plugin_file(
        PLUGIN.replace("score)]", "__import__('functools').partial(score, **{'a': {'x', 'y', 'z'}}))]"),
        identity_helper=HELPER,
    )
    code = (
        "import sys, pathlib; from prunebench.host import Host\n"
        "h = Host.load(plugins=[pathlib.Path(sys.argv[1])], third_party=False)\n"
        "print(h.identity('scorer', 'mine')['digest'])"
    )
    moved = path.parent / "moved"
    moved.mkdir()
    for file in (path, path.parent / "identity_helper.py"):
        (moved / file.name).write_bytes(file.read_bytes())
    digests = {Host.load(plugins=[path], third_party=False).identity("scorer", "mine")["digest"]}
    for flags, where, seed in ((["-OO"], path, "2"), ([], moved / path.name, "3")):
        ran = subprocess.run(
            [sys.executable, *flags, "-c", code, str(where)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(path.parent),
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(ran.stdout.strip())
    assert len(digests) == 1
