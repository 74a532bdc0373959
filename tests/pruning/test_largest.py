"""keep_top at size: a sample brackets the threshold, which small arrays never need."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prunebench.errors import ComponentError
from prunebench.pruning import Mask, Product, keep_top, largest, layer_counts

SIZE = 400_000


def plain(flat: np.ndarray, live: np.ndarray | None, kept: int, keep: str) -> np.ndarray:
    """A stable full sort: the first `kept` of those that are there."""
    key = {"high": -flat, "low": flat, "far": -np.abs(flat), "near": np.abs(flat)}[keep]
    places = np.arange(flat.size) if live is None else np.flatnonzero(live)
    chosen = np.zeros(flat.size, dtype=bool)
    chosen[places[np.argsort(key[places], kind="stable")[:kept]]] = True
    return chosen


def numbers(kind: str, seed: int, dtype: type) -> np.ndarray:
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal(SIZE)
    values = {
        "distinct": normal,
        "many ties": np.round(normal * 3),
        "mostly zeros": np.where(generator.random(SIZE) < 0.9, 0.0, normal),
        "zeros of both signs": np.where(generator.random(SIZE) < 0.5, 0.0, -0.0),
        "all equal": np.full(SIZE, -2.5),
        "two values": np.where(generator.random(SIZE) < 0.3, 1.0, 2.0),
        "sorted": np.sort(normal),
        "in periods": np.arange(SIZE) % 997 / 7.0,
        "huge": normal * 1e38 / 6,
        "one far out": np.where(np.arange(SIZE) == 123_456, 1e30, normal),
    }[kind]
    return values.astype(dtype)


KINDS = [
    "distinct",
    "many ties",
    "mostly zeros",
    "zeros of both signs",
    "all equal",
    "two values",
    "sorted",
    "in periods",
    "huge",
    "one far out",
]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 3),
    st.sampled_from([(np.float32, np.float32), (np.float64, np.float64), (np.float32, np.float64)]),
    st.sampled_from(["high", "low", "far", "near"]),
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])),
    st.sampled_from([None, 0.02, 0.4, 0.97]),
    st.lists(st.integers(1, SIZE - 1), max_size=3, unique=True),
)
def test_large_arrays_agree_with_a_sort(
    kind: str,
    seed: int,
    dtypes: tuple[type, type],
    keep: str,
    share: float,
    there: float | None,
    cuts: list[int],
) -> None:
    """Where the threshold is found by a sample: the mask of a stable full sort, entry by entry.

    In one layer or several, of one precision or both, of ties and zeros, of what is left of a mask, from one
    weight to all.
    """
    flat = numbers(kind, seed, np.float64).astype(dtypes[0]).astype(np.float64)
    live = None if there is None else np.random.default_rng(seed + 10).random(SIZE) < there
    kept = max(1, round(share * (SIZE if live is None else int(live.sum()))))
    bounds = [0, *sorted(cuts), SIZE]
    layers = [slice(a, b) for a, b in pairwise(bounds)]
    scores = {f"l{i}": torch.from_numpy(flat[layer].astype(dtypes[i % 2])) for i, layer in enumerate(layers)}
    current = None
    if live is not None:
        current = Mask({f"l{i}": torch.from_numpy(live[layer]) for i, layer in enumerate(layers)})
    mask = keep_top(scores, kept, keep=keep, current=current)  # type: ignore[arg-type]
    found = np.concatenate([tensor.numpy() for tensor in mask.values()])
    assert mask.kept == kept
    assert np.array_equal(found, plain(flat, live, kept, keep))


@pytest.mark.parametrize("kept", [1, 2, SIZE // 2, SIZE - 1, SIZE])
@pytest.mark.parametrize("kind", KINDS)
def test_every_count_of_large_arrays(kind: str, kept: int) -> None:
    """From one weight left to all, the count is exact and the mask a sort's."""
    flat = numbers(kind, 7, np.float32)
    mask = keep_top({"a": torch.from_numpy(flat)}, kept)
    assert mask.kept == kept
    assert np.array_equal(mask["a"].numpy(), plain(flat, None, kept, "high"))


