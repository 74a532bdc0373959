"""Mean and deviation of images: exact, whatever their number, order and layout."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prunebench.training.images import moments
from prunebench.training.images.moments import channel_moments


def exactly(images: torch.Tensor) -> tuple[list[float], list[float]]:
    """Both from fractions, pixel by pixel."""
    means, deviations = [], []
    for channel in images.transpose(0, 1).flatten(1).tolist():
        mean = Fraction(sum(channel), len(channel))
        variance = sum((value - mean) ** 2 for value in channel) / len(channel)
        means.append(float(mean / 255))
        deviations.append(math.sqrt(variance) / 255)
    return means, deviations


@given(
    shape=st.tuples(*(st.integers(1, most) for most in (9, 3, 5, 4))),
    seed=st.integers(0, 99),
    at_once=st.integers(1, 50),
)
@settings(max_examples=60, deadline=None)
def test_moments_are_those_of_all_pixels(shape: tuple[int, ...], seed: int, at_once: int) -> None:
    """Brute force in fractions agrees, in whatever parts the images are summed."""
    images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    before, moments._PIXELS = moments._PIXELS, at_once
    try:
        found = channel_moments(images)
    finally:
        moments._PIXELS = before
    means, deviations = exactly(images)
    assert found[0] == pytest.approx(means, rel=1e-15)
    assert found[1] == pytest.approx(deviations, rel=1e-14)


def test_order_and_memory_layout_change_no_bit() -> None:
    """Every sum is of whole numbers, without rounding."""
    images = torch.randint(256, (50, 3, 16, 16), dtype=torch.uint8)
    found = channel_moments(images)
    assert channel_moments(images.flip(0)) == found
    assert channel_moments(images.contiguous(memory_format=torch.channels_last)) == found


def test_the_brightest_images_are_summed_without_rounding() -> None:
    """All pixels 255 but one: the largest sums there are, and a deviation that rounding would lose."""
    images = torch.full((300, 1, 64, 64), 255, dtype=torch.uint8)
    images[7, 0, 3, 3] = 254
    n = images.numel()
    (mean,), (deviation,) = channel_moments(images)
    assert mean == (255 * n - 1) / n / 255
    assert deviation == pytest.approx(math.sqrt((n - 1) / n**2) / 255, rel=1e-12)
