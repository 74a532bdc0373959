"""Files and archives that are larger than the originals are refused before their contents are read."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prunebench_plugins.datasets import _bounded, digits
from prunebench_plugins.datasets._bounded import members_of_tar
from prunebench_plugins.datasets._download import fetch
from prunebench_plugins.datasets._files import Original, read
from prunebench_plugins.datasets._trees import FolderTree, ZipTree
from prunebench_plugins.datasets.cifar10 import CIFAR10
from prunebench_plugins.datasets.cifar100 import CIFAR100
from prunebench_plugins.datasets.mnist import _FASHION, _MNIST

from prunebench.errors import DataError

HUGE = 32_000_000
"""Bytes that a bomb unpacks to; what is read of it stays far below."""


@contextmanager
def little_memory(most: int = 8_000_000) -> Iterator[None]:
    """Assert that no more than so many bytes were held at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def zeros(size: int) -> bytes:
    """So many zeros, gzipped: a thousandth of that."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A gzipped stream of many zeros."""
    return zeros(HUGE)


def original(content: bytes, most: int) -> Original:
    return Original("data", hashlib.sha256(content).hexdigest(), "0" * 32, most=most)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_of_just_the_size_is_read_and_a_byte_more_is_not(suffix: str, tmp_path: Path) -> None:
    """The bound is the original's size."""
    content = bytes(range(100))
    for more in (0, 1):
        told = content + b"x" * more
        (tmp_path / f"data{suffix}").write_bytes(gzip.compress(told) if suffix else told)
        if more:
            with pytest.raises(DataError, match=r"data(\.gz)? is damaged: it (has|holds more than)"):
                read(tmp_path, original(content, 100))
        else:
            assert read(tmp_path, original(content, 100)) == content


def test_a_compressed_file_is_unpacked_no_further_than_the_original_goes(bomb: bytes, tmp_path: Path) -> None:
    """Gigabytes of zeros in a small file; memory stays at what the original needs."""
    (tmp_path / "data.gz").write_bytes(bomb)
    with little_memory(), pytest.raises(DataError, match=r"holds more than the 1,000,000 bytes"):
        read(tmp_path, original(b"", 1_000_000))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_is_larger_on_the_disk_is_not_opened(suffix: str, tmp_path: Path) -> None:
    """A sparse file of a terabyte takes no time."""
    with (tmp_path / f"data{suffix}").open("wb") as file:
        file.truncate(1 << 40)
    with (
        little_memory(),
        pytest.raises(DataError, match="has 1,099,511,627,776 bytes, and the original at m"),
    ):
        read(tmp_path, original(b"", 1_000_000))


def test_the_published_sizes_are_the_bounds() -> None:
    """MNIST's and Fashion-MNIST's idx files: 60,000 and 10,000 images of 28×28, their labels, the headers."""
    sizes = {
        "train-images": 47_040_016,
        "train-labels": 60_008,
        "t10k-images": 7_840_016,
        "t10k-labels": 10_008,
    }
    for files in (_MNIST, _FASHION):
        assert {role: file.most for role, file in files.files.items()} == sizes


