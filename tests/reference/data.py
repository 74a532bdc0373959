"""MNIST and CIFAR-10 from their files, and the examples that methods are scored with."""

from __future__ import annotations

import gzip
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reference import draws


@cache
def mnist(root: Path) -> tuple[Tensor, Tensor]:
    """Training images N×1×28×28 (bytes) and labels."""
    folder = root / "MNIST" / "raw"

    def read(name: str, skip: int) -> np.ndarray[Any, Any]:
        packed = folder / f"{name}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
        return np.frombuffer(content, dtype=np.uint8, offset=skip)

    pixels = read("train-images-idx3-ubyte", 16).reshape(60_000, 1, 28, 28)
    labels = read("train-labels-idx1-ubyte", 8).astype(np.int64)
    return torch.from_numpy(pixels.copy()), torch.from_numpy(labels)


@cache
def cifar10(root: Path) -> tuple[Tensor, Tensor]:
    """Training images N×3×32×32 (bytes) and labels."""
    pixels, labels = [], []
    for number in range(1, 6):
        path = root / "cifar-10-batches-py" / f"data_batch_{number}"
        batch = pickle.loads(path.read_bytes(), encoding="bytes")
        pixels.append(batch[b"data"].reshape(-1, 3, 32, 32))
        labels += batch[b"labels"]
    return torch.from_numpy(np.concatenate(pixels)), torch.tensor(labels)


@cache
def statistics(root: Path, name: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over the training images, on the scale 0–1, float64."""
    images, _ = {"mnist": mnist, "cifar10": cifar10}[name](root)
    values = images.numpy()
    mean = values.mean((0, 2, 3), dtype=np.float64) / 255
    square = (values.astype(np.float32) ** 2).mean((0, 2, 3), dtype=np.float64) / 255**2
    return torch.from_numpy(mean), torch.from_numpy(np.sqrt(square - mean**2))


def normalised(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(x / 255 − mean) / std, float32."""
    factor = (1 / (255 * std)).float().view(1, -1, 1, 1)
    return images.float() * factor + (-mean / std).float().view(1, -1, 1, 1)


def scoring_examples(labels: Tensor, per_class: int, classes: int, seed: int) -> Tensor:
    """Positions of so many examples of each class, class after class, in the order of the seed."""
    order = draws.order(len(labels), seed, "batch")
    of_class = [torch.from_numpy(order[labels.numpy()[order] == c][:per_class]) for c in range(classes)]
    return torch.cat(of_class)
