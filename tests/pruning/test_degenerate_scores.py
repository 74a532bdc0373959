"""Scores that rank nothing are refused, those that rank too little are told, and others never are."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from prunebench_plugins.architectures import vgg
from prunebench_plugins.scorers import snip, synflow
from shorthand import prune_rounds, score_network
from torch import Tensor, nn

import prunebench
from prunebench.errors import ComponentError, PruningWarning, UsageError
from prunebench.pruning import Mask, keep_top
from prunebench.pruning.degenerate import chosen_by_position, emptied_layers, only_score

X = torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3


def net(*after: nn.Module, width: int = 16) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3), *after)


def dead() -> nn.Sequential:
    """A network whose hidden units are all below zero for every input."""
    model = net()
    nn.init.constant_(model[0].bias, -100)
    return model


def constant(value: float, model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        nn.init.constant_(parameter, value)
    return model


def warned(run: Any) -> tuple[Any, list[str]]:
    """Return what a call returns, and what it warned of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = run()
    return result, [str(w.message) for w in found if issubclass(w.category, PruningWarning)]


class Ends(nn.Module):
    """A network with something at its end."""

    def __init__(self, end: Any) -> None:
        super().__init__()
        self.net = net()
        self.end = end

    def forward(self, x: Tensor) -> Any:
        return self.end(self.net(x))


BATCH: dict[str, Any] = {"batch": (X, Y)}
NOTHING: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "every label ignored": (net, "snip", {"batch": (X, torch.full((12,), -100))}, "loss is nan.*all 12 labels are -100"),
    "one output": (lambda: nn.Linear(6, 1), "snip", {"batch": (X, Y * 0)}, "one output.*always 0: give loss="),
    "one output, second order": (lambda: nn.Linear(6, 1), "grasp", {"batch": (X, Y * 0)}, "one output"),
    "an input that is NaN": (net, "snip", {"batch": (X * torch.nan, Y)}, "loss is nan.*36 of 36 outputs"),
    "a loss that is NaN": (net, "grasp", {**BATCH, "loss": lambda o, y: o.sum() * torch.nan}, "loss is nan.*finite"),
    "a loss that is infinite": (net, "force", {**BATCH, "loss": lambda o, y: o.sum().exp() / 0}, "loss is inf"),
    "a constant loss": (net, "snip", {**BATCH, "loss": lambda o, y: o.sum() * 0}, "scorer 'snip': every score is 0"),
    "a linear loss has no curvature": (
        lambda: nn.Linear(6, 3), "grasp", {**BATCH, "loss": lambda o, y: o.sum()}, "scorer 'grasp': every score is 0",
    ),
    "dead units": (dead, "force", BATCH, "scorer 'force': every score is 0"),
    "weights that are 0": (lambda: constant(0, net()), "magnitude", {}, "scorer 'magnitude': every score is 0"),
    "softmax": (lambda: net(nn.Softmax(1)), "synflow", {"input_shape": (6,)}, "sum to 1 whatever .*Softmax"),
    "scaled softmax": (lambda: Ends(lambda o: o.softmax(1) / 7), "synflow", {"input_shape": (6,)}, "sum to 0.142857"),
    "saturated softmax": (lambda: Ends(lambda o: (o * 1e6).softmax(1)), "synflow", {"input_shape": (6,)}, "sum to 1"),
    "softmax of equals": (
        lambda: constant(0.5, Ends(lambda o: (o * 1e30).softmax(1))), "synflow", {"input_shape": (6,)}, "sum to 1",
    ),
    "softmax in a tuple": (lambda: Ends(lambda o: (o.softmax(1), None)), "synflow", {"input_shape": (6,)}, "sum to 1"),
    "centred": (lambda: Ends(lambda o: o - o.mean(1, keepdim=True)), "synflow", {"input_shape": (6,)}, "whatever"),
    "normalised": (lambda: net(nn.LayerNorm(3)), "synflow", {"input_shape": (6,)}, "whatever"),
    "a constant": (lambda: Ends(lambda o: o * 0 + 1), "synflow", {"input_shape": (6,)}, "sum to 3 whatever"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTHING)
