"""A labelled data set as tensors on the device: what a run trains on, is evaluated on, is scored with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from prunebench.errors import DataError
from prunebench.training.images.normalize import normalize
from prunebench.training.images.reading import ImagesOnDisk, ReadOnce
from prunebench.training.streams import stream
from prunebench.training.tasks import CLASSIFICATION

__all__ = ["Data", "Images", "Normalized", "scoring_batch", "validation_indices"]

Images = torch.Tensor | ImagesOnDisk
Part = tuple[Images, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Data:
    """Images as they are in the files and their labels, of a run's own training part and its evaluation part.

    Images are uint8 N×C×H×W, held or (`ImagesOnDisk`) read from their files when they are wanted; they are
    normalised batch by batch with `mean` and `std`, per channel on the scale 0–1, by `normalize`.
    """

    images: Images
    labels: torch.Tensor
    evaluation_images: Images
    evaluation_labels: torch.Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    shape: tuple[int, int, int]
    classes: int
    task: str = CLASSIFICATION
    """What networks are trained for on them: a name of `TASKS`."""

    @classmethod
    def prepare(
        cls,
        train: Part,
        test: Part,
        mean: Sequence[float],
        std: Sequence[float],
        classes: int,
        split: Literal["test", "val"] = "test",
        device: str | torch.device = "cpu",
        task: str = CLASSIFICATION,
    ) -> Data:
        """Return the data of a run on the device.

        With split "test" a run trains on all of `train` and is evaluated on `test`; with "val" it trains on
        nine tenths of `train` and is evaluated on the fixed tenth of `validation_indices`; `test` is unused.

        Raises: DataError where images or labels do not fit together, the mean, the deviation or the classes.
        """
        _check(*train, len(mean), classes, "training")
        if split == "val":
            held_out = validation_indices(train[1], classes)
            rest = torch.ones(len(train[1]), dtype=torch.bool)
            rest[held_out] = False
            test = (_chosen(train[0], held_out), train[1][held_out])
            train = (_chosen(train[0], rest), train[1][rest])
        elif split != "test":
            raise DataError(f"the split is 'test' or 'val', found {split!r}")
        _check(*test, len(mean), classes, "test")
        if len(std) != len(mean) or not all(value > 0 for value in std):
            raise DataError(f"one deviation above 0 for each of {len(mean)} channels, found {tuple(std)}")
        channels, height, width = shape = tuple(train[0].shape[1:])
        other = tuple(test[0].shape[1:])
        if shape != other:
            raise DataError(f"test images have shape {other}, training images {shape}")
        shape = (channels, height, width)
        return cls(*train, *test, tuple(mean), tuple(std), shape, classes, task).to(device)

    def limited(self, count: int | None) -> Data:
        """Return the data with so many examples at most to train on and to be evaluated on; None: all.

        They lie evenly apart in the order of the files, so that data sorted by class keep their classes.
        """
        if count is None:
            return self
        images, labels = _spaced(self.images, self.labels, count)
        evaluated, answers = _spaced(self.evaluation_images, self.evaluation_labels, count)
        return replace(
            self, images=images, labels=labels, evaluation_images=evaluated, evaluation_labels=answers
        )

    def drawn(self, count: int, seed: int) -> Data:
        """Return the data with `count` of the training examples, drawn without regard to class.

        They are the first of the order of stream(seed, "subsample"), in the order of the files: the same at
        the same seed, and a smaller part lies within a larger one. What is evaluated on stays whole.
        """
        order = stream(seed, "subsample").permutation(len(self.labels))
        which = torch.from_numpy(np.sort(order[:count])).to(self.labels.device)
        return replace(self, images=_chosen(self.images, which), labels=self.labels[which])

    def to(self, device: str | torch.device) -> Data:
        """Return the data on a device; tensors that are there already are shared."""
        return replace(
            self,
            images=self.images.to(device),
            labels=self.labels.to(device),
            evaluation_images=self.evaluation_images.to(device),
            evaluation_labels=self.evaluation_labels.to(device),
        )


@dataclass(frozen=True, eq=False)
class Normalized:
    """Images that are normalised when they are asked for: a quarter of the memory until then.

    `len`, `shape` and indexing by a number, a slice or a tensor of numbers are those of the normalised
    tensor, and so are the numbers, bit for bit.
    """

    images: Images | ReadOnce
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""
        return self.images.shape

    def __getitem__(self, part: int | slice | torch.Tensor) -> torch.Tensor:
        if isinstance(part, int):
            part = part + len(self) if part < 0 else part
            return self[part : part + 1][0]
        return normalize(self.images[part], self.mean, self.std)

    def to(self, device: str | torch.device) -> Normalized:
        """Return the same on a device."""
        return replace(self, images=self.images.to(device))


def validation_indices(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the positions of the held-out tenth of a training set, rising; the same for every seed.

    ⌊N / 10⌋ examples in all: of each class the tenth rounded down, then one more of the classes with the
    largest remainders (equal ones: the lower class first). Which examples: the first of their class in the
    order of stream(0, "val").
    """
    values = labels.cpu().numpy()
    counts = np.bincount(values, minlength=classes)
    quotas = counts // 10
    short = len(values) // 10 - int(quotas.sum())
    quotas[np.argsort(-(counts % 10), kind="stable")[:short]] += 1
    order = stream(0, "val").permutation(len(values))
    chosen = _first_of_each_class(values, order, quotas)
    return torch.from_numpy(np.sort(chosen))


