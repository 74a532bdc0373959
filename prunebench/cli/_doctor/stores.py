"""The store: readable, writable, committing safely, its server's clock, room, damaged files."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from prunebench.amounts import spelled_bytes
from prunebench.cli._doctor import Finding
from prunebench.errors import StoreError
from prunebench.store import Damaged, Missing, Store
from prunebench.store._commit import server_now, temporary

__all__ = ["findings", "opened"]

CLOCK = 5.0
"""Seconds by which the file server's clock may be off before that is said."""

ROOM = 2e9
"""Bytes that should be free."""

CHECKED = 5000
"""So many records are read at most: the first of the listing."""


def opened(root: Path) -> tuple[Store | None, list[Finding]]:
    """Return the store for reading, and why there is none to read."""
    try:
        return Store.open(root, create=False, write=False), []
    except Missing:
        return None, [Finding("store", "note", f"no store at {root} yet: `prunebench run` makes one")]
    except StoreError as error:
        return None, [Finding("store", "bad", str(error))]


def findings(root: Path, store: Store | None) -> Iterator[Finding]:
    """Yield how the store, or the folder that it would be made in, does."""
    folder = _existing(root)
    yield from _commits(root, folder, store)
    free = shutil.disk_usage(folder).free
    kind = _file_system(folder)
    what = f"{spelled_bytes(free)} free in {folder}{f' ({kind})' if kind else ''}"
    if free < ROOM:
        yield Finding(
            "store", "warning", what, "free some space: a run that fills it stops, and goes on later"
        )
    elif kind in ("tmpfs", "ramfs"):
        yield Finding("store", "warning", f"{what}: in memory, gone when the machine restarts", "use a disk")
    else:
        yield Finding("store", "ok", what)
    if store is not None:
        yield from _content(store)


def _existing(root: Path) -> Path:
    """Return the store's folder, or the nearest one above it that is there."""
    folder = root.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _commits(root: Path, folder: Path, store: Store | None) -> Iterator[Finding]:
    """Do what runs do, in the store, or in a folder that is removed again."""
    if not os.access(folder, os.W_OK):
        yield Finding(
            "store",
            "bad",
            f"{folder} cannot be written",
            "make it writable, or give another with --store DIR",
        )
        return
    made = None if store is not None else Path(tempfile.mkdtemp(prefix=".prunebench-doctor-", dir=folder))
    at = root if made is None else made / "store"
    try:
        Store.open(at, create=made is not None)
        linked = _links(at)
        off = server_now(at) - time.time()
    except (StoreError, OSError) as error:
        yield Finding("store", "bad", str(error))
        return
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
    how = "by hard links" if linked else "without hard links, by exclusive creation"
    yield Finding("store", "ok", f"{root}: the first commit of a name wins ({how})")
    if abs(off) > CLOCK:
        yield Finding(
            "store", "warning",
            f"the clock of its file server is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}",
            "claims are judged by that clock, so nothing is lost; times that are shown are off",
        )  # fmt: skip


def _links(folder: Path) -> bool:
    """True if the file system knows hard links."""
    first, second = temporary(folder / "link"), temporary(folder / "link")
    try:
        first.write_bytes(b"")
        os.link(first, second)
    except OSError:
        return False
    finally:
        for path in (first, second):
            with contextlib.suppress(OSError):
                path.unlink()
    return True


def _file_system(folder: Path) -> str:
    """Return the kind of file system that a folder is on, where that is known."""
    import psutil

    best = ""
    kind = ""
    with contextlib.suppress(OSError, psutil.Error):
        for part in psutil.disk_partitions(all=True):
            inside = folder == Path(part.mountpoint) or Path(part.mountpoint) in folder.parents
            if inside and len(part.mountpoint) >= len(best):
                best, kind = part.mountpoint, part.fstype
    return kind


def _content(store: Store) -> Iterator[Finding]:
    records, measures = sorted(store.record_keys()), sorted(store.measure_keys())
    checked = 0
    for keys, read in ((records, store.read_record), (measures, store.read_measure)):
        for key in keys[:CHECKED]:
            checked += 1
            with contextlib.suppress(Missing, Damaged, StoreError):
                read(key)
    for path in store.plans():
        with contextlib.suppress(Missing, Damaged, StoreError):
            store.read_plan(path, lambda content: None)
    artifacts = store.artifact_keys()
    for key in sorted(artifacts)[:CHECKED]:
        with contextlib.suppress(StoreError):
            store.artifact_meta(key)
    what = (
        f"{len(records):,} records, {len(measures):,} measures, {len(artifacts):,} states, scores and masks"
    )
    damaged = store.damaged
    if damaged:
        yield Finding(
            "store", "bad",
            f"{what}; damaged: {len(damaged):,}, as {damaged[0].file}: {damaged[0].reason}",
            "`prunebench run` with the same suite sets them aside and makes them again",
        )  # fmt: skip
    else:
        yield Finding("store", "ok", what)
    aside = store.set_aside_files()
    if aside:
        yield Finding(
            "store", "note", f"{len(aside):,} damaged files were set aside, the last: {aside[-1].file}",
            "`prunebench gc --set-aside --yes` removes them",
        )  # fmt: skip
    running = store.running(sure=True)
    if running:
        yield Finding("store", "note", f"{len(running):,} jobs are worked on at this moment")
