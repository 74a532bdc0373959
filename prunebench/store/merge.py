"""Joins stores: what sources hold is verified and copied into a target; nothing of a source is changed.

The first commit wins, as everywhere: what the target has stays. Every file is committed whole or not at all,
so that a merge that was interrupted has left a good store, and the same command goes on with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from prunebench.errors import StoreError
from prunebench.store._bounds import shown
from prunebench.store._commit import commit, listing, open_fresh, reading
from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder
from prunebench.store.artifacts import Artifacts
from prunebench.store.attempts import Attempts
from prunebench.store.plans import Plans
from prunebench.store.records import LARGEST_BYTES, RESULT_NAME, Record, parse_record
from prunebench.store.store import Store

__all__ = ["Conflict", "Left", "Merged", "merge"]

_PIECE = 1 << 20
_LOG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,119}\.log")
_ATTEMPT = re.compile(r"[0-9TZ.]{8,40}-[A-Za-z0-9-]{1,80}-[0-9]{1,10}\.json")
_LARGEST_LOG = 64_000_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two stores have one key with other bits: the first stays."""

    part: str
    """"records", "measures" or "artifacts"."""
    key: str
    source: Path
    """The store whose file was left where it is."""
    kept: str
    """What stands in the target: of a record its counts and numerics class, else the digest's beginning."""
    other: str
    """The same of the source's file."""


@dataclass(frozen=True, slots=True)
class Left:
    """A file that was not copied, because it is damaged or of a newer version."""

    source: Path
    file: str
    """Its path below the source's folder."""
    reason: str


@dataclass
class Merged:
    """What a merge did. Counts are by part: records, measures, artifacts, plans, attempts, logs."""

    copied: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    """Files that the target had already, to the same bits."""
    conflicts: list[Conflict] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def merge(sources: Sequence[Path | str], target: Path | str) -> Merged:
    """Copy what the sources hold into the store at `target`, which is made where there is none.

    Copied are artifacts, records, measures, plans, failures and logs; checkpoints, claims and what was set
    aside belong to the runs of their store and stay there. Results and artifacts are verified before they are
    copied, and compared where the target has them: where the digests differ the target's stays, and the
    conflict is told. Sources are only read.

    Raises: StoreError where a source is no store, or is the target; where the target cannot be written.
    """
    opened = [Store.open(source, create=False, write=False, option="") for source in sources]
    for source in opened:
        if source.root.resolve() == Path(target).resolve():
            raise StoreError(
                f"{source.root} cannot be merged into itself: give another store with --store DIR"
            )
    whole = Store.open(target)
    whole.sweep()  # what a merge that was killed left half written
    root, merged = whole.root, Merged()
    for source in opened:
        _Merge(Folder(source.root, write=False), Folder(root, write=True), merged).run()
    return merged


@dataclass
class _Merge:
    """One source and the target."""

    source: Folder
    target: Folder
    merged: Merged

    def run(self) -> None:
        for key in sorted(Artifacts(self.source).keys()):
            self._artifact(key)
        for part in ("measures", "records"):
            for name in sorted(self.source.names(part)):
                if match := RESULT_NAME.fullmatch(name):
                    self._result(part, match[1])
        self._plans()
        self._attempts()
        for name in listing(self.source.root / "logs"):
            if _LOG.fullmatch(name):
                self._file("logs", Path("logs", name), _LARGEST_LOG)

    def _result(self, part: Any, key: str) -> None:
        def parse(file: BinaryIO) -> tuple[bytes, Record]:
            content = file.read()
            return content, parse_record(content, key, part)

        path = self.source.path(part, key, ".json")
        target = self.target.path(part, key, ".json")
        try:
            content, theirs = self.source.read(path, parse, largest=LARGEST_BYTES[part])
        except (Damaged, Missing, StoreError) as error:
            return self._leave(path, error)
        for _ in range(8):
            if commit(target, [content]):
                self.merged.copied[part] += 1
                return None
            try:
                ours = self.target.read(target, parse, largest=LARGEST_BYTES[part])[1]
            except (Damaged, Missing):
                continue  # the target's was damaged, and is set aside by now: this one may stand
            return self._compare(part, key, (ours.digest, _told(ours)), (theirs.digest, _told(theirs)))
        raise StoreError(f"{target} can be neither written nor read")

    def _artifact(self, key: str) -> None:
        here, there = Artifacts(self.source), Artifacts(self.target)
        path = here.path(key)
        try:
            digest = here.read(key, False).digest
        except (Damaged, Missing, StoreError) as error:
            return self._leave(path, error)
        for _ in range(8):
            try:
                if commit(there.path(key), _pieces(self.source.root, path)):
                    self.merged.copied["artifacts"] += 1
                    return None
            except FileNotFoundError as error:  # dropped since, by a run that goes on in the source
                return self._leave(path, error)
            try:
                ours = there.read(key, False).digest
            except (Damaged, Missing):
                continue
            return self._compare("artifacts", key, (ours, ours[:12]), (digest, digest[:12]))
        raise StoreError(f"{there.path(key)} can be neither written nor read")

    def _compare(self, part: str, key: str, ours: tuple[str, str], theirs: tuple[str, str]) -> None:
        """Compare digests; the words say what stands behind each."""
        if ours[0] == theirs[0]:
            self.merged.there[part] += 1
        else:
            self.merged.conflicts.append(Conflict(part, key, self.source.root, ours[1], theirs[1]))

    def _plans(self) -> None:
        plans = Plans(self.source)
        for path in plans.of():
            try:
                plans.read(path, len)
            except (Damaged, Missing, StoreError) as error:
                self._leave(path, error)
                continue
            self._file("plans", path.relative_to(self.source.root), None)

    def _attempts(self) -> None:
        attempts = Attempts(self.source)
        for key in sorted(attempts.keys()):
            try:
                names = listing(self.source.root / "attempts" / key) if attempts.of(key) else []
            except StoreError as error:
                self._leave(self.source.root / "attempts" / key, error)
                continue
            for name in names:
                if _ATTEMPT.fullmatch(name):
                    self._file("attempts", Path("attempts", key, name), _LARGEST_LOG)

    def _file(self, part: str, name: Path, largest: int | None) -> None:
        """Copy a file that has no digest, where the target has none of its name."""

        def whole(file: BinaryIO) -> bytes:
            return file.read()

        try:
            content = self.source.read(self.source.root / name, whole, largest=largest)
        except (Damaged, Missing, StoreError) as error:
            return self._leave(self.source.root / name, error)
        made = commit(self.target.root / name, [content])
        (self.merged.copied if made else self.merged.there)[part] += 1
        return None

    def _leave(self, path: Path, error: Exception) -> None:
        reason = error.reason if isinstance(error, Damaged) else str(error)
        self.merged.left.append(
            Left(self.source.root, str(path.relative_to(self.source.root)), shown(reason))
        )


def _pieces(root: Path, path: Path) -> Iterator[bytes]:
    """Yield a file's bytes; raises FileNotFoundError where it is gone."""
    with reading(path):
        try:
            file = open_fresh(root, path)
        except Flaw as flaw:
            raise StoreError(f"{path}: {flaw}") from None
    if file is None:
        raise FileNotFoundError(path)
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _told(record: Record) -> str:
    """Return what a record says, short enough for a message."""
    test, numerics = record.result.get("test"), record.provenance.get("numerics")
    counts = f"{test['correct']} of {test['examples']} correct" if test else record.result["outcome"]
    return shown(
        f"{counts if 'cell' in record.result else record.digest[:12]} ({numerics or 'numerics not said'})"
    )
