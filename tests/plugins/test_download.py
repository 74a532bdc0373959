"""Fetching: verified, in one step, from mirrors in turn; everything that goes wrong is one clear error."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prunebench_plugins.datasets import _download
from prunebench_plugins.datasets._download import fetch, sources
from prunebench_plugins.datasets._files import Original
from prunebench_plugins.datasets.cifar10 import Batches
from prunebench_plugins.datasets.mnist import IdxFiles

from prunebench.errors import DataError

ROLES = {
    "train-images": b"a" * 5000,
    "train-labels": b"b" * 50,
    "t10k-images": b"c" * 500,
    "t10k-labels": b"d",
}
ZIPPED = {role: gzip.compress(content, mtime=0) for role, content in ROLES.items()}
PARTS = {"data_batch_1": b"first", "test_batch": b"second", "batches.meta": b"names"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def tar_of(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"tiny-batches/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = tar_of(PARTS)


def tiny(*urls: str) -> IdxFiles:
    files = {r: Original(f"Tiny/raw/{r}", sha256(c), md5(ZIPPED[r])) for r, c in ROLES.items()}
    return IdxFiles("tiny", files, urls)


def batches(*urls: str) -> Batches:
    train, test, extra = ((Original(f"tiny-batches/{n}", sha256(c)),) for n, c in PARTS.items())
    parts = {"train": train, "test": test, "extra": extra}
    return Batches("tiny10", parts, "tiny.tar.gz", md5(ARCHIVE), urls)


@dataclass
class Web:
    """A server of the files given, and what it was asked; `cut` breaks a transfer off after so many bytes."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut: int | None = None
    silent: threading.Event | None = None
    ranges: bool = False
    ranged: list[str | None] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            if here.silent is not None:
                here.silent.wait(5)
                return
            content = here.files.get(self.path)
            wanted = self.headers["Range"]
            here.ranged.append(wanted)
            if here.ranges and wanted and content:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                content = content[start:]
            else:
                self.send_response(404 if content is None else 200)
            if here.ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: here.cut])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here = Web(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield here
    if here.silent is not None:
        here.silent.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests has no say."""
    for name in ("PRUNEBENCH_MIRROR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_missing_files_are_fetched_into_torchvisions_layout(web, tmp_path):
    """Four .gz files as published, nothing else; a second time asks for nothing."""
    web.files = {f"/data/{role}.gz": content for role, content in ZIPPED.items()}
    data = tiny(f"{web.url}/data/")
    data.download(tmp_path)
    found = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {f"Tiny/raw/{role}.gz": content for role, content in ZIPPED.items()}
    assert data.missing(tmp_path) is None
    asked = len(web.asked)
    data.download(tmp_path)
    assert len(web.asked) == asked == 4


def test_an_archive_is_fetched_and_unpacked_verified(web, tmp_path):
    """The batches and their names lie in their folder afterwards; a second time asks for nothing."""
    web.files = {"/tiny.tar.gz": ARCHIVE}
    batches(web.url).download(tmp_path)
    assert {p.name: p.read_bytes() for p in (tmp_path / "tiny-batches").iterdir()} == PARTS
    batches(web.url).download(tmp_path)
    assert web.asked == ["/tiny.tar.gz"]


def test_a_whole_archive_that_is_there_is_not_fetched_again(web, tmp_path):
    """It is only unpacked."""
    (tmp_path / "tiny.tar.gz").write_bytes(ARCHIVE)
    batches(web.url).download(tmp_path)
    assert web.asked == []
    assert len(list((tmp_path / "tiny-batches").iterdir())) == 3


def test_half_an_archive_that_is_there_is_fetched_again(web, tmp_path):
    """A transfer that another program broke off never counts."""
    (tmp_path / "tiny.tar.gz").write_bytes(ARCHIVE[:100])
    web.files = {"/tiny.tar.gz": ARCHIVE}
    batches(web.url).download(tmp_path)
    assert (tmp_path / "tiny.tar.gz").read_bytes() == ARCHIVE


def test_a_mirror_takes_the_place_of_the_publishers(web, tmp_path, monkeypatch):
    """PRUNEBENCH_MIRROR serves what a data root holds; several are asked in turn, publishers are not."""
    web.files = {f"/root/Tiny/raw/{role}.gz": content for role, content in ZIPPED.items()}
    monkeypatch.setenv("PRUNEBENCH_MIRROR", f"{web.url}/empty {web.url}/root/")
    tiny(f"{web.url}/publisher").download(tmp_path)
    assert len(list((tmp_path / "Tiny" / "raw").iterdir())) == 4
    assert web.asked[:2] == ["/empty/Tiny/raw/train-images.gz", "/root/Tiny/raw/train-images.gz"]
    assert not any("publisher" in path for path in web.asked)


def test_a_folder_can_be_a_mirror(tmp_path, monkeypatch):
    """file:// serves where there is no network."""
    source, root = tmp_path / "source", tmp_path / "root"
    (source / "Tiny" / "raw").mkdir(parents=True)
    for role, content in ZIPPED.items():
        (source / "Tiny" / "raw" / f"{role}.gz").write_bytes(content)
    monkeypatch.setenv("PRUNEBENCH_MIRROR", source.as_uri())
    tiny().download(root)
    assert tiny().missing(root) is None


def test_sources_are_publishers_unless_a_mirror_is_set(monkeypatch):
    """A publisher's folder holds the name alone, a mirror the path under the root."""
    assert sources(["http://a/", "http://b"], "f.gz", "D/f.gz") == ["http://a/f.gz", "http://b/f.gz"]
    monkeypatch.setenv("PRUNEBENCH_MIRROR", " http://m ")
    assert sources(["http://a/"], "f.gz", "D/f.gz") == ["http://m/D/f.gz"]


def test_the_next_address_is_tried_when_one_fails(web, tmp_path):
    """A page in the file's place, an absent file, a dead server: the fourth has it."""
    web.files = {"/wrong/f": b"<html>", "/right/f": b"content"}
    urls = ["http://127.0.0.1:1/f", f"{web.url}/none/f", f"{web.url}/wrong/f", f"{web.url}/right/f"]
    fetch(urls, tmp_path / "f", md5(b"content"), "tiny")
    assert (tmp_path / "f").read_bytes() == b"content"


def test_where_every_address_fails_each_is_named_with_its_reason(web, tmp_path):
    """And what to do without a network; nothing is left behind."""
    web.files = {"/wrong/f": b"<html>"}
    urls = ["http://127.0.0.1:1/f", f"{web.url}/none/f", f"{web.url}/wrong/f", "no-address"]
    with pytest.raises(DataError) as caught:
        fetch(urls, tmp_path / "f", md5(b"content"), "tiny")
    text = str(caught.value)
    for part in (*urls, "refused", "Not Found", f"expected MD5 {md5(b'content')}, found {md5(b'<html>')}"):
        assert part in text
    assert "PRUNEBENCH_MIRROR" in text
    assert str(tmp_path / "f") in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 1000])
