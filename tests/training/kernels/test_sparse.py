"""Linear layers that compute with kept weights alone: against dense products, and in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from states import Keeper, same
from torch import nn

from prunebench.pruning.mask import Mask
from prunebench.training.images.data import Data
from prunebench.training.kernels import sparse
from prunebench.training.kernels.sparse import SparseLinear, sparse_layers
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

pytestmark = pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="sparse kernels are MKL's")

CPU = torch.device("cpu")
RECIPES: dict[str, dict[str, Any]] = {
    "plain sgd": {"lr": 0.1},
    "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "adamw": {"lr": 0.01, "optimizer": "adamw", "weight_decay": 0.1},
    "micro-batches": {"lr": 0.05, "momentum": 0.9, "micro_batch": 3},
}


@pytest.fixture(autouse=True)
def small_layers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take layers as small as a test's."""
    monkeypatch.setattr(sparse, "WEIGHTS", 50)


def pattern(kind: str, rows: int, columns: int) -> torch.Tensor:
    """Return which weights are kept."""
    kept = torch.rand(rows, columns, generator=torch.Generator().manual_seed(1)) < 0.15
    if kind == "empty rows and columns":
        kept[[0, 4, rows - 1]] = False
        kept[:, [0, 3, columns - 1]] = False
    elif kind == "one":
        kept[:] = False
        kept[2, 5] = True
    elif kind == "none":
        kept[:] = False
    return kept


@pytest.mark.parametrize("kind", ["some", "empty rows and columns", "one", "none"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(9, 31), (2, 5, 31), (31,)])
def test_outputs_and_gradients_are_those_of_dense_products(
    kind: str, bias: bool, shape: tuple[int, ...]
) -> None:
    """Of a layer that is pruned to nothing, too; gradients are those of kept weights, inputs and bias."""
    torch.manual_seed(0)
    layer = nn.Linear(31, 17, bias=bias)
    kept = pattern(kind, 17, 31)
    with torch.no_grad():
        layer.weight.mul_(kept)
    dense_x, sparse_x = (torch.randn(shape, generator=torch.Generator().manual_seed(2)) for _ in range(2))
    dense_x.requires_grad_()
    sparse_x.requires_grad_()
    wanted = layer(dense_x)
    wanted.square().sum().backward()
    of_weight, of_bias = layer.weight.grad, layer.bias.grad.clone() if bias else None
    layer.zero_grad()
    weight = SparseLinear(layer, kept)
    found = layer(sparse_x)
    torch.testing.assert_close(found, wanted)
    found.square().sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(weight.values.grad, of_weight[kept])
    torch.testing.assert_close(sparse_x.grad, dense_x.grad)
    if bias:
        torch.testing.assert_close(layer.bias.grad, of_bias)
    weight.undo()
    assert torch.equal(layer(dense_x), wanted)


@pytest.fixture
def net() -> nn.Module:
    """Return a network of two layers that can be sparse, with dropout, and one that is not pruned."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(72, 40),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(40, 20),
        nn.ReLU(),
        nn.Linear(20, 4),
    )


def mask_of(net: nn.Module, density: float = 0.12) -> Mask:
    """Return a random mask of a network's first two linear layers."""
    rng = torch.Generator().manual_seed(5)
    weights = [(name, p) for name, p in net.named_parameters() if p.dim() > 1][:2]
    return Mask({name: torch.rand(p.shape, generator=rng) < density for name, p in weights})


@pytest.mark.parametrize("name", RECIPES)
def test_training_is_that_of_dense_kernels_but_for_rounding(
    name: str, net: nn.Module, make_data: Callable[..., Data]
) -> None:
    """Sixty steps; what is pruned is exactly zero, in weights and slots; the network is as any other after."""
    recipe, data = Recipe(epochs=20, batch=8, **RECIPES[name]), make_data()
    start = State.of(net, mask_of(net))
    dense = train(net, start, recipe, data, seed=3, to_step=60)
    found = train(net, start, recipe, data, seed=3, to_step=60, kernels="sparse")
    assert (dense.kernels, found.kernels) == ("dense", "sparse")
    assert not same(dense, found)
    for key, weight in dense.parameters.items():
        torch.testing.assert_close(found.parameters[key], weight, rtol=1e-3, atol=2e-4)
        assert torch.equal(net.get_parameter(key), found.parameters[key])
        assert net.get_parameter(key).grad is None
    for key, kept in start.mask.items():
        assert not found.parameters[key][~kept].any()
        assert found.parameters[key][kept].all()
        for values in found.slots.values():
            assert values[key].dim() == 0 or not values[key][~kept].any()
            torch.testing.assert_close(
                values[key], dense.slots[_slot_of(found, values)][key], rtol=1e-2, atol=1e-3
            )
    assert not any("forward" in vars(layer) for layer in net.modules())
    assert [point["step"] for point in found.curve] == [point["step"] for point in dense.curve]


