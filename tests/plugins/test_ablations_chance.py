"""What shuffle, reinit and invert do to real masks and weights: chance, distributions, the other end."""

from __future__ import annotations

import copy
import random
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from prunebench_plugins.architectures.cifar_resnet import cifar_resnet
from prunebench_plugins.initializations import prunebench_initializations
from scipy.stats import ks_2samp
from torch import Tensor, nn

import prunebench
from prunebench.host import Host
from prunebench.plan.params import FromState
from prunebench.pruning import Mask, shuffle_mask
from prunebench.schedules import OneShot
from prunebench.training.initialize import make_network
from prunebench.training.streams import stream

HOST = Host.load(third_party=False)
DRAWS = {component.name: component.draw for component in prunebench_initializations() if component.draw}
SHAPE = (3, 8, 8)


@cache
def resnet20(purpose: Any = "init", initialization: str = "kaiming-normal") -> nn.Module:
    return make_network(lambda: cifar_resnet(SHAPE, 10), DRAWS[initialization], 0, purpose)


def examples() -> tuple[Tensor, Tensor]:
    """Twenty images with something of their class in them."""
    generator = torch.Generator().manual_seed(2)
    y = torch.arange(10).repeat_interleave(2)
    x = torch.randn(10, *SHAPE, generator=generator)[y] + torch.randn(20, *SHAPE, generator=generator)
    return x, y


def form_of(method: str, **changes: Any) -> Any:
    """A method's form; SynFlow and iterative SNIP in three rounds."""
    form = (
        HOST.get("methods", method).form
        if method in HOST.names("methods")
        else prunebench.Form.model_validate({"scorer": method})
    )
    if form.schedule != OneShot():
        changes["schedule"] = {"rounds": 3}
    return form.changed(**changes)


@cache
def made(method: str, **changes: Any) -> Mask:
    return prunebench.prune(
        resnet20(), form_of(method, **changes), density=0.2, batch=examples(), input_shape=SHAPE
    )


METHODS = ["random", "magnitude", "snip", "grasp", "synflow", "iterative-snip"]


@pytest.mark.parametrize("method", METHODS)
def test_a_shuffled_mask_overlaps_with_the_original_as_chance_has_it(method: str) -> None:
    """In every layer as many are kept, and the overlap is within 4 σ of density² (hypergeometric)."""
    mask, shuffled = made(method), made(method, alter=("shuffle",))
    changed = 0
    for name in mask:
        n, kept = mask[name].numel(), int(mask[name].sum())
        assert int(shuffled[name].sum()) == kept
        share = kept / n
        sigma = (kept * share * (1 - share) * (n - kept) / (n - 1)) ** 0.5
        overlap = int((mask[name] & shuffled[name]).sum())
        assert abs(overlap - share**2 * n) <= 4 * sigma, name
        changed += not torch.equal(mask[name], shuffled[name])
        assert not torch.equal(mask[name], shuffled[name]) or kept in (0, n), name
    assert changed >= 20


def test_overlaps_of_many_shuffles_have_the_mean_and_spread_of_chance() -> None:
    """Over 400 seeds the overlaps of one layer have the hypergeometric mean and deviation."""
    mask = Mask({"a": torch.arange(1000).remainder(5) == 0})
    overlaps = torch.tensor(
        [float((shuffle_mask(mask, stream(seed, "shuffle"))["a"] & mask["a"]).sum()) for seed in range(400)]
    )
    sigma = (200 * 0.2 * 0.8 * 800 / 999) ** 0.5
    assert abs(float(overlaps.mean()) - 40) < 4 * sigma / 20
    assert abs(float(overlaps.std()) / sigma - 1) < 4 / (2 * 400) ** 0.5


@pytest.mark.parametrize("initialization", ["kaiming-normal", "kaiming-uniform", "unit-variance"])
def test_weights_drawn_anew_have_the_old_ones_distribution(initialization: str) -> None:
    """Layer by layer the Kolmogorov–Smirnov test tells them not apart, and no layer kept its weights."""
    before, after = (
        dict(resnet20(p, initialization=initialization).named_parameters()) for p in ("init", "fresh")
    )
    layers = [name for name in before if before[name].dim() > 1]
    assert len(layers) == 22
    for name in layers:
        one, other = (net[name].detach().flatten().numpy() for net in (before, after))
        assert ks_2samp(one, other).pvalue > 0.001, name
        assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / len(one) ** 0.5, name
    gammas = [
        torch.cat([p.detach() for name, p in net.items() if "bn" in name and name.endswith("weight")])
        for net in (before, after)
    ]
    assert not torch.equal(*gammas)
    assert ks_2samp(*(g.numpy() for g in gammas)).pvalue > 0.001


@pytest.mark.parametrize("method", ["magnitude", "snip", "synflow", "magnitude-after-training"])
def test_reinit_trains_the_same_mask_from_other_weights(project: Any, method: str) -> None:
    """The cell with reinit reads the very mask of the one without; its weights are drawn, not read."""
    plan = project.session(project.suite([method], ablations=["none", "reinit"])).plan
    cells = {c.labels["ablations"]: c for c in plan.cells if c.labels["method"] == method}
    ends = [plan.jobs[plan.jobs[cells[name].key].inputs[0]] for name in ("", "reinit")]
    masks = [plan.jobs[cells[name].key].inputs[1] for name in ("", "reinit")]
    assert masks[0] == masks[1]
    assert isinstance(ends[0].params.run.origin, FromState)
    assert ends[1].params.run.origin.init.purpose == "fresh"


