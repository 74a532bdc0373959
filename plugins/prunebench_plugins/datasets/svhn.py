"""SVHN: two MATLAB files of cropped house numbers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from prunebench import DataError, Dataset
from prunebench_plugins.datasets._download import fetch, sources
from prunebench_plugins.datasets._files import Original, fingerprint_of, put_there, read, usable

if TYPE_CHECKING:
    import torch

__all__ = ["SVHN", "MatFiles", "load_svhn", "parse_mat"]


def parse_mat(content: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (uint8 N×3×32×32) and labels (int64 N, 0–9) of a file whose X is 32×32×3×N and y N×1.

    The files say 10 for the digit 0. Verify the checksum first. Raises: DataError naming `where`.
    """
    from scipy.io import loadmat

    try:
        matrices = loadmat(
            cast(Any, io.BytesIO(content)), variable_names=["X", "y"]
        )  # the stubs know paths alone
        images, labels = matrices["X"], matrices["y"].reshape(-1)
    except Exception as error:  # what a damaged file raises is nowhere listed
        raise DataError(f"{where}: not a file of house numbers: {type(error).__name__}: {error}") from error
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        raise DataError(
            f"{where}: not a file of house numbers: X is {images.dtype} of shape {images.shape} with "
            f"{len(labels)} labels; expected uint8 of 32×32×3×N and N labels"
        )
    labels = labels.astype(np.int64)
    if len(labels) and not 1 <= labels.min() <= labels.max() <= 10:
        raise DataError(f"{where}: labels are 1 … 10, found {labels.min()} … {labels.max()}")
    return np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels % 10


@dataclass(frozen=True)
class MatFiles:
    """The files by part, the data set's name, and folders on the web that hold them.

    A file lies under its path, or, as torchvision puts it, directly in the root.
    """

    name: str
    files: Mapping[str, Original]
    urls: tuple[str, ...]

    def load(self, root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a part's images N×3×32×32 (uint8) and labels N (int64), or raise DataError."""
        import torch

        if absent := self._absent(root, [part]):
            raise DataError(absent)
        original = _placed(root, self.files[part])
        images, labels = parse_mat(read(root, original), str(root / original.path))
        return torch.from_numpy(images), torch.from_numpy(labels)

    def fingerprint(self, root: Path) -> str:
        """Return the digest of the original files' names and contents; loading verifies them."""
        return fingerprint_of(self.files.values())

    def missing(self, root: Path) -> str | None:
        """Return which files are not under the root, and what to put where, or None."""
        return self._absent(root, list(self.files))

    def download(self, root: Path) -> None:
        """Fetch what is missing or damaged into the root, verified, or raise DataError."""
        for original in self.files.values():
            if not usable(root, _placed(root, original)):
                target = root / original.path
                addresses = sources(self.urls, target.name, original.path)
                fetch(addresses, target, original.md5, self.name, most=original.most)

    def _absent(self, root: Path, parts: list[str]) -> str | None:
        wanted = [self.files[part] for part in parts]
        absent = [o.path for o in wanted if not (root / _placed(root, o).path).is_file()]
        if not absent:
            return None
        return f"data set {self.name!r}: {root} lacks {' and '.join(absent)}; {put_there(self.urls)}"


def _placed(root: Path, original: Original) -> Original:
    """Return the original under the path where it lies: its own, or its bare name in the root."""
    bare = Path(original.path).name
    here = (root / original.path).is_file() or not (root / bare).is_file()
    return original if here else replace(original, path=bare)


_FILES = MatFiles(
    "svhn",
    {
        "train": Original("SVHN/train_32x32.mat", "", md5="e26dedcc434d2e4c54c9b2d4a06d8373"),
        "test": Original("SVHN/test_32x32.mat", "", md5="eb5a983be6a315427106f1b164d9cef3"),
    },
    ("http://ufldl.stanford.edu/housenumbers",),
)


def load_svhn(root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """SVHN: digits of house numbers, 32×32 in colour, 73,257 training and 26,032 test images.

    Y. Netzer et al., "Reading digits in natural images with unsupervised feature learning" (2011), cropped
    digits, without the extra part. Read from train_32x32.mat and test_32x32.mat under SVHN or directly in the
    root, each verified by its published MD5 before it is parsed. The digit 0, which the files call 10, has
    the label 0. Mean and deviation are computed from the training images.
    """
    return _FILES.load(root, part)


SVHN = Dataset(
    "svhn",
    load_svhn,
    shape=(3, 32, 32),
    classes=10,
    train=73_257,
    test=26_032,
    mean=None,
    std=None,
    fingerprint=_FILES.fingerprint,
    download=_FILES.download,
    missing=_FILES.missing,
    margin=0.5,
    version="1",
)
