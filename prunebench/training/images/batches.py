"""The training batches of a run, by step: order, augmentation, normalisation, all on the data's device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from prunebench.training.devices import ALONE, Devices
from prunebench.training.images.augment import make_augmentations
from prunebench.training.images.data import Data
from prunebench.training.images.normalize import Normalization
from prunebench.training.images.reading import BatchesFromDisk, ImagesOnDisk
from prunebench.training.recipe import Recipe
from prunebench.training.streams import stream

__all__ = ["Batches", "BatchesOf", "Choice", "make_batches"]


@dataclass(frozen=True)
class Choice:
    """What a batch is made of, on the data's device: the host's part of it."""

    examples: torch.Tensor
    """Numbers of the examples (int64, one dimension)."""
    draws: Sequence[torch.Tensor]
    """The settled draws of each augmentation, a row an example."""

    def copied(self) -> Choice:
        """Return the same choice in memory of its own."""
        return Choice(self.examples.clone(), [draws.clone() for draws in self.draws])

    def fill(self, other: Choice) -> None:
        """Take another choice of as many examples, in the same memory."""
        self.examples.copy_(other.examples)
        for mine, theirs in zip(self.draws, other.draws, strict=True):
            mine.copy_(theirs)


class BatchesOf(Protocol):
    """The training batches of a run, by step."""

    examples: int
    per_epoch: int

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (float32 normalised images N×C×H×W, labels) of the step after `step` steps."""


def make_batches(
    data: Data, recipe: Recipe, seed: int, *, channels_last: bool = False, devices: Devices = ALONE
) -> BatchesOf:
    """Return the batches of a run on some data: held on the device, or read from files.

    Of each batch there is what `devices` has here of it.
    """
    if isinstance(data.images, ImagesOnDisk):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        return BatchesFromDisk(data.images, data.labels, recipe, seed, data.mean, data.std, layout, devices)
    return Batches(data, recipe, seed, channels_last=channels_last, devices=devices)


class Batches:
    """`batches(step)` is the batch of any step of the schedule; steps in order are quick.

    Epoch e goes through the training part in the order of stream(seed, "order", e). An augmentation's draws
    are by position in the epoch, from stream(seed, "augment", e, its name).
    """

    def __init__(
        self,
        data: Data,
        recipe: Recipe,
        seed: int,
        *,
        channels_last: bool = False,
        devices: Devices = ALONE,
    ) -> None:
        assert isinstance(data.images, torch.Tensor)
        self._devices = devices
        self._recipe, self._seed, self._channels_last = recipe, seed, channels_last
        self.examples = len(data.images)
        self.per_epoch = recipe.steps_per_epoch(self.examples)
        self._augmentations = make_augmentations(recipe.augment)
        self._labels = data.labels
        self._device = data.images.device
        self._size = data.shape[1:]
        # rows of N×(H·W·C), or of N×(C·H·W) where nothing wants the channels last: one copy a batch then
        self._by_pixel = channels_last or bool(self._augmentations)
        pixels = data.images.permute(0, 2, 3, 1) if self._by_pixel else data.images
        self._row_shape = pixels.shape[1:]
        self._rows = pixels.reshape(self.examples, -1)
        self._normalized = Normalization(data.mean, data.std, self._device)
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)
        self._draws: list[torch.Tensor] = []

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (float32 normalised images N×C×H×W, labels) of the step after `step` steps."""
        return self.make(self.choose(step))

    def choose(self, step: int) -> Choice:
        """Return what the batch of the step after `step` steps is made of."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._start(epoch)
        start = position * self._recipe.batch
        here = self._devices.part(self._recipe.batch_at(position, self.examples))
        part = slice(start + here.start, start + here.stop)
        return Choice(self._order[part], [draws[part] for draws in self._draws])

    def make(self, choice: Choice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch (as `__call__` does); all of it is computed on the data's device."""
        images = self._rows.index_select(0, choice.examples).view(-1, *self._row_shape)
        for augmentation, draws in zip(self._augmentations, choice.draws, strict=True):
            images = augmentation.apply(images, draws)
        if self._by_pixel:
            images = images.permute(0, 3, 1, 2)
            if not self._channels_last:
                images = images.contiguous()
        return self._normalized(images), self._labels.index_select(0, choice.examples)

    def _start(self, epoch: int) -> None:
        order = stream(self._seed, "order", epoch).permutation(self.examples)
        self._order = torch.from_numpy(order).to(self._device)
        height, width = self._size
        of_epoch = stream(self._seed, "augment", epoch)
        self._draws = [
            torch.from_numpy(one.settle(one.draw(of_epoch.child(one.name), self.examples), height, width)).to(
                self._device
            )
            for one in self._augmentations
        ]
        self._epoch = epoch
