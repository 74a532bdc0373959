"""FLOPs of weights that are used beside the calls of their own modules: against torch's own counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prunebench import diagnostics
from prunebench.errors import UsageError
from prunebench.pruning import Mask, prunable_weights


class Attends(nn.Module):
    """Attention by itself, to itself or across, with one packed projection or three."""

    def __init__(self, across: bool = False, **how: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **how)
        self.across, self.narrow = across, how.get("kdim", 8)

    def forward(self, x: Tensor) -> Any:
        other = x.flip(1)[..., : self.narrow] if self.across or self.narrow < 8 else x
        return self.attention(x, other, other)[0]


class Uses(nn.Module):
    """A layer's weight, used by a function."""

    def __init__(
        self, function: Callable[[nn.Module, Tensor], Tensor], layer: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layer = layer or nn.Linear(8, 8)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.layer, x)


class Recurrent(nn.Module):
    """A recurrent layer and a head."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer, self.head = kind(8, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


def torchs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Return torch's count, less the products of activations that attention takes (bmm)."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()(torch.zeros(1, *shape))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    counts = {str(operation): count for operation, count in counter.get_flop_counts()["Global"].items()}
    return sum(
        count
        for operation, count in counts.items()
        if "bmm" not in operation and "attention" not in operation
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "attention to itself": (Attends, (5, 8)),
    "attention across": (lambda: Attends(across=True), (5, 8)),
    "attention with three projections": (lambda: Attends(kdim=6, vdim=6), (5, 8)),
    "a transformer": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), (5, 8),
    ),
    "F.linear": (lambda: Uses(lambda layer, x: F.linear(x, layer.weight)), (8,)),
    "F.linear on several positions": (lambda: Uses(lambda layer, x: F.linear(x, layer.weight)), (3, 8)),
    "matmul": (lambda: Uses(lambda layer, x: x @ layer.weight.t()), (8,)),
    "a copy of another layout": (lambda: Uses(lambda layer, x: x @ layer.weight.t().contiguous()), (8,)),
    "a call and a function": (lambda: Uses(lambda layer, x: F.linear(layer(x), layer.weight)), (8,)),
    "tied and transposed": (lambda: Uses(lambda layer, x: F.linear(layer(x), layer.weight.t())), (8,)),
    "in two halves": (
        lambda: Uses(lambda layer, x: torch.cat([F.linear(x, half) for half in layer.weight.chunk(2)], 1)), (8,),
    ),
    "F.conv2d": (lambda: Uses(lambda c, x: F.conv2d(x, c.weight, padding=1), nn.Conv2d(2, 4, 3)), (2, 6, 6)),
    "F.conv_transpose2d": (
        lambda: Uses(lambda c, x: F.conv_transpose2d(x, c.weight, stride=2), nn.ConvTranspose2d(2, 4, 3)), (2, 6, 6),
    ),
    "a recurrent layer": (lambda: Recurrent(nn.RNN), (5, 8)),
    "gated recurrent units": (lambda: Recurrent(nn.GRU), (5, 8)),
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_product_with_a_weight_is_counted_once(model: str) -> None:
    """Whoever multiplies a weight: the sum is torch's, less the products of activations."""
    build, shape = MODELS[model]
    net = build()
    assert diagnostics.flops(net, None, shape)["dense"] == torchs(net, shape) > 0


def test_lstms_by_hand() -> None:
    """Torch's counter does not see LSTMs on a CPU: four gates of 4 units, 8 inputs and 4 states, 5 steps."""
    found = diagnostics.layer_flops(Recurrent(nn.LSTM), None, (5, 8))
    assert [(layer.name, layer.dense) for layer in found] == [
        ("layer.weight_ih_l0", 2 * 5 * 16 * 8), ("layer.weight_hh_l0", 2 * 5 * 16 * 4), ("head.weight", 2 * 12),
    ]  # fmt: skip


def test_einsum_and_products_with_a_vector() -> None:
    """Products that torch writes as a batched one, or for which it has no formula."""
    for function in (
        lambda layer, x: torch.einsum("bi,oi->bo", x, layer.weight),
        lambda layer, x: torch.mv(layer.weight, x[0]),
    ):
        assert diagnostics.flops(Uses(function), None, (8,))["dense"] == 2 * 64


def test_a_masked_projection_counts_its_share() -> None:
    """The mask of attention's output projection halves its FLOPs; the packed one counts as kept."""
    net = Attends()
    mask = Mask.full(prunable_weights(net))
    assert list(mask) == ["attention.out_proj.weight"]
    mask["attention.out_proj.weight"][:, :4] = False
    packed, out = diagnostics.layer_flops(net, Mask(mask), (5, 8))
    assert (packed.name, packed.sparse, packed.dense) == ("attention.in_proj_weight", 1920, 1920)
    assert (out.uses, out.dense, out.sparse) == (5, 640, 320)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda layer, x: (x[:, None] * layer.weight).sum(-1), r"aten\.mul uses it"),
        (lambda layer, x: F.linear(x, F.normalize(layer.weight)), r"aten\.\w+ uses it"),
        (lambda layer, x: F.linear(x, layer.weight[:4]), "not all used equally often"),
        (lambda layer, x: F.linear(x, torch.cat([layer.weight, layer.weight])), r"aten\.cat uses it"),
        (lambda layer, x: (x @ torch.stack([layer.weight] * 2)).sum(0), r"aten\.(stack|cat) uses it"),
    ],
)
def test_a_weight_that_cannot_be_counted_is_named(function: Any, why: str) -> None:
    """No number is better than a wrong one."""
    with pytest.raises(UsageError, match=rf"FLOPs of weight 'layer\.weight' cannot be counted: .*{why}"):
        diagnostics.flops(Uses(function), None, (8,))


def test_lookups_cost_nothing_and_settings_stay() -> None:
    """Embeddings are read, not multiplied; the fast path and kernels are as before."""

    class Embeds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(9, 8), nn.Linear(8, 9)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.table(x.long()))

    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    (head,) = diagnostics.layer_flops(Embeds(), None, (5,))
    assert (head.name, head.dense) == ("head.weight", 2 * 5 * 72)
    diagnostics.flops(Recurrent(nn.LSTM), None, (5, 8))
    assert before == (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled)


def test_networks_on_the_meta_device_are_counted() -> None:
    """No values are needed to count."""
    net = Uses(lambda layer, x: F.linear(layer(x), layer.weight)).to("meta")
    assert diagnostics.flops(net, None, (8,))["dense"] == 2 * 2 * 64
