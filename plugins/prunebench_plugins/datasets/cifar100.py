"""CIFAR-100: two pickled batches, in their folder or still in the published archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prunebench import Dataset
from prunebench_plugins.datasets._files import Original
from prunebench_plugins.datasets.cifar10 import Batches

if TYPE_CHECKING:
    import torch

__all__ = ["CIFAR100", "load_cifar100"]


def _original(name: str, md5: str) -> Original:
    return Original(f"cifar-100-python/{name}", "", md5=md5, most=160 << 20)


_FILES = Batches(
    "cifar100",
    {
        "train": (_original("train", "16019d7e3df5f24257cddd939b257f8d"),),
        "test": (_original("test", "f0ef6b0ae62326f3e7ffdfab6717acfc"),),
        "extra": (_original("meta", "7973b15100ade9c7d40fb424638fde48"),),
    },
    "cifar-100-python.tar.gz",
    "eb9058c3a382ffc7106e4002c42a8d85",
    ("https://www.cs.toronto.edu/~kriz",),
    labels=b"fine_labels",
)


def load_cifar100(root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """CIFAR-100: photographs of a hundred kinds of things, 32×32 in colour, 50,000 and 10,000 images.

    A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009). Labels are the hundred fine
    ones. Read from the original batches under cifar-100-python, or from cifar-100-python.tar.gz beside it.
    Each is verified by its published MD5 (no SHA-256 is published) before it is unpickled, by an unpickler
    that makes nothing but arrays. Mean and deviation are computed from the training images.
    """
    return _FILES.load(root, part)


CIFAR100 = Dataset(
    "cifar100",
    load_cifar100,
    shape=(3, 32, 32),
    classes=100,
    train=50_000,
    test=10_000,
    mean=None,
    std=None,
    fingerprint=_FILES.fingerprint,
    download=_FILES.download,
    missing=_FILES.missing,
    margin=0.5,
    version="1",
)
