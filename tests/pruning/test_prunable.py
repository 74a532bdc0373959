"""Which weights are prunable, which are excepted, which are not covered."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from prunebench.errors import UsageError
from prunebench.pruning import prunable_weights, uncovered


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.up = nn.ConvTranspose2d(4, 2, 2)
        self.norm = nn.LayerNorm((2, 2))
        self.line = nn.Conv1d(2, 2, 1)
        self.head = nn.Linear(8, 5)


def test_convolutions_and_linear_layers_in_order() -> None:
    """Weights of convolutions and linear layers, the last one too; no biases, no normalisation."""
    assert list(prunable_weights(Small())) == ["stem.0.weight", "up.weight", "line.weight", "head.weight"]


def test_convolutions_only() -> None:
    """of="convolutions" leaves linear layers out."""
    assert list(prunable_weights(Small(), "convolutions")) == ["stem.0.weight", "up.weight", "line.weight"]


@pytest.mark.parametrize(
    ("except_", "left"),
    [
        (["head"], ["stem.0.weight", "up.weight", "line.weight"]),
        (["head.weight", "stem"], ["up.weight", "line.weight"]),
        (["stem.0.bias"], ["stem.0.weight", "up.weight", "line.weight", "head.weight"]),
        ("up", ["stem.0.weight", "line.weight", "head.weight"]),
    ],
)
def test_exceptions_name_parameters_or_modules(except_: list[str], left: list[str]) -> None:
    """An exception is a parameter, or a module with all in it."""
    assert list(prunable_weights(Small(), except_=except_)) == left


def test_exception_that_names_nothing() -> None:
    """An exception without a match is an error with the nearest name, not silence."""
    with pytest.raises(UsageError, match=r"'haed'.*did you mean 'head'"):
        prunable_weights(Small(), except_=["haed"])


def test_tied_weights_count_once() -> None:
    """A weight of two layers is one weight, under its first name; an exception by either name holds."""
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
    model[2].weight = model[0].weight
    assert list(prunable_weights(model)) == ["0.weight", "3.weight"]
    assert list(prunable_weights(model, except_=["2"])) == ["3.weight"]


def test_shared_layer_counts_once() -> None:
    """A layer used twice is one layer."""
    layer = nn.Linear(4, 4)
    assert list(prunable_weights(nn.Sequential(layer, nn.ReLU(), layer))) == ["0.weight"]


@pytest.mark.parametrize(
    ("model", "of", "message"),
    [
        (nn.Sequential(nn.ReLU()), "weights", "no convolution and no linear layer"),
        (nn.Linear(2, 2), "convolutions", "no convolution"),
        (nn.LazyLinear(2), "weights", "no values yet"),
    ],
)
def test_nothing_to_prune(model: nn.Module, of: str, message: str) -> None:
    """Networks without prunable weights, or without values, are refused."""
    with pytest.raises(UsageError, match=message):
        prunable_weights(model, of)  # type: ignore[arg-type]


def test_shapes_are_enough() -> None:
    """Networks on the meta device have prunable weights: planning counts them without values."""
    assert prunable_weights(nn.Linear(2, 3, device="meta"))["weight"].shape == (3, 2)


def test_all_excepted() -> None:
    """Excepting everything leaves nothing to prune."""
    with pytest.raises(UsageError, match="no weight is left"):
        prunable_weights(nn.Sequential(nn.Linear(2, 2)), except_=["0"])


def test_plain_networks_are_covered() -> None:
    """Convolutional and linear networks are covered whole; normalisation is no weight."""
    assert uncovered(Small()) == []


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (nn.MultiheadAttention(4, 2), ["in_proj_weight"]),
        (nn.TransformerEncoderLayer(4, 2, 8), ["self_attn.in_proj_weight"]),
        (nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2)), ["0.weight"]),
        (nn.LSTM(3, 2), ["weight_ih_l0", "weight_hh_l0"]),
    ],
)
def test_uncovered_weights(model: nn.Module, names: list[str]) -> None:
    """Packed projections, embeddings and recurrent weights are named."""
    assert uncovered(model) == names
    assert uncovered(model, except_=names) == []


def test_reparametrised_layers_are_uncovered() -> None:
    """A layer whose weight is computed from other parameters has no weight to prune."""
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)), nn.Linear(3, 2))
    assert list(prunable_weights(model)) == ["1.weight"]
    assert uncovered(model) == ["0.parametrizations.weight.original0", "0.parametrizations.weight.original1"]


def test_embedding_tied_to_the_output_layer_is_covered() -> None:
    """A tied embedding is the output layer's weight, under the first of its names."""
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 4), "output": nn.Linear(4, 5)})
    model["output"].weight = model["embedding"].weight
    assert list(prunable_weights(model)) == ["embedding.weight"]
    assert uncovered(model) == []
    assert torch.equal(prunable_weights(model)["embedding.weight"], model["output"].weight)
