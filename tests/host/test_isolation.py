"""What a plugin sets while it is imported: harmless things are put back, others refuse it by name."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import pytest
import torch
import torch.nn.functional as F

from prunebench import Ablation, Dataset, LeakError, PluginError, UsageError
from prunebench.host import Host
from prunebench.isolation import Watch

GOOD = """
import prunebench

def score(net, batch, rng):
    "A score."
    return {name: weight.abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer(%r, score)]
"""

LEAKS = {
    "dtype": (
        "import torch; torch.set_default_dtype(torch.float64)",
        "set the default dtype to torch.float64",
    ),
    "device": ("import torch; torch.set_default_device('meta')", "set the default device to meta"),
    "hook": (
        "from torch.nn.modules.module import register_module_forward_hook as r; r(lambda *a: None)",
        "left a global forward hook behind",
    ),
    "loss": (
        "import torch.nn.functional as F; F.cross_entropy = lambda *a: 0",
        "replaced torch.nn.functional.cross_entropy",
    ),
    "signal": ("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", "set a handler of SIGINT"),
    "training": (
        "import prunebench.training.loop as loop; loop.train = None",
        "replaced prunebench.training.loop.train",
    ),
    "jobs": ("import prunebench.jobs.run as run; run.run_job = None", "replaced prunebench.jobs.run.run_job"),
    "built-in": (
        "from prunebench_plugins.scorers import snip; snip.score = None",
        "replaced prunebench_plugins.scorers.snip.score",
    ),
    "in the hook": (
        "import torch\n"
        "@prunebench.hookimpl\n"
        "def prunebench_recipes():\n"
        "    torch.set_default_dtype(torch.float16)\n"
        "    return []\n",
        "set the default dtype to torch.float16",
    ),
}


@pytest.fixture(autouse=True)
def _clean():
    """Put back what a failing test leaves."""
    watch = Watch()
    yield
    watch.put_back()


@pytest.mark.parametrize("leak", LEAKS)
def test_a_plugin_file_that_leaks_at_import_is_an_error(plugin_file, leak):
    """The message names the file and what it changed; what it changed is put back; so every time."""
    text, said = LEAKS[leak]
    path = plugin_file(GOOD % "mine" + text)
    loss = F.cross_entropy
    for _ in range(2):
        with pytest.raises(PluginError) as error:
            Host.load(plugins=[path], third_party=False)
        assert f"plugin {path} cannot be loaded: importing it {said}" in str(error.value)
        assert torch.get_default_dtype() == torch.float32
        assert torch.ones(1).device.type == "cpu"
        assert F.cross_entropy is loss
        assert not torch.nn.modules.module._global_forward_hooks


@pytest.mark.parametrize("leak", LEAKS)
def test_a_plugin_of_others_that_leaks_is_left_out_and_the_rest_go_on(distribution, leak):
    """It is a problem with its name and version, the next one is loaded; loading again finds the same."""
    text, said = LEAKS[leak]
    module = f"leaking_{leak.replace(' ', '_').replace('-', '_')}"
    distribution("a-leaking", {f"{module}.py": GOOD % "leaking" + text}, {"bad": module}, version="0.3")
    distribution("good", {f"good_after_{module}.py": GOOD % "fine"}, {"fine": f"good_after_{module}"})
    for _ in range(2):
        host = Host.load()
        (problem,) = host.problems
        assert str(problem).startswith(f"plugin a-leaking 0.3 (bad) was not loaded: importing it {said}")
        assert "fine" in host.names("scorer")
        assert "leaking" not in host.names("scorer")


def test_a_helper_that_leaks_refuses_the_plugin_that_imports_it(plugin_file):
    """Wherever in the plugin's own import it happens."""
    path = plugin_file(
        "import leaking_helper\n" + GOOD % "mine",
        leaking_helper="import torch\ntorch.set_default_dtype(torch.float64)\n",
    )
    for _ in range(2):
        with pytest.raises(PluginError, match="set the default dtype"):
            Host.load(plugins=[path], third_party=False)


