"""The digits of the UCI repository, embedded: real scans that need no download."""

from __future__ import annotations

import hashlib
import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prunebench import DataError, Dataset

if TYPE_CHECKING:
    import torch

__all__ = ["DIGITS", "load_digits"]

_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of the images' and the labels' bytes: the fingerprint."""

_FILE_SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"
"""Of the file that holds them: compared before it is unpacked."""


def _arrays() -> tuple[np.ndarray, np.ndarray]:
    """Return the 1,797 images (uint8 0–16, N×8×8) and their labels, verified."""
    resource = files("prunebench_plugins.datasets") / "digits.npz"
    with resource.open("rb") as file:
        content = file.read()
    computed = hashlib.sha256(content).hexdigest()
    if computed != _FILE_SHA256:
        raise DataError(
            f"the embedded digits are damaged: expected SHA-256 {_FILE_SHA256}, found {computed}; "
            "install prunebench again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return archive["images"], archive["labels"]


def _in_test(labels: np.ndarray) -> np.ndarray:
    """True for each image that is a test image: the fifth, tenth, … of its class, in file order."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[4::5]] = True
    return chosen


def load_digits(root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Handwritten digits, 8×8 pixels: 1,442 training and 355 test images, embedded in prunebench.

    The 1,797 images that scikit-learn calls `digits`: the test part of "Optical Recognition of Handwritten
    Digits" (E. Alpaydin and C. Kaynak 1998, UCI Machine Learning Repository, doi:10.24432/C50P49, CC BY 4.0).
    They come in one set; here every fifth image of each class is a test image, so writers are in both parts.
    Pixels 0–16 are scaled to 0–255 and rounded. No published results go with this split: it is for trying
    things out. `root` is not read.
    """
    import torch

    images, labels = _arrays()
    chosen = _in_test(labels) == (part == "test")
    pixels = np.round(images[chosen] * (255 / 16)).astype(np.uint8)
    return torch.from_numpy(pixels[:, None]), torch.from_numpy(labels[chosen].astype(np.int64))


def _fingerprint(root: Path) -> str:
    return _SHA256


def _missing(root: Path) -> str | None:
    return None


DIGITS = Dataset(
    "digits",
    load_digits,
    shape=(1, 8, 8),
    classes=10,
    train=1442,
    test=355,
    mean=(0.3051830927,),
    std=(0.3759940888,),
    fingerprint=_fingerprint,
    missing=_missing,
    margin=0.5,
    version="1",
)
