"""What cannot be traced, or not be removed: refused by name, or left whole, never cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import prunebench
from prunebench.errors import UsageError
from prunebench.pruning.filters import compare, filter_groups
from prunebench.pruning.filters.groups import FilterGroups

SHAPE = (3, 8, 8)


class Net(nn.Module):
    """A forward of its own over two convolutions and a linear layer."""

    def __init__(self, way: Callable[[Any, Tensor], Tensor], inputs: int = 8, **layers: nn.Module) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(inputs, 4)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        """Map N×3×8×8 to N×4."""
        return self.head(self.way(self, x))  # type: ignore[no-any-return]


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def by_value(net: Any, x: Tensor) -> Tensor:
    y = net.a(x)
    return pooled(-y if y.sum() > 0 else y)


@pytest.mark.parametrize(
    ("way", "match"),
    [
        (by_value, r"cannot be traced, as the network does not run on inputs .* without their values"),
        (lambda net, x: pooled(net.a(x).cumprod(1)), r"'a.weight': it enters the operation 'cumprod', which has no rule"),
        (lambda net, x: torch.linalg.qr(pooled(net.a(x)))[0].sum(1, True).expand(2, 8), r"'a.weight': it enters the operation 'linalg_qr'"),
        (
            lambda net, x: F.adaptive_avg_pool2d(net.a(x), 1).view(-1, 8),
            r"the filters of layer 'a.weight' cannot be removed: the smaller network does not run: ",
        ),
        (
            lambda net, x: pooled(net.a(x)) * (8 / net.a(x).shape[1]) ** 2,
            r"layer 'a.weight' cannot be removed: outputs differ by .*depends on how many channels there are",
        ),
        (lambda net, x: pooled(net.a(x).softmax(1)), r"no filter of the network may go: 'a.weight': the operation '_soft"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_names_unit_and_the_operation_or_layer(way: Any, match: str) -> None:
    with pytest.raises(UsageError, match=rf"^unit = 'filter': .*{match}"):
        filter_groups(Net(way), input_shape=SHAPE)
    with pytest.raises(UsageError, match=r"^unit = 'filter'"):
        prunebench.prune(Net(way), "magnitude", density=0.5, unit="filter", input_shape=SHAPE)


def shuffled(net: Any, x: Tensor) -> Tensor:
    y = net.b(net.a(x))
    n, c, h, w = y.shape
    return pooled(y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


def written(x: Tensor) -> Tensor:
    into = torch.zeros_like(x)
    into[:, :, 1:] = x[:, :, 1:]
    return into


STAYS: dict[str, tuple[Any, str]] = {
    "a shuffle of channels": (shuffled, "its channels are divided among dimensions"),
    "constants of the same shape": (
        lambda net, x: pooled(net.b(F.relu(net.a(x))) + torch.ones(2, 8, 8, 8)),
        "it meets numbers of a shape of their own",
    ),
    "a GroupNorm": (
        lambda net, x: pooled(net.norm(net.b(net.a(x)))),
        "the operation 'native_group_norm' goes over channels",
    ),
    "an operation without a rule": (
        lambda net, x: (
            pooled(net.a(x)) + net.b(F.relu(net.a(x))).argmax(1, keepdim=True).float().mean((2, 3))
        ),
        "it enters the operation 'argmax', which has no rule",
    ),
    "numbers that are written into others": (
        lambda net, x: pooled(written(net.b(F.relu(net.a(x))))),
        "it enters the operation 'copy', which has no rule",
    ),
    "spatial attention": (
        lambda net, x: pooled(net.a(x)) * net.b(net.a(x))[:, :1].mean((2, 3)),
        "its channels are cut by their numbers",
    ),
    "a roll": (lambda net, x: pooled(torch.roll(net.b(net.a(x)), 1, 1)), "its channels are rolled by their numbers"),
    "a roll of all numbers": (
        lambda net, x: pooled(torch.roll(net.b(net.a(x)), 64)),
        "its channels are rolled by their numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_channels_that_no_removal_is_right_for_stay(name: str) -> None:
    """The other layer's filters may still go, and removing them is right."""
    way, why = STAYS[name]
    net = Net(way, norm=nn.GroupNorm(2, 8))
    groups = filter_groups(net, input_shape=SHAPE)
    assert groups.stays["b.weight"] == why
    assert list(groups.shapes) == ["a.weight"]


