"""Pruning in rounds in which removed weights may return (FORCE)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from prunebench_plugins.scorers import force, snip
from shorthand import prune_rounds, score_network
from torch import Tensor, nn

from prunebench.errors import UsageError
from prunebench.pruning import Mask, Regrow

ROUNDS = 10
DENSITY = 0.05


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, 20),
        nn.ReLU(),
        nn.Linear(20, 4),
    )


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(24, 2, 6, 6, generator=generator), torch.arange(24) % 4


def rounds(regrowth: Regrow | None, **changes: Any) -> list[Mask]:
    seen: list[Mask] = []
    arguments: dict[str, Any] = {"density": DENSITY, "rounds": ROUNDS, "batch": batch(), "mode": "train"}
    prune_rounds(
        network(),
        changes.pop("function", force.score),
        regrowth=regrowth,
        on_round=lambda k, mask: seen.append(mask),
        **(arguments | changes),
    )
    return seen


def returned(masks: list[Mask]) -> list[int]:
    return [sum(int((b[name] & ~a[name]).sum()) for name in a) for a, b in pairwise(masks)]


def masked(module: nn.Module, c: dict[str, Tensor], x: Tensor) -> Tensor:
    """Return the outputs of a network whose weights are multiplied by c."""
    parameters = dict(module.named_parameters())
    return torch.func.functional_call(module, {name: c[name] * parameters[name] for name in c}, (x,))


def plain_force(count_of: Callable[[int], int]) -> list[dict[str, Tensor]]:
    """FORCE as a plain loop: gradients by connection, scores joined, sorted, the best kept."""
    module = network().train()
    names = [name for name, p in module.named_parameters() if p.dim() > 1]
    shapes = {name: dict(module.named_parameters())[name].shape for name in names}
    c = {name: torch.ones(shapes[name]) for name in names}
    found = []
    for k in range(1, ROUNDS + 1):
        c = {name: value.requires_grad_() for name, value in c.items()}
        loss = F.cross_entropy(masked(module, c, batch()[0]), batch()[1])
        scores = [g.abs() for g in torch.autograd.grad(loss, list(c.values()))]
        order = sorted(
            range(sum(s.numel() for s in scores)),
            key=torch.cat([-s.flatten() for s in scores]).tolist().__getitem__,
        )
        chosen = torch.zeros(len(order))
        chosen[order[: count_of(k)]] = 1
        split = chosen.split([s.numel() for s in scores])
        c = {name: part.reshape(shapes[name]) for name, part in zip(names, split, strict=True)}
        found.append({name: value.bool() for name, value in c.items()})
    return found


def test_force_gives_the_masks_of_a_plain_loop_over_connection_gradients_in_every_round() -> None:
    ours = rounds(Regrow(force.score))
    prunable = ours[0].prunable
    theirs = plain_force(lambda k: round(DENSITY ** (k / ROUNDS) * prunable))
    for mine, other in zip(ours, theirs, strict=True):
        assert all(torch.equal(mine[name], other[name]) for name in other)


def test_weights_return_with_regrowth_and_do_not_without_it() -> None:
    assert min(returned(rounds(Regrow(force.score)))) > 0
    assert set(returned(rounds(None))) == {0}


def test_every_round_keeps_exactly_its_count_whether_weights_return_or_not() -> None:
    for regrowth in (None, Regrow(force.score), Regrow(force.score, every=3)):
        masks = rounds(regrowth)
        prunable = masks[0].prunable
        assert [m.kept for m in masks] == [
            round(DENSITY ** (k / ROUNDS) * prunable) for k in range(1, ROUNDS + 1)
        ]


def test_weights_return_only_in_the_rounds_that_regrowth_names() -> None:
    back = returned(rounds(Regrow(force.score, every=3)))
    for k, count in enumerate(back, 2):
        assert (count > 0) == (k % 3 == 0)


def test_snip_brings_nothing_back_because_a_removed_weight_scores_zero() -> None:
    plain, regrowing = rounds(None, function=snip.score), rounds(Regrow(snip.score), function=snip.score)
    assert plain == regrowing
    assert set(returned(regrowing)) == {0}


def test_a_scorer_for_the_removed_weights_is_asked_besides_the_one_for_the_others() -> None:
    assert rounds(Regrow(force.score), function=snip.score) == rounds(Regrow(force.score))


def test_the_two_scorers_do_not_see_what_the_other_does_to_the_network() -> None:
    def rude(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        scores = snip.score(net, batch, rng)
        with torch.no_grad():
            for weight in net.weights.values():
                weight.fill_(7)
        return scores

    assert rounds(Regrow(force.score), function=rude) == rounds(Regrow(force.score))


def test_a_scorer_that_keeps_its_hands_on_its_scores_changes_nothing() -> None:
    def lending(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        return dict(net.weights)

    def dense(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        return net.dense

    masks = rounds(Regrow(dense), function=lending)
    assert masks == rounds(None, function=dense)


def test_force_of_a_removed_weight_is_the_finite_difference_of_the_loss_in_its_connection() -> None:
    module, (x, y) = network().double(), batch()
    x = x.double()
    generator = torch.Generator().manual_seed(5)
    names = [name for name, p in module.named_parameters() if p.dim() > 1]
    mask = Mask(
        {n: torch.rand(dict(module.named_parameters())[n].shape, generator=generator) < 0.5 for n in names}
    )
    scores = score_network(module, force.score, mode="train", precision="float64", batch=(x, y), mask=mask)
    step = 1e-5
    removed = 0
    copy = network().double().train()
    for name in names:
        for place in range(0, mask[name].numel(), 37):
            losses = []
            for sign in (1, -1):
                c = {n: mask[n].double() for n in names}
                c[name] = c[name].clone()
                c[name].view(-1)[place] += sign * step
                losses.append(F.cross_entropy(masked(copy, c, x), y).item())
            expected = abs(losses[0] - losses[1]) / (2 * step)
            assert scores[name].view(-1)[place].item() == pytest.approx(expected, rel=1e-4, abs=1e-9)
            removed += not bool(mask[name].view(-1)[place])
    assert removed > 10


def test_force_of_an_unpruned_network_is_snip() -> None:
    one = score_network(network(), force.score, mode="train", batch=batch())
    other = score_network(network(), snip.score, mode="train", batch=batch())
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_weight_that_returns_has_the_value_that_it_had() -> None:
    module = network()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    seen: list[dict[str, Tensor]] = []

    def watched(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        seen.append({name: w.detach().clone() for name, w in net.weights.items()})
        return force.score(net, batch, rng)

    masks: list[Mask] = []
    prune_rounds(
        module, watched, density=DENSITY, rounds=ROUNDS, batch=batch(), mode="train",
        regrowth=Regrow(watched), on_round=lambda k, mask: masks.append(mask),
    )  # fmt: skip
    assert sum(returned(masks)) > 0
    for weights, mask in zip(seen[1:], masks, strict=False):
        assert all(torch.equal(weights[name], before[name] * mask[name]) for name in mask)


@pytest.mark.parametrize("allocation", ["uniform", "erk"])
def test_each_layer_keeps_its_share_where_weights_return(allocation: Any) -> None:
    masks = rounds(Regrow(force.score), allocation=allocation)
    plain = rounds(None, allocation=allocation)
    for mine, other in zip(masks, plain, strict=True):
        assert [layer["kept"] for layer in mine.layers()] == [layer["kept"] for layer in other.layers()]
    assert sum(returned(masks)) > 0


def test_counts_for_each_layer_hold_in_the_last_round_and_may_grow_before_it() -> None:
    shapes = {name: m.numel() for name, m in rounds(None)[0].items()}
    counts = dict(zip(shapes, (30, 50, 40), strict=True))
    masks = rounds(Regrow(force.score), allocation=counts, density=120 / sum(shapes.values()))
    assert {layer["name"]: layer["kept"] for layer in masks[-1].layers()} == counts


def test_rounds_draw_other_numbers_for_the_removed_weights() -> None:
    from prunebench_plugins.scorers import random

    from prunebench.training.streams import stream

    def other(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        return random.score(net, batch, rng)

    one = rounds(Regrow(random.score), function=random.score, rng=stream(0, "scores"))
    two = rounds(Regrow(other), function=random.score, rng=stream(0, "scores"))
    assert one[0] == two[0]
    assert one[1] != two[1]
    assert two == rounds(Regrow(other), function=random.score, rng=stream(0, "scores"))


def test_regrowth_in_less_than_every_round_is_refused() -> None:
    with pytest.raises(UsageError, match="every 1 or more rounds; found 0"):
        Regrow(force.score, every=0)