@overload
def scoring_batch(
    data: Data,
    seed: int,
    *,
    per_class: int | None = None,
    examples: int | None = None,
    draw: int | None = None,
    lazy: Literal[False] = False,
) -> tuple[torch.Tensor, torch.Tensor]: ...
@overload
def scoring_batch(
    data: Data,
    seed: int,
    *,
    per_class: int | None = None,
    examples: int | None = None,
    draw: int | None = None,
    lazy: bool,
) -> tuple[torch.Tensor | Normalized, torch.Tensor]: ...
def scoring_batch(
    data: Data,
    seed: int,
    *,
    per_class: int | None = None,
    examples: int | None = None,
    draw: int | None = None,
    lazy: bool = False,
) -> tuple[torch.Tensor | Normalized, torch.Tensor]:
    """Return (float32 normalised images, labels) to score with, by stream(seed, "batch"), not augmented.

    With `draw`, by stream(seed, "batch", draw): another batch.

    `per_class` of every class, sorted by class (ten of class 0, then ten of class 1, …), or so many
    `examples` without regard to class, in random order. They are of the run's own training part, on the
    data's device. With `lazy` the images stay bytes until they are asked for (`Normalized`); those in files
    are all read when the first are asked for (`ReadOnce`).

    Raises: DataError where a class or the training part has too few.
    """
    labels = data.labels.cpu().numpy()
    order = stream(seed, "batch", *([] if draw is None else [draw])).permutation(len(labels))
    if (per_class is None) == (examples is None):
        raise ValueError("give either per_class or examples")
    if per_class is not None:
        counts = np.bincount(labels, minlength=data.classes)
        for label, count in enumerate(counts):
            if count < per_class:
                raise DataError(
                    f"the scoring batch wants {per_class} examples of every class; class {label} has {count}"
                )
        chosen = _first_of_each_class(labels, order, np.full(data.classes, per_class))
    else:
        assert examples is not None
        if examples > len(labels):
            raise DataError(
                f"the scoring batch wants {examples} examples; the training part has {len(labels)}"
            )
        chosen = order[:examples]
    where = torch.from_numpy(chosen).to(data.images.device)
    taken = _chosen(data.images, where)
    held = ReadOnce(taken) if lazy and isinstance(taken, ImagesOnDisk) else taken
    images = Normalized(held, data.mean, data.std)
    return (images if lazy else images[:]), data.labels[where]


def _first_of_each_class(
    labels: NDArray[np.int64], order: NDArray[np.int64], quotas: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the first quotas[c] positions of each class c in `order`, class after class."""
    by_class = [order[labels[order] == label][:quota] for label, quota in enumerate(quotas)]
    return np.concatenate(by_class)


def _spaced(images: Images, labels: torch.Tensor, count: int) -> Part:
    """Return `count` examples, evenly apart; all where there are no more: number ⌊i · all / count⌋."""
    there = len(labels)
    if count >= there:
        return images, labels
    which = (torch.arange(count) * there // count).to(labels.device)
    return _chosen(images, which), labels[which]


def _chosen(images: Images, which: torch.Tensor) -> Images:
    """Return some images, by number or by a bool for each; those in files are not read yet."""
    return images.take(which) if isinstance(images, ImagesOnDisk) else images[which]


def _check(images: Images, labels: torch.Tensor, channels: int, classes: int, part: str) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise DataError(
            f"{part} images are uint8 of shape N×C×H×W, found {images.dtype} of {tuple(images.shape)}"
        )
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{part} labels are int64, one for each of {len(images)} images, "
            f"found {labels.dtype} of shape {tuple(labels.shape)}"
        )
    if len(images) == 0:
        raise DataError(f"there are no {part} images")
    if images.shape[1] != channels:
        raise DataError(f"{part} images have {images.shape[1]} channels, the mean has {channels}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise DataError(f"{part} labels lie in 0 … {classes - 1}, found {low} … {high}")
