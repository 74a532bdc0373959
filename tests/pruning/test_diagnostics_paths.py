"""Weights on no path: against all paths listed one by one, and against what removing a weight changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunebench import diagnostics
from prunebench.errors import UsageError
from prunebench.pruning import Mask, prunable_weights

Node = tuple[Any, ...]
Edge = tuple[Node, Node, tuple[str, tuple[int, ...]] | None]  # from, to, the weight's name and index


def random_mask(model: nn.Module, density: float, seed: int) -> Mask:
    """Return a mask that keeps each weight with this probability."""
    chance = torch.Generator().manual_seed(seed)
    return Mask(
        {n: torch.rand(w.shape, generator=chance) < density for n, w in prunable_weights(model).items()}
    )


# -- every path, listed ----------------------------------------------------------------------------------


def conv_edges(
    name: str, weight: Tensor, source: str, target: str, size: int, stride: int = 1, padding: int = 0, groups: int = 1
) -> Iterator[Edge]:  # fmt: skip
    """Yield each multiplication of a 2-D convolution as an edge between pixels (layer, channel, row, column)."""
    outputs, per_group, kernel, _ = weight.shape
    after = (size + 2 * padding - kernel) // stride + 1
    for o in range(outputs):
        for i in range(per_group):
            channel = o // (outputs // groups) * per_group + i
            for y, x, r, c in torch.cartesian_prod(
                *map(torch.arange, (after, after, kernel, kernel))
            ).tolist():
                row, column = y * stride + r - padding, x * stride + c - padding
                if 0 <= row < size and 0 <= column < size:
                    yield (source, channel, row, column), (target, o, y, x), (name, (o, i, r, c))


def pool_edges(source: str, target: str, channels: int, size: int, window: int) -> Iterator[Edge]:
    """Yield what a pooling reads, of any kind."""
    for c, row, column in torch.cartesian_prod(*map(torch.arange, (channels, size, size))).tolist():
        if row // window < size // window and column // window < size // window:
            yield (source, c, row, column), (target, c, row // window, column // window), None


def linear_edges(name: str, weight: Tensor, nodes: list[Node], target: str) -> Iterator[Edge]:
    """Yield each weight of a linear layer on these inputs."""
    for o in range(weight.shape[0]):
        for i, node in enumerate(nodes):
            yield node, (target, o), (name, (o, i))


def on_paths(edges: list[Edge], mask: Mask, starts: set[str], end: str) -> dict[str, Tensor]:
    """List every path from the input's nodes to the outputs' along kept weights; mark the weights on them."""
    following: dict[Node, list[Edge]] = {}
    for edge in edges:
        if edge[2] is None or mask[edge[2][0]][edge[2][1]]:
            following.setdefault(edge[0], []).append(edge)
    marked = {name: torch.zeros(tensor.shape, dtype=torch.bool) for name, tensor in mask.items()}

    def walk(node: Node, path: list[Edge]) -> None:
        if node[0] == end:
            for _, _, used in path:
                if used is not None:
                    marked[used[0]][used[1]] = True
        for edge in following.get(node, []):
            walk(edge[1], [*path, edge])

    for node in [node for node in following if node[0] in starts]:
        walk(node, [])
    return marked


class Residual(nn.Module):
    """A convolution, a block with a strided shortcut, max-pooling, a linear layer: 1×5×5 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 2)
        self.bn = nn.BatchNorm2d(2)
        self.inner = nn.Conv2d(2, 2, 3, padding=1, groups=2)
        self.shortcut = nn.Conv2d(2, 2, 1, bias=False)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        x = F.relu(self.inner(x) + self.shortcut(x), inplace=True)
        return self.fc(F.max_pool2d(x, 2).flatten(1))

    def edges(self) -> list[Edge]:
        """Return the same as a graph of pixels."""
        pooled = [("pooled", c, y, x) for c in range(2) for y in range(2) for x in range(2)]
        return [
            *conv_edges("conv.weight", self.conv.weight, "in", "a", 5),
            *conv_edges("inner.weight", self.inner.weight, "a", "b", 4, padding=1, groups=2),
            *conv_edges("shortcut.weight", self.shortcut.weight, "a", "b", 4),
            *pool_edges("b", "pooled", 2, 4, 2),
            *linear_edges("fc.weight", self.fc.weight, pooled, "out"),
        ]


