"""The check of data sets."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path
from typing import Any

import torch

from prunebench.errors import DataError
from prunebench.host.components import Dataset, Description
from prunebench.testing._common import (
    at_last_documented,
    ensure,
    ensure_callable,
    ensure_common,
    said,
    untouched,
)
from prunebench.training.images.files import ImageFiles

__all__ = ["check_dataset"]

_TOLERANCE = 1e-3


@at_last_documented
def check_dataset(dataset: Dataset, root: Path | None = None) -> None:
    """Check a data set.

    Without files it must say what is missing: `missing` a sentence, `load` a DataError. With them it must
    load the sizes, shape and types that it describes, labels from 0 to classes − 1, every class among the
    training images, the mean and standard deviation that it gives (not of a streamed data set), the same
    again, and a stable fingerprint. Files of a streamed data set must be there.

    Args:
        dataset: the component.
        root: a data root with its files. Without one, data sets that need files are checked without them.

    Raises: AssertionError.
    """
    who = ensure_common(dataset)
    ensure_callable(who, "load", dataset.load, "root", "part", parameters=True)
    ensure(all(0 <= value <= 1 for value in dataset.mean or ()), f"{who}: mean is on the scale 0 to 1")
    ensure(all(0 < value <= 1 for value in dataset.std or ()), f"{who}: std is on the scale 0 to 1, above 0")
    ensure(dataset.margin > 0, f"{who}: margin must be above 0 points")
    with tempfile.TemporaryDirectory() as empty:
        if root is None and dataset.missing is not None and dataset.missing(Path(empty)) is not None:
            _ensure_missing(who, dataset, Path(empty))
            return
        root = Path(empty) if root is None else root
        absent = dataset.missing(root) if dataset.missing is not None else None
        ensure(absent is None, f"{who}: {root} lacks files: {absent}")
        _ensure_loads(who, dataset, root)
        _ensure_fingerprint(who, dataset, root)


def _ensure_missing(who: str, dataset: Dataset, empty: Path) -> None:
    try:
        dataset.load(empty, "train")
    except DataError as error:
        ensure(str(empty) in str(error), f"{who}: the error must say where files are missed: {error}")
    else:
        raise AssertionError(f"{who} loads from an empty folder although it says that files are missing")


def _ensure_loads(who: str, dataset: Dataset, root: Path) -> None:
    held = dataset.description(root)
    for part, size in (("train", held.train), ("test", held.test)):
        where = f"{who}, {part}"
        with said(where), untouched(where):
            loaded = dataset.load(root, part)
            again = dataset.load(root, part)
            if not dataset.stream:
                _images, _labels = loaded
        if dataset.stream:
            paths, labels = _ensure_files(where, loaded, size, held), loaded.labels
            same = paths == list(again.paths) and torch.equal(labels, again.labels)
        else:
            images, labels = _ensure_images(where, loaded, size, held), loaded[1]
            same = torch.equal(again[0], images) and torch.equal(again[1], labels)
            if part == "train":
                _ensure_scale(who, held, images)
        ensure(labels.dtype == torch.int64, f"{where}: labels are int64, found {labels.dtype}")
        ensure(labels.shape == (size,), f"{where}: {size} labels declared, found shape {tuple(labels.shape)}")
        classes, declared = set(labels.tolist()), set(range(held.classes))
        right = classes == declared if part == "train" else classes <= declared
        ensure(right, f"{where}: {held.classes} classes declared, found {sorted(classes)}")
        ensure(same, f"{where}: loading again gives other images or labels, or another order")


def _ensure_images(where: str, loaded: Any, size: int, held: Description) -> torch.Tensor:
    images: torch.Tensor = loaded[0]
    ensure(images.dtype == torch.uint8, f"{where}: images are uint8, found {images.dtype}")
    wanted = (size, *held.shape)
    ensure(images.shape == wanted, f"{where}: images of shape {wanted} declared, found {tuple(images.shape)}")
    return images


def _ensure_files(where: str, loaded: Any, size: int, held: Description) -> list[Path]:
    kind = type(loaded).__name__
    ensure(isinstance(loaded, ImageFiles), f"{where}: a streamed data set loads ImageFiles, found {kind}")
    paths = list(loaded.paths)
    ensure(len(paths) == size, f"{where}: {size} files declared, found {len(paths)}")
    ensure(loaded.shape == held.shape, f"{where}: shape {held.shape} declared, found {loaded.shape}")
    absent = [path for path in paths if not path.is_file()]
    ensure(not absent, f"{where}: {len(absent)} files are not there ({absent[:1]})")
    return paths


def _ensure_scale(who: str, held: Description, images: torch.Tensor) -> None:
    """Mean and deviation are of the training images, by channel, on the scale 0 to 1."""
    for channel, (mean, std) in enumerate(zip(held.mean or (), held.std or (), strict=True)):
        counts = torch.bincount(images[:, channel].flatten().int(), minlength=256).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        share = counts / counts.sum()
        average = float((values * share).sum())
        spread = float(((values - average) ** 2 * share).sum().sqrt())
        ensure(
            abs(average - mean) < _TOLERANCE,
            f"{who}: mean {mean} declared for channel {channel}, found {average:.6f}",
        )
        ensure(
            abs(spread - std) < _TOLERANCE,
            f"{who}: std {std} declared for channel {channel}, found {spread:.6f}",
        )


def _ensure_fingerprint(who: str, dataset: Dataset, root: Path) -> None:
    if dataset.fingerprint is None:
        return
    first = dataset.fingerprint(root)
    hexadecimal = isinstance(first, str) and first and set(first) <= set(string.hexdigits)
    ensure(hexadecimal, f"{who}: the fingerprint is a hexadecimal digest, found {first!r}")
    ensure(dataset.fingerprint(root) == first, f"{who}: the fingerprint differs when it is taken again")
