"""Loading: what comes in, in which order, and what is said of what does not."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from prunebench import PluginError, Scorer, UsageError
from prunebench.host import KINDS, Host
from prunebench.schedules import OneShot

GOOD = """
    import prunebench

    def score(net, batch, rng):
        "A score."
        return {{name: weight.abs() for name, weight in net.weights.items()}}

    @prunebench.hookimpl
    def prunebench_scorers():
        return [prunebench.Scorer({name!r}, score)]
"""


def good(name: str = "mine") -> str:
    """Return the text of a plugin that registers one scorer."""
    return textwrap.dedent(GOOD).format(name=name)


def helped(helper: str) -> str:
    """Return the text of a plugin whose scorer's name comes from a module beside it."""
    return f"from {helper} import NAME\n" + good("x").replace("'x'", "NAME")


@pytest.fixture(scope="module")
def builtins() -> Host:
    return Host.load(third_party=False)


def test_built_in_plugins_come_through_the_entry_point_group(builtins):
    """Every kind has its entry point of the distribution prunebench; quantities and forms come in by others'."""
    assert [str(origin.distribution) for origin in builtins.plugins] == ["prunebench"] * 8
    assert {origin.plugin for origin in builtins.plugins} == {
        f"builtin-{kind}" for kind in KINDS if kind not in ("quantities", "forms")
    }
    assert builtins.problems == []


def test_an_origin_says_distribution_and_version(builtins):
    """The origin of a built-in component is this distribution in its version."""
    from prunebench import __version__

    assert str(builtins.origin("ablation", "shuffle")) == f"prunebench {__version__} (builtin-ablations)"


def test_loading_imports_no_torch_by_itself():
    """Only components' own modules may import torch; host, discovery and identity do not."""
    code = (
        "import sys, prunebench.host.registry as r; r.find = lambda: []\n"
        "try: r.Host.load()\nexcept r.PluginError as e: assert 'not installed' in str(e)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", [*KINDS, *(k.kind for k in KINDS.values())])
def test_kinds_go_by_their_singular_and_their_plural(builtins, kind):
    """`scorer` and `scorers` are the same kind, and names are sorted."""
    assert builtins.names(kind) == sorted(builtins.all(kind)) == list(builtins.all(kind))


def test_an_unknown_kind_is_named_with_the_nearest(builtins):
    """A kind that does not exist is a usage error with a suggestion."""
    with pytest.raises(UsageError, match="no kind of component 'scorrer'; did you mean 'scorers'"):
        builtins.names("scorrer")


def test_an_unknown_name_is_named_with_the_nearest(builtins):
    """A component that does not exist is a usage error with a suggestion."""
    with pytest.raises(UsageError, match="no ablation 'shufle'; did you mean 'shuffle'"):
        builtins.get("ablations", "shufle")


def test_a_plugin_file_registers(plugin_file):
    """`--plugin FILE.py` adds its components, with the file as their origin."""
    path = plugin_file(good())
    host = Host.load(plugins=[path], third_party=False)
    assert isinstance(host.get("scorer", "mine"), Scorer)
    assert str(host.origin("scorer", "mine")) == str(path)


def test_the_same_file_twice_is_one_plugin(plugin_file):
    """A file that is given twice is loaded once."""
    path = plugin_file(good())
    assert Host.load(plugins=[path, path], third_party=False).names("scorer").count("mine") == 1


def test_a_plugin_file_may_import_what_lies_beside_it_and_leaves_the_path_alone(plugin_file):
    """The folder of a plugin file is on sys.path while it is imported, and not after."""
    before = list(sys.path)
    path = plugin_file(helped("name_of_mine"), name_of_mine="NAME = 'n'")
    assert "n" in Host.load(plugins=[path], third_party=False).names("scorer")
    assert sys.path == before


def test_a_changed_helper_is_imported_anew_by_the_next_host(plugin_file):
    """Two hosts of one process see a plugin's helper module as it was when each was loaded."""
    text = helped("changing_helper")
    path = plugin_file(text, changing_helper="NAME = 'aa'")
    assert "aa" in Host.load(plugins=[path], third_party=False).names("scorer")
    plugin_file(text, changing_helper="NAME = 'bb'")
    assert "bb" in Host.load(plugins=[path], third_party=False).names("scorer")


def test_like_named_helpers_of_two_plugin_files_are_refused(plugin_file, tmp_path):
    """Python holds one module of a name; a second one would silently be the first."""
    paths = []
    for folder in ("a", "b"):
        paths.append(plugin_file(helped("twin_helper"), f"{folder}/plugin.py"))
        (tmp_path / folder / "twin_helper.py").write_text(f"NAME = {folder!r}")
    with pytest.raises(PluginError, match="both import a module 'twin_helper'"):
        Host.load(plugins=paths, third_party=False)


