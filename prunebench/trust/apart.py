"""Where a claim is run again: a store of verify's own, of which only what verify has made is believed.

DIR/<the claim>/
  made.txt     the claim, then a line for each file that verify has made: its name and its SHA-256
  store/       a store

The folder is named by the claim's digest, so another claim, and one made of this rerun, has another. What
lies in the store and is not in the list was put there by somebody else, or was not finished: it is set aside,
and made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prunebench.canonical import digest
from prunebench.errors import StoreError
from prunebench.plan import Job, Plan
from prunebench.plan.params import TrainParams
from prunebench.store import Store, writing
from prunebench.trust.reruns import Row, results_in

if TYPE_CHECKING:
    from prunebench.engine.attempt import Run
    from prunebench.jobs.context import Context

__all__ = ["Apart", "apart", "claim_digest"]

_LIST = "made.txt"

_PARTS: dict[str, Literal["record", "measure"]] = {"record": "record", "measure": "measure"}


def claim_digest(plan: Plan, store: Store, row: Row) -> str:
    """Return the digest of a claim: of the row's name and of its records, provenance and all."""
    records = [
        [seed, one.key, one.digest, one.provenance] for seed, one in results_in(plan, store, row).items()
    ]
    return digest([row.name, records])


@dataclass(frozen=True)
class Apart:
    """The store that a claim is run again in, and the list of what was made there."""

    folder: Path
    store: Store
    kept: int
    """So many jobs' outputs are there from a verify of this claim that was stopped, or asked for less."""
    set_aside: int
    """So many files were there that verify had not made."""

    def run(self, run: Run) -> Run:
        """Return what runs a job with `run`, and then writes down what it has made."""

        def noted(job: Job, context: Context) -> None:
            run(job, context)
            path = _path(self.store, job)
            with writing(self.folder / _LIST), (self.folder / _LIST).open("a", encoding="ascii") as made:
                made.write(f"{path.name} {_sha(path)}\n")

        return noted


def apart(folder: Path, claim: str, plan: Plan) -> Apart:
    """Open the store of a claim below `folder`, and set aside what of the plan verify has not made there.

    Raises: StoreError where `folder` is a store of results, or links to one.
    """
    if (folder / "store.json").exists():
        raise StoreError(
            f"{folder} is a store of results, and a rerun believes none: nothing would be run again. Give "
            "an empty or a new folder with --store DIR"
        )
    own = folder / claim[:16]
    for path in (own, own / "store", *(own / "store").glob("*")):
        if path.is_symlink():
            raise StoreError(f"{path} is a link, and what it leads to is not verify's own: remove it")
    store = Store.open(own / "store")
    first = f"claim {claim}"
    listed = _listed(own / _LIST, first)
    foreign = list(_foreign(plan, store, listed))
    for key, checkpoint, part in foreign:
        store.set_aside(key, "verify has not made it", checkpoint=checkpoint, part=part)
    kept = sum(_path(store, job).exists() for job in plan.jobs.values())
    if not listed:
        with writing(own / _LIST):
            (own / _LIST).write_text(f"{first}\n", "ascii")
    return Apart(own, store, kept, len(foreign))


def _listed(path: Path, first: str) -> dict[str, str]:
    """Return what verify has made of this claim, by file name; nothing where the list is another claim's."""
    try:
        lines = path.read_text("ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(" ") for line in lines[1:]) if lines[:1] == [first] else ()
    return {name: sha for name, _, sha in pairs}


def _foreign(
    plan: Plan, store: Store, listed: dict[str, str]
) -> Iterator[tuple[str, bool, Literal["artifact", "record", "measure"]]]:
    """Yield what a plan's jobs would read and verify has not made: key, whether a checkpoint, part.

    Every checkpoint is: what was trained up to it is not known to be of this claim's run.
    """
    for job in plan.jobs.values():
        path = _path(store, job)
        if path.is_symlink() or (path.exists() and listed.get(path.name) != _sha(path)):
            yield job.key, False, _PARTS.get(job.kind, "artifact")
    runs = {job.params.run_key for job in plan.jobs.values() if isinstance(job.params, TrainParams)}
    for run in sorted(runs):
        for step, checkpoint in store.states(run):
            key = f"{run}@{step}"
            if checkpoint or key not in plan.jobs:
                yield key, checkpoint, "artifact"


def _path(store: Store, job: Job) -> Path:
    """Return where a job's output is or would be."""
    if job.kind in _PARTS:
        return store.root / f"{job.kind}s" / job.key[:2] / f"{job.key}.json"
    return store.artifact_path(job.key)


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
