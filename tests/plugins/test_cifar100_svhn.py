"""CIFAR-100 and SVHN in small files of their real formats: read as torchvision reads them, refused when not whole."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prunebench_plugins.datasets import cifar100, svhn
from prunebench_plugins.datasets._files import Original
from prunebench_plugins.datasets.cifar10 import Batches
from prunebench_plugins.datasets.svhn import MatFiles, parse_mat
from scipy.io import savemat

from prunebench.errors import DataError


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def draws(seed: int, *shape: int, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, shape, dtype=np.uint8)


# -- CIFAR-100 ---------------------------------------------------------------------------------------------


def python2(value: Any) -> bytes:
    """Pickle opcodes as Python 2 wrote them: strings of bytes, lists, tables, arrays of bytes N×3072."""
    if isinstance(value, bytes):
        return b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, int):
        return b"K" + bytes([value])
    if isinstance(value, list):
        return b"](" + b"".join(map(python2, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(python2(k) + python2(v) for k, v in value.items()) + b"u"
    count, width = value.shape
    dtype = b"cnumpy\ndtype\n(" + python2(b"u1") + b"K\0K\x01tR(K\x03" + python2(b"|")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + python2(b"b") + b"tR(K\x01("
    array += b"M" + struct.pack("<H", count) + b"M" + struct.pack("<H", width) + b"t" + dtype + b"\x89"
    return array + python2(value.tobytes()) + b"tb"


def pickled(value: Any) -> bytes:
    """A whole pickle, protocol 2."""
    return b"\x80\x02" + python2(value) + b"."


def batch(seed: int, count: int) -> bytes:
    """A batch with both kinds of labels: fine ones up to 99, coarse ones up to 19."""
    return pickled(
        {
            b"data": draws(seed, count, 3072),
            b"fine_labels": draws(seed + 1, count, high=100).tolist(),
            b"coarse_labels": draws(seed + 2, count, high=20).tolist(),
            b"filenames": [b"a.png"] * count,
            b"batch_label": b"training batch 1 of 1",
        }
    )


PARTS = {
    "train": batch(0, 12),
    "test": batch(10, 5),
    "meta": pickled({b"fine_label_names": [b"%d" % i for i in range(100)]}),
}


def tar_of(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = tar_of(PARTS)


def small_cifar() -> Batches:
    """The built-in data set's files with the small ones' checksums in place of the published."""
    kinds = {"train": "train", "test": "test", "extra": "meta"}
    parts = {
        part: (replace(cifar100._FILES.parts[part][0], md5=md5(PARTS[name])),) for part, name in kinds.items()
    }
    return replace(cifar100._FILES, parts=parts, archive_md5=md5(ARCHIVE))


CIFAR = small_cifar()


def write_cifar(root: Path, contents: dict[str, bytes] = PARTS) -> Path:
    (root / "cifar-100-python").mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (root / "cifar-100-python" / name).write_bytes(content)
    return root


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_cifar100_is_torchvisions(part: str, packed: bool, tmp_path: Path) -> None:
    """The same images and fine labels in the same order, from the folder and from the archive."""
    from prunebench.vision import torchvision

    kind: Any = type("Small", (torchvision.datasets.CIFAR100,), {})
    kind.train_list, kind.test_list = ([[name, md5(PARTS[name])]] for name in ("train", "test"))
    kind.meta = {**kind.meta, "md5": md5(PARTS["meta"])}
    theirs = kind(write_cifar(tmp_path / "theirs"), train=part == "train")
    root = tmp_path / "ours"
    root.mkdir()
    if packed:
        (root / "cifar-100-python.tar.gz").write_bytes(ARCHIVE)
    else:
        write_cifar(root)
    images, labels = CIFAR.load(root, part)
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    assert torch.equal(images, torch.from_numpy(theirs.data).permute(0, 3, 1, 2))
    assert labels.tolist() == theirs.targets
    assert CIFAR.missing(root) is None


def test_the_published_checksums_of_cifar100_are_torchvisions() -> None:
    """Two independent transcriptions of the same published numbers."""
    from prunebench.vision import torchvision

    theirs = torchvision.datasets.CIFAR100
    ours = cifar100._FILES
    assert ours.archive_md5 == theirs.tgz_md5
    assert ours.archive == theirs.filename
    assert [[Path(o.path).name, o.md5] for o in ours.parts["train"]] == theirs.train_list
    assert [[Path(o.path).name, o.md5] for o in ours.parts["test"]] == theirs.test_list
    assert ours.parts["extra"][0].md5 == theirs.meta["md5"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (PARTS | {"train": PARTS["train"][:-9]}, r"train is damaged: expected MD5 \w{32}, found \w{32}"),
        ({name: c for name, c in PARTS.items() if name != "train"}, "lacks cifar-100-python.tar.gz"),
        (PARTS | {"train": batch(7, 12)}, "train is damaged"),
    ],
    ids=["cut", "absent", "other"],
)
def test_a_cifar100_that_is_not_whole_is_refused(
    contents: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    """Named by file, with both checksums; nothing is changed."""
    write_cifar(tmp_path, contents)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(DataError, match=message):
        CIFAR.load(tmp_path, "train")
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def test_a_cifar10_batch_is_no_cifar100_batch() -> None:
    """It has other labels: named as what it is not."""
    from prunebench_plugins.datasets.cifar10 import unpickle

    content = pickle.dumps({b"data": draws(0, 2, 3072), b"labels": [1, 2]})
    with pytest.raises(DataError, match="here: not a CIFAR batch: KeyError: b'fine_labels'"):
        unpickle(content, "here", b"fine_labels")


@pytest.mark.parametrize("size", [0, 100, len(ARCHIVE) // 2])
def test_half_an_archive_of_cifar100_is_refused(size: int, tmp_path: Path) -> None:
    """Cut anywhere, it never counts."""
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(ARCHIVE[:size])
    with pytest.raises(DataError, match=f"cifar-100-python.tar.gz is damaged .*expected MD5 {md5(ARCHIVE)}"):
        CIFAR.load(tmp_path, "train")


def test_cifar100_is_fetched_from_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive comes whole or not at all, and is unpacked, verified."""
    mirror, root = tmp_path / "mirror", tmp_path / "root"
    mirror.mkdir()
    monkeypatch.setenv("PRUNEBENCH_MIRROR", mirror.as_uri())
    (mirror / "cifar-100-python.tar.gz").write_bytes(ARCHIVE[:-20])
    with pytest.raises(DataError, match="not the published file"):
        CIFAR.download(root)
    assert not list(root.rglob("*.gz"))
    (mirror / "cifar-100-python.tar.gz").write_bytes(ARCHIVE)
    CIFAR.download(root)
    assert {p.name: p.read_bytes() for p in (root / "cifar-100-python").iterdir()} == PARTS


