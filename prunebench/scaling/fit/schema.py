"""The schema of fits in JSON: which fields there are, of what types, and what is said of others.

Types are those of the fields of `Fit`; null stands for an infinite number where one may be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Len
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, create_model

from prunebench.errors import FitError
from prunebench.scaling.fit.result import Fit

__all__ = ["INFINITE", "KIND", "SCHEMA", "LawFile", "fit_table", "law_table", "valid"]

Table = TypeVar("Table", bound=BaseModel)

KIND = "scaling-fit"
SCHEMA = 1

INFINITE = {
    "standard_errors": math.inf, "intervals": (-math.inf, math.inf), "bootstrap": (-math.inf, math.inf),
}  # fmt: skip
"""Fields whose numbers may be infinite, and what null stands for: a number, or two ends of an interval."""

_Count = Annotated[int, Field(ge=0)]


class _Closed(BaseModel):
    """A table without other fields, of exactly these types."""

    model_config = ConfigDict(strict=True, extra="forbid")


class _PrunableTable(_Closed):
    of: Literal["weights", "convolutions"] = "weights"
    except_: list[str] = Field(default=[], alias="except")


class _FamilyTable(_Closed):
    architecture: str
    parameters: dict[str, Any]
    scales: list[Literal["depth", "width"]]
    input: Annotated[list[Annotated[int, Field(ge=1)]], Len(3, 3)]
    classes: Annotated[int, Field(ge=1)]
    prunable: _PrunableTable


class LawFile(_Closed):
    """What `prunebench fit -o` writes."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["scaling-fit"]
    about: str
    said: list[str]
    fit: Any
    """A table of `fit_table`; so is the next, or null."""
    unpruned: Any
    family: _FamilyTable | None
    proxy: bool
    columns: dict[str, list[FiniteFloat | None]]


@cache
def fit_table() -> type[BaseModel]:
    """Return the schema of a fit."""
    hints = {name: hint for name, hint in get_type_hints(Fit).items() if name in Fit.__dataclass_fields__}
    fields: dict[str, Any] = {name: (_stored(hint, name in INFINITE), ...) for name, hint in hints.items()}
    return create_model("FitTable", __base__=_Closed, **{**fields, "form": (str, ...)})


@cache
def law_table() -> type[LawFile]:
    """Return the schema of a file with a fit, and one of the unpruned networks perhaps."""
    table: Any = fit_table()
    return create_model("LawTable", __base__=LawFile, fit=(table, ...), unpruned=(table | None, ...))


def _stored(hint: Any, infinite: bool) -> Any:
    """Return the type that a field's value has in JSON."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is float:
        return FiniteFloat | None if infinite else FiniteFloat
    if hint is int:
        return _Count
    if origin is None:
        return hint
    generic: Any = Union if origin is UnionType else dict if origin is Mapping else origin
    return generic[tuple(one if one in (Ellipsis, type(None)) else _stored(one, infinite) for one in inner)]


def valid(table: type[Table], text: str) -> Table:
    """Return the table that a JSON text holds. Raises: FitError naming the first field that is wrong."""
    try:
        return table.model_validate_json(text)
    except ValidationError as error:
        raise FitError(_said(error)) from error


def _said(error: ValidationError) -> str:
    """Return the first thing that is wrong, with its field."""
    first = error.errors(include_url=False)[0]
    place, kind, said = _place(first["loc"]), first["type"], first["msg"]
    if kind == "json_invalid":
        return f"not JSON: {said.removeprefix('Invalid JSON: ')}"
    if kind == "missing":
        return f"field '{place}' is missing"
    if kind == "extra_forbidden":
        return f"field '{place}' is none of a fit"
    shown = repr(first["input"]) if first["input"] is not None else "null"
    shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
    wanted = said.removeprefix("Input should be ")
    return (
        f"field '{place}': found {shown}; allowed: {wanted}" if place else f"found {shown}; allowed: {wanted}"
    )


def _place(parts: Sequence[int | str]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")
