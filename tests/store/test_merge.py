"""Stores are joined: the first commit wins, other bits are told, sources are only read, nothing is half done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from prunebench.errors import StoreError
from prunebench.store import Store
from prunebench.store import merge as merging
from prunebench.store.merge import merge


def files(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with its bytes and when it was changed."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def with_correct(result: dict[str, Any], correct: int) -> dict[str, Any]:
    """The result of a run that got another number right."""
    counts = {"correct": correct}
    return {**result, "test": result["test"] | counts, "curve": [result["curve"][0] | counts]}


@pytest.fixture
def sources(tmp_path: Path, result: dict[str, Any]) -> list[Store]:
    """Two stores: one record in common, one each has alone, one of which they disagree; artifacts, plans, …."""
    stores = [Store.open(tmp_path / name) for name in ("a", "b")]
    for number, store in enumerate(stores):
        where = {"numerics": f"class {number}"}
        store.write_record("00" * 32, result, where)
        store.write_record(f"1{number}" * 32, result, where)
        store.write_record("22" * 32, with_correct(result, 9000 + number), where)
        made = {"diagnostic": "d", "of": "mask", "made_from": {"ab" * 32: "cd" * 32}, "outcome": "finished"}
        store.write_measure("33" * 32, {**made, "value": number}, where)
        store.write_artifact("44" * 32, {"w": torch.full((2,), float(number))}, {"kind": "mask"})
        store.write_artifact(f"5{number}" * 32 + "@7", {"w": torch.ones(3)}, {"kind": "state"})
        store.write_artifact("66" * 32 + "@3", {"w": torch.ones(3)}, {"kind": "state"}, checkpoint=True)
        store.write_attempt("77" * 32, f"failed on {number}")
        store.write_plan(f"quick-{number}00000", b"{}")
        store.log_path("88" * 32).write_text(f"log of {number}\n")
    return stores


def test_everything_is_there_and_the_first_commit_wins(sources: list[Store], tmp_path: Path) -> None:
    """The first source's files are the target's to the byte; where the second differs, that is told."""
    merged = merge([store.root for store in sources], tmp_path / "all")
    target = Store.open(tmp_path / "all", write=False)
    assert target.record_keys() == {"00" * 32, "10" * 32, "11" * 32, "22" * 32}
    assert target.artifact_keys() == {"44" * 32, "50" * 32 + "@7", "51" * 32 + "@7"}
    assert target.read_record("22" * 32).result["test"]["correct"] == 9000
    assert target.read_measure("33" * 32).result["value"] == 0
    assert target.read_artifact("44" * 32).tensors["w"].tolist() == [0.0, 0.0]
    assert {attempt["error"] for attempt in target.attempts("77" * 32)} == {"failed on 0", "failed on 1"}
    assert [path.name for path in target.plans()] == ["quick-000000.json", "quick-100000.json"]
    assert (target.root / "logs" / ("88" * 32 + ".log")).read_text() == "log of 0\n"
    first, all_ = files(sources[0].root), files(target.root)
    for name, (content, _) in first.items():
        if "checkpoint" not in name:
            assert all_[name][0] == content
    told = {(conflict.part, conflict.key[:2]): conflict for conflict in merged.conflicts}
    assert set(told) == {("records", "22"), ("measures", "33"), ("artifacts", "44")}
    record = told["records", "22"]
    assert record.source == sources[1].root
    assert (record.kept, record.other) == (
        "9000 of 10000 correct (class 0)",
        "9001 of 10000 correct (class 1)",
    )
    assert not merged.left
    assert merged.there["records"] == 1  # the same result from two machines is no conflict


def test_sources_are_only_read(sources: list[Store], tmp_path: Path) -> None:
    """Not a byte and not a time of a file is another, even where a file is damaged; that one is told."""
    damaged = sources[0].root / "records" / "10" / ("10" * 32 + ".json")
    damaged.write_text(damaged.read_text().replace("9731", "9999"))
    before = [files(store.root) for store in sources]
    merged = merge([store.root for store in sources], tmp_path / "all")
    assert [files(store.root) for store in sources] == before
    assert [(left.source, left.file) for left in merged.left] == [
        (sources[0].root, f"records/10/{'10' * 32}.json")
    ]
    assert "digest" in merged.left[0].reason
    assert "10" * 32 not in Store.open(tmp_path / "all").record_keys()


def test_what_the_target_has_stays(sources: list[Store], tmp_path: Path, result: dict[str, Any]) -> None:
    """The target's own commit came first."""
    target = Store.open(tmp_path / "all")
    target.write_record("22" * 32, with_correct(result, 1), {})
    merged = merge([store.root for store in sources], target.root)
    assert target.read_record("22" * 32).result["test"]["correct"] == 1
    assert [c.source for c in merged.conflicts if c.part == "records"] == [s.root for s in sources]


