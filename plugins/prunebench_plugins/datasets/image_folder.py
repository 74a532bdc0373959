"""Any folder of images, in memory or read while training: train/CLASS/… and val/CLASS/… or test/CLASS/…"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from prunebench import DataError, Dataset, Description
from prunebench.errors import UsageError
from prunebench_plugins.datasets._class_folders import ClassFolders, class_folders

if TYPE_CHECKING:
    import torch

    from prunebench.training.images.files import ImageFiles

__all__ = ["IMAGE_FOLDER", "IMAGE_FOLDER_STREAM", "load_image_folder", "load_image_folder_stream"]

Numbers = Sequence[float] | None

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's training images as commonly used: for folders that are never read whole."""


def load_image_folder(
    root: Path,
    part: str,
    *,
    path: str = "",
    size: int = 64,
    evaluate: str = "",
    mean: Numbers = None,
    std: Numbers = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A folder of images, read into memory: `{name = "image-folder", path = "flowers", size = 64}`.

    `path` is under the data root and holds train/CLASS/ and val/CLASS/ or test/CLASS/ (where both are there,
    `evaluate` says which), images directly in them; labels are the places of the classes' sorted names. The
    shorter side is scaled to `size` and the middle square cropped, once, on loading; grey images become RGB;
    orientation tags are not followed. Mean and deviation are computed from the training images unless given.
    """
    folders = _found(root, path, evaluate)
    return folders.images(part, size), folders.labels(part)


def load_image_folder_stream(
    root: Path,
    part: str,
    *,
    path: str = "",
    size: int = 224,
    evaluate: str = "",
    mean: Numbers = IMAGENET_MEAN,
    std: Numbers = IMAGENET_STD,
) -> ImageFiles:
    """A folder of images, read while training: `{name = "image-folder-stream", path = "flowers"}`.

    The layout of `image-folder`; nothing but names, sizes and classes is kept in memory. Mean and deviation
    are those commonly used for ImageNet unless given: nobody decodes a million images to find them.
    """
    return _found(root, path, evaluate).files(part, (3, size, size))


def _found(root: Path, path: str, evaluate: str) -> ClassFolders:
    folder = root / path
    if not folder.is_dir():
        raise DataError(
            f"data set 'image-folder': there is no folder {folder}; put train/CLASS/… and val/CLASS/… there, "
            "or name another data root with --data or PRUNEBENCH_DATA (docs/data.md)"
        )
    tests = [evaluate] if evaluate else [name for name in ("val", "test") if (folder / name).is_dir()]
    if len(tests) > 1:
        raise DataError(f"{folder} has val and test: say which is evaluated with evaluate = 'val' or 'test'")
    for name in ("train", *(tests or ["val"])):
        if not (folder / name).is_dir():
            raise DataError(f"{folder} has no folder {name}; expected are train/CLASS/… and val/CLASS/…")
    return class_folders(folder / "train", folder / tests[0])


def _fingerprint(root: Path, *, path: str, evaluate: str) -> str:
    return _found(root, path, evaluate).fingerprint


def _missing(root: Path, *, path: str = "", evaluate: str = "") -> str | None:
    try:
        _found(root, path, evaluate)
    except DataError as error:
        return str(error)
    return None


def _describe(root: Path, *, path: str, size: int, evaluate: str, mean: Numbers, std: Numbers) -> Description:
    both = (None if mean is None else tuple(mean), None if std is None else tuple(std))
    try:
        folders = _found(root, path, evaluate)
    except DataError:  # planned as if there were so many; it cannot run
        return Description((3, size, size), 10, 1000, 100, *both)
    return Description((3, size, size), folders.classes, *folders.sizes(), *both)


def _check(*, path: str, size: int, evaluate: str, mean: Numbers, std: Numbers) -> None:
    who = "an image folder"
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or Path(path).is_absolute():
        raise UsageError(f"{who} wants path = 'FOLDER', below the data root and without ..; found '{path}'")
    if str(pure) != path:  # one folder, one key
        raise UsageError(f"{who}'s path is found '{path}'; spell it '{pure}'")
    if size < 1:
        raise UsageError(f"size is found {size}; allowed: a whole number of at least 1")
    if evaluate not in ("", "val", "test"):
        raise UsageError(f"evaluate is found '{evaluate}'; allowed: 'val' or 'test'")
    if (mean is None) != (std is None):
        raise UsageError("mean and std are given both or neither")
    for name, values, low in (("mean", mean, 0.0), ("std", std, 1e-6)):
        if values is not None and not _three(values, low):
            raise UsageError(f"{name} is found {values}; allowed: three numbers on the scale 0 to 1")


def _three(values: object, low: float) -> bool:
    if not isinstance(values, tuple | list) or len(values) != 3:
        return False
    return all(isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= 1 for v in values)


IMAGE_FOLDER = Dataset(
    "image-folder",
    load_image_folder,
    shape=(3, 64, 64),
    classes=10,
    train=1000,
    test=100,
    mean=None,
    std=None,
    fingerprint=_fingerprint,
    missing=_missing,
    describe=_describe,
    check=_check,
    margin=1.0,
    version="1",
)

IMAGE_FOLDER_STREAM = Dataset(
    "image-folder-stream",
    load_image_folder_stream,
    shape=(3, 224, 224),
    classes=10,
    train=1000,
    test=100,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    fingerprint=_fingerprint,
    missing=_missing,
    describe=_describe,
    check=_check,
    stream=True,
    margin=1.0,
    version="1",
)
