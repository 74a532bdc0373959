"""How long jobs took: written by many, read by whoever shows it, and never in the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.store import JobTime, Store, now_text


def took(key: str, seconds: float = 1.5, **more: Any) -> JobTime:
    return JobTime(
        key=key, kind="train", of="mlp digits", device="cpu", seconds=seconds, at=now_text(), **more
    )


def test_what_is_written_is_read_once_then_only_what_is_new(store: Store, key: str) -> None:
    reader = store.times.reader()
    assert reader.new() == []
    first, second = took(key, macs=2e9, steps=3, images=96, worker="gw1"), took("ab" * 32)
    store.times.write(first)
    (found,) = reader.new()
    assert found.model_copy(update={"process": ""}) == first
    store.times.write(second)
    assert [time.key for time in reader.new()] == ["ab" * 32]
    assert reader.new() == []
    assert [time.key for time in store.times.reader().new()] == [key, "ab" * 32]


def test_each_process_has_its_own_file_and_says_whose_it_is(
    store: Store, start: Callable[..., Any], key: str
) -> None:
    other = start(
        """
        import sys
        from prunebench.store import JobTime, Store, now_text
        store = Store.open(sys.argv[1])
        store.times.write(JobTime(key=sys.argv[2], kind="mask", device="cpu", seconds=1.0, at=now_text()))
        """,
        key,
    )
    other.wait(60)
    store.times.write(took(key))
    processes = {time.process for time in store.times.reader().new()}
    assert {process.split("-")[-2] for process in processes} == {str(os.getpid()), str(other.pid)}


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON\n",
        b"[]\n",
        b'{"key": "k", "kind": "train", "device": "cpu", "seconds": NaN, "at": ""}\n',
        b'{"key": "k", "kind": "train", "device": "cpu", "seconds": -1, "at": ""}\n',
        b'{"key": "k", "kind": "train", "device": "cpu", "seconds": "long", "at": ""}\n',
        b"\xff\xfe\n",
    ],
)
def test_lines_that_make_no_sense_are_passed_over(store: Store, key: str, line: bytes) -> None:
    store.times.write(took(key))
    (path,) = (store.root / "times").iterdir()
    path.write_bytes(line + path.read_bytes() + line + b'{"key": "cut off')
    assert [time.key for time in store.times.reader().new()] == [key]


def test_a_line_that_is_being_written_is_read_when_it_is_whole(store: Store, key: str) -> None:
    store.times.write(took(key))
    (path,) = (store.root / "times").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    reader = store.times.reader()
    assert reader.new() == []
    path.write_bytes(whole)
    assert [time.key for time in reader.new()] == [key]


@pytest.mark.parametrize("odd", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_neither_waited_for_nor_an_error(
    store: Store, key: str, odd: Callable[[Path], Any]
) -> None:
    store.times.write(took(key))
    (path,) = (store.root / "times").iterdir()
    path.unlink()
    odd(path)
    store.times.write(took(key))
    store.times.reader().new()


def test_a_file_in_the_folders_place_costs_nothing_but_the_times(store: Store, key: str) -> None:
    (store.root / "times").write_text("not a folder")
    store.times.write(took(key))
    assert store.times.reader().new() == []
