"""Scores to masks, against a plain sort."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from prunebench.errors import ComponentError, UsageError
from prunebench.pruning import Mask, keep_top, largest, layer_counts

Entry = tuple[float, str, int]


def oracle(
    scores: dict[str, Tensor], kept: int, keep: str, allocation: object, current: Mask | None
) -> dict[str, list[bool]]:
    """Python's own sort over (score, position), on exact fractions."""
    key = {
        "high": lambda s: -Fraction(s),
        "low": lambda s: Fraction(s),
        "far": lambda s: -abs(Fraction(s)),
        "near": lambda s: abs(Fraction(s)),
    }[keep]
    live = [
        (name, i, value)
        for name, tensor in scores.items()
        for i, value in enumerate(tensor.reshape(-1).tolist())
        if current is None or bool(current[name].reshape(-1)[i])
    ]
    if allocation == "global":
        chosen = sorted(live, key=lambda entry: key(entry[2]))[:kept]
    else:
        limits = {name: sum(entry[0] == name for entry in live) for name in scores}
        counts = layer_counts({n: tuple(t.shape) for n, t in scores.items()}, kept, allocation, limits)  # type: ignore[arg-type]
        chosen = []
        for name in scores:
            own = sorted((e for e in live if e[0] == name), key=lambda entry: key(entry[2]))
            chosen += own[: counts[name]]
    places = {(name, i) for name, i, _ in chosen}
    return {name: [(name, i) in places for i in range(t.numel())] for name, t in scores.items()}


VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, -1e-45, 3e38, -3e38]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[dict[str, Tensor], Mask | None]:
    scores: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    for number in range(draw(st.integers(1, 4))):
        shape = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
        size = math.prod(shape)
        values = draw(st.lists(VALUES, min_size=size, max_size=size))
        dtype = draw(st.sampled_from([torch.float32, torch.float64]))
        scores[f"l{number}"] = torch.tensor(values, dtype=dtype).reshape(shape)
        bits = draw(st.lists(st.booleans(), min_size=size, max_size=size))
        masks[f"l{number}"] = torch.tensor(bits).reshape(shape)
    return scores, Mask(masks) if draw(st.booleans()) else None


@settings(deadline=None, max_examples=300)
@given(
    networks(),
    st.sampled_from(["high", "low", "far", "near"]),
    st.sampled_from(["global", "uniform", "erk"]),
    st.floats(0, 1),
)
def test_agrees_with_a_sort(
    network: tuple[dict[str, Tensor], Mask | None], keep: str, allocation: str, share: float
) -> None:
    """Whatever the scores, ties, zeros, signs, precisions and mask so far: the entries that a sort keeps."""
    scores, current = network
    live = sum(t.numel() for t in scores.values()) if current is None else current.kept
    kept = max(1, round(share * live))
    if live == 0:
        return
    mask = keep_top(scores, kept, keep=keep, allocation=allocation, current=current)  # type: ignore[arg-type]
    found = {name: tensor.reshape(-1).tolist() for name, tensor in mask.items()}
    assert found == oracle(scores, kept, keep, allocation, current)
    assert mask.kept == kept


@pytest.mark.parametrize("kept", [1, 19, 20, 21, 99, 100])
def test_exactly_so_many(kept: int) -> None:
    """20 of 100 distinct scores are 20, not 19 or 21: no comparison with a threshold is off by one."""
    scores = {"a": torch.arange(60.0), "b": torch.arange(60.0, 100.0)}
    mask = keep_top(scores, kept)
    assert mask.kept == kept
    assert torch.cat([mask["a"], mask["b"]]).tolist() == [i >= 100 - kept for i in range(100)]


@pytest.mark.parametrize("keep", ["high", "low", "far", "near"])
def test_all_equal_are_kept_by_position(keep: str) -> None:
    """Among equal scores the first layers and the first entries of them stay, and no tie comes along."""
    scores = {"a": torch.ones(2, 2), "b": torch.ones(3)}
    mask = keep_top(scores, 5, keep=keep)  # type: ignore[arg-type]
    assert mask["a"].tolist() == [[True, True], [True, True]]
    assert mask["b"].tolist() == [True, False, False]


