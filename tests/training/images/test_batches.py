"""Batches and augmentation, against loops over images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from prunebench.errors import UsageError
from prunebench.training.images.augment import make_augmentations
from prunebench.training.images.batches import Batches
from prunebench.training.images.data import Data
from prunebench.training.recipe import Recipe
from prunebench.training.streams import stream


def recipe(**changes: object) -> Recipe:
    return Recipe(**{"epochs": 3, "batch": 8, "lr": 0.1, **changes})


def naive(data: Data, seed: int, epoch: int, position: int, augment: tuple[str, ...]) -> np.ndarray:
    """Return the image at a position of an epoch, made pixel by pixel."""
    n = len(data.images)
    raw = stream(seed, "order", epoch).raw(n).tolist()
    image = data.images[sorted(range(n), key=lambda i: raw[i])[position]].numpy()
    _, height, width = image.shape
    for name in augment:
        draws = stream(seed, "augment", epoch, name)
        result = np.zeros_like(image)
        if name == "flip":
            flipped = draws.uniform(n)[position] >= 0.5
            for x in range(width):
                result[:, :, x] = image[:, :, width - 1 - x if flipped else x]
        else:
            reach = int(name.removeprefix("shift"))
            u = draws.uniform(2 * n)[2 * position : 2 * position + 2]
            dy, dx = (int(v * (2 * reach + 1)) - reach for v in u)
            for y in range(height):
                for x in range(width):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        result[:, y, x] = image[:, y + dy, x + dx]
        image = result
    mean, std = np.array(data.mean)[:, None, None], np.array(data.std)[:, None, None]
    return (image / 255 - mean) / std


@pytest.mark.parametrize("augment", [(), ("flip",), ("shift2",), ("flip", "shift1"), ("shift9", "flip")])
@pytest.mark.parametrize("channels_last", [False, True])
def test_batches_equal_a_loop_over_images(
    make_data: Callable[..., Data], augment: tuple[str, ...], channels_last: bool
):
    """Order, flips, shifts with a black frame and normalisation, in two epochs."""
    data = make_data(21, (3, 5, 4))
    batches = Batches(data, recipe(augment=augment), 6, channels_last=channels_last)
    for step in (0, 2, 4):
        x, y = batches(step)
        epoch, first = step // 3, step % 3 * 8
        expected = [naive(data, 6, epoch, first + i, augment) for i in range(len(x))]
        assert np.allclose(x.numpy(), expected, atol=1e-5)
        order = np.argsort(stream(6, "order", epoch).raw(21), kind="stable")
        assert torch.equal(y, data.labels[order[first : first + len(y)]])
        assert x.is_contiguous(
            memory_format=torch.channels_last if channels_last else torch.contiguous_format
        )


@pytest.mark.parametrize(("last_batch", "sizes"), [("keep", [8, 8, 5]), ("drop", [8, 8])])
def test_the_last_part_batch_is_kept_or_dropped(
    make_data: Callable[..., Data], last_batch: str, sizes: list[int]
):
    """As the recipe says; the next epoch begins with the next step."""
    data = make_data(21)
    batches = Batches(data, recipe(last_batch=last_batch), 0)
    assert [len(batches(step)[0]) for step in range(len(sizes) * 2)] == sizes * 2


def test_an_epoch_shows_every_example_once(make_data: Callable[..., Data]):
    """And the next epoch in another order."""
    data = make_data(21)
    plain = Batches(data, recipe(), 0)
    epochs = [torch.cat([plain(step)[0] for step in range(first, first + 3)]) for first in (0, 3)]
    rows = [sorted(map(tuple, epoch.flatten(1).tolist())) for epoch in epochs]
    assert rows[0] == rows[1]
    assert not torch.equal(*epochs)


def test_a_step_is_the_same_wherever_one_starts(make_data: Callable[..., Data]):
    """Step 7 alone is step 7 after all before it, and after a later one."""
    data = make_data(21)
    changes = recipe(augment=("flip", "shift2"))
    alone, through = Batches(data, changes, 0)(7)[0], Batches(data, changes, 0)
    for step in (0, 3, 6, 8):
        through(step)
    assert torch.equal(through(7)[0], alone)


def test_another_augmentation_moves_nobodys_draws(make_data: Callable[..., Data]):
    """Flips are the same with and without shifts."""
    flip = make_augmentations(["flip"])[0]
    draws = flip.draw(stream(0, "augment", 0).child("flip"), 50)
    both = Batches(make_data(50), recipe(augment=("shift2", "flip")), 0)
    both(0)
    assert both._draws[1].tolist() == draws.tolist()
    assert 10 < int(draws.sum()) < 40


@pytest.mark.parametrize(
    "names", [["flop"], ["shift"], ["shift0"], ["shift-1"], ["shift2x"], ["flip", "flip"]]
)
def test_unknown_augmentations_are_refused(names: list[str]):
    """With what is allowed."""
    with pytest.raises(UsageError, match=r"allowed|once"):
        make_augmentations(names)
