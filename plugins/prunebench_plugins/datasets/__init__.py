"""Built-in data sets: original files, found or fetched, verified before a byte of them is believed."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Dataset, hookimpl
from prunebench_plugins.datasets.cifar10 import CIFAR10
from prunebench_plugins.datasets.cifar100 import CIFAR100
from prunebench_plugins.datasets.digits import DIGITS
from prunebench_plugins.datasets.image_folder import IMAGE_FOLDER, IMAGE_FOLDER_STREAM
from prunebench_plugins.datasets.imagenet import IMAGENET
from prunebench_plugins.datasets.mini_places import MINI_PLACES
from prunebench_plugins.datasets.mnist import FASHION_MNIST, MNIST
from prunebench_plugins.datasets.svhn import SVHN
from prunebench_plugins.datasets.tiny_imagenet import TINY_IMAGENET

__all__ = ["prunebench_datasets"]


@hookimpl
def prunebench_datasets() -> Sequence[Dataset]:
    """Return the built-in data sets."""
    return [
        DIGITS,
        MNIST,
        FASHION_MNIST,
        CIFAR10,
        CIFAR100,
        SVHN,
        TINY_IMAGENET,
        MINI_PLACES,
        IMAGENET,
        IMAGE_FOLDER,
        IMAGE_FOLDER_STREAM,
    ]
