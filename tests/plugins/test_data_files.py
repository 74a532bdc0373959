"""Original files: found compressed or not, verified, refused with what to do; parsed as their formats say."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from prunebench_plugins.datasets._files import Original
from prunebench_plugins.datasets._idx import parse_idx
from prunebench_plugins.datasets.cifar10 import CIFAR10, Batches, unpickle
from prunebench_plugins.datasets.mnist import FASHION_MNIST, MNIST, IdxFiles

from prunebench.errors import DataError

IMAGES = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    """The idx format, written independently of the reader."""
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


CONTENTS = {
    "train-images": idx(IMAGES),
    "train-labels": idx(LABELS),
    "t10k-images": idx(IMAGES[::-1].copy()),
    "t10k-labels": idx(LABELS[::-1].copy()),
}
ZIPPED = {role: gzip.compress(content, mtime=0) for role, content in CONTENTS.items()}
TINY = IdxFiles(
    "tiny",
    {role: Original(f"Tiny/raw/{role}", sha256(c), md5(ZIPPED[role])) for role, c in CONTENTS.items()},
    ("http://127.0.0.1:1/tiny",),
)


def write(root: Path, contents: dict[str, bytes], suffix: str = "") -> Path:
    folder = root / "Tiny" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for role, content in contents.items():
        (folder / f"{role}{suffix}").write_bytes(content)
    return root


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_are_read_compressed_or_not(tmp_path, suffix):
    """Both give the images N×1×H×W and labels N that were written."""
    write(tmp_path, ZIPPED if suffix else CONTENTS, suffix)
    assert TINY.missing(tmp_path) is None
    images, labels = TINY.load(tmp_path, "train")
    assert torch.equal(images, torch.from_numpy(IMAGES[:, None]))
    assert labels.tolist() == [3, 1, 4, 1, 5]
    assert labels.dtype == torch.int64
    assert TINY.load(tmp_path, "test")[1].tolist() == [5, 1, 4, 1, 3]


def test_another_compression_of_the_same_content_is_as_good(tmp_path):
    """What counts is what a file holds."""
    write(tmp_path, {r: gzip.compress(c, compresslevel=1, mtime=7) for r, c in CONTENTS.items()}, ".gz")
    assert TINY.load(tmp_path, "train")[1].tolist() == [3, 1, 4, 1, 5]


def test_a_root_that_cannot_be_written_works(tmp_path):
    """Loading writes nothing: no cache, no lock, no unpacked copy."""
    write(tmp_path, ZIPPED, ".gz")
    before = sorted(tmp_path.rglob("*"))
    for path in [*before, tmp_path]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert len(TINY.load(tmp_path, "train")[0]) == 5
    finally:
        for path in [tmp_path, *before]:
            path.chmod(0o755)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("data", [MNIST, FASHION_MNIST, CIFAR10], ids=lambda d: d.name)
def test_missing_files_are_named_with_where_to_get_and_put_them(data, tmp_path):
    """The same text from `missing` and from loading: root, files, source, the two variables."""
    text = data.missing(tmp_path)
    for word in (data.name, str(tmp_path), "http", "--data", "PRUNEBENCH_DATA", "PRUNEBENCH_MIRROR"):
        assert word in text
    assert {"mnist": "MNIST/raw/", "fashion-mnist": "FashionMNIST/raw/", "cifar10": "cifar-10-python.tar.gz"}[
        data.name
    ] in text
    with pytest.raises(DataError, match=f"data set '{data.name}'.*lacks"):
        data.load(tmp_path, "train")


def test_only_what_is_missing_is_named(tmp_path):
    """One absent file of four is one name; a part whose files are there loads without it."""
    write(tmp_path, {r: c for r, c in CONTENTS.items() if r != "train-labels"})
    assert "lacks Tiny/raw/train-labels.gz (or the same without .gz)" in TINY.missing(tmp_path)
    assert len(TINY.load(tmp_path, "test")[0]) == 5
    with pytest.raises(DataError, match="train-labels"):
        TINY.load(tmp_path, "train")


@pytest.mark.parametrize(
    ("suffix", "spoil"),
    [
        ("", lambda c: c[:-1]),
        ("", lambda c: c[:20] + b"\xff" + c[21:]),
        ("", lambda c: c + b"\0"),
        ("", lambda c: b""),
        (".gz", lambda c: c[: len(c) // 2]),
        (".gz", lambda c: c[:15] + bytes([c[15] ^ 255]) + c[16:]),
        (".gz", lambda c: b"<html>not found</html>"),
        (".gz", lambda c: gzip.compress(idx(IMAGES + 1), mtime=0)),
    ],
    ids=["truncated", "a-byte", "longer", "empty", "gz-truncated", "gz-a-byte", "gz-a-page", "gz-other"],
)
def test_a_damaged_file_is_refused_with_its_name_checksums_and_what_to_do(tmp_path, suffix, spoil):
    """Expected and found digests are both there, and they differ; nothing is returned."""
    contents = dict(ZIPPED if suffix else CONTENTS)
    contents["train-images"] = spoil(contents["train-images"])
    write(tmp_path, contents, suffix)
    with pytest.raises(DataError) as caught:
        TINY.load(tmp_path, "train")
    text = str(caught.value)
    assert f"train-images{suffix} is damaged" in text
    assert "delete it" in text
    expected, found = text.split("expected ")[1].split(". Nothing")[0].split(", found ")
    assert expected.split()[-1] in {sha256(CONTENTS["train-images"]), md5(ZIPPED["train-images"])}
    assert found != expected.split()[-1]
    assert len(found) in (32, 64)


def test_a_file_that_cannot_be_opened_is_a_data_error(tmp_path):
    """A folder in a file's place, say."""
    write(tmp_path, CONTENTS)
    path = tmp_path / "Tiny" / "raw" / "train-images"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="train-images"):
        TINY.load(tmp_path, "train")


