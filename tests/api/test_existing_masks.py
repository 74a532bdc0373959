"""Pruning further: prune and score with a mask that is on already."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.utils.prune as torch_prune
from shorthand import prune_rounds
from torch import Tensor, nn

import prunebench
from prunebench import Form, Mask
from prunebench.errors import UsageError

PRUNABLE = 6 * 8 + 8 * 3


def make_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def make_batch() -> tuple[Tensor, Tensor]:
    return torch.randn(9, 6, generator=torch.Generator().manual_seed(1)), torch.arange(9) % 3


def make_mask() -> Mask:
    generator = torch.Generator().manual_seed(2)
    order = torch.randperm(PRUNABLE, generator=generator) < PRUNABLE // 2
    return Mask({"0.weight": order[:48].reshape(8, 6), "2.weight": order[48:].reshape(3, 8)})


def within(mask: Mask, outer: Mask) -> bool:
    return all(not bool((kept & ~outer[name]).any()) for name, kept in mask.items())


FORMS: list[dict[str, Any]] = [
    {},
    {"keep": "low"},
    {"schedule": {"rounds": 4}},
    {"allocation": "uniform"},
    {"allocation": "erk", "schedule": {"rounds": 3}},
    {"allocation": {"like": "magnitude"}},
    {"allocation": {"like": "snip"}, "schedule": {"rounds": 3}},
    {"alter": ["shuffle"]},
    {"alter": ["shuffle"], "allocation": "uniform", "schedule": {"rounds": 2}},
]


@pytest.mark.parametrize("scorer", ["random", "magnitude", "snip", "grasp", "synflow"])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_removed_stays_removed(form: dict[str, Any], scorer: str) -> None:
    """The new mask lies within the old one, with the count of its density of all prunable weights."""
    old = make_mask()
    method = Form.model_validate({"scorer": scorer, **form})
    for density in (0.4, 0.1):
        mask = prunebench.prune(make_net(), method, density=density, batch=make_batch(), mask=old)
        assert within(mask, old)
        assert mask.kept == round(density * PRUNABLE)


@pytest.mark.parametrize("method", ["random", "magnitude", "snip", "synflow", "force", "iterative-snip"])
def test_methods_and_their_regrowth(method: str) -> None:
    """Regrowth brings back what its own rounds removed, never what was removed before; all kept is the same."""
    old = make_mask()
    assert within(prunebench.prune(make_net(), method, density=0.2, batch=make_batch(), mask=old), old)
    assert prunebench.prune(make_net(), method, density=0.5, batch=make_batch(), mask=old) == old


def test_the_best_of_what_is_left() -> None:
    """Magnitude keeps the largest weights among those that the mask keeps: brute force."""
    net, old = make_net(), make_mask()
    live = torch.cat([net.get_parameter(name).detach()[kept].abs() for name, kept in old.items()])
    least = live.sort(descending=True).values[17]
    mask = prunebench.prune(net, "magnitude", density=0.25, mask=old)
    for name, kept in old.items():
        assert torch.equal(mask[name], kept & (net.get_parameter(name).abs() >= least))


def test_scores_of_the_network_under_the_mask() -> None:
    """SNIP's scores with a mask are |w · g| of the network that has those weights at zero."""
    net, old, (x, y) = make_net(), make_mask(), make_batch()
    found = prunebench.score(net, "snip", batch=(x, y), mask=old)
    pruned = old.apply(copy.deepcopy(net))
    loss = nn.functional.cross_entropy(pruned(x), y)
    for name in old:
        weight = pruned.get_parameter(name)
        expected = (weight * torch.autograd.grad(loss, weight, retain_graph=True)[0]).abs()
        torch.testing.assert_close(found[name], expected.detach(), rtol=1e-5, atol=1e-8)


def test_rounds_go_on_from_what_is_kept() -> None:
    """The counts of the rounds fall in equal ratios from the mask's count to the last."""
    counts = []

    def note(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        counts.append(net.mask.kept)
        return {name: weight.detach().abs() for name, weight in net.weights.items()}

    old = Mask({"weight": torch.arange(2000).reshape(20, 100) % 2 == 0})
    prune_rounds(nn.Linear(100, 20), note, density=1 / 16, rounds=3, mask=old)
    assert counts == [1000, 500, 250]


def test_more_than_the_mask_keeps() -> None:
    """A density above that of the mask is refused with both counts."""
    for method in ("magnitude", "synflow", "force"):
        with pytest.raises(UsageError, match=r"density 0\.6 keeps 43 of 72 .* the mask that is on keeps 36"):
            prunebench.prune(make_net(), method, density=0.6, batch=make_batch(), mask=make_mask())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (3, "mask is a int; wanted: a Mask"),
        ({"0.weihgt": torch.ones(8, 6).bool()}, "no weight '0.weihgt', which the mask is for; did you mean"),
        ({"0.bias": torch.ones(8).bool()}, "'0.bias', which is not pruned here"),
        ({"0.weight": torch.ones(6, 8).bool()}, r"'0.weight' has shape \(8, 6\), the mask \(6, 8\)"),
        ({"0.weight": torch.ones(8, 6)}, "a mask holds bool tensors"),
    ],
)
def test_masks_that_do_not_fit(mask: Any, message: str) -> None:
    """Wrong types, names and shapes are told before anything is scored."""
    with pytest.raises(UsageError, match=message):
        prunebench.prune(make_net(), "snip", density=0.1, batch=make_batch(), mask=mask)
    with pytest.raises(UsageError, match=message):
        prunebench.score(make_net(), "snip", batch=make_batch(), mask=mask)


