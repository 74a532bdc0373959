"""Submissions: a method's rows for somebody's leaderboard, with the method and where they were measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from prunebench.canonical import canonical
from prunebench.errors import StoreError, UsageError
from prunebench.host.identity import Grounds
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import Plan
from prunebench.store import Store, shown
from prunebench.trust.archive import archived
from prunebench.trust.code import code_faults, other_files
from prunebench.trust.packs import Pack, pack_files, part_of, refused, unpack

__all__ = ["ENDING", "Submission", "read_submission", "submission"]

ENDING = ".submission.tar.xz"

_MANIFEST = "submission.json"
_SOURCE = r"method/[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}"
_LARGEST_SOURCE = 100_000
"""Bytes of a method's files together: they are parsed to compare them with what was run."""
_OTHERS: Mapping[str, int] = {r"submission\.json": 1_000_000, _SOURCE: _LARGEST_SOURCE}
_LINE = 10_000
"""Characters of one text in it at most: longer ones are cut into several."""

Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}$")]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _File(_Strict):
    name: FileName
    sha256: Sha
    plugin: bool
    """False for a file that only lies beside one."""


class _Root(_Strict):
    file: FileName
    name: Name
    line: int


class _Code(_Strict):
    """What the digest of a component's code is of, apart from the code."""

    component: Name
    spelled: Annotated[list[Annotated[str, StringConstraints(max_length=_LINE)]], Field(max_length=100)]
    roots: Annotated[list[_Root], Field(min_length=1, max_length=100)]

    def grounds(self) -> Grounds:
        roots = tuple((root.file, root.name, root.line) for root in self.roots)
        return Grounds("".join(self.spelled), roots)


class _Suite(_Strict):
    name: Name
    version: Name


class _Environment(_Strict):
    software: Annotated[list[dict[Name, Name]], Field(max_length=50)]
    numerics: Annotated[list[Name], Field(max_length=50)]
    hardware: Annotated[list[dict[Name, Name | int | None]], Field(max_length=50)]


class _Manifest(_Strict):
    """What a submission says of itself."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    suite: _Suite
    methods: Annotated[list[Name], Field(min_length=1, max_length=100)]
    files: Annotated[list[_File], Field(max_length=50)]
    code: Annotated[list[_Code], Field(max_length=50)] = []
    environment: _Environment
    source: Annotated[str, StringConstraints(max_length=300)] = ""


@dataclass(frozen=True)
class Submission:
    """A submission that has been unpacked and found to be one."""

    pack: Pack
    methods: Sequence[str]
    files: Mapping[str, Path]
    """The method's own files, by name: to be read by people. They are never imported from here."""
    plugins: Sequence[str]
    """Which of them register components; the others lie beside."""
    source: str
    environment: Mapping[str, Any]
    grounds: Mapping[str, Grounds]
    """By component: what the digest of its code is of, apart from the code."""

    @property
    def plan(self) -> Plan:
        """The plan of its cells."""
        return self.pack.plan


def submission(
    plan: Plan,
    store: Store,
    methods: Sequence[str],
    plugins: Mapping[str, bytes],
    beside: Mapping[str, bytes] | None = None,
    *,
    grounds: Mapping[str, Grounds] | None = None,
    source: str = "",
) -> bytes:
    """Return the archive that submits some methods of a plan.

    Args:
        plan: what was run; the cells of other methods are left out.
        store: where the records are.
        methods: labels of methods; their ablations come along.
        plugins: the plugin files that register them, by name.
        beside: files that these need beside them.
        grounds: what the digests of their components are of, by label.
        source: where the method is described: a paper, an address.

    Raises: UsageError where a cell of theirs has no record, or a file is none that is packed; StoreError.
    """
    cells = [cell for cell in plan.cells if cell.labels.get("method") in methods]
    if not cells:
        raise UsageError(f"suite {plan.suite['name']} has no method {', '.join(methods)}")
    part, files = part_of(plan, cells), {**plugins, **(beside or {})}
    packed = pack_files(part, store)
    manifest = {
        "schema": 1,
        "suite": {name: str(plan.suite[name]) for name in ("name", "version")},
        "methods": list(methods),
        "files": [
            {
                "name": name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "plugin": name in plugins,
            }
            for name, content in files.items()
        ],
        "code": [_code(label, one) for label, one in (grounds or {}).items()],
        "environment": _environment(part, store),
        "source": source,
    }
    if (size := sum(map(len, files.values()))) > _LARGEST_SOURCE:
        raise UsageError(f"a method's files have at most {_LARGEST_SOURCE:,} bytes, these have {size:,}")
    if faults := other_files(plugins, grounds or {}, part, store):
        raise UsageError("\n".join(faults))
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        raise UsageError(f"cannot be submitted: {_told(error)}") from None
    whole = {**packed, _MANIFEST: orjson.dumps(manifest) + b"\n"}
    return archived(whole | {f"method/{name}": content for name, content in files.items()})