def _slot_of(state: State, values: object) -> str:
    return next(slot for slot, held in state.slots.items() if held is values)


@pytest.mark.parametrize("name", RECIPES)
def test_going_on_from_a_state_gives_the_same_bits(
    name: str, net: nn.Module, make_data: Callable[..., Data]
) -> None:
    """As with dense kernels: from a checkpoint, and from the start once more."""
    recipe, data, keeper = Recipe(epochs=20, batch=8, **RECIPES[name]), make_data(), Keeper(23)
    start = State.of(net, mask_of(net))
    how: dict[str, Any] = {"seed": 3, "to_step": 60, "kernels": "sparse"}
    whole = train(net, start, recipe, data, checkpoint=keeper, **how)
    assert same(train(net, start, recipe, data, **how), whole)
    assert same(train(net, keeper.states[23], recipe, data, **how), whole)


def test_an_error_leaves_the_network_as_any_other(net: nn.Module, make_data: Callable[..., Data]) -> None:
    """Its layers compute by themselves again, whatever ends the training."""

    def fail(step: int, to_step: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        train(
            net,
            State.of(net, mask_of(net)),
            Recipe(epochs=2, batch=8, lr=0.1),
            make_data(),
            seed=0,
            to_step=5,
            kernels="sparse",
            on_step=fail,
        )
    assert not any("forward" in vars(layer) for layer in net.modules())


class Shared(nn.Module):
    """Two linear layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(12, 12), nn.Linear(12, 12)
        self.two.weight = self.one.weight


class OwnLinear(nn.Linear):
    """A layer that may do anything with its weight."""


@pytest.mark.parametrize(
    ("module", "name", "density"),
    [
        (Shared(), "one.weight", 0.1),
        (nn.Sequential(OwnLinear(12, 12)), "0.weight", 0.1),
        (nn.Sequential(nn.Conv2d(4, 4, 3)), "0.weight", 0.1),
        (nn.Sequential(nn.Linear(12, 12).double()), "0.weight", 0.1),
        (nn.Sequential(nn.Linear(7, 7)), "0.weight", 0.1),
        (nn.Sequential(nn.Linear(12, 12)), "0.weight", 0.5),
    ],
)
def test_other_layers_stay_dense(module: nn.Module, name: str, density: float) -> None:
    """Whose weight another layer reads, of a class of its own, convolutions, float64, small ones, dense ones."""
    weight = module.get_parameter(name)
    kept = torch.zeros(weight.shape, dtype=torch.bool)
    kept.view(-1)[: int(density * kept.numel())] = True
    assert sparse_layers(module, {name: kept}, CPU) == {}
    assert sparse_layers(module, None, CPU) == {}
    fits = nn.Sequential(nn.Linear(12, 12))
    assert list(sparse_layers(fits, {"0.weight": torch.eye(12, dtype=torch.bool)}, CPU)) == ["0.weight"]


def test_dense_networks_and_policies_that_change_their_mask_have_the_bits_of_dense_kernels(
    net: nn.Module, make_data: Callable[..., Data]
) -> None:
    """Without a mask nothing is sparse; a mask that shrinks is multiplied, as gradients of all may be wanted."""
    from prunebench.training.gradual import GradualMask

    class Once:
        steps = (3,)

        def kept_at(self, step: int) -> int:
            return 100 if step >= 3 else 3680

    recipe, data = Recipe(epochs=2, batch=8, lr=0.1), make_data()
    how: dict[str, Any] = {"seed": 3, "to_step": 9}
    start = State.of(net)
    assert same(
        train(net, start, recipe, data, **how), train(net, start, recipe, data, kernels="sparse", **how)
    )

    def fewer(step: int, mask: Mask, kept: int) -> Mask:
        chosen = {}
        for name, there in mask.items():
            chosen[name] = torch.zeros_like(there)
            chosen[name].view(-1)[: kept // 2] = True
        return Mask(chosen)

    full = Mask({name: torch.ones_like(kept) for name, kept in mask_of(net).items()})
    ends = [
        train(net, start, recipe, data, policy=GradualMask(Once(), full, fewer), kernels=kernels, **how)
        for kernels in ("dense", "sparse")
    ]
    assert same(*ends)
    assert ends[1].kernels == "dense"
    assert ends[1].mask.kept == 100