def test_a_shortcut_that_is_cut_and_padded_with_zeros_keeps_what_it_is_added_to() -> None:
    def way(net: Any, x: Tensor) -> Tensor:
        y = net.b(F.relu(net.a(x)))
        return pooled(net.wide(y) + F.pad(y[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))

    groups = filter_groups(Net(way, 16, wide=nn.Conv2d(8, 16, 3, 2, 1)), input_shape=SHAPE)
    assert groups.stays["b.weight"] == "constant channels are put beside its own"
    assert "wide.weight" in groups.stays
    assert list(groups.shapes) == ["a.weight"]


@pytest.mark.parametrize("dim", [1, 2])
def test_one_number_spread_over_all_channels_or_places(dim: int) -> None:
    """A gate of one channel stays; one of each channel goes along."""
    gate = nn.Conv2d(8, 1 if dim == 1 else 8, 1)
    net = Net(lambda net, x: pooled(net.a(x) * torch.sigmoid(net.gate(net.a(x)))), gate=gate)
    groups = filter_groups(net, input_shape=SHAPE)
    assert groups.sets == ((("a.weight",),) if dim == 1 else (("a.weight", "gate.weight"),))


def test_ties_that_were_missed_are_found_by_the_outputs() -> None:
    """Groups that leave a reader out, or take another's channel, are what a fault of tracing would be."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(96, 4))
    groups = filter_groups(net, input_shape=SHAPE)
    readers = [f for f in groups.followers if (f.name, f.dim) == ("2.weight", 1)]
    others = tuple(f for f in groups.followers if f not in readers)
    inputs = torch.empty((2, *SHAPE), device="meta")
    with pytest.raises(
        UsageError, match=r"layer '0.weight' cannot be removed: the smaller network does not run"
    ):
        compare.compare(net, _with(groups, others), inputs)
    turned = readers[0].__class__(**{**vars(readers[0]), "groups": np.roll(readers[0].groups, 1)})
    compare.compare(net, groups, inputs)
    # the columns that go are no longer those that the filters feed: zeros and smaller agree on other columns
    with pytest.raises(UsageError, match=r"'0.weight' cannot be removed: outputs differ"):
        compare.compare(net, _with(groups, (*others, turned)), inputs)


def _with(groups: FilterGroups, followers: tuple[Any, ...]) -> FilterGroups:
    return FilterGroups(**{**vars(groups), "followers": followers})


def test_weights_that_are_computed_have_no_filters_to_remove() -> None:
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3))
    net = nn.Sequential(
        conv, nn.ReLU(), nn.Conv2d(8, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )
    assert list(filter_groups(net, input_shape=SHAPE).shapes) == ["2.weight"]


def test_a_weight_that_two_layers_share_stays_where_one_of_them_is_the_output() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.middle, self.decoder = nn.Linear(6, 6), nn.Linear(6, 5), nn.Linear(5, 6)
            self.decoder2 = nn.Linear(6, 6)
            self.decoder2.weight = self.encoder.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.decoder2(F.relu(self.decoder(F.relu(self.middle(F.relu(self.encoder(x)))))))  # type: ignore[no-any-return]

    groups = filter_groups(Tied(), input_shape=(6,))
    assert list(groups.shapes) == ["middle.weight"]
    assert groups.stays["encoder.weight"] == "its outputs are the network's"


def test_a_weight_that_is_used_both_ways_round_ties_its_inputs_to_the_other_layers_outputs() -> None:
    """An autoencoder whose decoder is the encoder's transpose."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.encoder, self.head = nn.Linear(6, 10), nn.Linear(10, 8), nn.Linear(10, 4)

        def forward(self, x: Tensor) -> Tensor:
            code = F.relu(self.encoder(F.relu(self.first(x))))
            return self.head(F.relu(F.linear(code, self.encoder.weight.t())))  # type: ignore[no-any-return]

    groups = filter_groups(Both(), input_shape=(6,))
    assert groups.sets == (("first.weight",), ("encoder.weight",))
    stays = groups.taken_along({**groups.full(), "first.weight": torch.arange(10)[:, None].expand(10, 6) > 0})
    assert set(stays) == {"first.weight", "first.bias", "encoder.weight", "head.weight"}


def test_networks_in_half_precision_are_compared_in_a_finer_one() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)).half()
    assert list(filter_groups(net, input_shape=SHAPE).shapes) == ["0.weight"]
    assert list(filter_groups(net, inputs=torch.zeros(1, *SHAPE)).shapes) == ["0.weight"]
    mask = prunebench.prune(net, "filter-norm", density=0.5, input_shape=SHAPE)
    small = prunebench.shrink(net, mask, input_shape=SHAPE)
    assert {parameter.dtype for parameter in small.parameters()} == {torch.float16}


def test_outputs_that_are_not_finite_are_left_out_of_the_comparison() -> None:
    assert list(filter_groups(Net(lambda net, x: pooled(net.a(x)).log()), input_shape=SHAPE).shapes) == [
        "a.weight"
    ]


def test_a_network_that_refuses_random_inputs_is_told() -> None:
    def way(net: Any, x: Tensor) -> Tensor:
        assert x.is_meta or not isinstance(x, Tensor) or type(x) is not Tensor, "no such inputs"
        return pooled(net.a(x))

    with pytest.raises(
        UsageError, match=r"^unit = 'filter': .* does not run on random inputs .*no such inputs"
    ):
        filter_groups(Net(way), input_shape=SHAPE)


