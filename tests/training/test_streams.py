"""Streams: specified bits, right moments, and independence of each other."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from prunebench.training.streams import Stream, stream

MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ALL = (1 << 64) - 1


GOLDEN_RAW = [9993347351256568578, 10807121780901851555]
GOLDEN_PERMUTATION = [0, 3, 5, 2, 6, 1, 4, 7]
GOLDEN_NORMAL = [0.1048194095492363, 0.21689584851264954, -0.791217565536499]
GOLDEN_INTEGERS = [3, 3, 3, 8, 5, 4]


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x64-10 by its definition (Salmon et al. 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        c = [(b >> 64) ^ c[1] ^ k[0], b & ALL, (a >> 64) ^ c[3] ^ k[1], a & ALL]
        k = [(k[0] + WEYL[0]) & ALL, (k[1] + WEYL[1]) & ALL]
    return c


def test_raw_is_philox_keyed_by_the_hash_of_the_name():
    """The raw bits follow from the published generator and a SHA-256, computed here without numpy."""
    name = hashlib.sha256(json.dumps([7, "order", 3], separators=(",", ":")).encode()).digest()
    key = [int.from_bytes(name[:8], "little"), int.from_bytes(name[8:16], "little")]
    expected = philox([1, 0, 0, 0], key) + philox([2, 0, 0, 0], key)
    assert stream(7, "order", 3).raw(8).tolist() == expected


def test_first_draws_are_golden():
    """The first draws never change: every initialisation and data order rests on them."""
    assert stream(0, "init", "fc.weight").raw(2).tolist() == GOLDEN_RAW
    assert stream(0, "order", 0).permutation(8).tolist() == GOLDEN_PERMUTATION
    assert stream(0, "init", "fc.weight").normal(3).tolist() == GOLDEN_NORMAL
    assert stream(0, "augment", 0).integers(6, 9).tolist() == GOLDEN_INTEGERS


def test_normals_have_the_normal_distribution():
    """Moments and the Kolmogorov-Smirnov distance of 200,000 normals are those of a normal sample."""
    z = stream(1, "init", "w").normal((400, 500)).ravel()
    assert z.dtype == np.float32
    n = len(z)
    assert abs(z.mean(dtype=np.float64)) < 4 / n**0.5
    assert abs(z.var(dtype=np.float64) - 1) < 4 * (2 / n) ** 0.5
    assert abs(stats.skew(z.astype(float))) < 4 * (6 / n) ** 0.5
    assert abs(stats.kurtosis(z.astype(float))) < 4 * (24 / n) ** 0.5
    assert stats.kstest(z, "norm").pvalue > 1e-3


def test_normals_do_not_depend_on_chunks_or_on_how_they_are_asked_for():
    """One call for many, or several for parts, give the same numbers."""
    whole = stream(2, "init", "w").normal(200_000)
    source = stream(2, "init", "w")
    parts = [source.normal(n) for n in (1, 99_999, 100_000)]
    assert np.array_equal(whole, np.concatenate(parts))


class Extreme(Stream):
    """A stream whose raw numbers are the largest and the smallest."""

    def raw(self, n: int) -> np.ndarray:
        return np.array([(1 << 64) - 1, 0] * n, dtype=np.uint64)[:n]


def test_uniforms_exclude_both_ends_and_normals_are_finite():
    """The most extreme raw bits give values inside (0, 1), hence finite normals."""
    u = Extreme(0, "x").uniform(2)
    assert 0 < u[1] < u[0] < 1
    assert np.isfinite(Extreme(0, "x").normal(2)).all()
    assert Extreme(0, "x").integers(2, 10).tolist() == [9, 0]


def test_uniforms_are_uniform():
    """The Kolmogorov-Smirnov test does not reject 100,000 uniforms."""
    assert stats.kstest(stream(0, "scores").uniform(100_000), "uniform").pvalue > 1e-3


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**63 - 1), n=st.integers(0, 200))
def test_a_permutation_holds_every_position_once(seed: int, n: int):
    """Whatever the seed and the length."""
    assert np.array_equal(np.sort(stream(seed, "order").permutation(n)), np.arange(n))


def test_all_permutations_of_four_are_equally_likely():
    """A chi-squared test over the 24 orders of four positions."""
    source = stream(3, "order")
    counts: dict[bytes, int] = {}
    for _ in range(4800):
        order = source.permutation(4).tobytes()
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_integers_are_equally_likely():
    """A chi-squared test over nine values."""
    counts = np.bincount(stream(0, "augment").integers(90_000, 9), minlength=9)
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("high", [0, -1, 2**32 + 1])
def test_integers_refuse_a_range_they_cannot_serve(high: int):
    """A range that is empty, or so wide that its values would not be equally likely."""
    with pytest.raises(ValueError, match="high must lie"):
        stream(0, "x").integers(1, high)


def test_streams_differ_by_seed_purpose_and_every_part():
    """No two names share their numbers, not even 1 and "1", or ("ab", "c") and ("a", "bc")."""
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 1), (0, "a", "1"), (0, "a", "b", "c"), (0, "a", "bc")]
    firsts = {int(stream(*name).raw(1)[0]) for name in names}
    assert len(firsts) == len(names)


def test_streams_do_not_correlate():
    """Neighbouring epochs' and parameters' numbers are uncorrelated."""
    n = 20_000
    rows = np.stack([stream(0, "order", epoch).uniform(n) for epoch in range(6)])
    correlations = np.corrcoef(rows) - np.eye(6)
    assert np.abs(correlations).max() < 4.5 / n**0.5


def test_a_new_consumer_moves_nobodys_numbers():
    """Drawing from other streams and children in between changes nothing."""
    alone = stream(0, "scores").uniform(10)
    source = stream(0, "scores")
    first = source.uniform(5)
    source.child("layer").normal(1000)
    stream(0, "batch").permutation(1000)
    assert np.array_equal(np.concatenate([first, source.uniform(5)]), alone)


def test_a_child_is_the_stream_of_more_parts():
    """A child's numbers do not depend on how much its parent has drawn."""
    parent = stream(4, "shuffle", "a")
    parent.raw(17)
    assert np.array_equal(parent.child("b", 2).raw(5), stream(4, "shuffle", "a", "b", 2).raw(5))


def test_numpy_integers_name_the_same_stream():
    """An epoch that is a numpy integer is that epoch."""
    assert stream(np.int64(3), "order", np.int32(2)).raw(1) == stream(3, "order", 2).raw(1)


def test_shapes():
    """An int or a tuple of any length is a shape."""
    assert stream(0, "x").uniform((2, 3)).shape == (2, 3)
    assert stream(0, "x").normal(()).shape == ()
    assert stream(0, "x").normal((0, 4)).shape == (0, 4)
