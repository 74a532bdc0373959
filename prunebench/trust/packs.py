"""A pack: a suite's plan, its records and its measures in one archive, and what makes sure that it is one.

Whoever reads a pack reads other people's records. Names, sizes and JSON are looked at before anything is
believed, the plan's keys are computed again, every result must be whole and the planned one, and nothing that
a record or a plan names is ever imported. What is wrong is told by name, all at once, and nothing of a bad
pack is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from prunebench.canonical import canonical, digest
from prunebench.errors import StoreError, UsageError
from prunebench.inventory.binding import measure_of, record_of
from prunebench.inventory.frozen import freeze, read_frozen
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import Plan, PlannedCell
from prunebench.plan.job import JOB_VERSIONS, Job
from prunebench.plan.params import RecordParams, TrainParams
from prunebench.store import Damaged, Flaw, Missing, Record, Store, check_bounds, parse_json, shown, spelled
from prunebench.trust.archive import archived, members, unpacked_most
from prunebench.trust.published import allowed, published_provenance

__all__ = ["ENDING", "Pack", "pack_files", "packed", "part_of", "refused", "unpack"]

ENDING = ".tar.xz"

_FILE = re.compile(
    r"store\.json|plans/[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.json|(?:records|measures)/[0-9a-f]{2}/[0-9a-f]{64}\.json"
)
_LARGEST: Mapping[str, int] = {
    "store.json": 1_000,
    "plans": 64_000_000,
    "records": 2_000_000,
    "measures": 4_000_000,
}
"""Bytes of one file. A plan takes 2,500 a cell, a record 3,000 and 60 for each evaluation and layer."""

_PLAN_ALLOWANCE, _PLAN_RATIO = 2_000_000, 12
"""Bytes of any pack's plan, and how many more for each of the archive's: real plans take 3 to 7 for one."""

_HEAVIEST = 11
"""Bytes of memory for a byte of JSON, by `_weight`: real plans and records take 4 to 5."""

_TOLD = 20
"""So many faults are told at once."""


@dataclass(frozen=True)
class Pack:
    """A pack that has been unpacked and found to be one."""

    path: Path
    plan: Plan
    store: Store
    """A store with nothing in it but the pack's plan, records and measures, and files that were asked for."""


def part_of(plan: Plan, cells: Iterable[PlannedCell]) -> Plan:
    """Return the plan of some of a plan's cells: with what they need, and without what is not published."""
    chosen = list(cells)
    wanted = {key for cell in chosen for target in cell.targets for key in plan.ancestors(target)}
    parts = {part for cell in chosen for part in cell.parts}
    return replace(
        plan,
        cells=chosen,
        jobs={key: job for key, job in plan.jobs.items() if key in wanted},
        costs={key: cost for key, cost in plan.costs.items() if key in wanted},
        identities={label: identity for label, identity in plan.identities.items() if label in parts},
        missing_data={},
    )


def packed(plan: Plan, store: Store, *, partial: bool = False) -> bytes:
    """Return the pack of a plan's records and measures.

    Results are copied as they were committed, but for what of their provenance is not published.

    Raises: UsageError where a cell has no record (unless `partial`), naming the first ones, or where the plan
    is a smoke run's; StoreError.
    """
    return archived(pack_files(plan, store, partial=partial))


def pack_files(plan: Plan, store: Store, *, partial: bool = False) -> dict[str, bytes]:
    """Return the files of a pack, by their names in it."""
    if plan.suite.get("limit") is not None:
        raise UsageError(f"suite {plan.suite['name']} was run as a smoke run (--limit): nothing to publish")
    snapshot = Snapshot(plan, store)
    lacking = [cell.id for cell in plan.cells if not snapshot.recorded(cell)]
    if len(lacking) == len(plan.cells):
        raise UsageError(f"nothing of suite {plan.suite['name']} has been run in {store.root}")
    if lacking and not partial:
        more = ", …" if len(lacking) > 3 else ""
        raise UsageError(
            f"{len(lacking)} cells of {plan.suite['name']} have no record in {store.root}: "
            f"{', '.join(lacking[:3])}{more}"
        )
    whole = part_of(plan, plan.cells)
    files = {"store.json": b'{"format":1}\n', **_plan_file(whole)}
    for key in sorted({key for cell in plan.cells for key in cell.targets}):
        if snapshot.have(key):
            part = "records" if plan.jobs[key].kind == "record" else "measures"
            read = store.read_record if part == "records" else store.read_measure
            record = read(key)
            content = spelled(record, published_provenance(record.provenance))
            if len(content) > _LARGEST[part]:
                raise UsageError(
                    f"{part[:-1]} {key[:12]} has {len(content):,} bytes; {_LARGEST[part]:,} are published"
                )
            files[f"{part}/{key[:2]}/{key}.json"] = content
    return files


