"""Patches: drawn within their bounds, cut and scaled as torchvision does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prunebench.errors import UsageError
from prunebench.training.images.augment import make_augmentations
from prunebench.training.images.crops import _cut_at_once, cut
from prunebench.training.images.patches import DRAWS, Patch, parse_patch
from prunebench.training.streams import stream
from prunebench.vision import torchvision

USUAL = Patch((0.1, 1.0), (0.8, 1.25))


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    area=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    ratio=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted),
    seed=st.integers(0, 100),
)
@settings(max_examples=200, deadline=None)
def test_a_patch_lies_in_its_image(
    height: int, width: int, area: list[float], ratio: list[float], seed: int
) -> None:
    """Whatever the bounds and the image: at least a pixel, nothing beyond the edges."""
    draws = stream(seed, "augment", 0).uniform((20, DRAWS))
    patch = Patch((area[0], area[1]), (ratio[0], ratio[1]))
    top, left, high, wide = patch.boxes(draws, height, width).T
    assert (high >= 1).all()
    assert (wide >= 1).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + high <= height).all()
    assert (left + wide <= width).all()


def test_areas_ratios_and_places_follow_their_distributions() -> None:
    """Of 20,000 patches of a large image: area uniform, log ratio uniform, place uniform, to 4 σ."""
    n, side = 20_000, 1000
    draws = stream(0, "augment", 0).uniform((n, DRAWS))
    top, left, high, wide = Patch((0.1, 0.3), (0.8, 1.25)).boxes(draws, side, side).T.astype(float)
    area, ratio = high * wide / side**2, np.log(wide / high) / np.log(1.25)
    four_sigma = 4 / np.sqrt(12 * n)
    assert abs(area.mean() - 0.2) < 0.2 * four_sigma + 1e-3
    assert abs(area.std() - 0.2 / np.sqrt(12)) < 2e-3
    assert abs(ratio.mean()) < 2 * four_sigma + 1e-3
    assert abs(ratio.std() - 2 / np.sqrt(12)) < 2e-2
    for place in (top / (side - high + 1), left / (side - wide + 1)):
        assert abs(place.mean() - 0.5) < four_sigma + 1e-3
        assert abs(place.std() - 1 / np.sqrt(12)) < 5e-3


def test_the_largest_central_patch_is_taken_where_none_fits() -> None:
    """An image of 10×1000 holds no patch of half its area at a ratio near 1: the central 10×12 is taken."""
    draws = stream(0, "augment", 0).uniform((5, DRAWS))
    assert Patch((0.5, 1.0), (0.8, 1.25)).boxes(draws, 10, 1000).tolist() == [[0, 494, 10, 12]] * 5
    assert Patch((0.5, 1.0), (0.8, 1.25)).boxes(draws, 1000, 10).tolist() == [[494, 0, 12, 10]] * 5


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (8, 11), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_patches_are_scaled_as_torchvision_does(size: tuple[int, int], channels: int) -> None:
    """Bit for bit `resized_crop` on the CPU; the path for accelerators is at most one off."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (40, *size, channels), dtype=np.uint8))
    boxes = torch.from_numpy(USUAL.boxes(stream(1, "augment", 0).uniform((40, DRAWS)), *size))
    found = cut(images, boxes)
    resized_crop = torchvision.transforms.v2.functional.resized_crop
    for image, box, patch in zip(images, boxes.tolist(), found, strict=True):
        expected = resized_crop(image.permute(2, 0, 1), *box, list(size), antialias=True)
        assert torch.equal(patch.permute(2, 0, 1), expected)
    assert int((_cut_at_once(images, boxes).int() - found.int()).abs().max()) <= 1


def test_the_whole_image_is_left_as_it_is() -> None:
    """A patch of the whole image is that image, on either path."""
    images = torch.arange(2 * 5 * 7 * 3, dtype=torch.uint8).view(2, 5, 7, 3)
    boxes = torch.tensor([[0, 0, 5, 7]] * 2)
    assert torch.equal(cut(images, boxes), images)
    assert torch.equal(_cut_at_once(images, boxes), images)


def test_names_say_the_bounds() -> None:
    """Without numbers they are those of the paper."""
    assert parse_patch("resized-crop") == USUAL
    assert parse_patch("resized-crop[0.08,1,0.75,1.3333]") == Patch((0.08, 1.0), (0.75, 1.3333))
    assert parse_patch("flip") is None


@pytest.mark.parametrize(
    "name", ["resized-crop[0,1,1,1]", "resized-crop[0.5,0.1,1,1]", "resized-crop[1,2,1,1]"]
)
def test_bounds_that_cannot_be_are_refused(name: str) -> None:
    """Areas above the image's, or that fall."""
    with pytest.raises(UsageError, match="areas rise"):
        make_augmentations([name])