@pytest.mark.parametrize("density", [0.1, 0.2, 0.35, 0.6, 1])
@pytest.mark.parametrize("seed", range(6))
def test_effective_weights_are_those_on_a_listed_path(density: float, seed: int) -> None:
    """Convolutions with padding, stride and groups, a shortcut, a max-pooling: as by listing all paths."""
    net = Residual()
    mask = random_mask(net, density, seed)
    wanted = on_paths(net.edges(), mask, {"in"}, "out")
    found = diagnostics.effective_mask(net, mask, (1, 5, 5))
    assert found == Mask(wanted)
    assert diagnostics.effective_density(net, mask, (1, 5, 5)) == sum(
        int(t.sum()) for t in wanted.values()
    ) / sum(t.numel() for t in wanted.values())
    lost = diagnostics.disconnected(net, mask, (1, 5, 5))
    assert all(torch.equal(lost[name], mask[name] & ~wanted[name]) for name in mask)


@pytest.mark.parametrize("seed", range(10))
def test_effective_weights_of_a_perceptron(seed: int) -> None:
    """Four layers, a fifth of the weights: as by listing all paths."""
    net = nn.Sequential(
        nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5), nn.Linear(5, 3)
    )
    mask = random_mask(net, 0.2, seed)
    edges: list[Edge] = []
    for number, (name, weight) in enumerate(prunable_weights(net).items()):
        nodes: list[Node] = [(str(number), i) for i in range(weight.shape[1])]
        edges += linear_edges(name, weight, nodes, str(number + 1))
    assert diagnostics.effective_mask(net, mask, (6,)) == Mask(on_paths(edges, mask, {"0"}, "4"))


# -- what removing a weight changes -----------------------------------------------------------------------


