"""Images that are read from their files while training, by worker processes, each augmented by its own draws.

What happens to an image depends on the seed, the epoch and its position in the epoch's order alone, so that
the number of workers changes nothing.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from prunebench.cores import usable_cores
from prunebench.errors import DataError, UsageError
from prunebench.process import gpus_of_slot, shared_by
from prunebench.training.devices import ALONE, Devices
from prunebench.training.images.augment import Augmentation, make_augmentations
from prunebench.training.images.files import ImageFiles
from prunebench.training.images.normalize import Normalization
from prunebench.training.images.prepare import Prepare, open_image
from prunebench.training.recipe import Recipe
from prunebench.training.streams import Stream, stream

__all__ = ["BatchesFromDisk", "ImagesOnDisk", "ReadOnce", "default_loaders"]

MOST = 8
"""Processes that read images for one GPU: they keep it busy, and their batches fill /dev/shm."""

_Wanted = tuple[int, tuple[Any, ...]]
"""An image's number, and its row of each augmentation's draws."""


def default_loaders() -> int:
    """Return how many processes read images: PRUNEBENCH_LOADERS, else this worker's share of the cores.

    At most eight for a GPU, or for a process without one: those that share a GPU divide them. 0 reads in the
    training process itself. No number changes a result.

    Raises: UsageError where the variable holds no whole number.
    """
    said = os.environ.get("PRUNEBENCH_LOADERS")
    if said is None:
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        return max(1, min(MOST // shared_by() * gpus_of_slot(), usable_cores() // workers))
    if not said.isdecimal():
        raise UsageError(f"PRUNEBENCH_LOADERS is {said!r}; allowed: a whole number of processes, 0 for none")
    return int(said)


class ImagesOnDisk:
    """Images N×C×H×W that lie in files; some of them are read when they are asked for.

    files: where they lie, and the shape that they get
    loaders: processes that read
    device: where the images go that are asked for
    """

    dtype = torch.uint8
    ndim = 4

    def __init__(
        self,
        files: ImageFiles,
        *,
        loaders: int = 0,
        device: str | torch.device = "cpu",
        chosen: NDArray[np.int64] | None = None,
    ) -> None:
        self.files, self.loaders, self.device = files, loaders, torch.device(device)
        self._chosen = np.arange(len(files)) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""
        return torch.Size((len(self), *self.files.shape))

    def to(self, device: str | torch.device) -> ImagesOnDisk:
        """Return the same images for another device."""
        return ImagesOnDisk(self.files, loaders=self.loaders, device=device, chosen=self._chosen)

    def take(self, which: torch.Tensor) -> ImagesOnDisk:
        """Return some of the images, by number or by a bool for each; nothing is read."""
        chosen = self._chosen[which.cpu().numpy()]
        return ImagesOnDisk(self.files, loaders=self.loaders, device=self.device, chosen=chosen)

    def __getitem__(self, part: slice | torch.Tensor) -> torch.Tensor:
        """Return some images as uint8 n×C×H×W, scaled and cropped in the middle. Raises: DataError."""
        which = np.arange(len(self))[part] if isinstance(part, slice) else part.cpu().numpy()
        images = torch.empty((len(which), *self.files.shape), dtype=torch.uint8, device=self.device)
        if len(which):
            places = images.split(500)  # type: ignore[no-untyped-call]
            for place, read in zip(places, self.take(torch.as_tensor(which)).split(500), strict=True):
                place.copy_(read)
        return images

    def split(self, size: int) -> Iterator[torch.Tensor]:
        """Yield all images in batches of `size`, the last one smaller. Raises: DataError."""
        wanted: list[_Wanted] = [(number, ()) for number in range(len(self))]
        batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        for images in _read(self, Prepare(self.files.shape, ()), batches, self.loaders):
            yield images.to(self.device, non_blocking=True)  # pinned there, so nothing is waited for

    def path(self, number: int) -> Path:
        """Return the file of an image."""
        return self.files.paths[int(self._chosen[number])]


class ReadOnce:
    """Images of which some are asked for again and again: all are read when the first are, and kept as bytes.

    A scoring batch in chunks, a hundred rounds long, starts its readers once and decodes each image once.
    """

    def __init__(self, images: ImagesOnDisk) -> None:
        self._images = images
        self._bytes: torch.Tensor | None = None
        self.shape, self.device, self.dtype = images.shape, images.device, images.dtype

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, part: slice | torch.Tensor) -> torch.Tensor:
        """Return some images as uint8 n×C×H×W. Raises: DataError."""
        if self._bytes is None:
            self._bytes = self._images[:]
        return self._bytes[part if isinstance(part, slice) else part.to(self.device)]

    def to(self, device: str | torch.device) -> ReadOnce:
        """Return the same images on another device."""
        there = ReadOnce(self._images.to(device))
        there._bytes = None if self._bytes is None else self._bytes.to(device)
        return there


class BatchesFromDisk:
    """The training batches of a run, by step, like `Batches`: of images that lie in files.

    Epoch e goes through the images in the order of stream(seed, "order", e); the draws of an augmentation are
    by position in the epoch, from stream(seed, "augment", e, its name).
    """

    def __init__(
        self,
        images: ImagesOnDisk,
        labels: torch.Tensor,
        recipe: Recipe,
        seed: int,
        mean: Sequence[float],
        std: Sequence[float],
        layout: torch.memory_format = torch.contiguous_format,
        devices: Devices = ALONE,
    ) -> None:
        self._devices = devices
        self._images, self._labels, self._recipe, self._seed = images, labels, recipe, seed
        self._layout = layout
        self._normalized = Normalization(mean, std, images.device)
        self.examples = len(images)
        self.per_epoch = recipe.steps_per_epoch(self.examples)
        self._augmentations = make_augmentations(recipe.augment)
        self._prepare = Prepare(images.files.shape, recipe.augment)
        self._next = -1
        self._coming: Iterator[torch.Tensor] = iter(())
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._in_order = labels[:0]
        """The labels of the epoch at hand: on the device, where a copy a step would be waited for."""

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (float32 normalised images N×C×H×W, labels) of the step after `step` steps.

        Raises: DataError naming a file that holds no whole image.
        """
        epoch, position = divmod(step, self.per_epoch)
        if step != self._next or position == 0:
            self._order = stream(self._seed, "order", epoch).permutation(self.examples)
            self._in_order = self._labels[torch.from_numpy(self._order).to(self._labels.device)]
            batches = _Batches(self, epoch, position)
            self._coming = _read(self._images, self._prepare, batches, self._images.loaders)
        images = next(self._coming).to(self._images.device, non_blocking=True)
        images = images.contiguous(memory_format=self._layout)
        self._next = step + 1
        return self._normalized(images), self._in_order[self.part(position)]

    def part(self, position: int) -> slice:
        """Return the positions in the epoch of its batch number `position`: of what of it is read here."""
        start = position * self._recipe.batch
        here = self._devices.part(self._recipe.batch_at(position, self.examples))
        return slice(start + here.start, start + here.stop)

    def wanted(self, epoch: int, position: int) -> Iterator[list[_Wanted]]:
        """Yield what the batches of an epoch hold, from one on."""
        of_epoch = stream(self._seed, "augment", epoch)
        streams = [(one, of_epoch.child(one.name)) for one in self._augmentations]
        drawn = 0
        for number in range(position, self.per_epoch):
            part = self.part(number)
            for one, draws in streams:
                _skip(one, draws, part.start - drawn)
            rows = [one.draw(draws, part.stop - part.start) for one, draws in streams]
            drawn = part.stop
            yield [(int(image), tuple(row[k] for row in rows)) for k, image in enumerate(self._order[part])]


