"""Counts: in all, by round, by layer."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunebench.errors import UsageError
from prunebench.pruning import kept_count, layer_counts
from prunebench.schedules.rounds import round_counts

LENET = {"fc1.weight": (300, 784), "fc2.weight": (100, 300), "fc3.weight": (10, 100)}


@pytest.mark.parametrize(
    ("density", "prunable", "kept"),
    [(0.2, 100, 20), (0.5, 5, 2), (0.5, 7, 4), (1, 9, 9), ("0.512", 266_200, 136_294), (1e-9, 100, 0)],
)
def test_kept_count_is_pythons_round(density: float | str, prunable: int, kept: int) -> None:
    """round(density × prunable), halves to even: 20 of 100, not 19 or 21."""
    assert kept_count(density, prunable) == kept


@pytest.mark.parametrize("density", [0, -0.1, 1.5, float("nan"), "much", None])
def test_density_out_of_range(density: object) -> None:
    """Densities outside (0, 1] are refused."""
    with pytest.raises(UsageError, match="density"):
        kept_count(density, 100)  # type: ignore[arg-type]


@pytest.mark.parametrize("density", [0.5, 0.1, 0.018014398509481985])
def test_round_counts_follow_the_exponential(density: float) -> None:
    """After round k of n the count is round(d^(k/n) × prunable); the last is exactly the target."""
    counts = round_counts(density, 266_200, 100)
    assert len(counts) == 100
    assert counts[49] == round(math.sqrt(density) * 266_200)
    assert counts[-1] == kept_count(density, 266_200)
    assert counts == sorted(counts, reverse=True)


def test_one_round_is_one_shot() -> None:
    """One round keeps the target count at once."""
    assert round_counts("0.1", 1000, 1) == [100]
    with pytest.raises(UsageError, match="rounds"):
        round_counts(0.1, 1000, 0)


def test_uniform_keeps_the_same_share() -> None:
    """Uniform allocation keeps each layer's share, fractions by largest remainder."""
    counts = layer_counts(LENET, 26_620, "uniform")
    assert counts == {"fc1.weight": 23_520, "fc2.weight": 3_000, "fc3.weight": 100}


def test_largest_remainder() -> None:
    """Quotas 1.5, 1.5, 1.0 of 4: the tie of remainders goes to the earlier layer."""
    assert layer_counts({"a": (3,), "b": (3,), "c": (2,)}, 4, "uniform") == {"a": 2, "b": 1, "c": 1}


def test_erk_by_hand() -> None:
    """ERK counts on LeNet-300-100: densities ∝ (in + out) / (in × out), the output layer capped at 1."""
    kept = 26_620
    counts = layer_counts(LENET, kept, "erk")
    # the shares are 1084, 400, 110; at this density 110/1594 of 26,620 is more than the 1,000 of fc3
    assert counts["fc3.weight"] == 1000
    scale = (kept - 1000) / (1084 + 400)
    assert counts["fc1.weight"] == round(1084 * scale)
    assert counts["fc2.weight"] == round(400 * scale)
    assert sum(counts.values()) == kept


def test_erk_of_convolutions() -> None:
    """The kernel's sides count in a convolution's share: 16 + 3 + 3 + 3 against 32 + 16 + 3 + 3."""
    counts = layer_counts({"a": (16, 3, 3, 3), "b": (32, 16, 3, 3)}, 79, "erk")
    assert counts == {"a": 25, "b": 54}


def test_given_counts() -> None:
    """Counts given for each layer are taken as they are."""
    given = {"a": 2, "b": 3}
    assert layer_counts({"a": (2, 2), "b": (3,)}, 5, given) == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": 2, "b": 2}, "keeps 4 weights in all; 5"),
        ({"a": 1, "b": 4}, "4 weights of layer 'b', which has 3"),
        ({"a": 5}, "different layers: b"),
        ({"a": -1, "b": 6}, "-1 weights of layer 'a'"),
    ],
)
def test_given_counts_that_do_not_fit(given: dict[str, int], message: str) -> None:
    """Counts for other layers, beyond a layer, or with another sum are refused."""
    with pytest.raises(UsageError, match=message):
        layer_counts({"a": (2, 2), "b": (3,)}, 5, given)


def test_unknown_allocation() -> None:
    """An unknown allocation is refused with the nearest name."""
    with pytest.raises(UsageError, match="did you mean 'uniform'"):
        layer_counts(LENET, 5, "unifrom")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=5),
    st.floats(0, 1),
    st.sampled_from(["uniform", "erk"]),
    st.data(),
)
def test_layer_counts_properties(
    shapes: list[tuple[int, int]], share: float, allocation: str, data: st.DataObject
) -> None:
    """Counts sum to the total, respect the limits, and no open layer is a whole weight off its proportion."""
    named = {f"l{i}": shape for i, shape in enumerate(shapes)}
    limits = {name: data.draw(st.integers(0, math.prod(shape))) for name, shape in named.items()}
    kept = round(share * sum(limits.values()))
    counts = layer_counts(named, kept, allocation, limits)  # type: ignore[arg-type]
    assert list(counts) == list(named)
    assert sum(counts.values()) == kept
    assert all(0 <= counts[name] <= limits[name] for name in named)
    weight = {n: (sum(s) if allocation == "erk" else math.prod(s)) for n, s in named.items()}
    open_ = [name for name in named if counts[name] < limits[name]]
    for one in open_:
        for other in open_:
            assert (counts[one] - 1) / weight[one] < (counts[other] + 1) / weight[other] + 1e-12


def test_counts_that_grow_in_a_layer_are_told_where_levels_take_them() -> None:
    """A layer that has lost weights gets none back, whatever the donor's mask of the next level has."""
    said = r"wants 5 weights of layer 'fc', which has 3 left of 12: in levels no layer gets weights back, so"
    with pytest.raises(UsageError, match=said):
        layer_counts({"fc": (3, 4), "out": (2, 3)}, 7, {"fc": 5, "out": 2}, {"fc": 3, "out": 6})
    with pytest.raises(UsageError, match=r"wants 13 weights of layer 'fc', which has 12$"):
        layer_counts({"fc": (3, 4), "out": (2, 3)}, 15, {"fc": 13, "out": 2})
