"""A component that leaks fails its own cells, by name; everybody else's results are the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.failures import JobFailed

PLUGIN = """
import torch
import torch.nn.functional as F
from torch import nn
import prunebench


def double_every_output():
    nn.modules.module.register_module_forward_hook(lambda module, inputs, output: output * 2)


def no_loss():
    F.cross_entropy = lambda outputs, targets, **kwargs: outputs.sum() * 0


def hooked(net, batch, rng):
    "Leaks a hook."
    double_every_output()
    return {name: weight.abs() for name, weight in net.weights.items()}


def patched(net, batch, rng):
    "Leaks a patch, in each round."
    no_loss()
    return {name: weight.abs() for name, weight in net.weights.items()}


class Net(nn.Module):
    "A network that leaks in its constructor, or when it runs in training."

    def __init__(self, shape, classes, *, where="nowhere"):
        super().__init__()
        self.layer = nn.Linear(shape[0] * shape[1] * shape[2], classes)
        self.where = where
        if where == "constructor":
            double_every_output()

    def forward(self, x):
        if self.where == "forward" and self.training:
            no_loss()
        return self.layer(x.flatten(1))


def draw(module, name, parameter, rng):
    "Leaks a patch."
    no_loss()
    return torch.zeros(parameter.shape)


def measure(net, mask, input_shape):
    "Leaks a hook."
    double_every_output()
    return 1.0


@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("hooked", hooked), prunebench.Scorer("patched", patched)]


@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("leaking-net", Net)]


@prunebench.hookimpl
def prunebench_initializations():
    return [prunebench.Initialization("leaking-draw", draw)]


@prunebench.hookimpl
def prunebench_diagnostics():
    return [prunebench.Diagnostic("leaking-measure", measure)]
"""

MATRIX = """
[[matrix]]
name = "more"
architecture = {architecture}
dataset = "digits"
recipe = {recipe}
methods = {methods}
sparsities = [0.5]
measures = {measures}
seeds = 1
"""


def matrix(
    architecture: str = '"digits-mlp"',
    recipe: str = '{name = "digits", epochs = 1}',
    methods: str = '["random"]',
    measures: str = "[]",
) -> str:
    """Return a second matrix as text."""
    return MATRIX.format(architecture=architecture, recipe=recipe, methods=methods, measures=measures)


LEAKING = {
    "scorer 'hooked'": matrix(methods='["hooked"]'),
    "scorer 'patched'": matrix(
        methods='[{scorer = "patched", schedule = {rounds = 3}, as = "patched-thrice"}]'
    ),
    "architecture 'leaking-net'": matrix(architecture='{name = "leaking-net", where = "forward"}'),
    "initialization 'leaking-draw'": matrix(
        recipe='{name = "digits", epochs = 1, init = "leaking-draw"}',
    ),
    "diagnostic 'leaking-measure'": matrix(measures='["leaking-measure"]'),
}


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "leaks.py"
    path.write_text(PLUGIN)
    return path


@pytest.mark.parametrize("who", LEAKING)
def test_who_leaks_fails_by_name_and_nobody_else_notices(project: Any, plugin: Path, who: str) -> None:
    """The leaking cells fail, naming the component and the file; the others' records are the same bits."""
    suite = project.suite(["snip"], more=LEAKING[who])
    alone = project.run(project.suite(["snip"], name="alone"), "alone")
    engine = project.engine(suite, plugins=(str(plugin),))
    failures = []
    cells = sorted(engine.plan.cells, key=lambda cell: cell.matrix != "more")  # those that leak first
    for cell in cells:
        try:
            engine.make(cell)
        except JobFailed as error:
            failures.append(error.message)
    made = {cell.id: cell for cell in engine.plan.cells}
    for cell in alone.plan.cells:
        found = engine.store.read_record(made[cell.id].key)
        assert found.digest == alone.store.read_record(cell.key).digest
    assert failures
    assert {message.partition(" (")[0] for message in failures} == {who}
    assert all(f"({plugin})" in message and "put back" in message for message in failures)


def test_a_constructor_that_leaks_stops_the_planning(project: Any, plugin: Path) -> None:
    """Networks are built while cells are planned: the error names the component, and nothing is written."""
    from prunebench import LeakError

    more = matrix(architecture='{name = "leaking-net", where = "constructor"}')
    with pytest.raises(LeakError, match=r"^architecture 'leaking-net' .* left a global forward hook behind"):
        project.session(project.suite(["snip"], more=more), plugins=(str(plugin),))
    assert not (project.folder / "store").exists()
