"""Which groups of filters are kept: orders, allocations, rounds, masks that are on already, shuffles."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from prunebench_plugins.architectures.cifar_resnet import cifar_resnet
from torch import Tensor, nn

import prunebench
from prunebench import Form, UsageError
from prunebench.pruning import Mask, MaskForm, Scoring, make_mask
from prunebench.pruning.filters import FilterGroups, filter_groups, shuffle_filters
from prunebench.pruning.filters.choose import keep_groups
from prunebench.training.streams import stream

SHAPE = (3, 8, 8)


def small() -> nn.Module:
    torch.manual_seed(0)
    return cifar_resnet(SHAPE, 4, depth=8, width=0.25)


BATCH = (torch.zeros(4, *SHAPE), torch.arange(4))
GROUPS: FilterGroups = filter_groups(small(), input_shape=SHAPE, check=False)
SIZES = GROUPS.sizes


def pruned(method: Any, **keywords: Any) -> Mask:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prunebench.prune(small(), method, unit="filter", input_shape=SHAPE, **keywords)


def prefix(order: list[int], target: int) -> set[int]:
    """The longest run whose count is not above the target, by a plain loop."""
    kept: set[int] = set()
    for group in order:
        if sum(int(SIZES[g]) for g in kept) + int(SIZES[group]) > target:
            break
        kept.add(group)
    return kept


@pytest.mark.parametrize("keep", ["high", "low", "far", "near"])
def test_groups_go_in_the_order_that_keep_says(keep: Any) -> None:
    scores = np.random.Generator(np.random.PCG64(1)).integers(-4, 5, len(GROUPS)).astype(float)
    keys = {"high": -scores, "low": scores, "far": -abs(scores), "near": abs(scores)}[keep]
    order = sorted(range(len(GROUPS)), key=lambda group: (keys[group], group))
    for target in (100, 1000, 2345, GROUPS.prunable):
        kept = keep_groups(scores, target, GROUPS, keep=keep)
        assert set(np.flatnonzero(kept).tolist()) == prefix(order, target)


def test_the_next_group_in_order_is_waited_for_even_where_a_later_one_would_fit() -> None:
    scores = -np.arange(len(GROUPS), dtype=float)
    scores[-1], scores[-2] = 2, 1  # the last set's groups are the largest
    kept = keep_groups(scores, int(SIZES[-1]) + 5, GROUPS)
    assert np.flatnonzero(kept).tolist() == [len(GROUPS) - 1]


def test_equal_scores_go_by_position_and_are_counted() -> None:
    counted: list[int] = []
    target = int(SIZES[:3].sum())
    kept = keep_groups(np.ones(len(GROUPS)), target, GROUPS, count=counted.append)
    assert np.flatnonzero(kept).tolist() == [0, 1, 2]
    assert counted == [target]


def test_uniform_gives_every_set_of_tied_layers_the_same_share() -> None:
    form = Form(scorer="random", allocation="uniform", unit="filter")
    counts = pruned(form, density=0.5).counts()
    for layers in GROUPS.sets:
        own = GROUPS.groups_of(layers)
        size, each = int(SIZES[own].sum()), int(SIZES[own].max())
        kept = sum(counts[name] for name in layers)
        assert size / 2 - each < kept <= size / 2 + 1


def test_erk_keeps_more_of_small_layers() -> None:
    mask = pruned(Form(scorer="random", allocation="erk", unit="filter"), density=0.4)
    share = {name: mask.kept_in(name) / mask[name].numel() for name in mask}
    assert share["blocks.0.conv1.weight"] > share["blocks.2.conv1.weight"]


def test_counts_of_another_filter_mask_are_reached_exactly() -> None:
    other = pruned("random", density=0.3, seed=5)
    like = {"scorer": "magnitude", "unit": "filter", "allocation": {"like": {"scorer": "random"}}}
    same = pruned(Form.model_validate(like), density=0.3, seed=5)
    assert same.counts() == other.counts()
    assert same != other


def test_counts_of_other_layers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"different layers whose filters may go: fc.weight"):
        keep_groups(np.ones(len(GROUPS)), 100, GROUPS, allocation={**GROUPS.full().counts(), "fc.weight": 3})


def test_random_is_one_draw_a_group_however_large_it_is() -> None:
    scores = prunebench.pruning.score_network(
        small(), Scoring(random_scorer(), gives="either"), groups=GROUPS, rng=stream(0, "scores")
    )
    sums = prunebench.pruning.filters.choose.group_scores(scores, GROUPS)
    assert ((sums > 0) & (sums < 1)).all()
    assert len(set(sums.tolist())) == len(GROUPS)


def random_scorer() -> Any:
    from prunebench_plugins.scorers.random import score

    return score


def test_the_l2_norm_and_the_factors_of_batchnorm_by_hand() -> None:
    net = small()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if parameter.dim() == 1:
                parameter.copy_(
                    torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name)))
                )
    held = dict(net.named_parameters())
    norms = prunebench.pruning.score_network(net, scoring("filter-norm"), groups=GROUPS)
    gammas = prunebench.pruning.score_network(net, scoring("batchnorm"), groups=GROUPS)
    for name in GROUPS.shapes:
        torch.testing.assert_close(norms[name], held[name].detach().pow(2).sum((1, 2, 3)).sqrt())
        bn = (
            "bn"
            if name == "conv.weight"
            else name.removesuffix(".weight").replace("conv", "bn").replace("cut.0", "cut.1")
        )
        torch.testing.assert_close(gammas[name], held[f"{bn}.weight"].detach().abs())


def test_filters_of_one_layer_in_one_group_have_each_its_own_factor() -> None:
    """Of a depthwise convolution with two outputs a channel, and of a grouped one."""
    depthwise = nn.Conv2d(2, 4, 3, groups=2)
    net = nn.Sequential(nn.Conv2d(3, 2, 1), depthwise, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    with torch.no_grad():
        net.get_parameter("2.weight").copy_(torch.tensor([3.0, 0, 2, -5]))
    groups = filter_groups(net, input_shape=SHAPE)
    factors = {
        name: net.get_parameter("2.weight")[torch.from_numpy(p)] for name, (_, p) in groups.norms.items()
    }
    assert factors["1.weight"].tolist() == [3, 0, 2, -5]
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1, groups=4), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(512, 2)
    )
    gamma, places = filter_groups(net, input_shape=SHAPE).norms["1.weight"]
    assert gamma == "2.weight"
    assert places.tolist() == list(range(8))


def scoring(name: str) -> Scoring:
    from prunebench_plugins.scorers import prunebench_scorers

    scorer = next(s for s in prunebench_scorers() if s.name == name)
    return Scoring(scorer.function, gives=scorer.gives, who=f"scorer '{name}'")


def test_a_layer_without_batchnorm_cannot_be_scored_by_its_factors() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 2)
    )
    with pytest.raises(UsageError, match=r"none with factors follows '2.weight': leave these layers out"):
        prunebench.prune(net, "batchnorm", density=0.5, input_shape=SHAPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mask = prunebench.prune(net, "batchnorm", density=0.5, input_shape=SHAPE, except_="2.weight")
    assert list(mask) == ["0.weight"]


def test_rounds_score_the_network_without_what_went_along() -> None:
    """The second round's scorer sees biases, factors and inputs of removed filters at zero."""
    seen: list[dict[str, Tensor]] = []

    def score(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        seen.append({name: p.detach().clone() for name, p in net.module.named_parameters()})
        return {name: w.detach().abs() + 1 for name, w in net.weights.items()}

    form = MaskForm(2000, unit="filter", rounds=lambda there: (3000, 2000))
    rounds: list[Mask] = []
    mask = make_mask(
        small(), form, Scoring(score), groups=GROUPS, on_round=lambda k, made: rounds.append(made)
    )
    assert len(seen) == 2
    assert rounds[-1] == mask
    assert mask.kept <= 2000 < rounds[0].kept <= 3000
    stays = GROUPS.taken_along(rounds[0])
    assert any("bn" in name for name in stays)
    for name, kept in stays.items():
        assert (seen[1][name][~kept] == 0).all()
    assert (GROUPS.kept(mask) <= GROUPS.kept(rounds[0])).all()


def test_rounds_may_ask_for_more_than_an_earlier_one_has_reached() -> None:
    form = MaskForm(2999, unit="filter", rounds=lambda there: (3000, 2999))
    mask = make_mask(small(), form, scoring("filter-norm"), groups=GROUPS)
    assert mask.kept <= 2999


def test_a_mask_that_is_on_already_is_respected() -> None:
    first = pruned("random", density=0.5)
    second = pruned("magnitude", density=0.2, mask=first)
    assert (GROUPS.kept(second) <= GROUPS.kept(first)).all()
    single = {"conv.weight": torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(0)) > 0.5}
    with pytest.raises(UsageError, match="keeps or removes each as a whole"):
        pruned("magnitude", density=0.2, mask=single)
    with pytest.raises(UsageError, match=r"mask removes weights of 'fc.weight'.*they stay: its outputs are"):
        pruned("magnitude", density=0.2, mask={"fc.weight": torch.zeros(4, 16) > 0})


