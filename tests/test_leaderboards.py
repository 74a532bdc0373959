"""Published tables: each is made again from the records that lie packed beside it, byte for byte."""

from __future__ import annotations

import importlib.util
import io
import lzma
import shutil
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prunebench.errors import StoreError, UsageError

FOLDER = Path(__file__).parents[1] / "leaderboards"
TABLES = sorted(path.name for path in FOLDER.glob("*.md") if path.name != "README.md")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="leaderboards/ is not part of a source archive")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_leaderboards", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TABLES)
def test_a_published_table_is_made_from_its_records(name: str, make: ModuleType) -> None:
    """Every table has its records, and they give it to the last byte."""
    packed = FOLDER / (name.removesuffix(".md") + make.ENDING)
    assert make.table_of(packed) == (FOLDER / name).read_text("utf-8")


def test_the_same_store_gives_the_same_pack(project: Any, make: ModuleType, tmp_path: Path) -> None:
    """A pack holds the records as they were committed; the table of the pack is that of the store."""
    from prunebench.cli._board import board

    path = project.suite(["snip"], measures=["layer-sparsity"])
    session = project.session(path)
    store = project.store()
    session.freeze(store)
    engine = session.worker(store)
    for cell in session.plan.cells:
        engine.make(cell)
    one, two = tmp_path / "one.records.tar.xz", tmp_path / "two.records.tar.xz"
    count = make.pack(str(path), store, one, data=str(tmp_path / "data"))
    make.pack(str(path), store, two, data=str(tmp_path / "data"))
    assert count == len({cell.key for cell in session.plan.cells})
    assert one.read_bytes() == two.read_bytes()
    shutil.rmtree(store.root / "logs")  # how long scoring took here is not packed
    assert make.table_of(one) == board(session.plan, store, "md")
    unpacked = make.unpack(one, tmp_path / "unpacked")
    for cell in session.plan.cells:
        for key in cell.targets:
            part = "records" if key == cell.key else "measures"
            name = f"{part}/{key[:2]}/{key}.json"
            assert (unpacked.root / name).read_bytes() == (store.root / name).read_bytes()


def test_a_suite_that_has_not_been_run_is_not_packed(project: Any, make: ModuleType, tmp_path: Path) -> None:
    """A cell without a record is named, and nothing is written."""
    path = project.suite(["snip"])
    output = tmp_path / "tiny.records.tar.xz"
    with pytest.raises(UsageError, match=r"2 cells of .* have no record in .*: main::digits-mlp"):
        make.pack(str(path), project.store(), output, data=str(tmp_path))
    assert not output.exists()


def packed(path: Path, *members: tarfile.TarInfo, content: bytes = b"{}") -> Path:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(lzma.compress(archive.getvalue()))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


@pytest.mark.parametrize(
    "members",
    [
        [member("../store.json")],
        [member("/tmp/store.json")],
        [member("plans/../../outside.json")],
        [member("plans/sub/x.json")],
        [member("records/ab/" + "0" * 64 + ".json/../x")],
        [member("records/ab/short.json")],
        [member("artifacts/00/" + "0" * 64 + ".safetensors")],
        [member("plans/x.json", tarfile.SYMTYPE, "/etc/passwd")],
        [member("plans/x.json", tarfile.LNKTYPE, "store.json")],
        [member("plans", tarfile.DIRTYPE)],
        [member("plans/x.json", tarfile.FIFOTYPE)],
        [member("store.json"), member("store.json")],
    ],
)
def test_what_is_no_file_of_a_pack_is_refused(
    members: list[tarfile.TarInfo], make: ModuleType, tmp_path: Path
) -> None:
    """Nothing is written outside the folder, no links, no other names, none twice."""
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    with pytest.raises(StoreError, match="is no file of a pack"):
        make.unpack(packed(tmp_path / "bad.records.tar.xz", *members), folder)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} <= {
        "bad.records.tar.xz", "in", "in/side", "in/side/store.json",
    }  # fmt: skip


def test_a_pack_that_is_cut_short_or_too_large_is_refused(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, half a pack, and one that unpacks to more than the limit (before it is unpacked whole)."""
    whole = packed(tmp_path / "whole.records.tar.xz", member("store.json"), content=b'{"format": 1}')
    bad = tmp_path / "bad.records.tar.xz"
    for content in (b"not a pack", b"", whole.read_bytes()[:-20]):
        bad.write_bytes(content)
        with pytest.raises(StoreError, match=r"not a pack|cut short"):
            make.unpack(bad, tmp_path / "a")
    monkeypatch.setattr(make, "_LARGEST", 32 << 20)
    large = packed(tmp_path / "large.records.tar.xz", member("store.json"), content=b"0" * (33 << 20))
    with pytest.raises(StoreError, match="larger than any pack"):
        make.unpack(large, tmp_path / "b")
