"""The built-in diagnostics return plain JSON values that agree with counts by hand and closed forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from prunebench_plugins.architectures import prunebench_architectures
from prunebench_plugins.diagnostics import (
    collapsed_layers,
    disconnected,
    effective_density,
    flops,
    latency,
    layer_sparsity,
    neuron_sparsity,
    prunebench_diagnostics,
    shrunk,
    training_flops,
    weights_remaining,
)
from prunebench_plugins.initializations import prunebench_initializations
from torch import nn

from prunebench import Mask, diagnostics, prune
from prunebench.pruning import prunable_weights, shuffle_mask
from prunebench.training.course import Change, Course, Phase
from prunebench.training.initialize import make_network
from prunebench.training.streams import stream

SHAPE = (1, 2, 2)
NET = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(2, 3))
MASK = Mask(
    {
        "0.weight": torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool).reshape(2, 1, 2, 2),
        "2.weight": torch.tensor([[1, 1], [1, 0], [1, 1]], dtype=torch.bool),
    }
)
ARCHITECTURES = {a.name: a for a in prunebench_architectures()}


def plain(value: Any) -> Any:
    """Return a value that has gone through JSON and come back the same."""
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    return value


def test_diagnostics_are_versioned_and_described() -> None:
    """Those of a course say so; all have a text."""
    found = {d.name: d for d in prunebench_diagnostics()}
    assert {name for name, d in found.items() if d.of == "course"} == {"weights-remaining", "training-flops"}
    assert {name for name, d in found.items() if d.of == "mask"} == {
        "layer-sparsity", "neuron-sparsity", "collapsed-layers", "effective-density", "disconnected", "flops",
        "shrunk",
    }  # fmt: skip
    assert {name for name, d in found.items() if d.of == "epochs"} == {"ratios-by-epoch"}
    assert all(d.version and len(d.documentation) > 80 for d in found.values())


# -- masks -----------------------------------------------------------------------------------------------


def test_layer_sparsity_counts_each_layer() -> None:
    """In module order, kept and prunable as counts; the last layer is the output."""
    found = plain(layer_sparsity(NET, MASK, SHAPE))
    rows = [(r["name"], r["kept"], r["prunable"]) for r in found["layers"]]
    assert rows == [("0.weight", 2, 8), ("2.weight", 5, 6)]
    assert (found["first"], found["output"]) == (0.75, 1 / 6)
    assert found["output_excess"] == pytest.approx(1 / 6 - 0.75)
    assert found["shortcuts"] is None


def test_layer_sparsity_sets_shortcuts_against_their_blocks() -> None:
    """ResNet-8 with the shortcut of one block gone: 1 less the half of the block's other layers."""
    net = ARCHITECTURES["resnet8"].build((3, 32, 32), 10, **ARCHITECTURES["resnet8"].parameters)
    mask = Mask.full(prunable_weights(net))
    one, two = [name for name in mask if "shortcut" in name]
    mask[one][:] = False
    block = one.partition("shortcut")[0]
    for name in mask:
        if name.startswith(block) and name != one:
            mask[name].view(-1)[::2] = False
    found = plain(layer_sparsity(net, Mask(mask), (3, 32, 32)))
    assert found["shortcut_excess"] == (0.5 + 0) / 2
    assert (found["shortcuts"], found["shortcuts_collapsed"]) == (0.5, 1)
    assert found["output_excess"] == 0
    assert (found["early"], found["late"], found["spread"]) == (0, 0, 0.5)
    assert two != one


def test_neuron_sparsity_is_the_removed_share_of_incoming_weights() -> None:
    """Rows of a linear layer, output channels of a convolution; one of five neurons has no input."""
    found = plain(neuron_sparsity(NET, MASK, SHAPE))
    assert found["layers"] == {"0.weight": [0.5, 1.0], "2.weight": [0.0, 0.5, 0.0]}
    assert (found["neurons"], found["collapsed"]) == (5, 0.2)
    assert (found["channels"], found["in_pruned_shortcuts"]) == (0.5, 0)
    shares = [found["at_least"][percent] for percent in ("0", "1", "50", "51", "99", "100")]
    assert shares == [1, 0.6, 0.6, 0.2, 0.2, 0.2]