def test_a_mask_of_some_layers() -> None:
    """Layers that the mask does not speak of are whole; any mapping of bool tensors will do."""
    part = {"2.weight": make_mask()["2.weight"]}
    mask = prunebench.prune(make_net(), "magnitude", density=0.3, mask=part)
    whole = Mask({"0.weight": torch.ones(8, 6).bool(), **part})
    assert within(mask, whole)
    assert mask == prunebench.prune(make_net(), "magnitude", density=0.3, mask=whole)


def test_shared_weights_go_by_any_of_their_names() -> None:
    """A mask that names a shared weight by its second name is that of the first."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3))
    net[1].weight = net[0].weight
    old = torch.arange(36).reshape(6, 6) % 2 == 0
    for name in ("0.weight", "1.weight", "_orig_mod.1.weight"):
        mask = prunebench.prune(net, "magnitude", density=0.3, mask={name: old})
        assert list(mask) == ["0.weight", "2.weight"]
        assert not bool((mask["0.weight"] & ~old).any())


def test_zeros_alone_are_no_mask() -> None:
    """Without mask= a weight that is zero is a weight: a random method may keep it, as documented."""
    net = make_mask().apply(make_net())
    assert not within(prunebench.prune(net, "random", density=0.4), make_mask())


# -- torch.nn.utils.prune --------------------------------------------------------------------------------


class EverySecond(torch_prune.BasePruningMethod):
    """A method of somebody's own."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.clone()
        mask.view(-1)[::2] = 0
        return mask


def by_torch() -> nn.Sequential:
    """A network under three kinds of torch's masks, two of them on one layer, and one on a bias."""
    net = make_net()
    torch_prune.l1_unstructured(net[0], "weight", 0.3)
    torch_prune.ln_structured(net[0], "weight", 0.25, n=2, dim=0)
    torch_prune.l1_unstructured(net[0], "bias", 0.5)
    EverySecond.apply(net[2], "weight")
    return net


@pytest.mark.parametrize("method", ["random", "magnitude", "snip", "grasp", "synflow", "force"])
def test_masks_of_torch_count(method: str) -> None:
    """They are on without being named, and scores are those of the weights under them; nothing is changed."""
    net = by_torch()
    net(make_batch()[0])
    before = copy.deepcopy(net.state_dict())
    on = Mask({"0.weight": net[0].weight_mask.bool(), "2.weight": net[2].weight_mask.bool()})
    mask = prunebench.prune(net, method, density=0.3, batch=make_batch())
    assert within(mask, on)
    assert mask.kept == round(0.3 * PRUNABLE)
    plain = make_net()
    with torch.no_grad():
        plain[0].bias.copy_(net[0].bias)
    assert mask == prunebench.prune(plain, method, density=0.3, batch=make_batch(), mask=on)
    assert list(before) == list(net.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with pytest.raises(UsageError, match=f"the mask that is on keeps {on.kept}"):
        prunebench.prune(net, method, density=0.9, batch=make_batch())


def test_a_mask_and_torchs() -> None:
    """Both are on: what either removed stays removed."""
    mask = prunebench.prune(by_torch(), "magnitude", density=0.1, mask=make_mask())
    assert within(mask, make_mask())
    assert within(
        mask,
        Mask({"0.weight": by_torch()[0].weight_mask.bool(), "2.weight": by_torch()[2].weight_mask.bool()}),
    )


def test_applied_to_a_network_under_torchs_masks() -> None:
    """`apply` narrows torch's masks, so that training does not bring back what was removed."""
    net = by_torch()
    mask = prunebench.prune(net, "snip", density=0.2, batch=make_batch())
    mask.apply(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(make_batch()[0]), make_batch()[1]).backward()
        optimizer.step()
    net(make_batch()[0])
    assert torch.equal(net[0].weight != 0, mask["0.weight"])
    for layer in (net[0], net[2]):
        torch_prune.remove(layer, "weight")
    mask.apply(net)
    assert torch.equal(net[2].weight != 0, mask["2.weight"])


@pytest.mark.parametrize("excepted", ["0", "0.weight", "0.weight_orig"])
def test_layers_under_torchs_masks_can_be_excepted(excepted: str) -> None:
    """By the layer, the weight, or the parameter that torch made of it."""
    assert list(
        prunebench.prune(by_torch(), "snip", density=0.2, batch=make_batch(), except_=[excepted])
    ) == ["2.weight"]


def test_measures_under_torchs_masks() -> None:
    """Diagnostics know the weights by the mask's names."""
    net = by_torch()
    mask = prunebench.prune(net, "magnitude", density=0.2)
    layers = prunebench.diagnostics.layer_sparsity(net, mask)
    assert [layer["kept"] for layer in layers] == [layer["kept"] for layer in mask.layers()]
    plain = make_net()
    assert prunebench.diagnostics.neuron_sparsity(net, mask) == prunebench.diagnostics.neuron_sparsity(
        plain, mask
    )
    found = prunebench.diagnostics.effective_density(net, mask, (6,))
    assert found == prunebench.diagnostics.effective_density(plain, mask, (6,))


def test_tied_weights_under_torchs_masks() -> None:
    """Masked alike they are one weight; masked in one place alone they are refused."""

    def tied() -> nn.Sequential:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, 3))
        net[2].weight = net[0].weight
        return net

    net = tied()
    torch_prune.l1_unstructured(net[0], "weight", 0.5)
    with pytest.raises(UsageError, match=r"torch\.nn\.utils\.prune masks it differently"):
        prunebench.prune(net, "snip", density=0.2, batch=make_batch())
    torch_prune.l1_unstructured(net[2], "weight", 0.5)
    on = {"0.weight": net[0].weight_mask.bool()}
    for method in ("magnitude", "snip", "grasp"):
        how: dict[str, Any] = {"density": 0.2, "batch": make_batch()}
        assert prunebench.prune(net, method, **how) == prunebench.prune(tied(), method, mask=on, **how)