class Dense(nn.Module):
    """Branches that are concatenated, an average pooling, a transposed convolution, one layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1, bias=False)
        self.up = nn.ConvTranspose2d(3, 4, 2, stride=2, groups=1, bias=False)
        self.mixed = nn.Conv2d(7, 4, 3, stride=2, bias=False)
        self.twice = nn.Linear(4, 4, bias=False)
        self.fc = nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x).relu()
        y = torch.cat([F.interpolate(y, scale_factor=2), self.up(y)], dim=1)
        y = F.adaptive_avg_pool2d(self.mixed(y), 1).flatten(1)
        return self.fc(self.twice(F.gelu(self.twice(y))))


class Gated(nn.Module):
    """Channels weighted by a squeezing gate, grouped and dilated convolutions, one-dimensional at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, dilation=2, padding=2, groups=2, bias=False)
        self.gate = nn.Linear(4, 4, bias=False)
        self.line = nn.Conv1d(4, 3, 3, bias=False)
        self.back = nn.ConvTranspose1d(3, 4, 2, groups=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = x * self.gate(x.mean((2, 3)))[:, :, None, None] * 0.5
        return self.back(self.line(x.flatten(2))).sum(2) / 3


@pytest.mark.parametrize(("build", "shape"), [(Dense, (2, 6, 6)), (Gated, (2, 4, 4))], ids=["dense", "gated"])
@pytest.mark.parametrize("density", [0.15, 0.3, 0.6])
def test_a_weight_is_effective_where_removing_it_changes_a_positive_network(
    build: Callable[[], nn.Module], shape: tuple[int, ...], density: float
) -> None:
    """With positive weights and inputs nothing cancels: outputs change if, and only if, a path is cut."""
    torch.manual_seed(1)
    net = build().double()
    mask = random_mask(net, density, seed=2)
    found = diagnostics.effective_mask(net, mask, shape)
    with torch.no_grad():
        for weight in net.parameters():
            weight.uniform_(0.5, 1)
        mask.apply(net)
        images = torch.rand(1, *shape, dtype=torch.float64) + 0.5
        before = net(images)
        for name, weight in prunable_weights(net).items():
            for index in mask[name].nonzero().tolist():
                at = tuple(index)
                value = weight[at].clone()
                weight[at] = 0
                assert (net(images) != before).any() == found[name][at], (name, at)
                weight[at] = value


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_removing_what_is_disconnected_changes_no_output_and_no_gradient(seed: int) -> None:
    """On a network without biases the outputs and the other weights' gradients stay, bit for bit."""
    torch.manual_seed(seed)
    net = Residual().double().eval()
    mask = random_mask(net, 0.25, seed)
    effective = diagnostics.effective_mask(net, mask, (1, 5, 5))
    assert effective != mask
    with torch.no_grad():
        for layer in net.modules():
            if getattr(layer, "bias", None) is not None:
                layer.bias.zero_()
    images = torch.randn(8, 1, 5, 5, dtype=torch.float64)

    def results() -> tuple[Tensor, list[Tensor]]:
        outputs = net(images)
        return outputs, list(torch.autograd.grad(outputs.square().sum(), prunable_weights(net).values()))

    outputs, gradients = mask.apply(net) and results()
    outputs_without, gradients_without = effective.apply(net) and results()
    assert torch.equal(outputs, outputs_without)
    for kept, one, two in zip(effective.values(), gradients, gradients_without, strict=True):
        assert torch.equal(one[kept], two[kept])


# -- unpruned networks are whole --------------------------------------------------------------------------


class Odd(nn.Module):
    """Pools of every kind, normalisations, activations with values at zero, differences, an unused layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.norm1 = nn.GroupNorm(2, 8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding="same", bias=False)
        self.norm2 = nn.InstanceNorm2d(8, affine=True)
        self.pool = nn.MaxPool2d(3, 2, padding=1, dilation=2, ceil_mode=True)
        self.conv3 = nn.Conv2d(8, 8, 3, padding=2)
        self.indices = nn.MaxPool2d(2, return_indices=True)
        self.power = nn.LPPool2d(2, 2, ceil_mode=True)
        self.top = nn.AdaptiveMaxPool2d(2)
        self.fc1 = nn.Linear(32, 12)
        self.norm3 = nn.LayerNorm(12)
        self.fc2 = nn.Linear(6, 4)
        self.never = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - 0.5) / 0.25
        x = torch.sigmoid(self.norm1(self.conv1(x)))
        x = x - F.hardtanh(self.norm2(self.conv2(x)))
        x = self.pool(F.silu(x).clamp(0, 1))
        x, _ = self.indices(F.softplus(self.conv3(x)))
        x = self.top(self.power(x))
        x = F.dropout(self.norm3(self.fc1(x.flatten(1))), 0.5, self.training)
        x = F.glu(x)
        scores = self.fc2(x)
        return scores - scores.amax(dim=1, keepdim=True)


@pytest.mark.parametrize("shape", [(3, 17, 17), (3, 32, 24)])
def test_an_unpruned_network_of_any_operations_is_whole(shape: tuple[int, ...]) -> None:
    """Whatever pools, normalisations and activations there are: exactly 1."""
    net = Odd()
    assert diagnostics.effective_density(net, None, shape) == 1
    one_gone = Mask.full(prunable_weights(net))
    one_gone["conv2.weight"][3] = False  # a channel without input: what it sends is idle
    mask = Mask(one_gone)
    lost = diagnostics.disconnected(net, mask, shape)
    # the difference x − f(conv2(x)) keeps channel 3 alive; nothing else is lost
    assert sum(int(tensor.sum()) for tensor in lost.values()) == 0


def deep(blocks: int, width: int) -> nn.Module:
    """Return a residual network whose paths are beyond double precision: (1 + 9·width)^blocks."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn = nn.BatchNorm2d(width)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.bn(self.conv(x)) + x)

    first = nn.Conv2d(3, width, 3, padding=1)
    return nn.Sequential(first, *(Block() for _ in range(blocks)), nn.Flatten(), nn.Linear(width * 16, 5))


def test_networks_with_more_paths_than_floating_point_numbers_are_whole() -> None:
    """400 blocks of width 8: about 1e745 paths, and none of them is lost."""
    assert diagnostics.effective_density(deep(400, 8), None, (3, 4, 4)) == 1


def test_kernels_that_only_meet_padding_are_not_lost() -> None:
    """On a single pixel a 3×3 kernel reads padding but for its middle; that is no doing of pruning's."""
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1))
    assert diagnostics.effective_density(net, None, (2, 1, 1)) == 1
    mask = Mask.full(prunable_weights(net))
    mask["0.weight"][1] = False  # the second channel has no input: it takes its kernels along
    mask["2.weight"][:, 3] = False  # the fourth has no output
    lost = diagnostics.disconnected(net, Mask(mask), (2, 1, 1))
    wanted = torch.zeros(4, 3, 3, 3, dtype=torch.bool)
    wanted[:, 1] = wanted[3] = True
    assert torch.equal(lost["1.weight"], wanted)
    assert not lost["0.weight"].any()
    assert not lost["2.weight"].any()