@pytest.mark.parametrize("method", ["magnitude", "snip", "grasp"])
def test_an_inverted_mask_has_the_other_end(method: str) -> None:
    """Kept are the lowest scores of all: none kept is above any that is removed, at the same count."""
    scores = prunebench.score(resnet20(), method, batch=examples(), input_shape=SHAPE)
    mask, inverted = made(method), made(method, keep="low")
    values = torch.cat([scores[name].flatten() for name in mask])
    high, low = (torch.cat([m[name].flatten() for name in m]) for m in (mask, inverted))
    assert int(low.sum()) == int(high.sum()) == round(0.2 * 270_896)
    assert values[low].max() <= values[~low].min()
    assert values[high].min() >= values[~high].max()
    assert not (low & high).any()


def test_inverted_synflow_keeps_the_lowest_of_each_round() -> None:
    """SynFlow inverted in three rounds keeps no weight that was not among the lowest of the first round."""
    scores = prunebench.score(resnet20(), "synflow", input_shape=SHAPE)
    inverted = made("synflow", keep="low")
    values = torch.cat([scores[name].flatten() for name in inverted])
    kept = torch.cat([inverted[name].flatten() for name in inverted])
    first = round(0.2 ** (1 / 3) * 270_896)
    assert values[kept].max() <= values.sort().values[first - 1]


@pytest.mark.parametrize(
    "method",
    ["random", "magnitude", "snip", "grasp", "grasp-magnitude", "synflow", "iterative-snip", "force"],
)
def test_pruning_leaves_the_network_and_all_random_numbers_as_they_are(method: str) -> None:
    """Weights, BatchNorm's statistics and counters, gradients, modes, torch's, numpy's and Python's states."""
    model = copy.deepcopy(resnet20()).train()
    model.fc.eval()  # modes are mixed, and stay so
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    prunebench.prune(model, form_of(method), density=0.2, batch=examples(), input_shape=SHAPE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]


def with_statistics(shift: float) -> nn.Module:
    """ResNet-20 whose running statistics are moved by so much."""
    model = copy.deepcopy(resnet20())
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean += shift
            module.running_var *= 1 + shift
    return model


@pytest.mark.parametrize(("scorer", "reads"), [("snip", False), ("grasp", False), ("synflow", True)])
def test_running_statistics_matter_to_synflow_alone(scorer: str, reads: bool) -> None:
    """SNIP and GraSP see the batch's statistics, SynFlow the running ones; a model's own mode decides nothing."""
    found = [
        prunebench.score(model, scorer, batch=examples(), input_shape=SHAPE)
        for model in (with_statistics(0).eval(), with_statistics(0).train(), with_statistics(0.5).eval())
    ]
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    same = all(torch.equal(found[0][name], found[2][name]) for name in found[0])
    assert same != reads


@pytest.mark.parametrize("scorer", ["magnitude", "snip", "grasp", "synflow", "force"])
def test_the_weights_that_are_scored_are_the_networks_own(scorer: str) -> None:
    """Scores follow the weights in every layer, the linear one too: a weight at zero scores zero."""
    model = copy.deepcopy(resnet20())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.view(-1)[::3] = 0
    scores = prunebench.score(model, scorer, batch=examples(), input_shape=SHAPE)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            assert not scores[name].flatten()[::3].any(), name
            assert (scores[name][parameter != 0] != 0).double().mean() > 0.9, name


def test_layers_that_lose_all_their_weights_are_seen() -> None:
    """A shortcut that is pruned whole is named by the mask's own counts and by the diagnostic."""
    model = resnet20()
    full = {
        name: torch.ones(p.shape, dtype=torch.bool) for name, p in model.named_parameters() if p.dim() > 1
    }
    lost = "blocks.3.shortcut.0.weight"
    mask = Mask({**full, lost: torch.zeros_like(full[lost])})
    assert [layer["name"] for layer in mask.layers() if layer["kept"] == 0] == [lost]
    assert lost in str(HOST.get("diagnostics", "collapsed-layers").function(model, mask, SHAPE))


def test_options_that_are_no_booleans_are_refused_or_read_as_what_they_say() -> None:
    """ "false" in quotes is not true: an option is what is written or an error."""
    for value in ("false", "no", 0):
        try:
            recipe = prunebench.Recipe(epochs=1, batch=8, lr=0.1, momentum=0.9, nesterov=value)  # type: ignore[arg-type]
        except ValueError:
            continue
        assert recipe.nesterov is False


def test_another_seed_has_other_initial_weights_in_every_layer() -> None:
    """The seed reaches every parameter that is drawn."""
    one, other = (
        dict(
            make_network(
                lambda: cifar_resnet(SHAPE, 10), DRAWS["kaiming-normal"], seed, "init"
            ).named_parameters()
        )
        for seed in (0, 1)
    )
    for name, parameter in one.items():
        constant = parameter.dim() == 1 and "bn" in name and name.endswith("bias")
        shortcut = ".shortcut.1.bias" in name
        assert torch.equal(parameter, other[name]) == (constant or shortcut), name