BROKEN = {
    "import": (
        "import no_such_module_anywhere",
        "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
    ),
    "syntax": ("def f(:\n    pass", "SyntaxError"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "raises": (good().replace("return [", "return 1 / 0; ["), "ZeroDivisionError: division by zero"),
    "none": (good().replace("return [prunebench", "[prunebench"), "returned None .is a `return` missing"),
    "one": (
        good().replace("[prunebench.Scorer('mine', score)]", "prunebench.Scorer('mine', score)"),
        "type Scorer",
    ),
    "class": (
        good().replace("[prunebench.Scorer('mine', score)]", "[prunebench.Scorer]"),
        "the class Scorer itself",
    ),
    "kind": (good().replace("Scorer('mine', score)", "Ablation('mine', score)"), "type Ablation in it"),
    "nameless": (good(""), "a scorer named ''"),
    "spaces": (good("my scorer"), "a scorer named 'my scorer'"),
    "colons": (good("a::b"), "a scorer named 'a::b'"),
    "number": (good().replace("'mine'", "3"), "a scorer named 3"),
    "misspelt": (
        good().replace("_scorers", "_scorer"),
        "prunebench_scorer is no hook; did you mean 'prunebench_scorers'",
    ),
    "unprefixed": (
        good().replace("def prunebench_scorers", "def scorers"),
        "scorers is no hook; did you mean 'prunebench_scorers'",
    ),
    "unmarked misspelt": (
        good() + "\ndef prunebench_recipies():\n    return []\n",
        "did you mean 'prunebench_recipes'",
    ),
    "unmarked": (good().replace("@prunebench.hookimpl", ""), "put @prunebench.hookimpl above it"),
    "argument": (
        good().replace("prunebench_scorers()", "prunebench_scorers(config)"),
        "takes other arguments",
    ),
    "wrapper": (good().replace("hookimpl", "hookimpl(wrapper=True)").replace("return [", "yield ["), "wraps"),
    "mode": (
        good().replace("score)]", "score, mode='training')]"),
        "mode = 'training'; did you mean 'train'",
    ),
    "task": (
        good()
        .replace(
            "Scorer('mine', score)", "Dataset('mine', score, (1, 2, 2), 2, 9, 9, None, None, task='classify')"
        )
        .replace("_scorers", "_datasets"),
        "task = 'classify'; did you mean 'classification'",
    ),
    "function": (good().replace("'mine', score", "'mine', 3"), "a function is wanted"),
    "version": (good().replace("score)]", "score, version=1)]"), "version must be a string"),
    "depends": (
        good().replace("score)]", "score, version='1', depends='torch')]"),
        "depends must be a tuple",
    ),
    "twice": (
        good().replace("[prunebench.Scorer('mine', score)]", "[prunebench.Scorer('mine', score)] * 2"),
        "twice",
    ),
    "taken": (
        good("mine")
        .replace("Scorer('mine', score)", "Ablation('shuffle', score)")
        .replace("_scorers", "_ablations"),
        "registers the ablation 'shuffle', which prunebench .* did already",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_file_is_refused_with_file_and_reason(plugin_file, fault):
    """The user gave the file: it is an error, in a line, with the traceback kept aside."""
    text, reason = BROKEN[fault]
    path = plugin_file(text)
    with pytest.raises(PluginError, match=reason) as caught:
        Host.load(plugins=[path], third_party=False)
    assert str(path) in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_of_others_is_reported_and_the_rest_go_on(distribution, fault):
    """A distribution that is broken is a problem with its name and version; the next one is loaded."""
    text, reason = BROKEN[fault]
    module = f"broken_{fault.replace(' ', '_')}"
    distribution("broken-plugins", {f"{module}.py": text}, {"bad": module}, version="0.3")
    distribution(
        "good-plugins", {f"good_beside_{module}.py": good("fine")}, {"fine": f"good_beside_{module}"}
    )
    host = Host.load()
    (problem,) = host.problems
    assert (problem.plugin, problem.distribution, problem.version) == ("bad", "broken-plugins", "0.3")
    assert str(problem).startswith("plugin broken-plugins 0.3 (bad) was not loaded: ")
    assert re.search(reason, problem.error)
    assert "fine" in host.names("scorer")
    assert "mine" not in host.names("scorer")


def test_an_exception_keeps_its_traceback_and_says_the_line(plugin_file):
    """The author of a plugin finds where it broke; the message names file and line."""
    path = plugin_file("def f():\n    return {}['missing']\n\nf()\n")
    with pytest.raises(PluginError) as caught:
        Host.load(plugins=[path], third_party=False)
    assert f"KeyError: 'missing' ({path}:2: " in str(caught.value)
    assert "Traceback" in caught.value.traceback


def test_a_broken_built_in_is_an_error(distribution, monkeypatch):
    """A fault in prunebench's own plugins stops it: results could be made with half of it."""
    from importlib.metadata import EntryPoint

    from prunebench.host import registry
    from prunebench.host._discovery import Found
    from prunebench.host.components import Origin

    entry = EntryPoint("builtin-broken", "prunebench_plugins.no_such_module", "prunebench")
    broken = Found(Origin("builtin-broken", "prunebench", "0"), entry)
    monkeypatch.setattr(registry, "find", lambda: [broken])
    with pytest.raises(
        PluginError, match=r"prunebench 0 \(builtin-broken\) cannot be loaded: ModuleNotFoundError"
    ):
        Host.load()


def test_an_empty_plugin_of_others_is_no_problem(distribution):
    """A module without hooks loads; it may get some in its next version."""
    distribution("empty-plugins", {"empty_plugin_module.py": ""}, {"empty": "empty_plugin_module"})
    host = Host.load()
    assert host.problems == []
    assert "empty-plugins" in {origin.distribution for origin in host.plugins}


def test_a_plugin_file_that_registers_nothing_is_refused(plugin_file):
    """Somebody who names a file expects something of it."""
    with pytest.raises(PluginError, match="registers nothing"):
        Host.load(plugins=[plugin_file("x = 1\n")], third_party=False)


@pytest.mark.parametrize("name", ["absent.py", "plugin.txt"])
def test_a_plugin_file_must_be_a_python_file(plugin_file, tmp_path, name):
    """A path that is no Python file is refused by name."""
    plugin_file("", "plugin.txt")
    with pytest.raises(PluginError, match=name):
        Host.load(plugins=[tmp_path / name], third_party=False)


def test_two_plugins_of_one_name_are_refused_naming_both(distribution):
    """The later of two like-named components is not loaded, and both origins are said."""
    for name in ("first-plugins", "second-plugins"):
        module = f"duplicate_{name[:5]}"
        distribution(name, {f"{module}.py": good("same")}, {"entry": module}, version="2.0")
    host = Host.load()
    assert str(host.origin("scorer", "same")) == "first-plugins 2.0 (entry)"
    assert [str(problem) for problem in host.problems] == [
        "plugin second-plugins 2.0 (entry) was not loaded: it registers the scorer 'same', which "
        "first-plugins 2.0 (entry) did already"
    ]


def test_a_refused_plugin_is_refused_wholly(distribution):
    """Half a plugin is none: what it registers besides the refused component is not there either."""
    text = good("whole") + "\n@prunebench.hookimpl\ndef prunebench_ablations():\n    return 3\n"
    distribution("half-plugins", {"half_plugin_module.py": text}, {"half": "half_plugin_module"})
    assert "whole" not in Host.load().names("scorer")


def test_a_name_may_be_shared_by_two_kinds(plugin_file):
    """Names are unique within a kind: a scorer and a method may have the same."""
    text = good("both") + textwrap.dedent("""
        @prunebench.hookimpl
        def prunebench_methods():
            return [prunebench.Method("both", prunebench.Form(scorer="both", keep="low"), text="Inverted.")]
    """)
    host = Host.load(plugins=[plugin_file(text)], third_party=False)
    assert host.method("both").form.keep == "low"


def test_a_scorer_is_a_one_shot_method_at_initialisation(plugin_file):
    """Every scorer is a method of its own name unless one of that name is registered."""
    host = Host.load(plugins=[plugin_file(good())], third_party=False)
    method = host.method("mine")
    assert (method.name, method.form.scorer.name, method.form.score_at) == ("mine", "mine", "init")
    assert (method.form.schedule, method.form.alter) == (OneShot(), ())
    assert "mine" in host.method_names()
    assert method.documentation.endswith("A score.")


def test_an_unknown_method_is_named_with_the_nearest(builtins):
    """Method names that are suggested include scorers."""
    with pytest.raises(UsageError, match="no method 'ltrr'; did you mean 'ltr'"):
        builtins.method("ltrr")


def test_a_missing_name_mentions_plugins_that_failed(distribution):
    """What is missed may well be in the plugin that was not loaded."""
    distribution("lost-plugins", {"lost_plugin_module.py": "1 / 0"}, {"lost": "lost_plugin_module"})
    with pytest.raises(UsageError, match=r"lost-plugins 1.0 \(lost\) was not loaded: ZeroDivisionError"):
        Host.load().get("scorer", "lost")


@pytest.mark.parametrize(
    ("flags", "loaded"),
    [
        ({}, {"one", "two"}),
        ({"third_party": False}, set()),
        ({"only": ["entry-one"]}, {"one"}),
        ({"only": ["Select_Two"]}, {"two"}),
        ({"only": ["select-two", "entry-one"], "third_party": False}, {"one", "two"}),
        ({"only": []}, set()),
    ],
)
def test_which_plugins_of_others_are_loaded(distribution, flags, loaded):
    """All by default, none without third parties, those named by entry point or distribution."""
    for name in ("one", "two"):
        module = f"selected_{name}"
        distribution(f"select-{name}", {f"{module}.py": good(name)}, {f"entry-{name}": module})
    assert {"one", "two"} & set(Host.load(**flags).names("scorer")) == loaded


def test_a_plugin_that_is_wanted_and_not_installed_is_a_usage_error(distribution):
    """A name in `only` that does not exist is said with the nearest."""
    distribution("select-one", {"selected_one_again.py": ""}, {"entry-one": "selected_one_again"})
    with pytest.raises(UsageError, match="no plugin 'entry-on' is installed; did you mean 'entry-one'"):
        Host.load(only=["entry-on"])


def test_a_plugin_that_is_not_wanted_is_not_imported(distribution):
    """A plugin that breaks everything can be left out."""
    distribution("unwanted", {"unwanted_module.py": "raise SystemExit"}, {"unwanted": "unwanted_module"})
    host = Host.load(third_party=False)
    assert host.problems == []
    assert "unwanted_module" not in sys.modules


def test_metadata_that_cannot_be_read_is_a_problem_too(distribution):
    """A line that is no entry point stops only its own distribution."""
    distribution("garbled", {}, "this is not an entry point\n")
    (problem,) = Host.load().problems
    assert (problem.distribution, problem.plugin) == ("garbled", "entry_points.txt")


def test_a_distribution_found_twice_counts_once(distribution, tmp_path, monkeypatch):
    """The first along the path wins, as for an import."""
    site = distribution("doubled", {"doubled_module.py": good("d")}, {"d": "doubled_module"})
    second = tmp_path / "second"
    (site / "doubled-1.0.dist-info").rename(tmp_path / "info")
    for folder in (site, second):
        folder.mkdir(exist_ok=True)
        target = folder / "doubled-1.0.dist-info"
        target.mkdir()
        for file in (tmp_path / "info").iterdir():
            (target / file.name).write_text(file.read_text())
    monkeypatch.syspath_prepend(second)
    host = Host.load()
    assert host.problems == []
    assert host.names("scorer").count("d") == 1


def test_one_object_under_two_entry_points_is_loaded_once(distribution):
    """The second entry point of the same module is reported as such, not as duplicates."""
    distribution("aliased", {"aliased_module.py": good("a")}, {"x": "aliased_module", "y": "aliased_module"})
    host = Host.load()
    assert [problem.plugin for problem in host.problems] == ["y"]
    assert "the same object" in host.problems[0].error


def test_an_entry_point_may_be_an_object_in_a_module(distribution):
    """A class instance with hooks as methods is a plugin as well."""
    text = """
        import prunebench

        def score(net, batch, rng):
            "A score."
            return {}

        class Plugin:
            @prunebench.hookimpl
            def prunebench_scorers(self):
                return [prunebench.Scorer("object", score)]

        plugin = Plugin()
    """
    distribution("objects", {"object_plugin.py": text}, {"o": "object_plugin:plugin"})
    assert "object" in Host.load().names("scorer")


def test_a_plugin_file_wins_over_an_installed_plugin(distribution, plugin_file):
    """The user's own file is loaded first; the installed one is reported, naming both."""
    distribution("installed", {"installed_module.py": good("mine")}, {"i": "installed_module"})
    path = plugin_file(good("mine"))
    host = Host.load(plugins=[path])
    assert host.origin("scorer", "mine").plugin == str(path)
    assert f"which {path} did already" in host.problems[0].error


def test_names_with_a_home_directory_are_expanded(plugin_file, monkeypatch):
    """`~` in a plugin file's path is the user's home."""
    path = plugin_file(good())
    monkeypatch.setenv("HOME", str(path.parent))
    assert "mine" in Host.load(plugins=[Path("~/plugin.py")], third_party=False).names("scorer")
