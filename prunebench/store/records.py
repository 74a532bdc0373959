"""Records and measures: results as JSON, with a digest of what was found that is verified when they are read.

Records are also other people's files: they are parsed strictly, and nothing in them is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from prunebench.canonical import canonical, digest
from prunebench.errors import StoreError
from prunebench.store._commit import commit
from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder, check_key

__all__ = ["SCHEMA", "Record", "Results", "parse_record"]

SCHEMA = 1
"""The newest schema of records. Every older one must be readable for ever."""

_Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0)]
_Part = Literal["records", "measures"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Record:
    """A finished cell's result, or a measure's: what was found, and how it came about.

    `digest` is the SHA-256 of the canonical `result`; all that may differ from run to run is `provenance`.
    """

    schema: Annotated[int, Field(ge=1)]
    key: _Hash
    digest: _Hash
    result: dict[str, Any]
    provenance: dict[str, Any]


class _Strict(BaseModel):
    """Known fields are checked, others are let through: a later schema-1 writer may say more."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Counts(_Strict):
    correct: _Count
    examples: Annotated[int, Field(ge=1)]
    loss: float | None = None

    @model_validator(mode="after")
    def _possible(self) -> _Counts:
        if self.correct > self.examples:
            raise ValueError(f"{self.correct} correct of {self.examples} examples")
        return self


class _Point(_Strict):
    step: _Count
    train_loss: float | None = None
    correct: _Count | None = None
    examples: _Count | None = None
    loss: float | None = None


class _Mask(_Strict):
    key: str | None = None
    kept: _Count | None = None
    prunable: _Count | None = None
    layers: list[dict[str, Any]] | None = None


class _CellResult(_Strict):
    cell: dict[str, Any]
    outcome: Literal["finished", "diverged"]
    test: _Counts | None = None
    curve: list[_Point] = []
    mask: _Mask | None = None
    state: str | None = None

    @model_validator(mode="after")
    def _counted(self) -> _CellResult:
        if self.outcome == "finished" and self.test is None:
            raise ValueError("finished, and nothing counted in 'test'")
        return self


def _explained(error: ValidationError) -> str:
    """Return where the first fault is, what it is, and what was found."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']} (found {first['input']!r:.80})" if where else first["msg"]


def _check_result(part: _Part, result: Mapping[str, Any]) -> None:
    if part == "records":
        _CellResult.model_validate(result)


def parse_record(content: bytes, key: str, part: _Part = "records") -> Record:
    """Return the record or measure in `content`, verified to be whole, of schema 1, and of this key.

    Raises: StoreError for a schema newer than known; Flaw for anything that is wrong with it.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Flaw(f"not JSON ({error})") from None
    if not isinstance(document, dict):
        raise Flaw("not a JSON object")
    schema = document.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise StoreError(
            f"{part[:-1]} {key} has schema {schema}, this prunebench knows up to {SCHEMA}: use a newer one"
        )
    try:
        record = Record(**document)
        found = digest(record.result)
        if found != record.digest:
            raise Flaw(f"its result has digest {found[:12]}…, it says {record.digest[:12]}…")
        if record.key != key:
            raise Flaw(f"it says that it is {record.key}, not {key}")
        _check_result(part, record.result)
    except ValidationError as error:
        raise Flaw(_explained(error)) from None
    return record


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

        Raises: ValueError or TypeError for values without a canonical JSON (NaN among them).
        """
        path = self.path(key)
        self._folder.changing()
        document = {
            "schema": SCHEMA,
            "key": key,
            "digest": digest(result),
            "result": result,
            "provenance": provenance,
        }
        canonical(provenance)  # refuses what has no canonical JSON; stored is the order that was given
        content = orjson.dumps(document) + b"\n"
        written = Record(**orjson.loads(content))
        try:
            _check_result(self._part, written.result)
        except ValidationError as error:
            raise ValueError(f"not the result of a cell: {_explained(error)}") from None
        for _ in range(8):
            if commit(path, [content]):
                return written
            try:
                return self.read(key)
            except (Missing, Damaged):
                continue  # the first one is set aside by now: ours may stand
        raise StoreError(f"{path} can be neither written nor read: it is there, and gone when it is opened")

    def read(self, key: str) -> Record:
        """Return a result, verified."""

        def parse(file: BinaryIO) -> Record:
            return parse_record(file.read(), key, self._part)

        return self._folder.read(self.path(key), parse)

    def has(self, key: str) -> bool:
        """Whether a result is there."""
        return self._folder.has(self.path(key))

    def keys(self) -> set[str]:
        """Return the keys of all results."""
        return {m[1] for m in map(_NAME.fullmatch, self._folder.names(self._part)) if m}


_NAME = re.compile(r"([0-9a-f]{64})\.json")