def test_what_ranks_nothing_is_an_error_that_says_why(case: str) -> None:
    """In prune and in score, one shot and in rounds."""
    build, scorer, how, message = NOTHING[case]
    rounds = prunebench.Form.model_validate({"scorer": scorer, "schedule": {"rounds": 3}})
    for method in (scorer, rounds):
        with pytest.raises((UsageError, ComponentError), match=message):
            prunebench.prune(build(), method, density=0.3, **how)
    with pytest.raises((UsageError, ComponentError), match=message):
        prunebench.score(build(), scorer, **how)


@pytest.mark.parametrize("end", [
    nn.LogSoftmax(1), nn.Sigmoid(), nn.Tanh(), nn.ReLU6(), nn.Softplus(), nn.Identity(), nn.BatchNorm1d(3),
    nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 3)),
], ids=lambda end: type(end).__name__)  # fmt: skip
def test_ends_whose_sum_depends_on_the_weights_are_scored(end: nn.Module) -> None:
    """SynFlow refuses nothing because of its name or place."""
    mask, said = warned(lambda: prunebench.prune(net(end), "synflow", density=0.3, input_shape=(6,)))
    assert mask.kept == round(0.3 * mask.prunable)
    assert said == []
    unit = Ends(lambda outputs: F.normalize(outputs, dim=1))  # its sum is that of a direction
    assert prunebench.score(unit, "synflow", input_shape=(6,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_noise_in_a_networks_own_precision(dtype: torch.dtype) -> None:
    """Where a network is scored in less than float64, a constant sum is seen all the same, and a flow as well."""
    how: dict[str, Any] = {"input_shape": (6,), "precision": "own"}
    with pytest.raises(UsageError, match="whatever its weights are"):
        prunebench.score(net(nn.Softmax(1)).to(dtype), "synflow", **how)
    assert prunebench.score(net().to(dtype), "synflow", **how)


@pytest.mark.parametrize("gain", [1e-3, 1e-1, 1.0, 1e2])
def test_flows_of_any_size_are_scored(gain: float) -> None:
    """A flow of 1e-40 beside a bias of 0.5, or of 1e28, is no rounding noise: each layer's scores sum to it."""
    torch.manual_seed(0)
    layers = [layer for _ in range(14) for layer in (nn.Linear(8, 8), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(8, 3))
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(gain)
                layer.bias.zero_()
        model[-1].bias.fill_(0.5)
    scores = prunebench.score(model, "synflow", input_shape=(8,))
    flow = torch.ones(8, dtype=torch.float64)
    for name, weight in model.named_parameters():
        if name.endswith("weight"):
            flow = weight.detach().double().abs() @ flow
    expected = float(flow.sum())
    assert expected < 1e-35 or gain > 1e-3
    for score in scores.values():
        assert float(score.sum()) == pytest.approx(expected, rel=1e-9)


def test_networks_that_are_shipped_are_never_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """SynFlow on VGG-16, and in rounds on a ResNet, sees nothing that might be constant."""

    def asked(*given: Any) -> None:
        raise AssertionError("it looked constant")

    monkeypatch.setattr(synflow, "_refuse_constant", asked)
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"precision": "float64", "input_shape": (3, 32, 32)}
    assert score_network(vgg((3, 32, 32), 10), synflow.score, **arguments)
    from prunebench_plugins.architectures import cifar_resnet

    mask = prune_rounds(cifar_resnet((3, 32, 32), 10), synflow.score, density=0.01, rounds=10, **arguments)
    assert mask.kept == round(0.01 * mask.prunable)


def zeros_but(count: int) -> Any:
    """A scorer that scores so many weights 1, 2, … and the others 0."""

    def score(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        found = {}
        left = count
        for name, weight in net.weights.items():
            scores = torch.zeros(weight.numel())
            own = min(left, weight.numel())
            scores[:own] = torch.arange(1, own + 1).float()
            left -= own
            found[name] = scores.view(weight.shape)
        return found

    return score


@pytest.mark.parametrize(
    ("ranked", "kept", "told"), [(5, 6, 1), (5, 5, 0), (5, 4, 0), (5, 18, 0), (17, 18, 0)]
)
def test_fewer_scores_than_weights_to_keep_are_told(ranked: int, kept: int, told: int) -> None:
    """Where zeros are kept while zeros are removed, it is said how many; else nothing is."""
    model = nn.Linear(6, 3)
    mask, said = warned(lambda: prunebench.prune(model, zeros_but(ranked), density=kept / 18))
    assert mask.kept == kept
    assert len(said) == told
    if told:
        assert f"{kept - ranked} of the {kept} weights kept have the score 0" in said[0]
        assert f"rank only {ranked}" in said[0]


def test_weights_that_no_path_needs_are_told_after_rounds_too() -> None:
    """A layer that is not used has scores of 0 in every round; 4 of its weights are kept for want of others."""

    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(6, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    for method in ("snip", "iterative-snip", "synflow"):
        _, said = warned(lambda method=method: prunebench.prune(Unused(), method, density=22 / 27, **BATCH))
        assert len(said) == 1
        assert "4 of the 22 weights kept have the score 0: the scores rank only 18" in said[0]
        assert warned(lambda method=method: prunebench.prune(Unused(), method, density=17 / 27, **BATCH))[
            1
        ] == [f"method '{method}' kept 17 of 27 weights and none in 1 of 2 layers: unused.weight"]


def test_equal_scores_are_told() -> None:
    """Scores that are all one number, or so coarse that position decides, rank nothing or little."""
    model = constant(0.5, nn.Linear(6, 3, bias=False))
    _, said = warned(lambda: prunebench.prune(model, "magnitude", density=0.5))
    assert said == [
        "scorer 'magnitude': 9 of the 9 weights kept were chosen by position among 18 with equal scores"
    ]
    _, said = warned(lambda: prunebench.score(model, "magnitude"))
    assert said == [
        "scorer 'magnitude': every score is 0.5: equal scores rank nothing, weights are kept by position"
    ]
    assert warned(lambda: prunebench.prune(model, "random", density=0.5))[1] == []
    assert warned(lambda: prunebench.prune(model, "magnitude", density=1.0))[1] == []
    with torch.no_grad():
        model.weight[0] = 1.0  # six weights before the others
    assert warned(lambda: prunebench.prune(model, "magnitude", density=6 / 18))[1] == []
    assert (
        "3 of the 9 weights kept were chosen by position among 12"
        in warned(lambda: prunebench.prune(model, "magnitude", density=0.5))[1][0]
    )


@pytest.mark.parametrize("keep", ["high", "low", "far", "near"])
@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_ties_are_counted_as_a_sort_counts_them(keep: Any, allocation: Any) -> None:
    """By brute force: the last kept score of each group, how many kept have it, whether others do too."""
    generator = torch.Generator().manual_seed(3)
    sign = {"high": 1, "low": -1, "far": 1, "near": -1}[keep]
    for trial in range(40):
        scores = {
            name: torch.randint(-2, 3, (size,), generator=generator).to(dtype)
            for name, size, dtype in (("a", 9, torch.float32), ("b", 5, torch.float64))
        }
        current = Mask({name: torch.rand(len(s), generator=generator) < 0.8 for name, s in scores.items()})
        if trial % 2:
            current = Mask.full(scores)
        kept = max(1, current.kept // 2)
        mask = keep_top(scores, kept, keep=keep, allocation=allocation, current=current)
        zeros = equals = 0
        for group in [["a", "b"]] if allocation == "global" else [["a"], ["b"]]:
            values = torch.cat([scores[n].double() for n in group])
            values = values.abs() if keep in ("far", "near") else values
            chosen = torch.cat([mask[n] for n in group])
            live = torch.cat([current[n] for n in group])
            if not chosen.any():
                continue
            last = (sign * values[chosen]).min() * sign
            split = int((values[live] == last).sum()) > int((values[chosen] == last).sum())
            fewer = not bool(live.all()) and keep in ("high", "far")
            if last == 0 and (split or fewer):
                zeros += int((values[chosen] == 0).sum())
            elif split:
                equals += int((values[chosen] == last).sum())
        said = chosen_by_position(scores, mask, keep=keep, allocation=allocation, current=current, who="it")
        if zeros:
            assert said is not None
            assert said.startswith(f"it: {zeros} of the {kept} weights kept have the score 0")
        elif equals:
            assert said is not None
            assert said.startswith(f"it: {equals} of the {kept} weights kept were chosen by position")
        else:
            assert said is None


def test_the_only_score_is_that_of_what_is_left() -> None:
    """Removed weights have no say, and a single weight needs no ranking."""
    scores = {"a": torch.tensor([1.0, 0.0, 0.0]), "b": torch.zeros(2)}
    left = Mask({"a": torch.tensor([False, True, True]), "b": torch.tensor([True, True])})
    assert only_score(scores) is None
    assert only_score(scores, left) == 0
    assert only_score({"a": torch.zeros(1)}) is None
    large = {"a": torch.zeros(200_000)}
    assert only_score(large) == 0
    large["a"][-1] = 1
    assert only_score(large) is None


def test_rounds_in_which_nothing_is_left_to_rank_go_on_and_say_so() -> None:
    """At an extreme density all paths may be cut: the mask has its count, and a warning names the round."""
    said: list[str] = []
    mask = prune_rounds(
        net(width=40), snip.score, density=3 / 360, rounds=20, mode="train", batch=(X, Y), who="scorer 'snip'",
        warn=said.append,
    )  # fmt: skip
    assert mask.kept == 3
    cut: list[str] = []

    def collapses(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        """Scores of ones in the first layer, which lose the second and with it every path."""
        live = all(bool(mask.any()) for mask in net.mask.values())
        return {
            n: w.detach().abs() * live + (10 if n == "0.weight" and live else 0)
            for n, w in net.weights.items()
        }

    mask = prune_rounds(net(), collapses, density=0.2, rounds=5, who="it", warn=cut.append)
    assert mask.kept == round(0.2 * 144)
    assert len(cut) == 1
    assert "of 5 every score of what was left was 0" in cut[0]


def test_layers_that_are_emptied_are_named() -> None:
    """Prune says which layers it left no weight, score does not."""
    model = net()
    with torch.no_grad():
        model[2].weight.mul_(1e-3)
    _, said = warned(lambda: prunebench.prune(model, "magnitude", density=0.1))
    assert said == ["method 'magnitude' kept 14 of 144 weights and none in 1 of 2 layers: 2.weight"]
    assert warned(lambda: prunebench.prune(model, "magnitude", density=0.9))[1] == []
    many = Mask({f"l{i}": torch.tensor([i == 0]) for i in range(12)})
    assert emptied_layers(many, "it").endswith("l1, l2, l3, l4, l5, l6, l7, l8 and 3 more")  # type: ignore[union-attr]


def test_warnings_point_at_whoever_called() -> None:
    """A warning has the line of the call, and can be turned into an error or off by its class."""
    model = constant(0.5, nn.Linear(6, 3, bias=False))
    with pytest.warns(prunebench.PruningWarning) as found:
        prunebench.prune(model, "magnitude", density=0.5)
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", prunebench.PruningWarning)
        with pytest.raises(prunebench.PruningWarning):
            prunebench.prune(model, "magnitude", density=0.5)