def test_pruned_channels_are_set_apart_that_lie_in_whole_shortcuts() -> None:
    """ResNet-8 with one shortcut gone, one channel of the other, and one unit of the output: 32 of 33 channels."""
    net = ARCHITECTURES["resnet8"].build((3, 32, 32), 10, **ARCHITECTURES["resnet8"].parameters)
    mask = Mask.full(prunable_weights(net))
    one, two = [name for name in mask if "shortcut" in name]
    mask[one][:] = False
    mask[two][0] = False
    mask["fc.weight"][3] = False
    found = plain(neuron_sparsity(net, Mask(mask), (3, 32, 32)))
    channels = sum(len(weight) for name, weight in mask.items() if name != "fc.weight")
    assert len(mask[one]) == 32
    assert found["channels"] == 33 / channels
    assert found["collapsed"] == 34 / (channels + 10)
    assert found["in_pruned_shortcuts"] == 32 / 33
    dense = plain(neuron_sparsity(nn.Linear(2, 3), None, (2,)))
    assert (dense["channels"], dense["in_pruned_shortcuts"]) == (None, None)


def test_collapsed_layers_are_named_and_counted() -> None:
    """One of two layers gone."""
    gone = Mask({"0.weight": torch.zeros(2, 1, 2, 2).bool(), "2.weight": torch.ones(3, 2).bool()})
    assert plain(collapsed_layers(NET, gone, SHAPE)) == {"count": 1, "share": 0.5, "layers": ["0.weight"]}


def test_effective_density_and_disconnected_weights_add_up() -> None:
    """The second channel has no input: the two kept weights from it are lost, 5 of 14 are effective."""
    found = plain(effective_density(NET, MASK, SHAPE))
    assert (found["effective"], found["kept"], found["prunable"]) == (5, 7, 14)
    assert (found["density"], found["share"], found["collapsed"]) == (5 / 14, 5 / 7, False)
    lost = plain(disconnected(NET, MASK, SHAPE))
    assert lost == {"weights": 2, "share": 2 / 7, "layers": {"0.weight": 0, "2.weight": 2}}


def test_flops_of_a_small_network() -> None:
    """One pixel for the convolution, one use of the linear layer, two FLOPs a weight."""
    found = plain(flops(NET, MASK, SHAPE))
    assert (found["dense"], found["sparse"], found["share"]) == (28, 14, 0.5)
    assert found["layers"][1] == {"name": "2.weight", "uses": 1, "dense": 12, "sparse": 10}


LARGE = ("imagenet", "resnet50", "wrn", "resnet98", "resnet110", "modified", "alexnet-b", "vgg-c", "vgg-d")


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.slow if any(part in name for part in LARGE) else ())
    for name in ARCHITECTURES
])  # fmt: skip
def test_every_unpruned_architecture_is_wholly_connected(name: str) -> None:
    """Exactly 1, VGG with its poolings and networks whose last maps are a single pixel among them."""
    architecture = ARCHITECTURES[name]
    shape = (3, 64, 64) if "tiny" in name else (3, 224, 224) if "imagenet" in name else (3, 32, 32)
    shape = (1, 28, 28) if "lenet" in name else shape
    net = architecture.build(shape, 10, **architecture.parameters)
    assert diagnostics.effective_density(net, None, shape) == 1


@pytest.mark.slow
def test_resnet110_keeps_its_paths_under_pruning() -> None:
    """1e271 paths unpruned; with a fiftieth of the weights no number overflows and most are connected."""
    net = ARCHITECTURES["resnet110"].build((3, 32, 32), 10, **ARCHITECTURES["resnet110"].parameters)
    chance = torch.Generator().manual_seed(0)
    weights = prunable_weights(net)
    mask = Mask({n: torch.rand(w.shape, generator=chance) < 0.02 for n, w in weights.items()})
    found = diagnostics.effective_density(net, mask, (3, 32, 32))
    assert 0.9 * mask.density < found < mask.density


@pytest.mark.slow
@pytest.mark.parametrize(("name", "billions"), [("resnet50", 4.09), ("vgg16-imagenet", 15.47)])
def test_flops_are_twice_the_published_multiply_adds(name: str, billions: float) -> None:
    """ResNet-50 and VGG-16 on ImageNet, as TorchVision's tables give them."""
    net = ARCHITECTURES[name].build((3, 224, 224), 1000, **ARCHITECTURES[name].parameters)
    assert diagnostics.flops(net, None, (3, 224, 224))["dense"] / 2e9 == pytest.approx(billions, abs=0.01)


