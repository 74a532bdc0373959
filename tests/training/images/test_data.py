"""Data on the device: normalisation, the validation split, scoring batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from prunebench.errors import DataError
from prunebench.training.images.data import Data, Normalized, scoring_batch, validation_indices
from prunebench.training.images.normalize import normalize


def labelled(counts: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images that spell their own position, and shuffled labels with these counts."""
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(seed).shuffle(labels)
    n = len(labels)
    images = np.zeros((n, 1, 1, 4), dtype=np.uint8)
    images[:, 0, 0] = np.arange(n, dtype="<u4").view(np.uint8).reshape(n, 4)
    return torch.from_numpy(images), torch.from_numpy(labels)


def positions(images: torch.Tensor) -> list[int]:
    return images.numpy().reshape(-1, 4).copy().view("<u4").ravel().tolist()


def prepared(counts: list[int], split: str = "test") -> Data:
    return Data.prepare(labelled(counts), labelled([3] * len(counts)), [0.0], [1 / 255], len(counts), split)


def test_normalisation_is_the_usual_one():
    """(image / 255 − mean) / std per channel, within float32."""
    images = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8)
    mean, std = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
    expected = (images.double() / 255 - torch.tensor(mean).view(3, 1, 1).double()) / torch.tensor(std).view(
        3, 1, 1
    )
    assert torch.allclose(normalize(images, mean, std).double(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("counts", "held_out"),
    [
        ([100, 100], [10, 10]),
        ([105, 104, 103], [11, 10, 10]),  # 312: 31 of them; remainders 5, 4, 3
        ([15, 15, 10], [2, 1, 1]),  # equal remainders: the lower class first
        ([9, 9, 9], [1, 1, 0]),
        ([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], None),  # MNIST: 6000 in all
    ],
)
def test_validation_holds_out_a_tenth_of_every_class(counts: list[int], held_out: list[int] | None):
    """By largest remainder: exact counts, no example in both parts."""
    _, labels = labelled(counts)
    chosen = validation_indices(labels, len(counts))
    found = np.bincount(labels[chosen].numpy(), minlength=len(counts)).tolist()
    assert len(set(chosen.tolist())) == len(chosen) == sum(counts) // 10
    if held_out is None:
        assert all(abs(f - c / 10) < 1 for f, c in zip(found, counts, strict=True))
    else:
        assert found == held_out


def test_a_val_run_trains_on_the_rest_in_the_files_order():
    """The two parts together are the training set; the test set is not touched."""
    data = prepared([40, 60], "val")
    train, held_out = positions(data.images), positions(data.evaluation_images)
    assert train == sorted(train)
    assert held_out == sorted(held_out)
    assert sorted(train + held_out) == list(range(100))
    _, labels = labelled([40, 60])
    assert torch.equal(data.labels, labels[torch.tensor(train)])
    assert torch.equal(data.evaluation_labels, labels[torch.tensor(held_out)])


def test_the_validation_split_is_spread_over_the_file():
    """It is neither the head nor the tail of the file."""
    _, labels = labelled([500, 500])
    chosen = validation_indices(labels, 2).float()
    assert 400 < chosen.mean() < 600
    assert chosen.std() > 200


def test_a_scoring_batch_is_sorted_by_class_and_balanced():
    """Ten of class 0, then ten of class 1, …: distinct examples, their own labels."""
    data = prepared([40, 50, 60])
    x, y = scoring_batch(data, 0, per_class=10)
    assert x.dtype == torch.float32
    assert y.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    chosen = positions(x.round().to(torch.uint8))
    assert len(set(chosen)) == 30
    assert torch.equal(data.labels[torch.tensor(chosen)], y)


@pytest.mark.parametrize("wanted", [{"per_class": 4}, {"examples": 15}])
def test_another_draw_is_another_batch_of_the_same_size(wanted):
    """Each draw is one of its own, the same one every time; it has about as much of the first as chance gives."""
    data = prepared([400, 500, 600])
    batches = [scoring_batch(data, 0, **wanted, draw=draw) for draw in (None, 1, 2, 1)]
    chosen = [positions(x.round().to(torch.uint8)) for x, _ in batches]
    assert [len(one) for one in chosen] == [len(chosen[0])] * 4
    assert chosen[1] == chosen[3]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert len(set(chosen[i]) & set(chosen[j])) <= 2


@pytest.mark.parametrize("wanted", [{"per_class": 4}, {"examples": 15}])
def test_a_lazy_scoring_batch_has_the_same_numbers_when_they_are_asked_for(wanted):
    """Bytes until then; any part, whole or reordered, is that of the eager batch bit for bit."""
    data = prepared([40, 50, 60])
    x, y = scoring_batch(data, 0, **wanted)
    lazy, labels = scoring_batch(data, 0, **wanted, lazy=True)
    assert isinstance(lazy, Normalized)
    assert lazy.images.dtype == torch.uint8
    assert (len(lazy), lazy.shape) == (len(x), x.shape)
    assert torch.equal(y, labels)
    for part in (slice(None), slice(2, 7), torch.tensor([8, 1, 1]), 3):
        assert torch.equal(lazy[part], x[part])
    assert torch.equal(lazy.to("cpu")[:], x)


def test_a_scoring_batch_of_any_class_is_a_random_one():
    """So many distinct examples, their own labels."""
    data = prepared([40, 50, 60])
    x, y = scoring_batch(data, 0, examples=100)
    chosen = positions(x.round().to(torch.uint8))
    assert len(set(chosen)) == 100
    assert chosen != sorted(chosen)
    assert torch.equal(data.labels[torch.tensor(chosen)], y)


def test_scoring_batches_differ_by_seed():
    """And repeat with it."""
    data = prepared([40, 50])
    batches = [positions(scoring_batch(data, s, per_class=5)[0].round().to(torch.uint8)) for s in (0, 0, 1)]
    assert batches[0] == batches[1] != batches[2]


def test_a_scoring_batch_never_shows_the_held_out_tenth():
    """It comes from the run's own training part."""
    data = prepared([20, 20], "val")
    x, _ = scoring_batch(data, 0, per_class=18)
    assert not set(positions(x.round().to(torch.uint8))) & set(positions(data.evaluation_images))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [({"per_class": 11}, "class 1 has 10"), ({"examples": 100}, "has 30")],
)
def test_too_few_examples_to_score_with_is_an_error(wanted: dict[str, int], message: str):
    """It says what is wanted and what there is."""
    with pytest.raises(DataError, match=message):
        scoring_batch(prepared([20, 10]), 0, **wanted)