def test_ties_are_row_major_in_any_memory_layout() -> None:
    """Position means the logical row-major one, also for transposed and channels-last tensors."""
    scores = torch.ones(2, 3, 2, 2).to(memory_format=torch.channels_last)
    mask = keep_top({"a": scores, "b": torch.ones(2, 3).t()}, 25)
    assert mask["a"].all()
    assert mask["b"].reshape(-1).tolist() == [True, False, False, False, False, False]


def test_live_zeros_outrank_removed_weights() -> None:
    """A removed weight scores 0 like a live one that has no gradient, and never returns for it."""
    scores = {"a": torch.tensor([0.0, 0.0, 0.0, 5.0])}
    current = Mask({"a": torch.tensor([False, True, True, True])})
    assert keep_top(scores, 2, current=current)["a"].tolist() == [False, True, False, True]


@pytest.mark.parametrize("keep", ["low", "near"])
def test_inverted_keeps_live_zeros_not_removed_ones(keep: str) -> None:
    """Inverted, live zeros are kept first: no score is divided by, so nothing is undefined at 0."""
    scores = {"a": torch.tensor([0.0, 0.0, 1e-30, 2.0, 0.0])}
    current = Mask({"a": torch.tensor([False, True, True, True, False])})
    mask = keep_top(scores, 2, keep=keep, current=current)  # type: ignore[arg-type]
    assert mask["a"].tolist() == [False, True, True, False, False]


def test_invert_is_the_other_end() -> None:
    """Without ties, the low half and the high half are disjoint and cover everything."""
    scores = {"a": torch.randn(50, generator=torch.Generator().manual_seed(1))}
    high, low = keep_top(scores, 25), keep_top(scores, 25, keep="low")
    assert torch.equal(high["a"], ~low["a"])


def test_layers_are_not_normalised() -> None:
    """Global means global: a layer with larger scores keeps everything, whatever its norm."""
    scores = {"a": torch.rand(10), "b": 100 + torch.rand(10)}
    mask = keep_top(scores, 10)
    assert [layer["kept"] for layer in mask.layers()] == [0, 10]


def test_uniform_is_within_layers() -> None:
    """With the uniform allocation each layer keeps its share, and its own highest."""
    scores = {"a": torch.arange(10.0), "b": 100 + torch.arange(20.0)}
    mask = keep_top(scores, 15, allocation="uniform")
    assert mask["a"].tolist() == [i >= 5 for i in range(10)]
    assert mask["b"].tolist() == [i >= 10 for i in range(20)]


def test_precisions_are_compared_exactly() -> None:
    """Scores of float32 and float64 layers are compared without rounding the finer ones."""
    fine = torch.tensor([1.0 + 1e-12, 1.0 - 1e-12], dtype=torch.float64)
    mask = keep_top({"a": torch.tensor([1.0]), "b": fine}, 2)
    assert mask["a"].tolist() == [True]
    assert mask["b"].tolist() == [True, False]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_scores_that_are_not_finite(value: float) -> None:
    """NaN and infinities are errors that name the layer."""
    with pytest.raises(ComponentError, match="1 of 3 scores of 'b'"):
        keep_top({"a": torch.ones(2), "b": torch.tensor([0.0, value, 1.0])}, 2)


@pytest.mark.parametrize("kept", [-1, 0, 4])
def test_more_than_there_are(kept: int) -> None:
    """Keeping more than is left, or nothing, is refused."""
    current = Mask({"a": torch.tensor([True, True, True, False])})
    with pytest.raises(UsageError, match="3 there are"):
        keep_top({"a": torch.ones(4)}, kept, current=current)


