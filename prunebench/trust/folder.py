"""A published leaderboard: a folder with records, and all that is made of them, byte for byte.

leaderboards/<suite>/
  records.tar.xz           the plan, its records and measures
  submissions/*.tar.xz     others' rows
  reruns.tar.xz            records of rows that were run again
  README.md, …             made of these, and of nothing else

"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from prunebench.analysis import SETTING, VARIANT
from prunebench.errors import StoreError
from prunebench.plan import Plan
from prunebench.report.results import Results
from prunebench.store import Record, Store, shown
from prunebench.trust.admission import admission_faults, rerun_faults
from prunebench.trust.archive import archived
from prunebench.trust.complete import missing_in_matrices
from prunebench.trust.joined import joined_plan, joined_store
from prunebench.trust.packs import Pack, pack_files, refused, unpack
from prunebench.trust.reruns import Row, Verified, judge, results_in, rows_of, same_run
from prunebench.trust.submission import ENDING, Submission, read_submission

__all__ = ["RECORDS", "RERUNS", "SUBMISSIONS", "Published", "add_reruns", "is_published", "opened", "without"]

RECORDS = "records.tar.xz"
RERUNS = "reruns.tar.xz"
SUBMISSIONS = "submissions"


@dataclass(frozen=True)
class Published:
    """A leaderboard's records, unpacked: its own, those submitted, those of reruns."""

    folder: Path
    own: Pack
    submissions: Mapping[str, Submission]
    """By file name."""
    reruns: Pack | None
    plan: Plan
    """Of its own cells and those submitted."""
    store: Store
    """Their records."""

    def rerun(self, row: Row) -> Mapping[int, Record]:
        """Return the records of a row's reruns, by seed."""
        if self.reruns is None:
            return {}
        again = rows_of(self.reruns.plan).get(row.place)
        return {} if again is None else results_in(self.reruns.plan, self.reruns.store, again)

    def claimed(self, row: Row) -> Mapping[int, Record]:
        """Return the records that a row is made of, by seed."""
        return results_in(self.plan, self.store, row)

    def verified(self) -> list[Verified]:
        """Return what each row that was run again came to, in the leaderboard's order."""
        if self.reruns is None:
            return []
        again = rows_of(self.reruns.plan)
        classes = self.plan.suite.get("classes") or {}
        return [
            judge(row, self.claimed(row), self.rerun(row), classes.get(row.labels.get("dataset")))
            for place, row in rows_of(self.plan).items()
            if place in again
        ]

    def results(self) -> Results:
        """Return the tables of all its rows."""
        from prunebench.tables import results_of

        said = {"agrees": "rerun", "differs": "differs", "undecided": "claimed"}
        results = results_of(self.plan, self.store)
        results.trust = {
            (*(one.row.labels.get(name, "") for name in (*SETTING, *VARIANT)), one.row.density): said[
                one.outcome
            ]
            for one in self.verified()
        }
        return results


def is_published(folder: Path) -> bool:
    """True if a folder is a published leaderboard's."""
    return (folder / RECORDS).is_file()


@contextmanager
def opened(folder: Path) -> Iterator[Published]:
    """Unpack a published leaderboard for as long as it is looked at; nothing in `folder` is changed.

    Raises: StoreError, naming each record and row that is refused.
    """
    with without(folder, None) as published:
        yield published


@contextmanager
def without(folder: Path, left_out: Path | None) -> Iterator[Published]:
    """As `opened`, but for one of its submissions, which is not looked at. Raises: StoreError."""
    if not is_published(folder):
        raise StoreError(f"{folder}: no published leaderboard: it has no {RECORDS}")
    with tempfile.TemporaryDirectory(prefix="prunebench-") as scratch:
        yield _read(folder, Path(scratch), left_out)


def _read(folder: Path, scratch: Path, left_out: Path | None) -> Published:
    own = unpack(folder / RECORDS, _empty(scratch / "own"))
    if faults := missing_in_matrices(own.plan):
        raise refused(folder / RECORDS, faults)
    plan, submissions = own.plan, {}
    files = (path for path in sorted((folder / SUBMISSIONS).glob("*")) if not _same_file(path, left_out))
    for number, path in enumerate(files):
        if not path.name.endswith(ENDING) or path.is_symlink() or not path.is_file():
            raise StoreError(f"{path}: no submission: their files end in {ENDING}")
        one = read_submission(path, _empty(scratch / f"submission-{number}"))
        faults = admission_faults(one.plan, plan)
        if faults:
            raise refused(path, faults)
        submissions[path.name] = one
        plan = joined_plan([plan, one.plan])
    packs = [own, *(one.pack for one in submissions.values())]
    store = joined_store(packs, scratch / "store") if submissions else own.store
    reruns = None
    if (folder / RERUNS).is_file():
        reruns = unpack(folder / RERUNS, _empty(scratch / "reruns"))
    published = Published(folder, own, submissions, reruns, plan, store)
    faults = [] if reruns is None else [*rerun_faults(reruns.plan, plan), *_copies(published)]
    if faults:
        raise refused(folder / RERUNS, faults)
    return published


def _copies(published: Published) -> Iterator[str]:
    """Yield which records of reruns are none: the claimed ones, copied."""
    for row in rows_of(published.plan).values():
        claimed = published.claimed(row) if (again := published.rerun(row)) else {}
        for seed, record in again.items():
            fault = same_run(claimed.get(seed), record)
            if fault is not None:
                yield f"{shown(row.name)}, seed {seed}: {fault}"


def _same_file(path: Path, other: Path | None) -> bool:
    return other is not None and path.resolve() == other.resolve()


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def add_reruns(published: Published, plan: Plan, store: Store) -> bytes:
    """Return the pack of a leaderboard's reruns with those of a plan's cells that a store has added.

    What was rerun before stays. Raises: StoreError where the plan's cells are of no row that is claimed.
    """
    faults = rerun_faults(plan, published.plan)
    if faults:
        raise refused(published.folder / RERUNS, faults)
    with tempfile.TemporaryDirectory(prefix="prunebench-") as scratch:
        fresh = _pack_of(plan, store, Path(scratch) / "fresh")
        if published.reruns is None:
            return archived(pack_files(fresh.plan, fresh.store))
        before = published.reruns
        ids = {cell.id for cell in before.plan.cells}
        others = [cell for cell in fresh.plan.cells if cell.id not in ids]
        whole = joined_plan([before.plan, replace(fresh.plan, cells=others)])
        return archived(pack_files(whole, joined_store([before, fresh], Path(scratch) / "all")))


def _pack_of(plan: Plan, store: Store, folder: Path) -> Pack:
    """Return a plan's records as a pack would hold them, in a folder of its own."""
    files = pack_files(plan, store)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return Pack(folder, plan, Store.open(folder))
