"""The quick networks on the embedded digits: good enough, quick enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from prunebench_plugins.architectures import prunebench_architectures
from prunebench_plugins.datasets.digits import DIGITS
from prunebench_plugins.initializations import kaiming_normal
from prunebench_plugins.recipes.quick import DIGITS as RECIPE

from prunebench.training.images.data import Data
from prunebench.training.initialize import make_network
from prunebench.training.loop import train
from prunebench.training.state import State

NETWORKS = {a.name: a for a in prunebench_architectures() if a.name.startswith("digits-")}


@pytest.fixture(scope="module")
def data() -> Data:
    parts = (DIGITS.load(Path(), part) for part in ("train", "test"))
    return Data.prepare(*parts, DIGITS.mean, DIGITS.std, DIGITS.classes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_quick_network_reaches_95_percent_by_the_digits_recipe(name, seed, data):
    """The recipe of quick suites trains both networks well, at every seed."""
    network = NETWORKS[name]
    module = make_network(lambda: network.build(DIGITS.shape, 10, **network.parameters), kaiming_normal, seed)
    steps = RECIPE.recipe.total_steps(DIGITS.train)
    assert steps == 230
    state = train(module, State.of(module), RECIPE.recipe, data, seed=seed, to_step=steps)
    last = state.curve[-1]
    assert (last["step"], last["examples"]) == (230, 355)
    assert last["correct"] / last["examples"] >= 0.95
