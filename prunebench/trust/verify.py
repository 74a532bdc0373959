"""Runs a row again, apart from all results that are claimed, and says whether it agrees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prunebench.canonical import canonical
from prunebench.errors import UsageError
from prunebench.inventory.frozen import read_frozen
from prunebench.plan import Plan, PlannedCell
from prunebench.store import Damaged, Missing, Store, shown
from prunebench.trust.apart import apart, claim_digest
from prunebench.trust.folder import Published, is_published, opened
from prunebench.trust.packs import part_of, unpack
from prunebench.trust.reruns import Row, Verified, asked_of, judge, results_in, row_named, rows_of
from prunebench.trust.submission import ENDING, read_submission

if TYPE_CHECKING:
    from prunebench.engine.request import Request

__all__ = ["Claim", "Rerun", "claim_of", "rerun"]


@dataclass(frozen=True)
class Claim:
    """A row that somebody claims, and the records that it is made of."""

    plan: Plan
    store: Store
    row: Row
    published: Published | None = None
    """The leaderboard that it stands in."""


@contextmanager
def claim_of(source: Path, wanted: str, suite: str | None = None) -> Iterator[Claim]:
    """Find a row in a published leaderboard, a submission, a pack of records, or a store.

    `suite`: a suite's name, where a store holds several.

    Raises: UsageError where there is no such row; StoreError for records that are refused.
    """
    with tempfile.TemporaryDirectory(prefix="prunebench-") as scratch:
        if source.is_file():
            inside = Path(scratch) / "pack"
            inside.mkdir()
            pack = (
                read_submission(source, inside).pack
                if source.name.endswith(ENDING)
                else unpack(source, inside)
            )
            yield Claim(pack.plan, pack.store, row_named(pack.plan, wanted))
        elif is_published(source):
            with opened(source) as published:
                row = row_named(published.plan, wanted)
                yield Claim(published.plan, published.store, row, published)
        else:
            store = Store.open(source, create=False, write=False)
            yield _in_store(store, wanted, suite)


def _in_store(store: Store, wanted: str, suite: str | None) -> Claim:
    """Find a row in the newest plan of a store that has it."""
    error = UsageError(f"no frozen plan in {store.root}: `prunebench run SUITE` makes one")
    for path in reversed(store.plans(suite)):
        try:
            plan = read_frozen(path, store)
        except (Missing, Damaged):
            continue
        if plan is None:
            continue
        try:
            return Claim(plan, store, row_named(plan, wanted))
        except UsageError as unknown:
            error = unknown
    raise error


def cells_to_run(claim: Claim, seeds: int | None, request: Request) -> tuple[Plan, Sequence[PlannedCell]]:
    """Return the plan and the cells of a rerun: the row's first seeds, or more of the same.

    Seeds beyond those claimed are planned as `run --seeds` would, and must be the same row by all that it
    asks for.

    Raises: UsageError where more seeds would be of another row; SuiteError; PluginError.
    """
    row = claim.row
    if seeds is None or seeds <= len(row.cells):
        return claim.plan, row.cells[:seeds]
    from prunebench.engine.session import Session

    method = row.labels.get("method", "")
    plan = Session.prepare(replace(request, seeds=seeds, scorers=(method,))).plan
    more = rows_of(plan).get(row.place)
    if more is None:
        raise UsageError(
            f"suite {request.suite} as it stands here has no row {shown(row.name)}: no further seeds"
        )
    known = {cell.seed: cell.key for cell in row.cells}
    for cell in more.cells:
        same = canonical(asked_of(plan, cell)) == canonical(asked_of(claim.plan, row.cells[0]))
        if not same or known.get(cell.seed, cell.key) != cell.key:
            raise UsageError(
                f"{shown(row.name)} is another row in suite {request.suite} as it stands here (other "
                f"components, data or recipe): run its own {len(row.cells)} seeds again, without --seeds"
            )
    return plan, more.cells


@dataclass(frozen=True)
class Rerun:
    """A row that was run again: what it came to, and the records of that."""

    verified: Verified
    plan: Plan
    store: Store
    made: int
    """So many jobs were run for it now."""
    kept: int
    """So many outputs were there from an earlier verify of the same claim."""
    set_aside: int
    """So many files were there that no verify had made, and were not used."""


def rerun(claim: Claim, store: Path, request: Request, *, seeds: int | None = None) -> Rerun:
    """Run a row again, and say whether it agrees with what is claimed.

    It is run in a store below the folder `store` that is this claim's alone (`apart`): nothing is read there
    that verify has not made, so that a rerun that was stopped goes on, and no copied result counts as one.

    Raises: StoreError where the folder is a store of results; PluginError where a component is another than
    the plan's; UsageError; DataError; JobFailed.
    """
    from prunebench.engine.session import Session
    from prunebench.jobs.run import run_job

    plan, cells = cells_to_run(claim, seeds, request)
    alone = [_record_alone(cell) for cell in cells]
    part = part_of(plan, alone)
    own = apart(store, claim_digest(claim.plan, claim.store, claim.row), part)
    session = Session(request, request.host(), part)
    session.check_identities()
    session.ready(alone)
    session.freeze(own.store)
    worker = session.worker(own.store, run=own.run(run_job))
    for cell in alone:
        worker.make(cell)
    row = next(iter(rows_of(part).values()))
    classes = (claim.plan.suite.get("classes") or {}).get(row.labels.get("dataset"))
    claimed = results_in(claim.plan, claim.store, claim.row)
    verified = judge(claim.row, claimed, results_in(part, own.store, row), classes)
    return Rerun(verified, part, own.store, len(worker.made), own.kept, own.set_aside)


def _record_alone(cell: PlannedCell) -> PlannedCell:
    """Return a cell of which only the record is wanted, not what was measured beside it."""
    parts = tuple(part for part in cell.parts if not part.startswith("diagnostic "))
    return replace(cell, targets=(cell.key,), parts=parts)