def test_the_fingerprint_is_of_names_and_contents():
    """Another content or another name is another fingerprint."""
    other = dict(TINY.files) | {"train-labels": Original("Tiny/raw/train-labels", "0" * 64)}
    named = dict(TINY.files) | {
        "train-labels": Original("Tiny/raw/labels", TINY.files["train-labels"].sha256)
    }
    prints = [IdxFiles("tiny", files, ()).fingerprint(Path()) for files in (TINY.files, other, named)]
    assert len(set(prints)) == 3


@pytest.mark.parametrize("shape", [(7,), (0,), (2, 3), (2, 3, 4)], ids=str)
def test_idx_of_any_rank_reads_back(shape):
    """What an independent writer wrote."""
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(parse_idx(idx(array), "x"), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file"),
        (b"\0\0", "not an idx file"),
        (b"\x1f\x8b\x08\x03", "not an idx file"),
        (idx(LABELS, kind=0x0D), "not an idx file of unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "3 dimensions and ends before them"),
        (idx(LABELS)[:-1], "5 = 5 bytes, found 4"),
        (idx(IMAGES) + b"x", "5×3×4 = 60 bytes, found 61"),
    ],
    ids=["empty", "two-bytes", "gzip", "floats", "short-header", "short", "long"],
)
def test_what_is_not_idx_is_refused(content, message):
    """The file is named, and what it says of itself."""
    with pytest.raises(DataError, match=f"somewhere: .*{message}"):
        parse_idx(content, "somewhere")