# -- SVHN --------------------------------------------------------------------------------------------------


def mat(images: np.ndarray, labels: Any, **options: Any) -> bytes:
    """A file as published: X is 32×32×3×N, y is N×1 with 10 for the digit 0."""
    buffer = io.BytesIO()
    savemat(buffer, {"X": images, "y": np.asarray(labels, np.uint8)[:, None]}, **options)
    return buffer.getvalue()


MATS = {
    "train": mat(draws(3, 32, 32, 3, 11), [1, 9, 2, 3, 2, 5, 9, 3, 3, 1, 10], do_compression=True),
    "test": mat(draws(4, 32, 32, 3, 4), [5, 2, 10, 10]),
}


def mat_files(contents: dict[str, bytes] = MATS) -> MatFiles:
    files = {
        part: Original(f"SVHN/{part}_32x32.mat", "", md5=md5(content)) for part, content in contents.items()
    }
    return replace(svhn._FILES, files=files)


HOUSES = mat_files()


def write_mats(root: Path, folder: str, contents: dict[str, bytes] = MATS) -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for part, content in contents.items():
        (root / folder / f"{part}_32x32.mat").write_bytes(content)
    return root


@pytest.mark.parametrize("folder", ["SVHN", "."])
@pytest.mark.parametrize("part", ["train", "test"])
def test_svhn_is_torchvisions(part: str, folder: str, tmp_path: Path) -> None:
    """The same images and labels in the same order; the files' 10 is the label 0."""
    from prunebench.vision import torchvision

    kind: Any = type("Small", (torchvision.datasets.SVHN,), {})
    kind.split_list = {p: ["", f"{p}_32x32.mat", md5(content)] for p, content in MATS.items()}
    theirs = kind(write_mats(tmp_path / "theirs", "."), split=part)
    root = write_mats(tmp_path / "ours", folder)
    images, labels = HOUSES.load(root, part)
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
    assert images.is_contiguous()
    assert np.array_equal(images.numpy(), theirs.data)
    assert labels.tolist() == theirs.labels.tolist()
    assert labels.tolist()[-1] == 0
    assert HOUSES.missing(root) is None