def test_a_shuffle_permutes_the_groups_of_each_set_alone() -> None:
    mask = pruned("random", density=0.5, seed=3)
    masks = [shuffle_filters(mask, GROUPS, stream(seed, "shuffle")) for seed in range(40)]
    assert all(shuffled.counts() == mask.counts() for shuffled in masks)
    assert shuffle_filters(mask, GROUPS, stream(0, "shuffle")) == masks[0]
    kept = np.stack([GROUPS.kept(shuffled) for shuffled in masks]).mean(0)  # each group about as often
    for layers in GROUPS.sets:
        own = GROUPS.groups_of(layers)
        share = GROUPS.kept(mask)[own].mean()
        assert (abs(kept[own] - share) <= 5 * (share * (1 - share) / 40) ** 0.5 + 1e-9).all()
    within = pruned("random", density=0.8, seed=3)
    inside = shuffle_filters(mask, GROUPS, stream(1, "shuffle"), within)
    assert (GROUPS.kept(inside) <= GROUPS.kept(within)).all()
    assert inside.counts() == mask.counts()


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        (
            {"density": 0.0005},
            r"density 0.0005 keeps no group of filters: of 4876 weights 2 may stay, and the first group in the",
        ),
        (
            {"density": 0.5, "method": "batchnorm", "unit": "weight"},
            r"scorer 'batchnorm' gives one score a filter, and single",
        ),
        ({"density": 0.5, "method": "force", "batch": BATCH}, r"unit = 'filter'.* regrowth"),
        ({"density": 0.5, "unit": "filters"}, r'unit must be "weight" or "filter"; found \'filters\''),
    ],
)
def test_bad_arguments_are_told(keywords: dict[str, Any], match: str) -> None:
    arguments = {"method": "magnitude", "unit": "filter", "input_shape": SHAPE, **keywords}
    with pytest.raises(UsageError, match=match):
        prunebench.prune(small(), **arguments)