def test_bad_arguments() -> None:
    """Unknown keep modes, masks of other layers or shapes, and scores that are no floats are refused."""
    scores = {"a": torch.ones(4)}
    with pytest.raises(UsageError, match="did you mean 'high'"):
        keep_top(scores, 1, keep="hihg")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="layers"):
        keep_top(scores, 1, current=Mask({"b": torch.ones(4, dtype=torch.bool)}))
    with pytest.raises(UsageError, match="shape"):
        keep_top(scores, 1, current=Mask({"a": torch.ones(2, 2, dtype=torch.bool)}))
    with pytest.raises(ComponentError, match="int64"):
        keep_top({"a": torch.ones(4, dtype=torch.int64)}, 1)


# --- properties that need no sort to compare with -----------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(
    networks(),
    st.sampled_from(["high", "low", "far", "near"]),
    st.sampled_from(["global", "uniform", "erk"]),
    st.integers(1, 7),
    st.integers(1, 9),
)
def test_blocks_and_samples_of_any_size_give_the_same_mask(
    network: tuple[dict[str, Tensor], Mask | None], keep: Any, allocation: Any, block: int, sample: int
) -> None:
    """How many scores are read at once, and how many bracket the threshold, changes no mask."""
    scores, current = network
    live = sum(t.numel() for t in scores.values()) if current is None else current.kept
    for kept in range(1, live + 1):
        with pytest.MonkeyPatch.context() as patch:
            expected = keep_top(scores, kept, keep=keep, allocation=allocation, current=current)
            patch.setattr(largest, "_BLOCK", block)
            patch.setattr(largest, "_SAMPLE", sample)
            assert keep_top(scores, kept, keep=keep, allocation=allocation, current=current) == expected


@settings(deadline=None, max_examples=100)
@given(networks(), st.sampled_from(["high", "low", "far", "near"]))
def test_each_density_keeps_what_a_lower_one_keeps(
    network: tuple[dict[str, Tensor], Mask | None], keep: Any
) -> None:
    """One weight more is one weight more: from a single one to all that are left, ties and zeros included."""
    scores, current = network
    live = sum(t.numel() for t in scores.values()) if current is None else current.kept
    last: Mask | None = None
    for kept in range(1, live + 1):
        mask = keep_top(scores, kept, keep=keep, current=current)
        assert mask.kept == kept
        assert last is None or all(bool(mask[name][last[name]].all()) for name in mask)
        assert current is None or not any(bool(mask[name][~current[name]].any()) for name in mask)
        last = mask


@settings(deadline=None, max_examples=100)
@given(
    st.lists(VALUES, min_size=2, max_size=40),
    st.lists(st.integers(1, 39), max_size=5, unique=True),
    st.integers(1, 40),
    st.sampled_from(["high", "low", "far", "near"]),
)
def test_where_one_layer_ends_and_the_next_begins_changes_nothing(
    values: list[float], cuts: list[int], kept: int, keep: Any
) -> None:
    """Scores in many layers are ranked as in one, equal ones of different layers by the layers' order."""
    flat = torch.tensor(values, dtype=torch.float32)
    kept = min(kept, len(values))
    bounds = [0, *sorted(cut for cut in cuts if cut < len(values)), len(values)]
    layers = {f"l{i}": flat[a:b] for i, (a, b) in enumerate(pairwise(bounds))}
    mask = keep_top(layers, kept, keep=keep)
    assert torch.cat(list(mask.values())).equal(keep_top({"all": flat}, kept, keep=keep)["all"])


@settings(deadline=None, max_examples=100)
@given(networks(), st.integers(-20, 20), st.integers(1, 16))
def test_a_common_factor_changes_no_mask(
    network: tuple[dict[str, Tensor], Mask | None], power: int, kept: int
) -> None:
    """Scores times a power of two, which is exact here, give the same mask; with signs turned, the other end's."""
    scores = {name: tensor.double() for name, tensor in network[0].items()}
    kept = min(kept, sum(t.numel() for t in scores.values()))
    scaled = {name: tensor * 2.0**power for name, tensor in scores.items()}
    turned = {name: -tensor for name, tensor in scaled.items()}
    assert keep_top(scaled, kept) == keep_top(scores, kept)
    assert keep_top(turned, kept, keep="low") == keep_top(scores, kept)