def test_a_layer_that_runs_over_channels_as_places_is_not_told_to_run_nowhere() -> None:
    """As a layer that mixes tokens, or attends to channels."""

    def way(net: Any, x: Tensor) -> Tensor:
        y = pooled(net.a(x)) * net.places(pooled(net.a(x)).unsqueeze(1)).squeeze(1)
        return net.tokens(net.b(F.relu(net.a(x))).flatten(2)).mean(2) + y

    layers = {"places": nn.Conv1d(1, 1, 3, padding=1), "tokens": nn.Linear(64, 5), "idle": nn.Linear(3, 3)}
    free = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Conv2d(5, 3, 1))
    net = Net(lambda net, x: way(net, net.free(x)), free=free, **layers)
    groups = filter_groups(net, input_shape=SHAPE)
    assert list(groups.shapes) == ["free.0.weight", "free.1.weight"]
    assert groups.stays["places.weight"] == "its inputs are channels at different places"
    assert groups.stays["tokens.weight"] == "its inputs are channels at different places"
    assert groups.stays["b.weight"] == "layer 'tokens.weight' reads it at different places"
    assert groups.stays["idle.weight"] == "no layer with it runs"


def test_groups_that_depend_on_their_numbers_are_found_by_one_half_or_the_other() -> None:
    """Channels that are rolled agree for every half that keeps the last one."""
    net = Net(lambda net, x: pooled(net.b(net.a(x))))
    groups = filter_groups(net, input_shape=SHAPE)
    reader = next(f for f in groups.followers if (f.name, f.dim) == ("b.weight", 1))
    rolled = reader.__class__(**{**vars(reader), "groups": np.roll(reader.groups, 1)})
    wrong = _with(groups, tuple(rolled if f is reader else f for f in groups.followers))
    net.way = lambda net, x: pooled(net.b(net.a(x).roll(1, 1)))
    with pytest.raises(UsageError, match=r"'a.weight' cannot be removed: outputs differ"):
        compare.compare(net, wrong, torch.empty((2, *SHAPE), device="meta"))


def test_what_training_alone_does_without_parameters_is_compared() -> None:
    def way(net: Any, x: Tensor) -> Tensor:
        y = pooled(net.b(net.a(x)))
        return y + torch.ones(8) if net.training else y

    with pytest.raises(UsageError, match=r"'b.weight' cannot be removed: .*does not run in training mode"):
        filter_groups(Net(way), input_shape=SHAPE)


def test_copies_on_several_devices_are_to_be_given_without() -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    with pytest.raises(UsageError, match=r"model is wrapped in DataParallel: give model\.module$"):
        prunebench.prune(nn.DataParallel(net), "magnitude", density=0.5, unit="filter", input_shape=(6,))
    inside = nn.Sequential(nn.DataParallel(net), nn.Linear(4, 4))
    with pytest.raises(UsageError, match=r"model\.0 is wrapped in DataParallel: put model\.0\.module in its"):
        filter_groups(inside, input_shape=(6,))


@pytest.mark.parametrize(
    "asked",
    [lambda net: prunebench.shrink(net, {}), lambda net: prunebench.taken_along(net, {}), filter_groups],
)
@pytest.mark.parametrize("net", [None, "x", 3])
def test_what_is_no_network_is_told_as_everywhere(net: Any, asked: Callable[[Any], Any]) -> None:
    """Whatever is asked of its filters."""
    with pytest.raises(UsageError, match=rf"model must be a torch.nn.Module; found {type(net).__name__}$"):
        asked(net)


@pytest.mark.parametrize("has", [["a.weight"], ["a.weight", "c.weight"]])
def test_a_mask_that_lacks_a_tied_layer_is_told_which(has: list[str]) -> None:
    """Whether or not other layers of it may go."""

    def way(net: Any, x: Tensor) -> Tensor:
        y = net.a(x)
        return pooled(net.c(y + net.b(y)))

    net = Net(way, c=nn.Conv2d(8, 8, 3))
    mask = {name: torch.ones_like(net.get_parameter(name), dtype=torch.bool) for name in has}
    with pytest.raises(UsageError, match=r"the mask has no 'b.weight', which is tied to 'a.weight': "):
        prunebench.shrink(net, mask, input_shape=SHAPE)


@pytest.mark.parametrize("asked", [{"how": "synflow"}, {"how": "filter-norm"}])
def test_a_shape_with_the_batch_in_it_is_told(asked: dict[str, str]) -> None:
    """Whether it is traced or scored with it; another wrong shape is told as before."""
    net = Net(lambda net, x: pooled(net.b(net.a(x))))
    told = (
        r"input_shape: found \(4, 3, 8, 8\); allowed: one input's shape, without the batch, as \(3, 8, 8\)$"
    )
    with pytest.raises(UsageError, match=told):
        prunebench.prune(net, asked["how"], density=0.5, input_shape=(4, *SHAPE))
    with pytest.raises(UsageError, match="inputs of shape"):
        prunebench.prune(net, asked["how"], density=0.5, input_shape=(4, 8, 8))