def _plan_file(plan: Plan) -> dict[str, bytes]:
    """Return the plan's file, spelled by the store."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = freeze(plan, Store.open(folder))
        return {f"plans/{path.name}": path.read_bytes()}


def unpack(path: Path, folder: Path, others: Mapping[str, int] | None = None) -> Pack:
    """Unpack a pack into an empty folder, and make sure of everything in it.

    Nothing is written outside `folder`. `others`: patterns of further files' names, each with the most bytes
    of one; those that end in .json are spelled as a pack's are.

    Raises: StoreError, naming each file, record and row that is refused.
    """
    names = _written(path, folder, others or {})
    store = Store.open(folder, create=False, write=False)
    plans = [name for name in names if name.startswith("plans/")]
    if len(plans) != 1:
        raise StoreError(f"{path}: {len(plans)} plans, a pack has one")
    plan = _plan(path, store, folder / plans[0])
    faults = [*_plan_faults(plan), *_result_faults(plan, store)]
    if faults:
        raise refused(path, faults)
    return Pack(path, plan, store)


def refused(path: Path, faults: list[str]) -> StoreError:
    """Return the error that tells what is wrong with a file, a line each."""
    told = [f"{path}: {fault}" for fault in faults[:_TOLD]]
    if len(faults) > _TOLD:
        told.append(f"{path}: and {len(faults) - _TOLD} more")
    return StoreError("\n".join(told))


def _written(path: Path, folder: Path, others: Mapping[str, int]) -> set[str]:
    """Write an archive's files, each looked at first; return their names."""
    names: set[str] = set()
    packed_bytes = path.stat().st_size if path.is_file() else 0
    plan_most = unpacked_most(packed_bytes, _PLAN_ALLOWANCE, _PLAN_RATIO, _LARGEST["plans"])

    def look(name: str, size: int) -> None:
        largest = _largest(name, others)
        if largest is None:
            raise StoreError(f"{path}: {shown(repr(name), 120)} is no file of a pack")
        if name in names:
            raise StoreError(f"{path}: {name} is there twice")
        names.add(name)
        largest = min(largest, plan_most) if name.startswith("plans/") else largest
        if size > largest:
            raise StoreError(f"{path}: {name} has {size:,} bytes, at most {largest:,} are read")

    for name, content in members(path, look):
        if name.endswith(".json"):
            _check_spelling(path, name, content)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    if "store.json" not in names:
        raise StoreError(f"{path}: no store.json, a pack has one")
    return names


def _largest(name: str, others: Mapping[str, int]) -> int | None:
    """Return how many bytes a file of this name may have; None where there is no such file in a pack."""
    if _FILE.fullmatch(name):
        return _LARGEST[name.partition("/")[0]]
    return next((most for pattern, most in others.items() if re.fullmatch(pattern, name)), None)


def _check_spelling(path: Path, name: str, content: bytes) -> None:
    """Refuse JSON that is not spelled as prunebench spells it: two readers might read it in two ways."""
    try:
        if _FILE.fullmatch(name) and _weight(content) > _HEAVIEST * len(content) + 10_000:
            raise Flaw("it holds more lists, tables and numbers than any plan or record of its length")
        value = parse_json(content)
        if orjson.dumps(value) + b"\n" != content:
            raise Flaw("it is not spelled as prunebench spells it")
    except Flaw as flaw:
        raise StoreError(f"{path}: {name}: {flaw}") from None


def _weight(content: bytes) -> int:
    """Return about how many bytes of memory JSON takes when it is parsed, from its punctuation alone."""
    return (
        80 * (content.count(b"[") + content.count(b"{")) + 36 * content.count(b",") + 20 * content.count(b'"')
    )


def _plan(path: Path, store: Store, file: Path) -> Plan:
    try:
        plan = read_frozen(file, store, whole=True)
    except Damaged as error:
        raise StoreError(f"{path}: {file.name}: {error.reason}") from None
    if plan is None:
        raise StoreError(f"{path}: {file.name} is of another version's format: pack the suite again")
    try:
        check_bounds([dict(plan.suite), dict(plan.identities)], longest=5_000)
    except Flaw as flaw:
        raise StoreError(f"{path}: {file.name}: {flaw}") from None
    if plan.suite.get("limit") is not None:
        raise StoreError(f"{path}: records of a smoke run (--limit) are no results")
    return plan


