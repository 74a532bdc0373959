"""Pruning in rounds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from shorthand import prune_rounds, score_network
from torch import Tensor, nn

from prunebench.errors import ComponentError, UsageError
from prunebench.pruning import Mask, Product, ScoringNetwork, keep_top
from prunebench.schedules.rounds import round_counts
from prunebench.training.streams import stream


def make_net() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    return net


BATCH = (torch.randn(12, 8, generator=torch.Generator().manual_seed(1)), torch.arange(12) % 4)


def snip(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
    found = torch.autograd.grad(net.loss(batch), list(net.weights.values()))
    return {name: (w * g).abs() for (name, w), g in zip(net.weights.items(), found, strict=True)}


def by_hand(function: Any, density: float, rounds: int, **how: Any) -> list[Mask]:
    """Every round from a fresh copy, with the public pieces."""
    model, mask, masks = make_net(), None, []
    for kept in round_counts(density, 192, rounds):
        scores = score_network(model, function, mode="train", batch=BATCH, mask=mask)
        mask = keep_top(scores, kept, current=mask, **how)
        masks.append(mask)
    return masks


def meddling(how: str) -> Any:
    """Return SNIP that leaves the network changed in one way."""

    def score(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        scores = snip(net, batch, rng)
        first = net.module[0]
        if how == "values":
            with torch.no_grad():
                for tensor in (*net.module.parameters(), *net.module.buffers()):
                    tensor.add_(1)
                for tensor in net.dense.values():
                    tensor.zero_()
        elif how == "gradients":
            net.loss(batch).backward()
            net.module.requires_grad_(False)
            net.module.eval()
        elif how == "parameter":
            first.weight = nn.Parameter(torch.zeros_like(first.weight))
        elif how == "module":
            net.module[2] = nn.Tanh()
        elif how == "forward":
            first.forward = lambda x: x.new_zeros(len(x), 16)
        elif how == "hook":
            first.register_forward_hook(lambda module, args, output: output * 0)
        elif how == "tensor hook":
            first.weight.register_hook(lambda gradient: gradient * 0)
        elif how == "dtype":
            net.module.half()
        return scores

    return score


@pytest.mark.parametrize(
    "how",
    ["nothing", "values", "gradients", "parameter", "module", "forward", "hook", "tensor hook", "dtype"],
)
def test_what_a_scorer_does_is_undone(how: str) -> None:
    """Each round scores the network as it was, however the round before has left its copy."""
    mask = prune_rounds(
        make_net(), meddling(how), density=0.1, rounds=5, mode="train", batch=BATCH, rng=stream(0, "scores")
    )
    assert mask == by_hand(snip, 0.1, 5)[-1]


def test_each_round_keeps_its_count_and_only_removes() -> None:
    """After round k the count is round(d^(k/n) × prunable); a removed weight stays removed."""
    seen: list[Mask] = []
    arguments: dict[str, Any] = {
        "mode": "train",
        "batch": BATCH,
        "on_round": lambda k, mask: seen.append(mask),
    }
    last = prune_rounds(make_net(), snip, density=0.05, rounds=7, **arguments)
    assert [mask.kept for mask in seen] == [round(0.05 ** (k / 7) * 192) for k in range(1, 8)]
    assert last == seen[-1]
    assert last.kept == round(0.05 * 192)
    for earlier, later in pairwise(seen):
        assert all(bool((later[name] <= earlier[name]).all()) for name in later)
    assert seen == by_hand(snip, 0.05, 7)


def test_one_round_is_one_shot() -> None:
    """One round is the mask of scores taken once."""
    mask = prune_rounds(make_net(), snip, density=0.3, rounds=1, mode="train", batch=BATCH)
    scores = score_network(make_net(), snip, mode="train", batch=BATCH)
    assert mask == keep_top(scores, 58)


@pytest.mark.parametrize("keep", ["low", "near"])
def test_inverted_rounds_reach_the_count(keep: Any) -> None:
    """Inverted, where removed weights score lowest of all, live ones are kept and the count is exact."""
    mask = prune_rounds(make_net(), snip, density=0.2, rounds=10, keep=keep, mode="train", batch=BATCH)
    assert mask.kept == 38
    assert mask == by_hand(snip, 0.2, 10, keep=keep)[-1]


def test_rounds_draw_from_streams_of_their_own() -> None:
    """The first round draws from the seed's stream as one shot does, later ones from others."""
    drawn: list[Tensor] = []

    def noise(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        scores = {n: torch.from_numpy(rng.child(n).uniform(tuple(w.shape))) for n, w in net.weights.items()}
        drawn.append(scores["0.weight"])
        return scores

    prune_rounds(make_net(), noise, density=0.5, rounds=2, rng=stream(4, "scores"))
    one = score_network(make_net(), noise, rng=stream(4, "scores"))
    assert torch.equal(drawn[0], one["0.weight"])
    assert not torch.equal(drawn[0], drawn[1])


def test_given_counts_are_reached_in_rounds() -> None:
    """Counts for each layer are those of the last round; no round before falls below them."""
    counts = {"0.weight": 3, "3.weight": 35}
    seen: list[Mask] = []
    arguments: dict[str, Any] = {
        "mode": "train",
        "batch": BATCH,
        "on_round": lambda k, mask: seen.append(mask),
    }
    mask = prune_rounds(make_net(), snip, density=38 / 192, rounds=6, allocation=counts, **arguments)
    assert {layer["name"]: layer["kept"] for layer in mask.layers()} == counts
    assert [m.kept for m in seen] == round_counts(38 / 192, 192, 6)
    assert all(layer["kept"] >= counts[layer["name"]] for m in seen for layer in m.layers())


@pytest.mark.parametrize(
    "counts", [{"0.weight": 3}, {"0.weight": 3, "3.weight": 99}, {"0.weight": 38, "x": 0}]
)
def test_given_counts_that_do_not_fit(counts: dict[str, int]) -> None:
    """Counts of another sum, of other layers, or beyond a layer are refused."""
    with pytest.raises(UsageError, match="allocation"):
        prune_rounds(
            make_net(), snip, density=38 / 192, rounds=6, allocation=counts, mode="train", batch=BATCH
        )


def test_model_is_untouched_and_errors_pass() -> None:
    """The network that is pruned keeps its values, also when a later round fails."""
    net = make_net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    calls = []

    def second_time(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        calls.append(1)
        scores = snip(net, batch, rng)
        return scores if len(calls) == 1 else {name: s * torch.nan for name, s in scores.items()}

    with pytest.raises(ComponentError, match=r"128 of 128 scores of '0\.weight'"):
        prune_rounds(net, second_time, density=0.1, rounds=3, mode="train", batch=BATCH)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


# --- rounds of a scorer that asks for absolute weights and returns products ---------------------------


def flow(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Product]:
    """SynFlow, as the built-in one."""
    net.absolute()
    ones = torch.ones(1, *net.input_shape, dtype=net.dtype)
    found = torch.autograd.grad(net.outputs(ones).sum(), list(net.weights.values()))
    return {name: Product(w.detach(), g) for (name, w), g in zip(net.weights.items(), found, strict=True)}


def flow_by_hand(density: float, rounds: int, keep: str = "high") -> list[Mask]:
    """Every round from the start: a new copy, weights masked and made absolute, a plain sort."""
    mask = {"0.weight": torch.ones(16, 8, dtype=torch.bool), "3.weight": torch.ones(4, 16, dtype=torch.bool)}
    masks = []
    for k in range(1, rounds + 1):
        net = make_net().double().eval()
        for name, tensor in net.state_dict().items():
            if name in mask:
                tensor.mul_(mask[name])
            if tensor.is_floating_point():
                tensor.abs_()
        net(torch.ones(1, 8, dtype=torch.float64)).sum().backward()
        flat = torch.cat([(p.grad * p).abs().flatten() for n, p in net.named_parameters() if n in mask])
        live = torch.cat([kept.flatten() for kept in mask.values()])
        order = sorted(torch.nonzero(live).flatten().tolist(), key=lambda i: -float(flat[i].detach()))
        chosen = torch.zeros(192, dtype=torch.bool)
        chosen[order[: round(density ** (k / rounds) * 192)]] = True
        mask = {"0.weight": chosen[:128].reshape(16, 8), "3.weight": chosen[128:].reshape(4, 16)}
        masks.append(Mask(mask))
    return masks


@pytest.mark.parametrize("density", [0.5, 0.1, 0.01])
def test_absolute_weights_stay_so_between_rounds(density: float) -> None:
    """Each round's mask is that of a new copy, masked and made absolute: nothing of a round before stays."""
    seen: list[Mask] = []
    prune_rounds(
        make_net(),
        flow,
        density=density,
        rounds=20,
        precision="float64",
        input_shape=(8,),
        on_round=lambda k, mask: seen.append(mask),
    )
    assert seen == flow_by_hand(density, 20)


@pytest.mark.parametrize("how", ["in place", "under no_grad", "data replaced", "parameter replaced"])
def test_absolute_weights_that_are_changed_are_put_back(how: str) -> None:
    """A scorer that writes to the weights after it asked for absolute ones finds them as they should be."""

    def meddle(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        scores = {name: product.tensor() for name, product in flow(net, batch, rng).items()}
        first = net.weights["0.weight"]
        if how == "in place":
            first.detach().mul_(3)
        elif how == "under no_grad":
            with torch.no_grad():
                first.zero_()
        elif how == "data replaced":
            first.data = torch.ones_like(first)
        else:
            net.module[0].weight = nn.Parameter(torch.zeros_like(first))
        return scores

    mask = prune_rounds(
        make_net(), meddle, density=0.1, rounds=6, precision="float64", input_shape=(8,), rng=stream(0, "x")
    )
    assert mask == flow_by_hand(0.1, 6)[-1]


def test_absolute_weights_come_back_where_a_mask_grows() -> None:
    """A weight that a later mask has again is there with its magnitude, others are not."""
    net = ScoringNetwork(make_net(), input_shape=(8,))
    some = {
        name: torch.rand(w.shape, generator=torch.Generator().manual_seed(3))
        for name, w in net.weights.items()
    }
    for share in (0.5, 0.2, 0.9, 0.0, 1.0):
        net.absolute()
        mask = Mask({name: values < share for name, values in some.items()})
        assert net.restore(mask)
        net.absolute()
        for name, weight in net.weights.items():
            assert torch.equal(weight, net.dense[name].abs() * mask[name])


@pytest.mark.parametrize("rounds", [1, 3, 100])
def test_no_weight_left_is_refused_before_anything_is_scored(rounds: int) -> None:
    """A density that keeps none of the weights is an error with the least density that keeps one."""

    def never(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Tensor]:
        raise AssertionError("scored")

    with pytest.raises(UsageError, match=r"density 0\.001 keeps none of 192 .* at least 0\.00521 keeps one"):
        prune_rounds(make_net(), never, density=0.001, rounds=rounds)


def test_scores_that_are_not_finite_name_scorer_and_round_goes_no_further() -> None:
    """In rounds too it is said whose scores are not finite, and of which layer."""

    def infinite(net: ScoringNetwork, batch: Any, rng: Any) -> dict[str, Any]:
        return {n: Product(w.detach(), torch.full_like(w, torch.inf)) for n, w in net.weights.items()}

    with pytest.raises(ComponentError, match=r"mine: 128 of 128 scores of '0\.weight' are NaN or infinite"):
        prune_rounds(make_net(), infinite, density=0.1, rounds=3, who="mine")
