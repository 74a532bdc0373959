"""The data path alone, against a DataLoader with torchvision's transforms, in alternating blocks of one run.

    python benchmarks/data_path.py [--quick] [--case NAME]

Prints images a second of each and the ratio of the medians: batch, augmentation and normalisation of images
that are held in memory, without a network. The DataLoader works as torchvision's examples do: in the training
process (no workers), on Pillow images, one after the other. Times are the processor's; one thread. A block
is an epoch of prunebench's path, and a smaller part of one of the DataLoader's, which needs as long.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from prunebench.training.images.batches import Batches
from prunebench.training.images.data import Data
from prunebench.training.recipe import Recipe
from prunebench.vision import torchvision

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
CASES: dict[str, tuple[int, int, tuple[str, ...]]] = {
    # side, batch, augmentation
    "cifar10": (32, 128, ("flip", "shift4")),
    "cifar10-plain": (32, 128, ()),
    "tiny-imagenet": (64, 256, ("resized-crop", "flip")),
}


class Pictures(Dataset[Any]):
    """Images as torchvision's own data sets give them: Pillow's, made of a row of an array, transformed."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, transform: Callable[[Any], Any]) -> None:
        self._pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
        self._labels, self._transform = labels.tolist(), transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self._transform(Image.fromarray(self._pixels[number])), self._labels[number]


def transforms(side: int, augment: tuple[str, ...]) -> Callable[[Any], Any]:
    """Return torchvision's transforms for a recipe's augmentations and the usual normalisation."""
    of = torchvision.transforms
    made = {
        "flip": of.RandomHorizontalFlip(),
        "shift4": of.RandomCrop(side, padding=4),
        "resized-crop": of.RandomResizedCrop(side, scale=(0.1, 1.0), ratio=(0.8, 1.25)),
    }
    composed: Callable[[Any], Any] = of.Compose(
        [*(made[name] for name in augment), of.ToTensor(), of.Normalize(MEAN, STD)]
    )
    return composed


def compare(name: str, examples: int, blocks: int, share: int) -> None:
    """Time blocks of both in turn, and print."""
    side, batch, augment = CASES[name]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (examples, 3, side, side), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (examples,), generator=generator)
    recipe = Recipe(epochs=blocks, batch=batch, lr=0.1, augment=augment)
    data = Data.prepare((images, labels), (images[:1], labels[:1]), MEAN, STD, 10)
    path = Batches(data, recipe, 0, channels_last=True)
    loader: DataLoader[Any] = DataLoader(
        Pictures(images, labels, transforms(side, augment)), batch, shuffle=True, num_workers=0
    )

    def ours(block: int) -> Iterator[torch.Tensor]:
        for step in range(block * path.per_epoch, (block + 1) * path.per_epoch):
            yield path(step)[0]

    def theirs(block: int) -> Iterator[torch.Tensor]:
        for number, (x, _) in enumerate(loader):
            if number == max(1, path.per_epoch // share):
                return
            yield x

    speeds: dict[str, list[float]] = {"prunebench": [], "DataLoader": []}
    for block in range(blocks):
        for which, batches in (("prunebench", ours), ("DataLoader", theirs)):
            started, seen = time.process_time(), 0
            for x in batches(block):
                seen += len(x)
            if block:  # the first one warms up
                speeds[which].append(seen / (time.process_time() - started))
    speed, plainly = (statistics.median(speeds[which]) for which in ("prunebench", "DataLoader"))
    print(
        f"{name}: DataLoader {plainly:,.0f} images/s, prunebench {speed:,.0f} images/s, "
        f"ratio {speed / plainly:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks")
    parser.add_argument("--case", choices=list(CASES), help="only this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    examples, blocks = (4_096, 6) if arguments.quick else (16_384, 12)
    for name in CASES:
        if arguments.case in (None, name):
            compare(name, examples, blocks, share=8)


if __name__ == "__main__":
    main()
