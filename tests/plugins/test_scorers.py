"""Every scorer's mask against a plain implementation: autograd by .backward(), masks by a full sort."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from prunebench_plugins.architectures.cifar_resnet import cifar_resnet
from prunebench_plugins.scorers import prunebench_scorers
from torch import Tensor, nn

import prunebench
from prunebench.training.streams import stream

DENSITIES = [0.5, 0.1, 0.018]
OF_ROUNDS = [pytest.param(0.5, marks=pytest.mark.slow), 0.1, pytest.param(0.018, marks=pytest.mark.slow)]
"""A hundred rounds by a plain implementation take seconds: one density is enough for the quick tests."""
Batch = tuple[Tensor, Tensor]


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """Kaiming normal weights, small random biases, BatchNorm with γ in (0, 1) and some statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, generator=generator)
                if module.bias is not None:
                    module.bias.normal_(0, 0.05, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(generator=generator)
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
    return model


def lenet() -> nn.Module:
    layers = [
        nn.Flatten(),
        nn.Linear(784, 300),
        nn.ReLU(),
        nn.Linear(300, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    ]
    return initialise(nn.Sequential(*layers), 0)


def resnet20() -> nn.Module:
    return initialise(cifar_resnet((3, 32, 32), 10), 1)


def make_batch(shape: tuple[int, ...], per_class: int) -> Batch:
    """Images with something of their class in them, sorted by class."""
    generator = torch.Generator().manual_seed(2)
    y = torch.arange(10).repeat_interleave(per_class)
    return torch.randn(10, *shape, generator=generator)[y] + torch.randn(
        len(y), *shape, generator=generator
    ), y


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Prunable weights found another way: four-dimensional or two-dimensional parameters."""
    return {name: p for name, p in model.named_parameters() if p.dim() in (2, 4)}


def plain_magnitude(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    return {name: w.detach().abs() for name, w in weights_of(model).items()}


def plain_random(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(stream(0, "scores", name).uniform(w.numel())).reshape(w.shape)
        for name, w in weights_of(model).items()
    }


def plain_snip(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    model = copy.deepcopy(model).train()
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    return {name: (w.grad * w.detach()).abs() for name, w in weights_of(model).items()}


def plain_grasp(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The published score −w · Hg, highest removed; returned turned, as what is highest is kept here."""
    model = copy.deepcopy(model).train()
    weights = weights_of(model)
    loss = F.cross_entropy(model(batch[0]) / 200.0, batch[1])
    first = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    sum((g.detach() * g).sum() for g in first).backward()  # type: ignore[union-attr]
    return {name: -(-w.detach() * w.grad) for name, w in weights.items()}


def plain_synflow(model: nn.Module, shape: tuple[int, ...], masks: dict[str, Tensor]) -> dict[str, Tensor]:
    model = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for name, w in weights_of(model).items():
            w.mul_(masks[name])
        for tensor in model.state_dict().values():
            tensor.copy_(tensor.abs())
    model(torch.ones(1, *shape, dtype=torch.float64)).sum().backward()
    return {name: (w.grad * w.detach()).abs() for name, w in weights_of(model).items()}


def sort_and_keep(scores: dict[str, Tensor], kept: int) -> dict[str, Tensor]:
    flat = torch.cat([score.reshape(-1) for score in scores.values()])
    order = torch.sort(flat, descending=True, stable=True).indices
    chosen = torch.zeros(len(flat), dtype=torch.bool)
    chosen[order[:kept]] = True
    parts = chosen.split([score.numel() for score in scores.values()])
    return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}


def plain_synflow_mask(model: nn.Module, shape: tuple[int, ...], density: float) -> dict[str, Tensor]:
    masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights_of(model).items()}
    total = sum(mask.numel() for mask in masks.values())
    for k in range(1, 101):
        scores = plain_synflow(model, shape, masks)
        live = {name: torch.where(masks[name], score, -1.0) for name, score in scores.items()}
        masks = sort_and_keep(live, round(density ** (k / 100) * total))
    return masks


PLAIN: dict[str, Callable[[nn.Module, Batch], dict[str, Tensor]]] = {
    "random": plain_random,
    "magnitude": plain_magnitude,
    "snip": plain_snip,
    "grasp": plain_grasp,
}


def assert_equal(mask: prunebench.Mask, expected: dict[str, Tensor], prunable: int, density: float) -> None:
    assert mask.prunable == prunable
    assert mask.kept == round(density * prunable)
    assert list(mask) == list(expected)
    assert all(torch.equal(mask[name], expected[name]) for name in expected)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("name", list(PLAIN))
def test_lenet_bit_for_bit(name: str, density: float) -> None:
    """On LeNet-300-100 every one-shot mask is the plain implementation's, entry by entry."""
    model, batch = lenet(), make_batch((1, 28, 28), 10)
    mask = prunebench.prune(model, name, density=density, batch=batch, seed=0)
    expected = sort_and_keep(PLAIN[name](model, batch), round(density * 266_200))
    assert_equal(mask, expected, 266_200, density)


@pytest.mark.parametrize("density", OF_ROUNDS)
def test_synflow_on_lenet_bit_for_bit(density: float) -> None:
    """SynFlow's mask after 100 rounds is the plain implementation's, entry by entry."""
    model = lenet()
    mask = prunebench.prune(model, "synflow", density=density, input_shape=(1, 28, 28))
    assert_equal(mask, plain_synflow_mask(model, (1, 28, 28), density), 266_200, density)