def test_a_transfer_that_breaks_off_leaves_nothing(web, tmp_path, cut):
    """Half a file is neither kept nor taken for the file, and what was there before stays."""
    content = bytes(5000)
    web.files, web.cut = {"/f": content}, cut
    (tmp_path / "f").write_bytes(b"before")
    with pytest.raises(DataError, match=r"broke off|IncompleteRead"):
        fetch([f"{web.url}/f"], tmp_path / "f", md5(content), "tiny")
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"before"


def test_a_transfer_that_breaks_off_goes_on_where_it_was(web, tmp_path, monkeypatch):
    """Three parts from a server that can do that; the whole is verified."""
    monkeypatch.setattr(_download, "_PAUSE", 0)
    content = bytes(range(256)) * 20
    web.files, web.cut, web.ranges = {"/f": content}, 2000, True
    fetch([f"{web.url}/f"], tmp_path / "f", md5(content), "tiny")
    assert (tmp_path / "f").read_bytes() == content
    assert web.ranged == [None, "bytes=2000-", "bytes=4000-"]
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("cut", [0, 100])
def test_a_transfer_that_breaks_off_again_and_again_is_given_up(web, tmp_path, monkeypatch, cut):
    """After a number of times, or at once where not a byte came."""
    monkeypatch.setattr(_download, "_PAUSE", 0)
    content = bytes(5000)
    web.files, web.cut, web.ranges = {"/f": content}, cut, True
    with pytest.raises(DataError, match="broke off after"):
        fetch([f"{web.url}/f"], tmp_path / "f", md5(content), "tiny")
    assert len(web.ranged) == (1 if cut == 0 else 6)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_begins_anew_when_asked_to_go_on_is_not_believed(web, tmp_path, monkeypatch):
    """Half a file followed by a whole one is no file."""
    monkeypatch.setattr(_download, "_PAUSE", 0)
    content = bytes(5000)
    web.files, web.cut, web.ranges = {"/f": content}, 2000, True

    def answer(response: object, real: object = _download._next) -> bytes:
        web.ranges = False  # from the second request on
        return real(response)

    monkeypatch.setattr(_download, "_next", answer)
    with pytest.raises(DataError, match="broke off after 2000 bytes"):
        fetch([f"{web.url}/f"], tmp_path / "f", md5(content), "tiny")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_is_given_up(web, tmp_path):
    """After the timeout, with a reason; the default is finite."""
    web.silent = threading.Event()
    with pytest.raises(DataError, match="timed out"):
        fetch([f"{web.url}/f"], tmp_path / "f", md5(b""), "tiny", timeout=0.2)
    assert 1 < _download.TIMEOUT < 300