QUIET = """
import logging, os, random, sys, warnings
import numpy, torch
torch.manual_seed(1)
numpy.random.seed(1)
random.seed(1)
torch.backends.cudnn.benchmark = True
torch.set_grad_enabled(False)
torch.set_num_threads(7)
torch.use_deterministic_algorithms(True)
warnings.filterwarnings("ignore")
logging.basicConfig(level=logging.DEBUG, force=True)
os.environ["PRUNEBENCH_TEST_VARIABLE"] = "1"
os.chdir("/")
sys.path.insert(0, "/nowhere")
sys.setrecursionlimit(50_000)
sys.stdout = open(os.devnull, "w")
"""


def test_what_scripts_usually_set_is_put_back_and_refuses_nobody(plugin_file):
    """Seeds, flags, warnings, logging, the environment, the folder: as before, and the plugin is there."""

    def state():
        return (
            torch.get_rng_state().tolist(),
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            list(warnings.filters),
            (logging.root.level, list(logging.root.handlers)),
            dict(os.environ),
            os.getcwd(),
            list(sys.path),
            sys.getrecursionlimit(),
            sys.stdout,
        )

    before = state()
    host = Host.load(plugins=[plugin_file(QUIET + GOOD % "mine")], third_party=False)
    assert "mine" in host.names("scorer")
    assert state() == before


def test_a_plugin_that_fails_leaves_nothing_either(plugin_file):
    """A broken plugin is put back like any other."""
    path = plugin_file("import torch\ntorch.set_default_dtype(torch.float64)\n1 / 0\n")
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        Host.load(plugins=[path], third_party=False)
    assert torch.get_default_dtype() == torch.float32


def test_an_exception_of_its_own_kind_is_a_broken_plugin(plugin_file):
    """What is no Exception does not end the host."""
    path = plugin_file("class Own(BaseException): pass\nraise Own('on purpose')\n")
    with pytest.raises(PluginError, match="Own: on purpose"):
        Host.load(plugins=[path], third_party=False)


def test_an_import_that_takes_long_is_told(plugin_file, monkeypatch, capsys):
    """With its seconds, and only of others' plugins."""
    from prunebench.cli._output import problems

    monkeypatch.setattr("prunebench.host.registry.SLOW", -1.0)
    path = plugin_file(GOOD % "mine")
    host = Host.load(plugins=[path], third_party=False)
    ((origin, seconds),) = host.slow
    assert str(origin) == str(path)
    assert seconds >= 0
    problems(host)
    said = capsys.readouterr()
    assert said.out == ""
    assert f"plugin {path} took {seconds:.1f} s to import" in said.err


def test_an_ordinary_import_is_not_told(plugin_file):
    """Two seconds are long."""
    assert Host.load(plugins=[plugin_file(GOOD % "mine")], third_party=False).slow == []


CALLED = """
import torch
import torch.nn.functional as F
import prunebench

def leak():
    F.relu = F.gelu

def ablation(form):
    "Leaks."
    leak()
    return form

def check():
    leak()

def load(root, part):
    "Leaks."

@prunebench.hookimpl
def prunebench_ablations():
    return [prunebench.Ablation("leaking", ablation)]

@prunebench.hookimpl
def prunebench_datasets():
    return [prunebench.Dataset("leaking", load, shape=(1, 2, 2), classes=2, train=2, test=2, mean=None,
                               std=None, version="1", check=check)]
"""


def test_calls_while_planning_are_bracketed(plugin_file):
    """An ablation, a data set's check: named, and put back."""
    path = plugin_file(CALLED)
    host = Host.load(plugins=[path], third_party=False)
    relu = F.relu
    ablation: Ablation = host.get("ablations", "leaking")
    with (
        pytest.raises(
            LeakError, match=r"^ablation 'leaking' \(.*plugin\.py\) replaced torch\.nn\.functional"
        ),
        host.calling("ablations", "leaking"),
    ):
        ablation.function(None)
    assert F.relu is relu
    assert isinstance(host.get("datasets", "leaking"), Dataset)
    with pytest.raises(LeakError, match=r"^dataset 'leaking'"):
        host.dataset("leaking")
    assert F.relu is relu
    with pytest.raises(UsageError, match="no ablation 'leakin'"):
        host.calling("ablations", "leakin")


def test_a_plugin_file_has_a_digest_of_its_bytes(plugin_file):
    """So that a record can say which file it was."""
    import hashlib

    path = plugin_file(GOOD % "mine")
    origin = Host.load(plugins=[path], third_party=False).origin("scorer", "mine")
    assert origin.digest == hashlib.sha256(path.read_bytes()).hexdigest()