def _code(label: str, grounds: Grounds) -> dict[str, Any]:
    text = grounds.spelled
    pieces = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    roots = [{"file": file, "name": name, "line": line} for file, name, line in grounds.roots]
    return {"component": label, "spelled": pieces, "roots": roots}


def _environment(plan: Plan, store: Store) -> dict[str, Any]:
    """Return what the records were made with, each once: of their provenance what is published."""
    from prunebench.trust.published import published_provenance

    snapshot = Snapshot(plan, store)
    records = [record for cell in plan.cells if (record := snapshot.result(cell.key)) is not None]
    where = [published_provenance(record.provenance) for record in records]

    def once(name: str) -> list[Any]:
        given = (one[name] for one in where if one.get(name))
        return [orjson.loads(text) for text in dict.fromkeys(orjson.dumps(value) for value in given)]

    return {name: once(name) for name in ("software", "numerics", "hardware")}


def read_submission(path: Path, folder: Path) -> Submission:
    """Unpack a submission into an empty folder, and make sure that it is one. Nothing of it is imported.

    Raises: StoreError, naming what is refused.
    """
    pack = unpack(path, folder, _OTHERS)
    try:
        content = (folder / _MANIFEST).read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{path}: no {_MANIFEST}: a pack of records, and no submission") from None
    try:
        manifest = _Manifest.model_validate(orjson.loads(content))
    except ValidationError as error:
        raise StoreError(f"{path}: {_MANIFEST}: {_told(error)}") from None
    faults = _faults(manifest, pack, folder)
    if faults:
        raise refused(path, faults)
    files = {file.name: folder / "method" / file.name for file in manifest.files}
    plugins = [file.name for file in manifest.files if file.plugin]
    environment, grounds = manifest.environment.model_dump(), _grounds(manifest)
    return Submission(pack, manifest.methods, files, plugins, manifest.source, environment, grounds)


def _grounds(manifest: _Manifest) -> dict[str, Grounds]:
    return {one.component: one.grounds() for one in manifest.code}


def _faults(manifest: _Manifest, pack: Pack, folder: Path) -> list[str]:
    said = {file.name: file.sha256 for file in manifest.files}
    there = {file.name: file for file in (folder / "method").glob("*")}
    faults = [f"{_MANIFEST} names {name}, which is not in it" for name in said if name not in there]
    faults += [f"{_MANIFEST} does not name method/{name}" for name in there if name not in said]
    for name, sha in said.items():
        if name in there and hashlib.sha256(there[name].read_bytes()).hexdigest() != sha:
            faults.append(f"method/{name} is another file than {_MANIFEST} says")
    size = sum(file.stat().st_size for file in there.values())
    if size > _LARGEST_SOURCE:
        faults.append(f"its method's files have {size:,} bytes, at most {_LARGEST_SOURCE:,} are read")
    if not faults:
        plugins = [file.name for file in manifest.files if file.plugin]
        faults += code_faults(folder / "method", plugins, _grounds(manifest), pack.plan, pack.store)
    faults += _other_environment(manifest.environment.model_dump(), _environment(pack.plan, pack.store))
    suite = pack.plan.suite
    if (manifest.suite.name, manifest.suite.version) != (suite["name"], suite["version"]):
        faults.append(f"{_MANIFEST} speaks of another suite than its plan")
    methods = {cell.labels.get("method", "") for cell in pack.plan.cells}
    faults += [
        f"its cells are of method {shown(name, 80)}, which it does not submit"
        for name in sorted(methods - set(manifest.methods))
    ]
    faults += [f"it has no cell of method {name}" for name in manifest.methods if name not in methods]
    faults += [
        f"{shown(cell.id)} has no record" for cell in pack.plan.cells if not pack.store.has_record(cell.key)
    ]
    return faults + [
        f"{shown(cell.id)} lacks a measure of its plan"
        for cell in pack.plan.cells
        if not all(pack.store.has_measure(key) for key in cell.targets if key != cell.key)
    ]


def _other_environment(said: Mapping[str, Any], recorded: Mapping[str, Any]) -> Iterator[str]:
    """Compare what a submission says of where it was measured with what its records say."""
    for name, values in recorded.items():
        known = {canonical(value) for value in values}
        for value in said[name]:
            if canonical(value) not in known:
                yield f"its {name} is none that its records were made with: {shown(value, 100)}"
        if len(said[name]) != len(values):
            yield f"it names {len(said[name])} of the {len(values)} {name} that its records were made with"


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return shown(f"{where}: {first['msg']}" if where else first["msg"])