def _skip(augmentation: Augmentation, draws: Stream, examples: int) -> None:
    """Leave out the draws of so many examples, without keeping many of them at once."""
    for start in range(0, examples, 1 << 16):
        augmentation.draw(draws, min(1 << 16, examples - start))


class _Batches:
    """What the data loader asks for the images of its batches."""

    def __init__(self, epochs: BatchesFromDisk, epoch: int, position: int) -> None:
        self._epochs, self._epoch, self._position = epochs, epoch, position

    def __iter__(self) -> Iterator[list[_Wanted]]:
        return self._epochs.wanted(self._epoch, self._position)


class _Items(Dataset[Any]):
    """Images by (number, draws): uint8 C×H×W, or a text that says why there is none."""

    def __init__(self, images: ImagesOnDisk, prepare: Prepare) -> None:
        self._images, self._prepare = images, prepare

    def __getitem__(self, wanted: _Wanted) -> torch.Tensor | str:
        number, draws = wanted
        try:
            return self._prepare(open_image(self._images.path(number), self._images.files.shape[0]), draws)
        except DataError as error:  # raised again in the training process, without a worker's traceback
            return str(error)


def _together(images: list[torch.Tensor | str]) -> torch.Tensor | str:
    for image in images:
        if isinstance(image, str):
            return image
    return torch.stack(cast("list[torch.Tensor]", images))


def _read(
    images: ImagesOnDisk, prepare: Prepare, batches: Sequence[list[_Wanted]] | _Batches, loaders: int
) -> Iterator[torch.Tensor]:
    """Yield the images of batches, uint8 n×C×H×W, read ahead by worker processes. Raises: DataError."""
    importlib.import_module("prunebench.vision")  # once, before workers are forked, not in each of them
    loader: DataLoader[Any] = DataLoader(
        _Items(images, prepare),
        batch_sampler=cast("Any", batches),
        collate_fn=_together,
        num_workers=loaders,
        pin_memory=images.device.type == "cuda",
        generator=torch.Generator(),  # else it would draw from the training's own noise
    )
    for images_or_why in loader:
        if isinstance(images_or_why, str):
            raise DataError(images_or_why)
        yield images_or_why