def test_what_a_broken_off_process_left_does_not_count(web, tmp_path):
    """A temporary file is not the file, and does not stand in the way."""
    web.files = {f"/{role}.gz": content for role, content in ZIPPED.items()}
    folder = tmp_path / "Tiny" / "raw"
    folder.mkdir(parents=True)
    (folder / ".train-images.gz.99999.part").write_bytes(ZIPPED["train-images"][:10])
    assert "train-images" in tiny().missing(tmp_path)
    tiny(web.url).download(tmp_path)
    assert tiny().missing(tmp_path) is None


def test_a_damaged_file_is_fetched_again_and_set_aside(web, tmp_path):
    """An uncompressed file that is not the original would be read first: it is renamed, not deleted."""
    web.files = {f"/{role}.gz": content for role, content in ZIPPED.items()}
    data = tiny(web.url)
    data.download(tmp_path)
    folder = tmp_path / "Tiny" / "raw"
    (folder / "train-images").write_bytes(b"mine")
    (folder / "train-labels.gz").write_bytes(b"half")
    asked = len(web.asked)
    data.download(tmp_path)
    assert (folder / "train-images.damaged").read_bytes() == b"mine"
    assert not (folder / "train-images").exists()
    assert (folder / "train-labels.gz").read_bytes() == ZIPPED["train-labels"]
    assert web.asked[asked:] == ["/train-labels.gz"]


def test_a_damaged_batch_is_unpacked_again_and_set_aside(web, tmp_path):
    """The archive is fetched, the batch replaced, the damaged one kept beside it."""
    web.files = {"/tiny.tar.gz": ARCHIVE}
    folder = tmp_path / "tiny-batches"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"mine")
    batches(web.url).download(tmp_path)
    assert (folder / "data_batch_1").read_bytes() == PARTS["data_batch_1"]
    assert (folder / "data_batch_1.damaged").read_bytes() == b"mine"


def test_a_root_that_cannot_be_written_is_a_clear_error(web, tmp_path):
    """A file in the folder's place: named, with the options that name another folder."""
    web.files = {f"/{role}.gz": content for role, content in ZIPPED.items()}
    root = tmp_path / "root"
    root.write_text("not a folder")
    with pytest.raises(DataError, match=r"cannot be written.*--data or PRUNEBENCH_DATA"):
        tiny(web.url).download(root)
    web.files = {"/tiny.tar.gz": ARCHIVE}
    with pytest.raises(DataError, match="cannot be written"):
        batches(web.url).download(root)


def test_the_published_addresses_are_there():
    """Each data set that has files says where from; it can be fetched where nobody has to register for it."""
    from prunebench_plugins.datasets import prunebench_datasets

    for data in prunebench_datasets():
        own = data.name in ("digits", "imagenet", "image-folder", "image-folder-stream", "miniplaces")
        assert (data.download is None) == own
        assert own or "http" in str(data.missing(Path("nowhere")))
