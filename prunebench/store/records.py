"""Records and measures: results as JSON, with a digest of what was found that is verified when they are read.

Records are also other people's files: they are parsed strictly, and nothing in them is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from prunebench.canonical import canonical, digest
from prunebench.errors import StoreError
from prunebench.store import _fields
from prunebench.store._bounds import check_bounds, parse_json, shown
from prunebench.store._commit import commit
from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder, check_key

__all__ = ["LARGEST_BYTES", "RESULT_NAME", "SCHEMA", "Fits", "Record", "Results", "parse_record", "spelled"]

SCHEMA = 2
"""The newest schema of records and measures. Every older one must be readable for ever."""

LARGEST_BYTES = {"records": 16_000_000, "measures": 64_000_000}
"""Bytes of one file that are read, or written."""

RESULT_NAME = re.compile(r"([0-9a-f]{64})\.json")
"""The name of a result's file: its key."""

_Part = Literal["records", "measures"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Record:
    """A finished cell's result, or a measure's: what was found, and how it came about.

    `digest` is the SHA-256 of the canonical {schema, key, result} (schema 1: of the result alone). All that
    may differ from run to run is `provenance`; `seal`, which a record may lack, is a checksum with it.
    """

    schema: Annotated[int, Field(ge=1)]
    key: _fields.Hash
    digest: _fields.Hash
    result: dict[str, Any]
    provenance: dict[str, Any]
    seal: _fields.Hash | None = None


Fits = Callable[[Record], str | None]
"""Says why a record is not the one that is wanted, in words; None where it is."""

_MODELS: Mapping[tuple[_Part, int], type[BaseModel]] = {
    ("records", 1): _fields.OldCellResult,
    ("records", 2): _fields.CellResult,
    ("measures", 1): _fields.OldMeasureResult,
    ("measures", 2): _fields.MeasureResult,
}


def _digest(schema: int, key: str, result: Mapping[str, Any], *, read: bool = False) -> str:
    whole = result if schema == 1 else {"schema": schema, "key": key, "result": result}
    return digest(whole, read=read)


def _seal(schema: int, key: str, found: str, provenance: Mapping[str, Any], *, read: bool = False) -> str:
    return digest([schema, key, found, provenance], read=read)


def _check_fields(part: _Part, record: Record) -> None:
    """Raises: ValidationError."""
    _MODELS[part, record.schema].model_validate(record.result)
    _fields.Provenance.model_validate(record.provenance)


def parse_record(content: bytes, key: str, part: _Part = "records") -> Record:
    """Return the record or measure in `content`, verified to be whole, of a known schema, and of this key.

    Raises: StoreError for a schema newer than known; Flaw for anything that is wrong with it.
    """
    document = parse_json(content)
    schema = document.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise StoreError(
            f"{part[:-1]} {key} has schema {schema}, this prunebench knows up to {SCHEMA}: use a newer one"
        )
    try:
        record = Record(**document)
        if record.key != key:
            raise Flaw(f"it says that it is {record.key}, not {key}")
        computed = _digest(record.schema, key, record.result, read=True)
        if computed != record.digest:
            raise Flaw(f"its result has digest {computed[:12]}…, it says {record.digest[:12]}…")
        seal = record.seal and _seal(record.schema, key, computed, record.provenance, read=True)
        if record.seal != seal:
            raise Flaw("its provenance was altered")
        _check_fields(part, record)
    except ValidationError as error:
        raise Flaw(_fields.explained(error)) from None
    except TypeError as error:  # a field's name that is no argument's
        raise Flaw(shown(error)) from None
    return record


def spelled(record: Record, provenance: Mapping[str, Any]) -> bytes:
    """Return the bytes of a record's file with another provenance, as where only some of it is published.

    Its digest stays: that is of what was found. One that had no seal has none.
    """
    seal = record.seal and _seal(record.schema, record.key, record.digest, provenance)
    return _spelled(record.schema, record.key, record.digest, seal, record.result, provenance)


def _spelled(
    schema: int,
    key: str,
    digest: str,
    seal: str | None,
    result: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> bytes:
    sealed = {} if seal is None else {"seal": seal}
    document = {"schema": schema, "key": key, "digest": digest, **sealed}
    return orjson.dumps({**document, "result": result, "provenance": provenance}) + b"\n"


class Results:
    """The records, or the measures, of a store: one file each, records/ab/<key>.json."""

    def __init__(self, folder: Folder, part: _Part) -> None:
        self._folder = folder
        self._part: _Part = part

    def path(self, key: str) -> Path:
        """Return where a result is or would be."""
        return self._folder.path(self._part, check_key(key), ".json")

    def write(self, key: str, result: Mapping[str, Any], provenance: Mapping[str, Any]) -> Record:
        """Commit a result, or return the one that was committed first.

        Raises: ValueError or TypeError for values without a canonical JSON (NaN among them), and for what
        would not be read back.
        """
        path = self.path(key)
        self._folder.changing()
        canonical(provenance)  # refuses what has no canonical JSON; stored is the order that was given
        digest = _digest(SCHEMA, key, result)
        seal = _seal(SCHEMA, key, digest, provenance)
        content = _spelled(SCHEMA, key, digest, seal, result, provenance)
        written = Record(**orjson.loads(content))
        what = "the result of a cell" if self._part == "records" else "a measure"
        try:
            check_bounds([written.result, written.provenance])
            _check_fields(self._part, written)
        except ValidationError as error:
            raise ValueError(f"not {what}: {_fields.explained(error)}") from None
        except Flaw as flaw:
            raise ValueError(f"not {what}: {flaw}") from None
        if len(content) > LARGEST_BYTES[self._part]:
            raise ValueError(
                f"{len(content):,} bytes of {what}, at most {LARGEST_BYTES[self._part]:,} are kept"
            )
        for _ in range(8):
            if commit(path, [content]):
                return written
            try:
                return self.read(key)
            except (Missing, Damaged):
                continue  # the first one is set aside by now: ours may stand
        raise StoreError(f"{path} can be neither written nor read: it is there, and gone when it is opened")

    def read(self, key: str, fits: Fits | None = None) -> Record:
        """Return a result, verified; with `fits`, also to be the one that is wanted."""

        def parse(file: BinaryIO) -> Record:
            record = parse_record(file.read(), key, self._part)
            wrong = fits(record) if fits is not None else None
            if wrong is not None:
                raise Flaw(wrong)
            return record

        return self._folder.read(self.path(key), parse, largest=LARGEST_BYTES[self._part])

    def has(self, key: str) -> bool:
        """True if a result is there."""
        return self._folder.has(self.path(key))

    def keys(self) -> set[str]:
        """Return the keys of all results."""
        return {m[1] for m in map(RESULT_NAME.fullmatch, self._folder.names(self._part)) if m}