def test_the_published_checksums_of_svhn_are_torchvisions() -> None:
    """Two independent transcriptions of the same published numbers."""
    from prunebench.vision import torchvision

    for part, original in svhn._FILES.files.items():
        url, name, checksum = torchvision.datasets.SVHN.split_list[part]
        assert (url, name, checksum) == (
            f"{svhn._FILES.urls[0]}/{name}",
            Path(original.path).name,
            original.md5,
        )


BAD_MATS: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"not a mat file" * 20, "not a file of house numbers"),
    "empty": (lambda: b"", "not a file of house numbers"),
    "cut": (lambda: MATS["train"][: len(MATS["train"]) // 2], "not a file of house numbers"),
    "order": (lambda: mat(draws(0, 4, 32, 32, 3), [1, 2, 3]), "X is uint8 of shape"),
    "labels": (lambda: mat(draws(0, 32, 32, 3, 4), [1, 2, 3]), "with 3 labels"),
    "floats": (lambda: mat(draws(0, 32, 32, 3, 2) / 255, [1, 2]), "X is float64"),
    "zero": (lambda: mat(draws(0, 32, 32, 3, 2), [0, 2]), "labels are 1 … 10, found 0 … 2"),
    "eleven": (lambda: mat(draws(0, 32, 32, 3, 2), [1, 11]), "found 1 … 11"),
}


@pytest.mark.parametrize("what", sorted(BAD_MATS))
def test_what_is_no_file_of_house_numbers_is_refused(what: str) -> None:
    """One error that names the file and what it holds."""
    make, message = BAD_MATS[what]
    with pytest.raises(DataError, match=f"here: .*{message}"):
        parse_mat(make(), "here")


def test_half_a_file_of_svhn_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    """By its checksum, with its name; the other part loads."""
    write_mats(tmp_path, "SVHN", MATS | {"train": MATS["train"][:-1]})
    with pytest.raises(DataError, match=r"train_32x32.mat is damaged: expected MD5 \w{32}, found"):
        HOUSES.load(tmp_path, "train")
    assert len(HOUSES.load(tmp_path, "test")[0]) == 4


def test_only_the_file_of_svhn_that_is_missing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file is there, directly in the root as torchvision puts it; the other is named, then fetched."""
    mirror, root = tmp_path / "mirror", tmp_path / "root"
    write_mats(mirror, "SVHN", {"test": MATS["test"]})
    write_mats(root, ".", {"train": MATS["train"]})
    assert "lacks SVHN/test_32x32.mat;" in (HOUSES.missing(root) or "")
    with pytest.raises(DataError, match=r"lacks SVHN/test_32x32.mat"):
        HOUSES.load(root, "test")
    monkeypatch.setenv("PRUNEBENCH_MIRROR", mirror.as_uri())
    HOUSES.download(root)
    assert HOUSES.missing(root) is None
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*.mat")) == [
        "SVHN/test_32x32.mat",
        "train_32x32.mat",
    ]