def test_half_of_a_layers_scores_being_nan_names_the_layer() -> None:
    def score(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        return {name: torch.full((len(rows),), float("nan")) for name, rows in net.groups.groups.items()}

    with pytest.raises(prunebench.ComponentError, match=r"4 of 4 scores of 'conv.weight' are NaN"):
        make_mask(small(), MaskForm(2000, unit="filter"), Scoring(score, gives="filters"), groups=GROUPS)


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (
            lambda net: dict(net.weights),
            r"scores of shape \(4, 3, 3, 3\) for 'conv.weight'; expected \(4,\)|no prunable",
        ),
        (lambda net: {}, "no scores for conv.weight"),
        (lambda net: {n: torch.ones(len(r), 1) for n, r in net.groups.groups.items()}, r"shape \(4, 1\)"),
        (
            lambda net: {n: torch.ones(len(r), dtype=torch.int64) for n, r in net.groups.groups.items()},
            "floating-point",
        ),
    ],
)
def test_hostile_shapes_of_scores_are_refused_by_name(returned: Any, match: str) -> None:
    how = Scoring(lambda net, batch, rng: returned(net), gives="filters", who="scorer 'mine'")
    with pytest.raises(prunebench.ComponentError, match=f"scorer 'mine' returned .*({match})"):
        make_mask(small(), MaskForm(2000, unit="filter"), how, groups=GROUPS)


def test_where_no_group_is_kept_the_first_of_each_order_is_told() -> None:
    """Not the smallest: the first one in the order of scores is in the way of it."""
    scores = np.arange(len(GROUPS), dtype=float)
    last = int(GROUPS.sizes[-1])
    smallest = int(GROUPS.sizes.min())
    assert smallest < last
    said = f"no group of filters is kept: of {GROUPS.prunable} weights {last - 1} may stay, and the first group in"
    with pytest.raises(UsageError, match=said) as caught:
        keep_groups(scores, last - 1, GROUPS)
    assert str(caught.value).endswith(f"of {GROUPS.layers_of(len(GROUPS) - 1)}, has {last}")
    assert keep_groups(-scores, last - 1, GROUPS).any()
    with pytest.raises(UsageError, match="of each set of tied layers 0 may stay, and the first group"):
        keep_groups(scores, 5, GROUPS, allocation="uniform")