@pytest.mark.parametrize("density", DENSITIES)
def test_magnitude_on_resnet_bit_for_bit(density: float) -> None:
    """Magnitude's mask of ResNet-20 is the plain implementation's, entry by entry."""
    model = resnet20()
    mask = prunebench.prune(model, "magnitude", density=density)
    expected = sort_and_keep(plain_magnitude(model, make_batch((3, 8, 8), 1)), round(density * 270_896))
    assert_equal(mask, expected, 270_896, density)


@pytest.mark.parametrize(
    ("size", "density"),
    [
        pytest.param(size, density, marks=[pytest.mark.slow] if (size, density) != (8, 0.018) else [])
        for size in (8, 32)
        for density in DENSITIES
    ],
)
def test_synflow_on_resnet_bit_for_bit(size: int, density: float) -> None:
    """SynFlow's mask of ResNet-20 after 100 rounds is the plain implementation's, entry by entry."""
    model = resnet20()
    mask = prunebench.prune(model, "synflow", density=density, input_shape=(3, size, size))
    assert_equal(mask, plain_synflow_mask(model, (3, size, size), density), 270_896, density)


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_resnet_nearly_entry_by_entry(name: str) -> None:
    """SNIP's and GraSP's masks of ResNet-20 share 99 % of their entries with the plain ones."""
    model, batch = resnet20(), make_batch((3, 16, 16), 5)
    scores = PLAIN[name](model, batch)
    for density in DENSITIES:  # the plain scores are taken once
        mask = prunebench.prune(model, name, density=density, batch=batch)
        expected = sort_and_keep(scores, round(density * 270_896))
        both = sum(int((mask[n] & expected[n]).sum()) for n in mask)
        either = sum(int((mask[n] | expected[n]).sum()) for n in mask)
        assert mask.kept == round(density * 270_896)
        assert both / either >= 0.99


@pytest.mark.parametrize(("method", "highest"), [("grasp", True), ("grasp-inverted", False)])
def test_grasp_removes_the_highest_published_scores(method: str, highest: bool) -> None:
    """GraSP removes the highest −w·Hg, inverted the lowest: the sign is the published one."""
    model, batch = lenet(), make_batch((1, 28, 28), 10)
    published = {name: -score for name, score in plain_grasp(model, batch).items()}
    mask = prunebench.prune(model, method, density=0.3, batch=batch)
    kept = torch.cat([published[name][mask[name]] for name in mask])
    removed = torch.cat([published[name][~mask[name]] for name in mask])
    assert (kept.max() <= removed.min()) if highest else (kept.min() >= removed.max())


def test_grasp_by_magnitude_removes_scores_nearest_zero() -> None:
    """GraSP by magnitude keeps the scores farthest from zero, of either sign."""
    model, batch = lenet(), make_batch((1, 28, 28), 10)
    expected = {name: score.abs() for name, score in plain_grasp(model, batch).items()}
    mask = prunebench.prune(model, "grasp-magnitude", density=0.1, batch=batch)
    assert_equal(mask, sort_and_keep(expected, 26_620), 266_200, 0.1)


def test_iterative_snip_is_scored_on_what_is_left() -> None:
    """Iterative SNIP's first two rounds by hand: the second scores the pruned network."""
    model, batch = lenet(), make_batch((1, 28, 28), 10)
    form = prunebench.Form.model_validate({"scorer": "snip", "schedule": {"rounds": 2}})
    mask = prunebench.prune(model, form, density=0.04, batch=batch)
    half = sort_and_keep(plain_snip(model, batch), round(0.2 * 266_200))
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for name, w in weights_of(pruned).items():
            w.mul_(half[name])
    scores = {n: torch.where(half[n], s, -1.0) for n, s in plain_snip(pruned, batch).items()}
    assert_equal(mask, sort_and_keep(scores, round(0.04 * 266_200)), 266_200, 0.04)


def test_random_masks_are_nested_and_the_seeds() -> None:
    """One set of random scores a seed: sparser masks are parts of denser ones, other seeds are others."""
    model = lenet()
    dense, sparse = (prunebench.prune(model, "random", density=d, seed=3) for d in (0.5, 0.1))
    assert all(bool((sparse[name] <= dense[name]).all()) for name in sparse)
    assert sparse != prunebench.prune(model, "random", density=0.1, seed=4)
    for layer in sparse.layers():  # five standard deviations of a binomial
        n = layer["prunable"]
        assert abs(layer["kept"] - 0.1 * n) < 5 * (0.09 * n) ** 0.5


def test_built_in_scorers_declare_what_they_are() -> None:
    """Every built-in scorer has a version, a batch and mode as its source says, and a documented variant."""
    found = {scorer.name: scorer for scorer in prunebench_scorers()}
    of_weights = ["random", "magnitude", "snip", "grasp", "force", "synflow"]
    assert list(found) == [*of_weights, "batchnorm", "filter-norm"]
    assert {name: scorer.gives for name, scorer in found.items() if scorer.gives != "weights"} == {
        "random": "either",
        "batchnorm": "filters",
        "filter-norm": "filters",
    }
    assert {name for name, scorer in found.items() if scorer.needs == "batch"} == {"snip", "grasp", "force"}
    assert {name for name, scorer in found.items() if scorer.mode == "train"} == {"snip", "grasp", "force"}
    assert {name for name, scorer in found.items() if scorer.precision == "float64"} == {"synflow"}
    assert found["grasp"].parameters == {"temperature": 200.0, "chunk": None}
    for scorer in found.values():
        assert scorer.version == "1"
        assert "Variant:" in scorer.documentation