def archive(*members: tuple[tarfile.TarInfo, bytes], tail: bytes = b"") -> bytes:
    """A gzipped tar file of headers and what follows them, whatever they say."""
    blocks = b"".join(
        info.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % 512) for info, content in members
    )
    return gzip.compress(blocks + b"\0" * 1024, compresslevel=1) + tail


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def sparse(name: str, size: int) -> bytes:
    """A GNU sparse member: 512 bytes, and holes up to its size."""
    header = bytearray(member(name, 512, tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + b"x" * 512 + b"\0" * 1024)


FINE = (member("d/a", 3), b"abc")
TARS = {
    "a member larger than its original": lambda: archive(FINE, (member("d/b", HUGE), b"\0" * HUGE)),
    "a member that only says so": lambda: archive((member("d/a", 1 << 40), b"abc")),
    "a name of that length": lambda: archive(
        (member("././@LongLink", HUGE, tarfile.GNUTYPE_LONGNAME), b"n" * HUGE), FINE
    ),
    "an extended header of that length": lambda: archive((member("x", HUGE, b"x"), b"1" * HUGE), FINE),
    "a member beside them": lambda: archive((member("d/other", HUGE), b"\0" * HUGE), FINE),
    "very many members": lambda: archive(*[(member(f"d/{i}", 0), b"") for i in range(1500)]),
}


@pytest.mark.parametrize("kind", TARS)
def test_a_tar_file_with_more_than_the_originals_is_refused_before_it_is_read(
    kind: str, tmp_path: Path
) -> None:
    """Whatever its headers say, and in whichever of them."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(TARS[kind]())
    with little_memory(), pytest.raises((_bounded.TooLarge, tarfile.TarError, EOFError)):
        members_of_tar(path, {"d/a": 1000, "d/b": 1000})


def test_a_member_with_holes_is_none(tmp_path: Path) -> None:
    """512 bytes that would be read as 32 GB."""
    path = tmp_path / "a.tar.gz"
    path.write_bytes(sparse("d/a", 1 << 35))
    with little_memory():
        assert members_of_tar(path, {"d/a": 1000}) == {}
    with tarfile.open(path) as tar:  # it is one, to whoever asks
        assert (tar.getmember("d/a").size, tar.getmember("d/a").issparse()) == (1 << 35, True)


def test_links_in_a_tar_file_are_no_members(tmp_path: Path) -> None:
    """Names are looked up, links are not followed; members that are not wanted are passed over."""
    link = member("d/b", 0, tarfile.SYMTYPE)
    link.linkname = "/etc/passwd"
    path = tmp_path / "a.tar.gz"
    path.write_bytes(archive((member("d/readme", 5), b"hello"), (link, b""), FINE))
    assert members_of_tar(path, {"d/a": 3, "d/b": 1000}) == {"d/a": b"abc"}


@pytest.mark.parametrize("data", [CIFAR10, CIFAR100], ids=lambda d: d.name)
def test_an_archive_of_cifar_that_unpacks_to_gigabytes_is_a_damaged_one(
    data, tmp_path: Path, bomb: bytes
) -> None:
    """The whole way: the data set says which file, and what to do."""
    root = {"cifar10": "cifar-10-batches-py/data_batch_1", "cifar100": "cifar-100-python/train"}[data.name]
    (
        tmp_path / {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}[data.name]
    ).write_bytes(archive((member(root, 3_000_000_000), b"")) + bomb)
    with little_memory(), pytest.raises(DataError, match=r"tar\.gz is damaged \(.*has 3,000,000,000 bytes"):
        data.load(tmp_path, "train")


def zip_of(members: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def test_a_zip_files_member_is_unpacked_only_if_its_size_can_be(tmp_path: Path) -> None:
    """By what the directory says, and by what comes out where that lies."""
    path = zip_of({"d/a.png": b"\0" * HUGE, "d/b.png": b"abc"}, tmp_path / "a.zip")
    content = path.read_bytes()
    assert ZipTree(path, "d").read("b.png", 1000) == b"abc"
    with (
        little_memory(),
        pytest.raises(DataError, match=r"d/a\.png cannot be read: it has 32,000,000 bytes"),
    ):
        ZipTree(path, "d").read("a.png", 1000)
    path.write_bytes(content.replace(struct.pack("<I", HUGE), struct.pack("<I", 900)))
    with little_memory(), pytest.raises(DataError, match=r"d/a\.png cannot be read"):
        ZipTree(path, "d").read("a.png", 1000)


def test_a_list_of_classes_is_read_only_if_its_size_can_be(tmp_path: Path) -> None:
    """In a folder and in a zip file."""
    (tmp_path / "d").mkdir()
    with (tmp_path / "d" / "wnids.txt").open("wb") as file:
        file.truncate(1 << 40)
    path = zip_of({"d/wnids.txt": b"\0" * HUGE}, tmp_path / "a.zip")
    for tree in (FolderTree(tmp_path / "d"), ZipTree(path, "d")):
        with little_memory(20_000_000), pytest.raises(DataError, match=r"wnids\.txt"):
            tree.text("wnids.txt")


def as_zip64(content: bytes) -> bytes:
    """The same zip file with its directory's size and place in the records of the larger format alone."""
    end = content.rindex(b"PK\5\6")
    count, size, place = struct.unpack_from("<HII", content, end + 10)
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, place)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
    last = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end] + record + locator + last


@pytest.mark.parametrize("large", [False, True], ids=["zip", "zip64"])
def test_a_zip_files_directory_is_read_only_if_its_size_can_be(
    large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one with more members than the first format can count."""
    path = zip_of({f"d/{i}": b"" for i in range(100)}, tmp_path / "a.zip")
    if large:
        path.write_bytes(as_zip64(path.read_bytes()))
    assert ZipTree(path, "d").folders("") == []
    monkeypatch.setattr(_bounded, "_DIRECTORY", 3000)
    os.utime(path, (1, 1))  # what was looked at is remembered
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("opened"))
    with pytest.raises(
        DataError, match=r"a\.zip .*its directory has [\d,]+ bytes, and the original at most 3,0"
    ):
        ZipTree(path, "d").folders("")


def test_a_source_that_sends_more_than_the_original_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Announced or not; nothing is left on the disk."""
    there = tmp_path / "there"
    there.write_bytes(b"x" * 5000)
    target = tmp_path / "root" / "file"
    for announced in (True, False):
        if not announced:
            monkeypatch.setattr("prunebench_plugins.datasets._download._open", lambda *_: Endless())
        with pytest.raises(DataError, match="not the published file: it has more than 1,000 bytes"):
            fetch([there.as_uri()], target, "0" * 32, "tiny", most=1000)
        assert list(tmp_path.rglob("*.part")) == []


class Endless(io.BytesIO):
    """A response without a length and without an end."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[str, str] = {}

    def read(self, size: int | None = -1) -> bytes:
        return b"x" * 700


def test_the_embedded_digits_are_compared_before_they_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another file in their place would unpack to."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("images.npy", b"\0" * HUGE)
    monkeypatch.setattr(Path, "open", lambda *_: io.BytesIO(buffer.getvalue()))
    with little_memory(), pytest.raises(DataError, match="the embedded digits are damaged: expected SHA-256"):
        digits.load_digits(Path(), "train")
