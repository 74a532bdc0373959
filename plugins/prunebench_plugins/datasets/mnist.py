"""MNIST and Fashion-MNIST: four idx files each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prunebench import DataError, Dataset
from prunebench_plugins.datasets._bounded import ROOM
from prunebench_plugins.datasets._download import fetch, sources
from prunebench_plugins.datasets._files import (
    Original,
    fingerprint_of,
    md5_of,
    missing_of,
    read,
    set_aside,
    usable,
)
from prunebench_plugins.datasets._idx import parse_idx

if TYPE_CHECKING:
    import torch

__all__ = ["FASHION_MNIST", "MNIST", "IdxFiles", "load_fashion_mnist", "load_mnist"]


@dataclass(frozen=True)
class IdxFiles:
    """Four idx files by role ("train-images", …), the data set's name and where they can be fetched."""

    name: str
    files: Mapping[str, Original]
    urls: tuple[str, ...]
    """Folders on the web that hold the compressed files."""

    def load(self, root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a part's images N×1×H×W (uint8) and labels N (int64), or raise DataError."""
        import torch

        prefix = "train" if part == "train" else "t10k"
        originals = [self.files[f"{prefix}-{what}"] for what in ("images", "labels")]
        if absent := missing_of(root, originals, self.name, self.urls):
            raise DataError(absent)
        images, labels = (parse_idx(read(root, o), str(root / o.path)) for o in originals)
        return torch.from_numpy(images.copy())[:, None], torch.from_numpy(labels.astype("int64"))

    def fingerprint(self, root: Path) -> str:
        """Return the digest of the original files' names and contents; loading verifies them."""
        return fingerprint_of(self.files.values())

    def missing(self, root: Path) -> str | None:
        """Return which files are not under the root, and what to put where, or None."""
        return missing_of(root, self.files.values(), self.name, self.urls)

    def download(self, root: Path) -> None:
        """Fetch what is missing or damaged into the root, verified, or raise DataError."""
        for original in self.files.values():
            if usable(root, original):
                continue
            target = root / f"{original.path}.gz"
            if not (target.is_file() and md5_of(target) == original.archive_md5):
                addresses = sources(self.urls, target.name, f"{original.path}.gz")
                fetch(addresses, target, original.archive_md5, self.name, most=original.most + ROOM)
            set_aside(root / original.path)


def _idx_files(
    name: str, folder: str, urls: tuple[str, ...], digests: Mapping[str, tuple[str, str]]
) -> IdxFiles:
    kinds = {"images": "idx3", "labels": "idx1"}
    files = {
        role: Original(
            f"{folder}/raw/{role}-{kinds[role.rsplit('-', 1)[1]]}-ubyte", sha256, md5, most=_bytes_of(role)
        )
        for role, (sha256, md5) in digests.items()
    }
    return IdxFiles(name, files, urls)


def _bytes_of(role: str) -> int:
    """Return the size of an idx file: its header, then 28×28 pixels or a label for each image."""
    count = 60_000 if role.startswith("train") else 10_000
    return 16 + count * 28 * 28 if role.endswith("images") else 8 + count


_MNIST = _idx_files(
    "mnist",
    "MNIST",
    ("https://ossci-datasets.s3.amazonaws.com/mnist", "http://yann.lecun.com/exdb/mnist"),
    {
        "train-images": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        "train-labels": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "d53e105ee54ea40749a09fcbcd1e9432",
        ),
        "t10k-images": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "9fb629c4189551a2d022fa330f9573f3",
        ),
        "t10k-labels": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    },
)

_FASHION = _idx_files(
    "fashion-mnist",
    "FashionMNIST",
    ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
    {
        "train-images": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        ),
        "train-labels": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "25c81989df183df01b3e8a0aad5dffbe",
        ),
        "t10k-images": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "bef4ecab320f06d8554ea6380940ec79",
        ),
        "t10k-labels": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    },
)


def load_mnist(root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """MNIST: handwritten digits, 28×28 in grey, 60,000 training and 10,000 test images (LeCun et al. 1998).

    Read from the four original files under MNIST/raw, compressed or not, verified by SHA-256.
    """
    return _MNIST.load(root, part)


def load_fashion_mnist(root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Fashion-MNIST: ten kinds of clothing, 28×28 grey pixels, 60,000 and 10,000 images (Xiao et al. 2017).

    Read from the four original files under FashionMNIST/raw, compressed or not, verified by SHA-256. MIT
    licence.
    """
    return _FASHION.load(root, part)


MNIST = Dataset(
    "mnist",
    load_mnist,
    shape=(1, 28, 28),
    classes=10,
    train=60_000,
    test=10_000,
    mean=(0.1306604763,),
    std=(0.3081078039,),
    fingerprint=_MNIST.fingerprint,
    download=_MNIST.download,
    missing=_MNIST.missing,
    margin=0.2,
    version="1",
)

FASHION_MNIST = Dataset(
    "fashion-mnist",
    load_fashion_mnist,
    shape=(1, 28, 28),
    classes=10,
    train=60_000,
    test=10_000,
    mean=(0.2860405970,),
    std=(0.3530242445,),
    fingerprint=_FASHION.fingerprint,
    download=_FASHION.download,
    missing=_FASHION.missing,
    margin=0.2,
    version="1",
)