def test_again_copies_nothing(sources: list[Store], tmp_path: Path) -> None:
    """A second merge finds all there, and tells the same conflicts."""
    roots = [store.root for store in sources]
    first = merge(roots, tmp_path / "all")
    before = files(tmp_path / "all")
    again = merge(roots, tmp_path / "all")
    assert not again.copied
    assert len(again.conflicts) == len(first.conflicts)
    assert {n: c for n, c in files(tmp_path / "all").items() if n != "store.json"} == {
        n: c for n, c in before.items() if n != "store.json"
    }


@pytest.mark.parametrize("after", [2, 9])
def test_a_merge_that_was_killed_goes_on(sources: list[Store], tmp_path: Path, after: int) -> None:
    """Killed after any commit, it has left whole files and half a one; the same command makes the rest."""
    roots = [str(store.root) for store in sources]
    program = (
        "import os, sys\n"
        "from prunebench.store import merge as merging\n"
        "from prunebench.store._commit import temporary\n"
        "left, real = int(sys.argv[1]), merging.commit\n"
        "def commit(path, chunks):\n"
        "    global left\n"
        "    if left == 0:\n"
        "        path.parent.mkdir(parents=True, exist_ok=True)\n"
        "        temporary(path).write_bytes(b'half')\n"
        "        os._exit(9)\n"
        "    left -= 1\n"
        "    return real(path, chunks)\n"
        "merging.commit = commit\n"
        "merging.merge(sys.argv[3:], sys.argv[2])\n"
    )
    target = tmp_path / "all"
    done = subprocess.run([sys.executable, "-c", program, str(after), str(target), *roots], check=False)
    assert done.returncode == 9
    half = Store.open(target)
    assert all(half.read_record(key) for key in half.record_keys())
    merge(roots, target)
    merge(roots, tmp_path / "at once")
    wanted = {name: content for name, (content, _) in files(tmp_path / "at once").items()}
    assert {name: content for name, (content, _) in files(target).items()} == wanted


def test_a_store_that_fills_up_says_so(
    sources: list[Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed before stays."""
    real = merging.commit

    def full(path: Path, chunks: Any) -> bool:
        if path.parent.parent.name == "records":
            raise StoreError("no space left")
        return real(path, chunks)

    monkeypatch.setattr(merging, "commit", full)
    with pytest.raises(StoreError, match="no space left"):
        merge([sources[0].root], tmp_path / "all")
    assert Store.open(tmp_path / "all").artifact_keys() == sources[0].artifact_keys()


def test_what_cannot_be_merged(sources: list[Store], tmp_path: Path) -> None:
    """A folder that is no store, a store into itself, records of a newer version."""
    (tmp_path / "none").mkdir()
    with pytest.raises(StoreError, match="no store at"):
        merge([tmp_path / "none"], tmp_path / "all")
    assert not (tmp_path / "all").exists()
    with pytest.raises(StoreError, match="into itself"):
        merge([sources[0].root], tmp_path / "x" / ".." / "a")
    newer = sources[0].root / "records" / "10" / ("10" * 32 + ".json")
    newer.write_text(json.dumps({**json.loads(newer.read_text()), "schema": 99}))
    merged = merge([sources[0].root], tmp_path / "all")
    assert "use a newer" in merged.left[0].reason


def test_names_that_are_no_stores_are_not_copied(sources: list[Store], tmp_path: Path) -> None:
    """What somebody else put into a store's folders stays there; links lead nowhere."""
    (tmp_path / "secret").write_text("secret")
    (sources[0].root / "logs" / "..log").write_text("x")
    (sources[0].root / "records" / "10" / "readme.txt").write_text("x")
    (sources[0].root / "attempts" / ("77" * 32) / "evil.sh").write_text("x")
    (sources[0].root / "records" / "99").mkdir()
    (sources[0].root / "records" / "99" / ("99" * 32 + ".json")).symlink_to(tmp_path / "secret")
    merged = merge([sources[0].root], tmp_path / "all")
    names = set(files(tmp_path / "all"))
    assert not {name for name in names if name.endswith(("..log", ".txt", ".sh")) or "/99/" in name}
    assert [left.file for left in merged.left] == [f"records/99/{'99' * 32}.json"]