def test_a_class_without_examples_cannot_be_scored():
    """Even where its label is the last."""
    with pytest.raises(DataError, match="class 2 has 0"):
        scoring_batch(prepared([20, 20, 0]), 0, per_class=1)


GOOD = (torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": (GOOD[0].float(), GOOD[1])}, "uint8"),
        ({"train": (GOOD[0], GOOD[1][:3])}, "one for each of 4"),
        ({"test": (GOOD[0], GOOD[1] + 1)}, r"0 … 1, found 1 … 2"),
        ({"test": (GOOD[0][:, :, :1], GOOD[1])}, r"\(1, 1, 2\)"),
        ({"test": (GOOD[0][:0], GOOD[1][:0])}, "no test images"),
        ({"mean": [0.1, 0.2]}, "channels"),
        ({"std": [0.0]}, "above 0"),
        ({"split": "train"}, "'test' or 'val'"),
    ],
)
def test_data_that_does_not_fit_together_is_refused(change: dict, message: str):
    """With what was found and what is allowed."""
    arguments: dict = {"train": GOOD, "test": GOOD, "mean": [0.5], "std": [0.5], "classes": 2} | change
    with pytest.raises(DataError, match=message):
        Data.prepare(**arguments)


def test_shape_and_classes_are_kept(make_data: Callable[..., Data]):
    """The shape is that of an image."""
    data = make_data(shape=(2, 6, 6))
    assert (data.shape, data.classes) == ((2, 6, 6), 4)


def test_limited_data_lie_evenly_apart_so_that_sorted_classes_stay():
    """Ten of 40 sorted by class: every fourth, so two or three of each class; images and labels still fit."""
    labels = torch.arange(4).repeat_interleave(10)
    images = labelled([40])[0]
    data = Data.prepare((images, labels), (images[:6], labels[:6]), [0.0], [1 / 255], 4)
    limited = data.limited(10)
    assert positions(limited.images) == list(range(0, 40, 4))
    assert limited.labels.tolist() == labels[::4].tolist()
    assert positions(limited.evaluation_images) == list(range(6))
    assert data.limited(None) is data
    assert positions(data.limited(7).images) == [40 * i // 7 for i in range(7)]
