"""What of a store nothing refers to any more, and removing it while others may use the store (no torch).

Every frozen plan of the store counts: what one of them refers to stays. Records and measures stay, whatever
plans say, unless they are asked for.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prunebench.errors import UsageError, nearest
from prunebench.inventory.frozen import read_frozen
from prunebench.inventory.unwanted import unwanted_pilots, unwanted_runs
from prunebench.plan.params import TrainParams
from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Store
from prunebench.store._commit import server_now
from prunebench.store.sweep import OLD, leftovers

__all__ = ["ALWAYS", "Garbage", "Kind", "find_garbage", "remove"]

Kind = Literal[
    "artifacts", "checkpoints", "attempts", "logs", "times", "leftovers", "states", "keeping", "plans",
    "records", "set-aside", "again", "runs", "pilots",
]  # fmt: skip
"""What is removed at once."""

ALWAYS: frozenset[Kind] = frozenset(
    ("artifacts", "checkpoints", "attempts", "logs", "times", "runs", "pilots", "leftovers")
)
"""What is removed without being asked for; the rest is somebody's result, or was kept on purpose."""

TIMES = RUNS = 200
"""So many files of times are kept, and so many of how runs began: the newest."""

BATCH = 200
"""So many files are removed before the store is looked at again: somebody may have begun a run meanwhile."""


@dataclass(frozen=True)
class Garbage:
    """Files that nothing refers to, by kind, each with its size in bytes."""

    files: dict[Kind, dict[Path, int]]
    plans: Sequence[str]
    """The plans that were asked what they refer to."""
    working: int = 0
    """How many processes work in the store at this moment."""
    unknown: int = 0
    """How many of them work on what is in no plan: then no artifacts are removed, as they may need any."""

    def count(self, kinds: Iterable[Kind]) -> tuple[int, int]:
        """Return how many files of these kinds there are, and their bytes."""
        chosen = [self.files.get(kind, {}) for kind in kinds]
        return sum(map(len, chosen)), sum(sum(files.values()) for files in chosen)


def find_garbage(store: Store, *, forget: Collection[str] = ()) -> Garbage:
    """Return what nothing in a store refers to, or plans of the names in `forget` alone.

    Writes nothing. Raises: UsageError for a name that no plan has, or a plan that somebody works on at this
    moment; Damaged or StoreError for a plan that cannot be read: what it refers to is not known.
    """
    return _Finder(store, forget).find()


def remove(
    store: Store,
    kinds: Collection[Kind],
    *,
    forget: Collection[str] = (),
    removed: Callable[[Path], object] = lambda path: None,
) -> Garbage:
    """Remove what nothing refers to, of some kinds; return what was removed.

    The store may be used meanwhile: before every some files it is asked again who works and what plans there
    are, and what has come to be needed stays. Raises: as `find_garbage`.
    """
    gone: dict[Kind, dict[Path, int]] = {}
    seen = _marks(store)
    garbage = find_garbage(store, forget=forget)
    todo = [(kind, path) for kind in garbage.files if kind in kinds for path in garbage.files[kind]]
    for place, (kind, path) in enumerate(todo):
        if place % BATCH == 0 and (now := _marks(store)) != seen:
            seen, garbage = now, find_garbage(store, forget=[n for n in forget if _is_there(store, n)])
        size = garbage.files.get(kind, {}).get(path)
        if size is not None and _unlink(store, path):
            gone.setdefault(kind, {})[path] = size
            removed(path)
    return Garbage(gone, garbage.plans, garbage.working, garbage.unknown)


def _is_there(store: Store, name: str) -> bool:
    return any(path.stem == name for path in store.plans())


def _marks(store: Store) -> object:
    """Return what changes where a run begins, of a new plan or one that is there, or a worker begins or ends
    a job.
    """
    plans = []
    for path in store.plans():
        with contextlib.suppress(OSError):
            plans.append((path.name, path.stat().st_mtime_ns))
    return tuple(plans), tuple(store.runs.ids()), frozenset(store.claimed_keys())


def _unlink(store: Store, path: Path) -> bool:
    try:
        path.unlink()
    except OSError:  # gone, or not ours to remove
        return False
    for folder in path.parents:
        if folder.parent in (store.root, store.root / "artifacts"):
            break
        try:
            folder.rmdir()
        except OSError:  # something is left in it
            break
    return True