def batch(count: int, first: int = 0) -> bytes:
    """A CIFAR-10 batch as its authors pickled it: protocol 2, keys and pixels as Python 2 strings."""
    data = (np.arange(count * 3072) + first).astype(np.uint8)
    labels = [(first + i) % 10 for i in range(count)]

    def string(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    dtype = (
        b"cnumpy\ndtype\n("
        + string(b"u1")
        + b"K\0K\x01tR(K\x03"
        + string(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    )
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0t" + string(b"b") + b"tR("
    array += (
        b"K\x01(M" + struct.pack("<H", count) + b"M\0\x0ct" + dtype + b"\x89" + string(data.tobytes()) + b"tb"
    )
    items = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + string(b"labels") + items + string(b"data") + array + b"u."


PARTS = {
    "data_batch_1": batch(4),
    "data_batch_2": batch(3, first=5),
    "test_batch": batch(2, first=8),
    "batches.meta": b"m",
}


def tar_of(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = tar_of({f"tiny-batches/{name}": content for name, content in PARTS.items()})


def originals(*names: str) -> tuple[Original, ...]:
    return tuple(Original(f"tiny-batches/{name}", sha256(PARTS[name])) for name in names)


BATCHES = Batches(
    "tiny10",
    {
        "train": originals("data_batch_1", "data_batch_2"),
        "test": originals("test_batch"),
        "extra": originals("batches.meta"),
    },
    "tiny.tar.gz",
    md5(ARCHIVE),
    ("http://127.0.0.1:1/tiny",),
)


def write_batches(root: Path, contents: dict[str, bytes]) -> Path:
    (root / "tiny-batches").mkdir(exist_ok=True)
    for name, content in contents.items():
        (root / "tiny-batches" / name).write_bytes(content)
    return root


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_batches_are_read_from_their_folder_or_from_the_archive(tmp_path, packed):
    """In order, as N×3×32×32; reading from the archive writes nothing."""
    if packed:
        (tmp_path / "tiny.tar.gz").write_bytes(ARCHIVE)
    else:
        write_batches(tmp_path, PARTS)
    assert BATCHES.missing(tmp_path) is None
    images, labels = BATCHES.load(tmp_path, "train")
    assert images.shape == (7, 3, 32, 32)
    assert labels.tolist() == [0, 1, 2, 3, 5, 6, 7]
    assert images.flatten()[:300].tolist() == [i % 256 for i in range(300)]
    assert int(images[4, 0, 0, 0]) == 5
    assert BATCHES.load(tmp_path, "test")[1].tolist() == [8, 9]
    if packed:
        assert [p.name for p in tmp_path.iterdir()] == ["tiny.tar.gz"]


def test_a_damaged_batch_is_never_unpickled(tmp_path):
    """A pickle that would run a program, in place of a batch, is refused by its checksum."""
    ran = tmp_path / "ran"
    write_batches(tmp_path, PARTS | {"data_batch_2": pickle.dumps(Program(ran))})
    with pytest.raises(DataError, match=r"data_batch_2 is damaged: expected SHA-256 \w{64}, found \w{64}"):
        BATCHES.load(tmp_path, "train")
    assert not ran.exists()


class Program:
    """Pickles as a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_even_with_the_right_checksum_a_pickle_makes_nothing_but_arrays(tmp_path):
    """The unpickler refuses every other name."""
    with pytest.raises(DataError, match=r"not a CIFAR batch.*does not need"):
        unpickle(pickle.dumps(Program(tmp_path / "ran")), "somewhere")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        batch(3)[:-50],
        pickle.dumps({b"data": 1, b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((2, 5), np.uint8), b"labels": [1, 2]}),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}),
        pickle.dumps([1, 2]),
    ],
    ids=["empty", "header", "truncated", "number", "narrow", "labels", "list"],
)
def test_what_is_no_batch_is_refused(content):
    """One error, whatever the pickle holds."""
    with pytest.raises(DataError, match="somewhere: not a CIFAR batch"):
        unpickle(content, "somewhere")


def test_a_batch_pickled_by_a_current_numpy_reads_too():
    """numpy 2 has another name for the same function."""
    data, labels = unpickle(pickle.dumps({b"data": np.ones((2, 3072), np.uint8), b"labels": [4, 2]}), "x")
    assert data.sum() == 2 * 3072
    assert labels == [4, 2]


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (ARCHIVE[: len(ARCHIVE) // 2], ""),
        (b"<html>", ""),
        (b"", ""),
        (
            tar_of({"tiny-batches/data_batch_1": PARTS["data_batch_1"]}),
            "data_batch_2 in it is not the original",
        ),
        (tar_of({f"tiny-batches/{n}": batch(2) for n in PARTS}), "data_batch_1 in it is not the original"),
    ],
    ids=["half", "a-page", "empty", "incomplete", "other"],
)
def test_a_damaged_archive_is_refused_with_its_name_and_checksums(tmp_path, archive, why):
    """Half an archive never counts, even where the wanted batches lie in the first half."""
    (tmp_path / "tiny.tar.gz").write_bytes(archive)
    with pytest.raises(DataError) as caught:
        BATCHES.load(tmp_path, "train")
    text = str(caught.value)
    assert "tiny.tar.gz is damaged" in text
    assert f"expected MD5 {md5(ARCHIVE)}, found {md5(archive)}" in text
    assert why in text


def test_an_archive_writes_no_file_outside_its_folder(tmp_path):
    """Members are looked up by name and read in memory; a path that climbs is just not asked for."""
    climbing = tar_of({"../climbed": b"x"} | {f"tiny-batches/{n}": c for n, c in PARTS.items()})
    root = tmp_path / "root"
    root.mkdir()
    (root / "tiny.tar.gz").write_bytes(climbing)
    assert len(BATCHES.load(root, "train")[0]) == 7
    assert [p.name for p in tmp_path.iterdir()] == ["root"]


@pytest.mark.realdata
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_byte_changed_in_a_real_batch_is_noticed(part, data_root, tmp_path):
    """Real CIFAR-10 with one pixel changed is refused, named by file."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for path in (data_root / "cifar-10-batches-py").iterdir():
        (folder / path.name).symlink_to(path)
    name = {"train": "data_batch_3", "test": "test_batch"}[part]
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} is damaged"):
        CIFAR10.load(tmp_path, part)


@pytest.mark.realdata
@pytest.mark.parametrize("data", [MNIST, FASHION_MNIST], ids=lambda d: d.name)
def test_half_a_real_file_is_noticed(data, data_root, tmp_path):
    """A real .gz cut in the middle is refused, with its published MD5."""
    folder = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[data.name]
    (tmp_path / folder / "raw").mkdir(parents=True)
    for path in (data_root / folder / "raw").glob("t10k*"):
        content = path.read_bytes()
        (tmp_path / folder / "raw" / path.name).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz is damaged .*expected MD5 \w{32}, found"):
        data.load(tmp_path, "test")