def _plan_faults(plan: Plan) -> list[str]:
    """Return what is wrong with a plan that is whole: keys that are not of what is asked, rows twice."""
    faults = [
        f"job {job.key[:12]} of its plan has not the key of what it does"
        for job in plan.jobs.values()
        if not _own_key(job)
    ]
    seen: set[Any] = set()
    for cell in plan.cells:
        for name in (cell.id, (cell.matrix, *sorted(cell.labels.items()), cell.density, cell.seed)):
            if name in seen:
                faults.append(f"{shown(cell.id)} is planned twice")
            seen.add(name)
        asked = plan.jobs[cell.key].params_as(RecordParams).cell
        if (asked.density, asked.seed) != (cell.density, cell.seed):
            faults.append(f"{shown(cell.id)} is called another density or seed than it has")
    return faults


def _own_key(job: Job) -> bool:
    """True if a job's key is the digest of all that it is, under this or an earlier job version."""
    versions = range(1, JOB_VERSIONS[job.kind] + 1)
    if isinstance(job.params, TrainParams):
        run = job.params.run.plain()
        runs = {digest({"kind": "run", "version": version, **run}) for version in versions}
        return job.params.run_key in runs and job.key == f"{job.params.run_key}@{job.params.step}"
    asked: dict[str, Any] = {"kind": job.kind, "params": job.params.plain(), "inputs": list(job.inputs)}
    return job.key in {digest({**asked, "version": version}) for version in versions}


def _result_faults(plan: Plan, store: Store) -> list[str]:
    """Return what is wrong with the records and measures that lie in a store of other people's."""
    faults = []
    strangers, names = _Strangers(plan, store), {cell.key: cell.id for cell in plan.cells}
    for key in sorted(store.record_keys()):
        if key not in plan.jobs or plan.jobs[key].kind != "record":
            faults.append(strangers.fault(key))
            continue
        try:
            record = store.read_record(key, record_of(plan, key))
        except (Damaged, Missing) as error:
            name = shown(names.get(key, "a record that no cell has"))
            faults.append(f"record {key[:12]} ({name}): {_reason(error)}")
            continue
        faults += _unpublished(f"record {key[:12]}", record)
    for key in sorted(store.measure_keys()):
        if key not in plan.jobs or plan.jobs[key].kind != "measure":
            faults.append(f"measure {key[:12]} is none of the plan's")
            continue
        try:
            record = store.read_measure(key, measure_of(plan, key))
        except (Damaged, Missing) as error:
            faults.append(f"measure {key[:12]}: {_reason(error)}")
            continue
        faults += _unpublished(f"measure {key[:12]}", record)
    return faults


def _reason(error: Damaged | Missing) -> str:
    return error.reason if isinstance(error, Damaged) else str(error)


def _unpublished(name: str, record: Record) -> list[str]:
    """Refuse provenance that says what is not published (its writer has not used `packed`)."""
    said = allowed(record.provenance)
    return (
        []
        if said is None
        else [f"{name}: its provenance has {shown(repr(said), 80)}, which is not published"]
    )


class _Strangers:
    """Says of records that are none of a plan's why they do not belong there."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store

    @cached_property
    def _planned(self) -> dict[bytes, str]:
        """The names of the plan's cells, by what they ask for."""
        return {
            canonical(self._plan.jobs[cell.key].params_as(RecordParams).cell.plain()): cell.id
            for cell in self._plan.cells
        }

    def fault(self, key: str) -> str:
        """Return why the record of this key does not belong there."""
        try:
            cell = self._store.read_record(key).result["cell"]
        except (Damaged, Missing) as error:
            return f"record {key[:12]}: {_reason(error)}"
        name = f"record {key[:12]} ({_described(cell)})"
        if (planned := self._planned.get(canonical(cell))) is not None:
            return f"{name} is {shown(planned)} once more, under another key"
        seeds = {planned.seed for planned in self._plan.cells}
        if cell.get("seed") not in seeds:
            return f"{name}: seed {shown(cell.get('seed'), 40)} is none of the suite's ({_numbers(seeds)})"
        return f"{name}: its cell is none of the suite's"


def _described(cell: Mapping[str, Any]) -> str:
    """Return a record's own words for its cell."""
    architecture, form = cell.get("architecture"), cell.get("form")
    network = architecture.get("name") if isinstance(architecture, dict) else architecture
    scorer = form.get("scorer") if isinstance(form, dict) else None
    method = scorer.get("name") if isinstance(scorer, dict) else "unpruned"
    parts = (
        f"{network} on {cell.get('dataset')}",
        method,
        f"density {cell.get('density')}",
        f"seed {cell.get('seed')}",
    )
    return shown(", ".join(map(str, parts)))


def _numbers(numbers: Iterable[int]) -> str:
    ordered = sorted(numbers)
    if ordered and ordered == list(range(ordered[0], ordered[-1] + 1)) and len(ordered) > 2:
        return f"{ordered[0]}–{ordered[-1]}"
    return ", ".join(map(str, ordered[:20]))
