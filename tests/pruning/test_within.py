"""A mask lies within the one that is on already, whatever is pruned how: brute force over small networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from prunebench.errors import UsageError
from prunebench.pruning import Mask, MaskForm, Regrow, Scoring, layer_counts, make_mask
from prunebench.pruning.allocation import spread
from prunebench.schedules.rounds import round_counts

SHAPES = {"0.weight": (5, 4), "1.weight": (3, 5), "2.weight": (2, 3)}
SIZES = {name: rows * columns for name, (rows, columns) in SHAPES.items()}
PRUNABLE = sum(SIZES.values())


def network(seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(3, 2))
    with torch.no_grad():
        for layer in net:
            layer.weight.copy_(torch.randint(-4, 5, layer.weight.shape, generator=generator).float())
    return net


def scores_of(weights: dict[str, Tensor], mask: dict[str, Tensor], way: str) -> dict[str, Tensor]:
    """Scores of whole numbers, with ties, that depend on what is left; removed weights have scores too."""
    left = sum(int(kept.sum()) for kept in mask.values())
    turned = {"plain": 1, "shifted": left % 7}[way]
    return {name: (w * mask[name]) * turned + (~mask[name]) * 9.0 - 1 for name, w in weights.items()}


def scorer(way: str) -> Any:
    def function(net: Any, batch: Any, rng: Any) -> dict[str, Tensor]:
        return scores_of({n: w.detach() for n, w in net.weights.items()}, dict(net.mask), way)

    return function


def first(scores: list[float], count: int, keep: str) -> set[int]:
    """The places of those that go first, the earlier of equal ones before the later."""
    key = {"high": lambda s: -s, "low": lambda s: s, "far": lambda s: -abs(s), "near": abs}[keep]
    return set(sorted(range(len(scores)), key=lambda place: key(scores[place]))[:count])


def by_hand(
    weights: dict[str, Tensor],
    old: dict[str, Tensor],
    counts: list[int],
    keep: str,
    allocation: Any,
    way: str,
) -> dict[str, Tensor]:
    """Score, sort all that is left as a list, keep the first; again for every count."""
    mask = {name: kept.clone() for name, kept in old.items()}
    for number, count in enumerate(counts, 1):
        scores = scores_of({n: w * mask[n] for n, w in weights.items()}, mask, way)
        there = [(n, i) for n in mask for i in range(SIZES[n]) if mask[n].reshape(-1)[i]]
        limits = {name: int(kept.sum()) for name, kept in mask.items()}
        if allocation == "global":
            values = [float(scores[n].reshape(-1)[i]) for n, i in there]
            chosen = {there[place] for place in first(values, count, keep)}
        else:
            given_ = allocation
            if isinstance(allocation, dict) and number < len(counts):
                given_ = spread(allocation, limits, count)
            share = layer_counts(SHAPES, count, given_, limits)
            chosen = set()
            for name in mask:
                own = [i for n, i in there if n == name]
                values = [float(scores[name].reshape(-1)[i]) for i in own]
                chosen |= {(name, own[place]) for place in first(values, share[name], keep)}
        mask = {n: torch.tensor([(n, i) in chosen for i in range(SIZES[n])]).reshape(SHAPES[n]) for n in mask}
    return mask


@st.composite
def old_masks(draw: st.DrawFn) -> dict[str, Tensor]:
    bits = draw(st.lists(st.booleans(), min_size=PRUNABLE, max_size=PRUNABLE).filter(any))
    parts = torch.tensor(bits).split(list(SIZES.values()))
    return {name: part.reshape(SHAPES[name]) for name, part in zip(SHAPES, parts, strict=True)}


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 5),
    old=old_masks(),
    share=st.floats(0, 1),
    keep=st.sampled_from(["high", "low", "far", "near"]),
    kind=st.sampled_from(["global", "uniform", "erk", "counts"]),
    rounds=st.sampled_from([None, 1, 2, 5]),
    way=st.sampled_from(["plain", "shifted"]),
)
def test_the_new_mask_is_the_first_of_what_the_old_one_keeps(
    seed: int, old: dict[str, Tensor], share: float, keep: Any, kind: str, rounds: int | None, way: str
) -> None:
    """Every schedule, allocation and order: brute force agrees, and nothing that was removed is back."""
    net, before = network(seed), Mask(old)
    kept = max(1, round(share * before.kept))
    allocation: Any = kind if kind != "counts" else spread(SIZES, before.counts(), kept)
    form = MaskForm(kept, keep=keep, allocation=allocation, rounds=in_rounds(kept, rounds))
    seen: list[Mask] = []
    mask = make_mask(
        net, form, Scoring(scorer(way)), mask=before, on_round=lambda k, found: seen.append(found)
    )
    weights = {name: net.get_parameter(name).detach() for name in SHAPES}
    counts = [kept]
    if rounds is not None:
        counts = [*round_counts(kept / PRUNABLE, PRUNABLE, rounds, before.kept)[:-1], kept]
    assert mask == Mask(by_hand(weights, old, counts, keep, allocation, way))
    assert [found.kept for found in seen] == counts
    for outer, inner in pairwise([before, *seen]):
        assert not any((inner[name] & ~outer[name]).any() for name in inner)
    if rounds is None:  # the scores alone make it too
        assert mask == make_mask(scores_of(masked(weights, old), old, way), form, mask=before)


def in_rounds(kept: int, rounds: int | None) -> Any:
    """Return the counts of n equal ratios, of how many weights are there."""
    if rounds is None:
        return None
    return lambda there: (*round_counts(kept / PRUNABLE, PRUNABLE, rounds, there)[:-1], kept)


def masked(weights: dict[str, Tensor], mask: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight * mask[name] for name, weight in weights.items()}


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 5), old=old_masks(), share=st.floats(0, 0.6), every=st.integers(1, 3))
def test_regrowth_brings_back_what_its_own_rounds_removed_and_nothing_else(
    seed: int, old: dict[str, Tensor], share: float, every: int
) -> None:
    """Removed weights score highest here, so that they return where they may: within the old mask."""
    before, seen = Mask(old), []
    kept = max(1, round(share * before.kept))
    form = MaskForm(kept, rounds=in_rounds(kept, 4), regrowth=Regrow(scorer("plain"), every=every))
    make_mask(
        network(seed),
        form,
        Scoring(scorer("plain")),
        mask=before,
        on_round=lambda k, found: seen.append(found),
    )
    for k, (outer, inner) in enumerate(pairwise([before, *seen]), 1):
        returned = sum(int((inner[name] & ~outer[name]).sum()) for name in inner)
        assert not any((inner[name] & ~before[name]).any() for name in inner)
        removed = before.kept - outer.kept
        assert returned == (min(removed, inner.kept) if k > 1 and k % every == 0 else 0)


def test_more_than_the_old_mask_keeps_is_refused_before_anything_is_scored() -> None:
    """Also for counts that no density was given for."""

    def never(net: Any, batch: Any, rng: Any) -> Any:
        raise AssertionError

    half = Mask({name: torch.arange(size).reshape(SHAPES[name]) % 2 == 0 for name, size in SIZES.items()})
    for rounds in (None, 3):
        with pytest.raises(UsageError, match=r"keeps 30 of 41 .* keeps 21 .*what is removed stays removed"):
            make_mask(network(0), MaskForm(30, rounds=in_rounds(30, rounds)), Scoring(never), mask=half)
