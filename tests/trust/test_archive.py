"""Archives are plain files within bounds: whatever else one holds is refused before anything is written."""

from __future__ import annotations

import io
import lzma
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from prunebench.errors import StoreError
from prunebench.trust import archive
from prunebench.trust.archive import archived, members, unpacked_most
from prunebench.trust.packs import unpack


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def packed(
    path: Path, *inside: tarfile.TarInfo, content: bytes = b"{}", format: int = tarfile.GNU_FORMAT
) -> Path:
    """An archive as the library writes it, of whatever kinds of members."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=format) as tar:
        for member in inside:
            member.size = len(content) if member.type in (tarfile.REGTYPE, tarfile.GNUTYPE_SPARSE) else 0
            tar.addfile(member, io.BytesIO(content))
    return written(path, lzma.compress(whole.getvalue()))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, link
    return one


def test_what_is_packed_comes_out(tmp_path: Path) -> None:
    """Every byte of every file, by name; the same files give the same archive, which tar itself reads."""
    files = {"b": b"", "a/b.json": b"x" * 511, "c": bytes(range(256)) * 9000}
    path = written(tmp_path / "x.tar.xz", archived(files))
    assert dict(members(path)) == files
    assert path.read_bytes() == archived(dict(reversed(files.items())))
    with tarfile.open(path) as tar:
        assert tar.getnames() == sorted(files)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (member("x", tarfile.SYMTYPE, "/etc/passwd"), "a link"),
        (member("x", tarfile.LNKTYPE, "store.json"), "a link"),
        (member("x", tarfile.DIRTYPE), "a folder"),
        (member("x", tarfile.FIFOTYPE), "only plain files"),
        (member("x", tarfile.CHRTYPE), "only plain files"),
        (member("x", tarfile.GNUTYPE_SPARSE), "only plain files"),
        (member("x", b"7"), "only plain files"),
        (member("x", b"Z"), "only plain files"),
        (member("x" * 300), "only plain files"),
        (member("x", tarfile.REGTYPE, "/etc/passwd"), "only plain files"),
        (member("naïve"), "not an archive of plain files"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.type.decode() + value.name[:5],
)
def test_what_is_no_plain_file_is_refused(one: tarfile.TarInfo, said: str, tmp_path: Path) -> None:
    """Links, folders, devices, sparse files, long names in members of their own, names beyond ASCII."""
    with pytest.raises(StoreError, match=said):
        list(members(packed(tmp_path / "x.tar.xz", one)))


def test_a_name_in_a_header_of_its_own_is_refused(tmp_path: Path) -> None:
    """As pax has them: what follows would be called something else than its own header says."""
    one = member("a.json")
    one.pax_headers = {"path": "../../a.json", "size": "99999999999"}
    with pytest.raises(StoreError, match="only plain files"):
        list(members(packed(tmp_path / "x.tar.xz", one, format=tarfile.PAX_FORMAT)))


@pytest.mark.parametrize(
    "size", [b"\xff" * 12, b"-0000000001\0", b"77777777777\0", b"\x80" + b"\x7f" * 11, b"zzz\0" * 3]
)
def test_a_size_that_is_none_is_refused(size: bytes, tmp_path: Path) -> None:
    """Below nothing, beyond all, no number: never a loop, never a gigabyte."""
    header = bytearray(tarfile.TarInfo("a.json").tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    path = written(tmp_path / "x.tar.xz", lzma.compress(bytes(header) + b"\0" * 1024))
    with pytest.raises(StoreError, match=r"says that it has|cut short|not an archive|larger than"):
        list(members(path))


def test_what_is_cut_short_or_goes_on_is_refused(tmp_path: Path) -> None:
    """Nothing, text, half an archive, one with something behind it, one without its end, two in one file."""
    whole = archived({"a": b"12"})
    inside = lzma.decompress(whole)
    spoiled = {
        b"": "cut short",
        b"not an archive": "not an xz archive",
        whole[:-20]: "cut short|damaged",
        whole + b"more": "behind its end",
        whole + whole: "behind its end",
        lzma.compress(inside[:-1024]): "cut short",
        lzma.compress(inside + b"more"): "behind its end",
        lzma.compress(inside, format=lzma.FORMAT_ALONE): "not an xz archive",
        whole[:30] + bytes([whole[30] ^ 255]) + whole[31:]: "damaged|cut short|not an archive",
    }
    for content, said in spoiled.items():
        with pytest.raises(StoreError, match=said):
            list(members(written(tmp_path / "x.tar.xz", content)))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A file of 256 MiB of zeros is told by its header; zeros behind the end are counted too."""
    header = tarfile.TarInfo("a.json")
    header.size = 1 << 28
    zeros = header.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 28)
    path = written(tmp_path / "x.tar.xz", lzma.compress(zeros, preset=0))
    end = written(tmp_path / "y.tar.xz", lzma.compress(bytes(1 << 28), preset=0))
    tracemalloc.start()
    with pytest.raises(StoreError, match="larger than any archive"):
        list(members(path, largest=1 << 24))
    with pytest.raises(StoreError, match="larger than any archive"):
        list(members(end, largest=1 << 24))
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_what_is_small_may_not_become_large(tmp_path: Path) -> None:
    """In proportion to its size: a plan of blanks, files of zeros, zeros behind the end, thousands of files."""
    assert unpacked_most(1_000, 500, 40, 1_000_000) == 40_500
    assert unpacked_most(1_000_000, 500, 40, 1_000_000) == 1_000_000
    plan = written(tmp_path / "plan.tar.xz", archived({"plans/a.json": b" " * 20_000_000}))
    end = written(tmp_path / "end.tar.xz", lzma.compress(bytes(30_000_000), preset=0))
    many = written(tmp_path / "many.tar.xz", archived({f"{i}": b"" for i in range(5_000)}))
    tracemalloc.start()
    with pytest.raises(StoreError, match=r"20,000,000 bytes, at most 2,0..,... are read"):
        unpack(plan, tmp_path)
    for path, said in ((plan, "larger than any"), (end, "larger than any"), (many, "more than 1,... files")):
        with pytest.raises(StoreError, match=said):
            list(members(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000  # xz itself takes 65 MiB


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"0,", b'"",', b"[[[]]],", b"12,"])
def test_json_that_would_take_much_memory_is_not_parsed(piece: bytes, tmp_path: Path) -> None:
    """Its punctuation tells: a record is text, numbers and few lists."""
    content = b'{"a":[' + (piece * 20_000).rstrip(b",") + b"]}\n"
    name = f"records/00/{'0' * 64}.json"
    path = written(tmp_path / "x.tar.xz", archived({"store.json": b'{"format":1}\n', name: content}))
    tracemalloc.start()
    with pytest.raises(StoreError, match="more lists, tables and numbers than any"):
        unpack(path, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000  # xz itself takes 65 MiB


def test_too_many_files_and_too_long_a_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of no bytes cost time too; a file that is too long is not opened."""
    path = written(tmp_path / "x.tar.xz", archived({f"{i}": b"" for i in range(20)}))
    assert len(list(members(path, most=20))) == 20
    with pytest.raises(StoreError, match="more than 19 files"):
        list(members(path, most=19))
    monkeypatch.setattr(archive, "LARGEST_PACKED", 10)
    with pytest.raises(StoreError, match="at most 10 are read"):
        list(members(path))


def test_memory_that_unpacking_asks_for_is_bounded(tmp_path: Path) -> None:
    """xz may ask for a dictionary of gigabytes: that is refused."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    path = written(tmp_path / "x.tar.xz", lzma.compress(b"\0" * 1024, filters=filters))
    with pytest.raises(StoreError, match="not an xz archive, or damaged"):
        list(members(path))


def test_a_file_is_looked_at_before_it_is_unpacked(tmp_path: Path) -> None:
    """Who reads says which names and sizes are wanted."""
    path = written(tmp_path / "x.tar.xz", archived({"a": b"12", "b": b"345"}))

    def look(name: str, size: int) -> None:
        if size > 2:
            raise StoreError(f"{name} has {size}")

    with pytest.raises(StoreError, match="b has 3"):
        list(members(path, look))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In a sentence."""
    with pytest.raises(StoreError, match=r"cannot read .*none.tar.xz"):
        list(members(tmp_path / "none.tar.xz"))