@pytest.mark.slow
def test_synflow_prunes_whole_neurons_as_published() -> None:
    """ResNet-20 at 73.8 %: SynFlow takes 31 % of the channels, shuffled 1 %, magnitude none (Frankle, §5)."""

    def collapsed(mask: Mask) -> float:
        neurons = diagnostics.neuron_sparsity(net, mask)
        return diagnostics.neuron_share({n: v for n, v in neurons.items() if n != "fc.weight"}, 1.0)

    architecture = ARCHITECTURES["resnet20"]
    draw = next(i.draw for i in prunebench_initializations() if i.name == "kaiming-normal")
    net = make_network(lambda: architecture.build((3, 32, 32), 10, **architecture.parameters), draw, 0)
    mask = prune(net, "synflow", density=0.8**6, input_shape=(3, 32, 32))
    assert collapsed(mask) == pytest.approx(0.31, abs=0.02)
    assert collapsed(shuffle_mask(mask, stream(0, "shuffle"))) == pytest.approx(0.01, abs=0.01)
    assert collapsed(prune(net, "magnitude", density=0.8**6)) == 0


# -- courses ---------------------------------------------------------------------------------------------


def train(steps: int, **fields: Any) -> Phase:
    """Return a training with batches of ten."""
    return Phase("train", examples=10 * steps, passes=3.0, steps=steps, **fields)


def remaining(course: Course, mask: Mask | None = MASK) -> dict[str, Any]:
    """Return the measure of a course, checked for plain JSON."""
    found: dict[str, Any] = plain(weights_remaining(NET, mask, SHAPE, course))
    return found


def test_weights_remaining_of_an_unpruned_network() -> None:
    """All of them, at each step: the area is the number of steps."""
    found = remaining(Course((train(100, evaluated=True),)), None)
    assert found["curve"] == [[0, 1.0], [100, 1.0]]
    assert (found["steps"], found["area"], found["mean"], found["relative"]) == (100, 100, 1, 1)


def test_weights_remaining_of_pruning_at_initialization() -> None:
    """The density throughout; scoring is no training step."""
    score = Phase("score", examples=40, passes=3, rounds=1, kept=(14,))
    found = remaining(Course((score, train(100, weights="mask", evaluated=True))))
    assert found["curve"] == [[0, 0.5], [100, 0.5]]
    assert found["relative"] == 0.5
    assert found["retroactive"] == {k: v for k, v in found.items() if k not in ("final", "retroactive")}


def test_weights_remaining_after_training_and_of_rewinding() -> None:
    """Both train the unpruned network first; rewound weights had seen 20 steps when seen in retrospect."""
    after = remaining(Course((train(100), train(100, weights="mask", evaluated=True, before=100))))
    assert after["curve"] == [[0, 1.0], [100, 0.5], [200, 0.5]]
    assert (after["area"], after["mean"], after["relative"]) == (150, 0.75, 1.5)
    assert after["retroactive"]["area"] == 150
    rewound = remaining(Course((train(100), train(100, weights="mask", evaluated=True, before=20))))
    assert rewound["area"] == 150
    assert rewound["retroactive"]["curve"] == [[0, 1.0], [20, 0.5], [120, 0.5]]
    assert rewound["retroactive"]["area"] == 70


