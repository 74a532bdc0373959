"""A part of the training examples: drawn by the seed, without regard to class; what is evaluated on is whole."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import torch

from prunebench.training.images.data import Data

N, CLASSES = 400, 4


def data(split: str = "test") -> Data:
    """Images that spell their own position; labels are sorted, so that a slice would lack classes."""
    images = torch.arange(N).view(N, 1, 1, 1).expand(N, 1, 2, 2)
    pixels = torch.cat([images % 256, images // 256], 1).to(torch.uint8).contiguous()
    labels = torch.arange(CLASSES).repeat_interleave(N // CLASSES)
    return Data.prepare((pixels, labels), (pixels[:10], labels[:10]), [0.0] * 2, [1.0] * 2, CLASSES, split)


def positions(images: torch.Tensor) -> list[int]:
    return (images[:, 0, 0, 0].long() + 256 * images[:, 1, 0, 0].long()).tolist()


def by_hand(seed: int, count: int, there: int) -> list[int]:
    """The positions with the smallest numbers of the Philox stream that the seed and "subsample" name."""
    named = hashlib.sha256(json.dumps([seed, "subsample"], separators=(",", ":")).encode()).digest()
    numbers = np.random.Philox(key=np.frombuffer(named[:16], dtype="<u8")).random_raw(there)
    return sorted(sorted(range(there), key=lambda i: int(numbers[i]))[:count])


def test_a_part_is_that_of_the_smallest_numbers_of_the_seeds_stream() -> None:
    """In the order of the files, images with their own labels; the part evaluated on stays as it is."""
    for seed in (0, 3):
        drawn = data().drawn(100, seed)
        chosen = positions(drawn.images)
        assert chosen == by_hand(seed, 100, N)
        assert drawn.labels.tolist() == [position // (N // CLASSES) for position in chosen]
        assert torch.equal(drawn.evaluation_images, data().evaluation_images)
        assert torch.equal(drawn.evaluation_labels, data().evaluation_labels)


def test_another_seed_draws_others_and_a_smaller_part_lies_within_a_larger_one() -> None:
    """So a curve over sizes adds examples, and seeds are replications of the draw too."""
    first, second = (set(positions(data().drawn(100, seed).images)) for seed in (0, 1))
    assert first != second
    assert set(positions(data().drawn(25, 0).images)) < first


def test_classes_are_drawn_as_they_come() -> None:
    """The share of a class varies as drawing without replacement says (hypergeometric), over 300 seeds."""
    counts = np.array([np.bincount(data().drawn(40, s).labels.numpy(), minlength=4)[0] for s in range(300)])
    deviation = (40 * 0.25 * 0.75 * (N - 40) / (N - 1)) ** 0.5
    assert abs(counts.mean() - 10) < 4 * deviation / 300**0.5
    assert 0.8 < counts.std(ddof=1) / deviation < 1.2


def test_a_part_of_the_val_split_is_of_its_own_training_part() -> None:
    """What is held out is never trained on."""
    whole = data("val")
    drawn = whole.drawn(90, 0)
    there = positions(whole.images)
    assert positions(drawn.images) == [there[i] for i in by_hand(0, 90, len(there))]
    assert not set(positions(drawn.images)) & set(positions(drawn.evaluation_images))
    assert len(drawn.evaluation_labels) == N // 10