@pytest.mark.parametrize("allocation", ["uniform", "erk"])
def test_large_arrays_with_allocations(allocation: Any) -> None:
    """Each layer keeps its own highest, also where layers are large."""
    flat = numbers("many ties", 1, np.float32)
    cut = 300_000
    scores = {
        "a": torch.from_numpy(flat[:cut]).reshape(300, 1000),
        "b": torch.from_numpy(flat[cut:]).reshape(100, 1000),
    }
    mask = keep_top(scores, 50_000, allocation=allocation)
    counts = layer_counts({"a": (300, 1000), "b": (100, 1000)}, 50_000, allocation)
    assert mask.kept == 50_000
    for name, part in (("a", flat[:cut]), ("b", flat[cut:])):
        expected = plain(part, None, counts[name], "high")
        assert np.array_equal(mask[name].numpy().reshape(-1), expected)


def test_a_sample_that_misleads_costs_time_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever bracket is tried first, the mask is a sort's."""
    flat = numbers("distinct", 3, np.float32)
    expected = plain(flat, None, 100_000, "high")
    for low, high in ((2.0, 3.0), (-3.0, -2.0), (0.1, 0.1), (3.5, 3.5)):
        monkeypatch.setattr(largest, "_bracket", lambda *args, pair=(low, high): pair)
        assert np.array_equal(keep_top({"a": torch.from_numpy(flat)}, 100_000)["a"].numpy(), expected)


@pytest.mark.parametrize("kept", [1, 1000, SIZE])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_large_arrays_that_are_not_finite(value: float, kept: int) -> None:
    """One NaN or infinity among many is found, also where the weight is removed already, and named."""
    flat = numbers("distinct", 0, np.float32)
    flat[234_567] = value
    scores = {"a": torch.ones(2), "b": torch.from_numpy(flat)}
    with pytest.raises(ComponentError, match=f"somebody: 1 of {SIZE} scores of 'b'"):
        keep_top(scores, kept, who="somebody")
    live = np.ones(SIZE, dtype=bool)
    live[234_567] = False
    current = Mask({"a": torch.ones(2, dtype=torch.bool), "b": torch.from_numpy(live)})
    with pytest.raises(ComponentError, match="of 'b'"):
        keep_top(scores, min(kept, 1000), current=current)


def test_large_scores_are_finite() -> None:
    """Scores whose sum would overflow are numbers like others."""
    flat = np.full(SIZE, 3e38, dtype=np.float32)
    assert keep_top({"a": torch.from_numpy(flat)}, 5)["a"].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]


def test_products_are_ranked_like_their_tensors() -> None:
    """A product that is multiplied while it is ranked gives the mask of the tensor it stands for."""
    generator = torch.Generator().manual_seed(0)
    weight, factor = (torch.randn(500, 800, generator=generator, dtype=torch.float64) for _ in range(2))
    weight[:100] = 0
    product = Product(weight, factor)
    for keep in ("high", "low", "far", "near"):
        for kept in (1, 1000, 200_000, 399_999):
            mask = keep_top({"a": product}, kept, keep=keep)  # type: ignore[arg-type]
            assert mask == keep_top({"a": (weight * factor).abs()}, kept, keep=keep)  # type: ignore[arg-type]
    factor[3, 3] = torch.inf
    with pytest.raises(ComponentError, match="1 of 400000 scores of 'a'"):
        keep_top({"a": Product(torch.ones_like(factor), factor)}, 10)


@pytest.mark.slow
def test_fourteen_million_weights() -> None:
    """A mask of 14 million weights is a stable sort's."""
    flat = np.random.default_rng(0).standard_normal(14_715_584).astype(np.float32)
    flat[::3] = np.round(flat[::3])
    scores = {f"l{i}": torch.from_numpy(part) for i, part in enumerate(np.array_split(flat, 14))}
    mask = keep_top(scores, 1_471_558)
    found = np.concatenate([tensor.numpy() for tensor in mask.values()])
    assert np.array_equal(found, plain(flat, None, 1_471_558, "high"))