def test_weights_remaining_of_gradual_pruning_is_the_integral_of_its_cubic() -> None:
    """s(t) = s_f (1 − (1 − t/n)³) has the mean s_f · 3/4 over the ramp: the area follows, to a rounding."""
    net = nn.Sequential(nn.Linear(1000, 1000, bias=False))
    ramp, total, last = 3000, 4000, 0.9
    mask = Mask({"0.weight": torch.arange(10**6).reshape(1000, 1000) >= 9 * 10**5})

    def kept(step: int) -> int:
        return round(10**6 * (1 - last + last * (1 - step / ramp) ** 3))

    changes = tuple(Change(step, {"0.weight": kept(step)}) for step in range(1, ramp + 1))
    course = Course((train(total, weights="history", evaluated=True),), changes)
    found = weights_remaining(net, mask, (1000,), course)
    exact = ramp * (1 - last * 3 / 4) + (total - ramp) * (1 - last)
    assert found["area"] == pytest.approx(exact, abs=1)  # a staircase of steps of one, not the curve
    assert found["curve"][-1] == [total, pytest.approx(0.1)]
    middle = dict(found["curve"])[ramp // 2]
    assert middle == pytest.approx(1 - 0.9 * 7 / 8, abs=1e-6)
    cost = training_flops(net, mask, (1000,), course)
    assert cost["sparse"] / cost["dense"] == pytest.approx(found["mean"])


def test_changes_outside_of_the_run_are_not_counted() -> None:
    """A run that starts at step 5 of the schedule has the mask of a change before it from the start."""
    changes = (Change(2, {"0.weight": 8, "2.weight": 3}), Change(9, {"0.weight": 2, "2.weight": 5}))
    course = Course((train(10, start=5, weights="history", evaluated=True),), changes)
    assert remaining(course)["curve"] == [[0, 11 / 14], [4, 7 / 14], [10, 7 / 14]]


def test_training_flops_add_up_by_hand() -> None:
    """14 weights, each used once: 28 FLOPs dense and 14 sparse a forward pass, three of these a step."""
    score = Phase("score", examples=40, passes=4.0, rounds=2, kept=(14, 7))
    found = plain(training_flops(NET, MASK, SHAPE, Course((train(100), score, train(100, weights="mask", evaluated=True)))))  # fmt: skip
    dense = 3 * 1000 * 28
    assert found["training"] == {"dense": 2 * dense, "sparse": 1.5 * dense}
    assert found["scoring"] == {"dense": 4 * 40 * 2 * 28, "sparse": 4 * 40 * (28 + 14)}
    assert found["dense"] == found["training"]["dense"] + found["scoring"]["dense"]
    assert found["relative"]["sparse"] == pytest.approx((1.5 * dense + 4 * 40 * 42) / dense)


def test_training_flops_weigh_layers_by_how_often_they_are_used() -> None:
    """Gradual pruning of a convolution on nine pixels: its weights count nine times, the linear layer's once."""
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(18, 1))
    mask = Mask({"0.weight": torch.zeros(2, 1, 2, 2).bool(), "2.weight": torch.ones(1, 18).bool()})
    course = Course(
        (train(4, weights="history", evaluated=True),), (Change(1, {"0.weight": 0, "2.weight": 18}),)
    )
    found = training_flops(net, mask, (1, 4, 4), course)
    whole, left = 2 * (9 * 8 + 18), 2 * 18
    assert found["sparse"] == 3 * 10 * (whole + 3 * left)
    assert found["dense"] == 3 * 40 * whole


def test_training_flops_of_an_unpruned_cell() -> None:
    """Once the whole schedule: 1, dense and sparse alike, nothing for scoring."""
    found = plain(training_flops(NET, None, SHAPE, Course((train(100, evaluated=True),))))
    assert found["relative"] == {"dense": 1, "sparse": 1}
    assert found["scoring"] == {"dense": 0, "sparse": 0}


def test_a_run_that_starts_later_in_the_schedule_is_measured_by_the_whole_schedule() -> None:
    """Half a schedule dense, pruned to nearly all weights, the second half: one unpruned training."""
    mask = Mask.full(MASK)
    half = train(50, start=50, weights="mask", evaluated=True, before=50)
    course = Course((train(50), half))
    assert remaining(course, mask)["relative"] == 1.0
    assert plain(training_flops(NET, mask, SHAPE, course))["relative"]["sparse"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "mask",
    [
        Mask({"0.weight": torch.ones(6, 4) > 0, "2.weight": torch.zeros(3, 6) > 0}),  # a layer collapsed
        Mask({"0.weight": torch.ones(6, 4) > 0, "2.weight": torch.eye(3)[:, :1].expand(3, 6) > 0}),
    ],
)
def test_masks_of_weights_that_are_of_whole_rows_by_chance_leave_no_smaller_network(mask: Mask) -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    measured = shrunk(net, mask, (4,))
    assert measured["filters"] is None
    assert measured["inputs"] is None
    assert measured["parameters"] == {"masked": 51, "shrunk": 51, "share": 1.0}
    assert set(latency(net, mask, (4,))) == {"masked", "shrunk"}