@dataclass
class _Finder:
    """Finds what nothing refers to."""

    store: Store
    forget: Collection[str]
    _files: dict[Kind, dict[Path, int]] = field(default_factory=dict)

    def find(self) -> Garbage:
        """Look at everything once; who works first: what they work on is in a plan by then."""
        store = self.store
        claimed = {str(claim["key"]) for claim in store.running(sure=True)}
        plans = self._plans(claimed)
        keys = {key for plan in plans for key in plan.jobs}
        unknown = claimed - keys
        have = store.record_keys() | store.measure_keys() | store.artifact_keys()
        now = server_now(store.root) if store.writable else time.time()
        if not unknown:
            self._artifacts(plans, keys, claimed, have)
        self._add("attempts", self._attempts(keys, claimed))
        self._add("logs", (p for p in _below(store.root / "logs") if p.stem not in keys | claimed))
        times = sorted(_below(store.root / "times"), key=_mtime, reverse=True)
        self._add("times", times[TIMES:])
        self._add("runs", unwanted_runs(store, plans, have.__contains__, newest=RUNS))
        for folder in unwanted_pilots(store.root / "pilots", plans, have.__contains__, before=now - OLD):
            self._add("pilots", _below(folder))
        for left in leftovers(store.root, OLD, now=now):
            self._add("leftovers", _below(left) if left.is_dir() else [left])
        self._add("plans", (path for path in store.plans() if path.stem in self.forget))
        marks = list(store.root.glob("plans/*.keep-states"))
        self._add("plans", (mark for mark in marks if mark.stem in self.forget))
        if not claimed:  # else somebody may be keeping states
            self._add("keeping", (mark for mark in marks if mark.stem not in self.forget))
        for part in ("records", "measures"):
            self._add("records", (p for p in _below(store.root / part) if p.stem not in keys | claimed))
        self._add("set-aside", _below(store.root / "set-aside"))
        self._add("again", _below(store.root / "again"))
        names = [path.stem for path in store.plans() if path.stem not in self.forget]
        return Garbage(self._files, names, len(claimed), len(unknown))

    def _plans(self, claimed: set[str]) -> list[Plan]:
        """Return the plans that count. Raises: UsageError."""
        paths = {path.stem: path for path in self.store.plans()}
        for name in self.forget:
            if name not in paths:
                raise UsageError(f"--forget: the store has no plan '{name}'{nearest(name, paths)}")
        plans = []
        for name, path in paths.items():
            try:
                plan = read_frozen(path, self.store, unsealed=True)
            except Missing:
                continue
            except Damaged as error:
                raise UsageError(f"{error}: what it refers to is not known, so nothing is removed") from error
            if plan is None:
                raise UsageError(
                    f"{path} is of a newer prunebench: what it refers to is not known, so nothing is removed"
                )
            if name not in self.forget:
                plans.append(plan)
            elif claimed & plan.jobs.keys():
                raise UsageError(f"--forget: somebody works on {name} at this moment: stop that first")
        return plans

    def _artifacts(self, plans: Sequence[Plan], keys: set[str], claimed: set[str], have: set[str]) -> None:
        needed, runs = set(claimed), dict[str, int]()
        for plan in plans:
            targets = (target for cell in plan.cells for target in cell.targets)
            for key in {*plan.remaining(targets, have.__contains__), *(claimed & plan.jobs.keys())}:
                needed.update(plan.needs(key))
                params = plan.jobs[key].params
                if isinstance(params, TrainParams):
                    runs[params.run_key] = max(runs.get(params.run_key, 0), params.step)
        passing = {key for plan in plans for key in plan.jobs if plan.is_passed(key)}
        passing -= {key for plan in plans for key in plan.jobs if not plan.is_passed(key)}
        for path in _below(self.store.root / "artifacts"):
            if not path.name.endswith(".safetensors"):
                continue
            key, checkpoint = _artifact(path)
            run, _, step = key.partition("@")
            if checkpoint:
                if not step or runs.get(run, -1) < int(step):
                    self._add("checkpoints", [path])
            elif key not in keys | claimed:
                self._add("artifacts", [path])
            elif key in passing and key not in needed:
                self._add("states", [path])

    def _attempts(self, keys: set[str], claimed: set[str]) -> Iterator[Path]:
        """Yield the failures of jobs of no plan, and of those that have been done since."""
        done = self.store.record_keys() | self.store.measure_keys() | self.store.artifact_keys()
        for key in self.store.attempt_keys() - claimed:
            if key not in keys or key in done:
                yield from _below(self.store.root / "attempts" / key)

    def _add(self, kind: Kind, paths: Iterable[Path]) -> None:
        for path in paths:
            with contextlib.suppress(OSError):
                self._files.setdefault(kind, {})[path] = os.lstat(path).st_size


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, hidden ones left out: they are being written."""
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(at, name)


def _artifact(path: Path) -> tuple[str, bool]:
    """Return the key of an artifact's file, and whether it is a checkpoint."""
    name = path.name.removesuffix(".safetensors")
    return name.removesuffix(".checkpoint"), name.endswith(".checkpoint")


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