def test_biases_and_normalisations_keep_no_dead_unit_alive() -> None:
    """A unit without input is dead whatever its bias: its outgoing weights are disconnected."""
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 2))
    nn.init.constant_(net[0].bias, 5.0)
    nn.init.constant_(net[1].bias, 5.0)
    mask = {"0.weight": torch.tensor([[1, 1, 1], [0, 0, 0]]).bool(), "3.weight": torch.ones(2, 2).bool()}
    assert diagnostics.disconnected(net, mask, (3,))["3.weight"].tolist() == [[False, True], [False, True]]
    assert diagnostics.effective_density(net, mask, (3,)) == 5 / 10


def test_a_collapsed_layer_leaves_nothing_unless_a_shortcut_goes_around_it() -> None:
    """In a chain all is lost; in a residual block only the block."""
    chain = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    mask = Mask.full(prunable_weights(chain))
    mask["1.weight"][:] = False
    assert diagnostics.effective_density(chain, Mask(mask), (2,)) == 0
    net = Residual()
    mask = Mask.full(prunable_weights(net))
    mask["inner.weight"][:] = False
    around = diagnostics.effective_mask(net, Mask(mask), (1, 5, 5))
    assert around.kept_in("inner.weight") == 0
    assert around.kept_in("shortcut.weight") == 4
    assert around.kept_in("fc.weight") == 16


def test_attention_and_layers_out_of_the_mask_are_there() -> None:
    """Packed projections are no prunable weights: they let everything through, and the rest is whole."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    net = nn.Sequential(nn.Flatten(2), nn.Linear(16, 8), layer, nn.Flatten(), nn.Linear(24, 2))
    assert diagnostics.effective_density(net, None, (3, 4, 4)) == 1
    mask = Mask({"1.weight": torch.ones(8, 16).bool()})
    mask["1.weight"][2] = False
    assert diagnostics.effective_density(net, Mask(mask), (3, 4, 4)) == 7 / 8


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_model_is_left_as_it_was(dtype: torch.dtype) -> None:
    """Weights, precision, modes, gradients and the global random state stay; so it is on the meta device."""
    net = Residual().to(dtype)
    net.bn.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    chance = torch.get_rng_state()
    mask = random_mask(net, 0.3, 0)
    found = diagnostics.effective_mask(net, mask, (1, 5, 5))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert (net.training, net.bn.training) == (True, False)
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(torch.get_rng_state(), chance)
    with torch.no_grad():
        assert diagnostics.effective_mask(net, mask, (1, 5, 5)) == found
    assert diagnostics.effective_mask(Residual().to("meta"), mask, (1, 5, 5)) == found


@pytest.mark.parametrize(("shape", "match"), [
    ((), "wanted: positive sizes"), ((1, 0, 5), "positive sizes"), ((2, 5, 5), r"cannot be run on.*\(2, 5, 5\)"),
])  # fmt: skip
def test_an_input_shape_that_does_not_fit_is_refused(shape: tuple[int, ...], match: str) -> None:
    """The message says which shape, and what the network said."""
    with pytest.raises(UsageError, match=match):
        diagnostics.effective_density(Residual(), None, shape)


@pytest.mark.parametrize("how", ["y + x", "y += x", "y = y.add_(x)", "y.add_(x)", "y.sub_(x)", "relu_"])
def test_what_is_computed_in_place_carries_signals_too(how: str) -> None:
    """A sum written to its first summand, whether or not the code goes on with what is returned."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.last = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            y = self.second(x)
            if how == "y + x":
                y = y + x
            elif how == "y += x":
                y += x
            elif how == "y = y.add_(x)":
                y = y.add_(x)
            elif how == "y.sub_(x)":
                y.sub_(x)
            else:
                y.add_(x)
            if how == "relu_":
                y.relu_()
            return self.last(y.mean((2, 3)))

    net = Residual()
    weights = prunable_weights(net)
    mask = Mask({name: torch.full(w.shape, name != "second.weight") for name, w in weights.items()})
    density = diagnostics.effective_density(net, mask, input_shape=(1, 8, 8))
    assert density == pytest.approx((4 * 9 + 12) / mask.prunable)  # only the path around the second layer
