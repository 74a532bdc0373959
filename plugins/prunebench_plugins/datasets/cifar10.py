"""CIFAR-10: six pickled batches, in their folder or still in the published archive."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prunebench import DataError, Dataset
from prunebench_plugins.datasets._bounded import ROOM, members_of_tar
from prunebench_plugins.datasets._download import fetch, sources
from prunebench_plugins.datasets._files import (
    Original,
    damaged,
    fingerprint_of,
    md5_of,
    put_there,
    read,
    set_aside,
    usable,
)

if TYPE_CHECKING:
    import torch

__all__ = ["CIFAR10", "Batches", "load_cifar10", "unpickle"]

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _ArraysOnly(pickle.Unpickler):
    """Builds numpy arrays and plain values; a batch needs nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"a batch of images does not need {module}.{name}")
        # the module that numpy 1 and numpy 2 both have
        return np.empty(0).__reduce__()[0] if name == "_reconstruct" else getattr(np, name)


def unpickle(content: bytes, where: str, labels_key: bytes = b"labels") -> tuple[np.ndarray, list[int]]:
    """Return a batch's pixels (uint8 N×3072) and labels. Verify its checksum first: pickles are programs.

    Raises: DataError naming `where` for a pickle that is damaged, wants more than arrays, or is no batch.
    """
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        data, labels = batch[b"data"], batch[labels_key]
    except Exception as error:  # a damaged pickle may raise anything
        raise DataError(f"{where}: not a CIFAR batch: {type(error).__name__}: {error}") from error
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (len(labels), 3072):
        raise DataError(f"{where}: not a CIFAR batch: its images are not N×3072 bytes, a label each")
    return data, labels


@dataclass(frozen=True)
class Batches:
    """The batch files by part, the archive that holds them all, and where that can be fetched."""

    name: str
    parts: Mapping[str, tuple[Original, ...]]
    """The originals of "train" and "test", in order; "extra" is fetched too and not read."""
    archive: str
    archive_md5: str
    urls: tuple[str, ...]
    """Folders on the web that hold the archive."""
    labels: bytes = b"labels"
    """Which of a batch's lists are the labels."""

    def load(self, root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a part's images N×3×32×32 (uint8) and labels N (int64), or raise DataError."""
        import torch

        if absent := self._absent(root, self.parts[part]):
            raise DataError(absent)
        pixels, labels = [], []
        for original, content in self._contents(root, self.parts[part]):
            data, numbers = unpickle(content, f"{root / original.path}", self.labels)
            pixels.append(data.reshape(-1, 3, 32, 32))
            labels.extend(numbers)
        return torch.from_numpy(np.concatenate(pixels)), torch.tensor(labels, dtype=torch.int64)

    def fingerprint(self, root: Path) -> str:
        """Return the digest of the original batches' names and contents; loading verifies them."""
        return fingerprint_of(self._read())

    def missing(self, root: Path) -> str | None:
        """Return which files are not under the root, and what to put where, or None."""
        return self._absent(root, self._read())

    def _absent(self, root: Path, originals: Sequence[Original]) -> str | None:
        absent = [o.path for o in originals if not (root / o.path).is_file()]
        if not absent or (root / self.archive).is_file():
            return None
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        return (
            f"data set {self.name!r}: {root} lacks {self.archive} (or, unpacked, {absent[0]}{more}); "
            f"{put_there(self.urls)}"
        )

    def download(self, root: Path) -> None:
        """Fetch the archive unless it is there whole and unpack it, verified, or raise DataError."""
        wanted = [o for originals in self.parts.values() for o in originals]
        if all(usable(root, o) for o in self._read()):
            return
        archive = root / self.archive
        if not archive.is_file() or md5_of(archive) != self.archive_md5:
            addresses = sources(self.urls, self.archive, self.archive)
            most = sum(o.most for o in wanted) + ROOM
            fetch(addresses, archive, self.archive_md5, self.name, most=most)
        for original, content in self._unpacked(archive, wanted):
            _write(root / original.path, content, self.name)

    def _read(self) -> list[Original]:
        return [*self.parts["train"], *self.parts["test"]]

    def _contents(self, root: Path, originals: Sequence[Original]) -> Iterator[tuple[Original, bytes]]:
        """Yield verified contents: from the folder where it holds them all, else from the archive."""
        archive = root / self.archive
        if archive.is_file() and not all((root / o.path).is_file() for o in originals):
            yield from self._unpacked(archive, originals)
            return
        for original in originals:
            yield original, read(root, original)

    def _unpacked(self, archive: Path, originals: Sequence[Original]) -> Iterator[tuple[Original, bytes]]:
        """Yield the members wanted, in the order wanted; every one is verified before the first is given."""
        wanted = {o.path: o for o in originals}
        most = {o.path: o.most for of_part in self.parts.values() for o in of_part}
        try:
            contents = members_of_tar(archive, most)
        except Exception as error:  # a damaged archive may raise anything
            raise damaged(archive, "MD5", self.archive_md5, md5_of(archive), str(error)) from error
        for path, original in wanted.items():
            if path not in contents or not original.is_genuine(contents[path]):
                what = f"{path} in it is not the original"
                raise damaged(archive, "MD5", self.archive_md5, md5_of(archive), what)
        for path, original in wanted.items():
            yield original, contents[path]


def _write(path: Path, content: bytes, dataset: str) -> None:
    """Put a verified content there in one step; what is there and is another file is set aside."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_bytes() == content:
            return
        part.write_bytes(content)
        set_aside(path)
        os.replace(part, path)
    except OSError as error:
        raise DataError(
            f"data set {dataset!r}: {path} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _original(name: str, sha256: str) -> Original:
    return Original(f"cifar-10-batches-py/{name}", sha256, most=32 << 20)


_FILES = Batches(
    "cifar10",
    {
        "train": (
            _original("data_batch_1", "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd"),
            _original("data_batch_2", "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8"),
            _original("data_batch_3", "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9"),
            _original("data_batch_4", "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b"),
            _original("data_batch_5", "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154"),
        ),
        "test": (
            _original("test_batch", "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831"),
        ),
        "extra": (
            _original("batches.meta", "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb"),
        ),
    },
    "cifar-10-python.tar.gz",
    "c58f30108f718f92721af3b95e74349a",
    ("https://www.cs.toronto.edu/~kriz",),
)


def load_cifar10(root: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """CIFAR-10: photographs of ten kinds of things, 32×32 in colour, 50,000 training and 10,000 test images.

    A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009). Read from the original
    batches under cifar-10-batches-py, or from cifar-10-python.tar.gz beside it. The batches are pickles: each
    is verified by SHA-256 before it is unpickled, by an unpickler that makes nothing but arrays.
    """
    return _FILES.load(root, part)


CIFAR10 = Dataset(
    "cifar10",
    load_cifar10,
    shape=(3, 32, 32),
    classes=10,
    train=50_000,
    test=10_000,
    mean=(0.4913996786, 0.4821584084, 0.4465309144),
    std=(0.2470322325, 0.2434851280, 0.2615878417),
    fingerprint=_FILES.fingerprint,
    download=_FILES.download,
    missing=_FILES.missing,
    margin=0.5,
    version="1",
)
