"""Making again what a method made: which jobs that is, and keeping aside what they had made (no torch).

What is kept aside is a store of its own, below the store that it came from: tables and comparisons read it
like any other, and it can be put back.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from prunebench.errors import StoreError, UsageError, nearest
from prunebench.plan.cells import PlannedCell
from prunebench.plan.params import TrainParams
from prunebench.plan.plan import Plan
from prunebench.store import Store, now_text, writing

__all__ = ["Kept", "Redo", "keep_aside", "kept_aside", "put_back", "refuse_running", "to_redo"]

_ABOUT = "again.json"


@dataclass(frozen=True)
class Redo:
    """What is to be made again."""

    methods: tuple[str, ...]
    cells: tuple[PlannedCell, ...]
    """The selected cells of these methods."""
    keys: frozenset[str]
    """The jobs that only they need."""
    shared: frozenset[str]
    """The jobs that cells of other methods need too: what those have made stays."""

    def there(self, plan: Plan, store: Store) -> Counter[str]:
        """Return how many outputs of these jobs are in a store, by kind of job."""
        present = store.record_keys() | store.measure_keys() | store.artifact_keys()
        return Counter(plan.jobs[key].kind for key in self.keys & present)


def to_redo(plan: Plan, cells: Sequence[PlannedCell], methods: Sequence[str]) -> Redo:
    """Return what making these methods again takes: of the selected cells, what no other method needs.

    A method is meant with all its ablations.

    Raises: UsageError for a method that the plan does not have, or that no selected cell is of.
    """
    known = dict.fromkeys(cell.labels["method"] for cell in plan.cells)
    for name in methods:
        if name not in known:
            raise UsageError(f"--again: the suite has no method '{name}'{nearest(name, known)}")
    mine = tuple(cell for cell in cells if cell.labels["method"] in methods)
    if not mine:
        raise UsageError(f"--again: none of the {len(cells):,} selected cells is of {' or '.join(methods)}")
    records = {cell.key for cell in mine}
    others = (c for c in plan.cells if c.labels["method"] not in methods and c.key not in records)
    needed, elsewhere = _needed(plan, mine), _needed(plan, others)
    return Redo(tuple(methods), mine, frozenset(needed - elsewhere), frozenset(needed & elsewhere))


def _needed(plan: Plan, cells: Iterable[PlannedCell]) -> set[str]:
    """Return the jobs that cells need, their own among them."""
    seen: set[str] = set()
    stack = [target for cell in cells for target in cell.targets]
    while stack:
        key = stack.pop()
        if key not in seen:
            seen.add(key)
            stack.extend(plan.jobs[key].inputs)
    return seen


def keep_aside(redo: Redo, plan: Plan, store: Store) -> Path | None:
    """Move what the jobs have made into a store of its own, with the plans that it was made by.

    Returns that store's folder; None where nothing of it was there.

    Raises: UsageError where somebody works on one of the jobs at this moment; Unwritable.
    """
    refuse_running(redo, plan, store)
    files = [file for key in sorted(redo.keys) for file in _files(plan, store, key) if file.is_file()]
    if not files:
        return None
    about = {"suite": plan.suite["name"], "methods": list(redo.methods), "cells": len(redo.cells)}
    return _move(store, files, "-".join(redo.methods), about)


def refuse_running(redo: Redo, plan: Plan, store: Store) -> None:
    """Refuse what `keep_aside` would not move. Raises: UsageError where somebody works on one of the jobs."""
    for claim in store.running(sure=True):
        if claim["key"] in redo.keys:
            raise UsageError(
                f"--again: process {claim['pid']} on {claim['host']} works on "
                f"{plan.jobs[str(claim['key'])].kind} {str(claim['key'])[:12]} at this moment: stop it first"
            )


def _files(plan: Plan, store: Store, key: str) -> list[Path]:
    """Return where a job's output is or would be, checkpoints of its run among it."""
    job = plan.jobs[key]
    if job.kind in ("record", "measure"):
        return [store.root / f"{job.kind}s" / key[:2] / f"{key}.json"]
    files = [store.artifact_path(key)]
    if isinstance(job.params, TrainParams):
        run = job.params.run_key
        files += [
            store.artifact_path(f"{run}@{step}", checkpoint=True)
            for step, checkpoint in store.states(run)
            if checkpoint
        ]
    return files


def _move(store: Store, files: Sequence[Path], name: str, about: dict[str, Any]) -> Path:
    """Move files of a store to a new one below `again/`."""
    time = now_text()
    folder = store.root / "again" / f"{time}-{re.sub('[^A-Za-z0-9_.+-]', '_', name)[:60]}"
    Store.open(folder)
    with writing(folder):
        _copy_plans(store, folder, str(about["suite"]))
        (folder / _ABOUT).write_bytes(orjson.dumps({**about, "time": time}) + b"\n")
        for file in files:
            _rename(file, folder / file.relative_to(store.root))
    return folder


def _copy_plans(store: Store, folder: Path, suite: str) -> None:
    (folder / "plans").mkdir(exist_ok=True)
    for path in store.plans(suite)[-3:]:  # the newest: which of them has the cells is for the reader to find
        with suppress(FileNotFoundError):
            shutil.copy2(path, folder / "plans" / path.name)


def _rename(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # another process was quicker
        file.rename(to)


@dataclass(frozen=True)
class Kept:
    """What was kept aside at one time."""

    name: str
    folder: Path
    suite: str
    methods: tuple[str, ...]
    time: str
    records: int


def kept_aside(store: Store) -> list[Kept]:
    """Return what is kept aside in a store, oldest first; what cannot be read is left out."""
    kept = []
    top = store.root / "again"
    for path in sorted(top.glob(f"*/{_ABOUT}")) if top.is_dir() else ():
        try:
            said = orjson.loads(path.read_bytes())
            suite, methods, time = str(said["suite"]), tuple(map(str, said["methods"])), str(said["time"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        records = len(Store.open(path.parent, create=False, write=False, absent_ok=True).record_keys())
        kept.append(Kept(path.parent.name, path.parent, suite, methods, time, records))
    return kept


def put_back(store: Store, kept: Kept) -> tuple[int, Path | None]:
    """Move back what was kept aside; what has been made in its place since is kept aside in its turn.

    Returns how many files were moved back, and where the others are now; None where there were none.

    Raises: UsageError where somebody works in the store at this moment; Unwritable.
    """
    if running := store.running(sure=True):
        raise UsageError(f"process {running[0]['pid']} works in {store.root} at this moment: stop it first")
    files = [
        file
        for part in ("artifacts", "records", "measures")
        for file in sorted((kept.folder / part).rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    if not files:
        raise StoreError(f"{kept.folder} holds no results")
    places = [store.root / file.relative_to(kept.folder) for file in files]
    taken = [place for place in places if place.is_file()]
    about = {"suite": kept.suite, "methods": list(kept.methods), "cells": len(taken)}
    newer = _move(store, taken, "-".join(kept.methods), about) if taken else None
    with writing(store.root):
        for file, place in zip(files, places, strict=True):
            _rename(file, place)
        shutil.rmtree(kept.folder, ignore_errors=True)
    return len(files), newer
