"""The base classes of a file's tables, and the values that many of their keys take."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Tag
from pydantic_core import PydanticCustomError

from prunebench.training.recipe import AtEpoch, AtShare, AtStep, Point

__all__ = [
    "POINTS",
    "Combination",
    "Density",
    "FindValue",
    "Listed",
    "Name",
    "OpenTable",
    "PointValue",
    "Seed",
    "Sparsity",
    "Table",
    "is_whole",
    "name_or_table",
    "one_of",
    "wanted",
]

POINTS = "'init', 'end', 'rewind', {step = k}, {epoch = k} or {share = x}"


class Table(BaseModel):
    """A table of a suite file: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OpenTable(BaseModel):
    """A table whose further keys are looked up later: parameters, changes."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    @property
    def changes(self) -> dict[str, Any]:
        """The further keys, in the file's order."""
        return dict(self.model_extra or {})


def wanted(text: str) -> PydanticCustomError:
    """Return the error "found …; allowed: `text`"."""
    return PydanticCustomError("wanted", "{text}", {"text": f"allowed: {text}"})


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", value):
        raise wanted("letters, digits and . _ + - after a letter or digit")
    return value


def _sparsity(value: float) -> float:
    if not 0 <= value < 1 or 1 - value < 5e-13:
        raise wanted("a number from 0 up to, but not including, 1")
    return value


def _density(value: float) -> float:
    if not 5e-13 <= value <= 1:
        raise wanted("a number above 0, up to 1")
    return value


def is_whole(value: Any) -> bool:
    """True if a value is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _point(value: Any) -> Point:
    if isinstance(value, AtStep | AtEpoch | AtShare) or value in ("init", "end", "rewind"):
        return value  # type: ignore[no-any-return]
    if isinstance(value, dict) and len(value) == 1:
        ((key, k),) = value.items()
        if key == "step" and is_whole(k) and k >= 0:
            return AtStep(step=k)
        if key == "epoch" and (is_whole(k) or isinstance(k, float)) and k >= 0:
            return AtEpoch(epoch=int(k) if float(k).is_integer() else k)
        if key == "share" and (is_whole(k) or isinstance(k, float)) and 0 <= k <= 1:
            return AtShare(share=k)
    raise wanted(POINTS)


def _seed(value: int) -> int:
    if value < 0:
        raise wanted("a whole number of at least 0")
    return value


def _combination(value: Any) -> Any:
    """Spell a combination of ablations as a list: "none" is the empty one, "shuffle+reinit" has two."""
    if isinstance(value, str):
        value = value.split("+")
    if value == ["none"]:
        return []
    if isinstance(value, list) and "none" in value:
        raise wanted("'none' alone, or the names of ablations")
    if not isinstance(value, list):
        raise wanted("the name of an ablation, or a list of names that are applied one after the other")
    return value


def _find(value: Any) -> str | None:
    return "<label>" if isinstance(value, str) else "<table>" if isinstance(value, dict) else None


def one_of(tag: Callable[[Any], str | None], text: str) -> Discriminator:
    """Return what chooses a union's member by `tag`; where there is none the error says what is allowed.

    Tags are written in angle brackets, so that key paths leave them out.
    """
    return Discriminator(tag, custom_error_type="wanted", custom_error_message=f"allowed: {text}")


def name_or_table(value: Any) -> str | None:
    """Return the tag of a value that is a name, or a table with more."""
    if isinstance(value, dict | BaseModel):
        return "<table>"
    return "<name>" if isinstance(value, str) else None


Name = Annotated[str, AfterValidator(_name)]
Sparsity = Annotated[float, AfterValidator(_sparsity)]
Density = Annotated[float, AfterValidator(_density)]
Seed = Annotated[int, AfterValidator(_seed)]
PointValue = Annotated[Point, BeforeValidator(_point)]
Combination = Annotated[list[str], BeforeValidator(_combination)]
FindValue = Annotated[
    Annotated[str, Tag("<label>")] | Annotated[dict[str, Any], Tag("<table>")],
    one_of(_find, "a table of changes to the recipe, as in the matrix, or its label"),
]
Listed: Callable[[Any], Any] = BeforeValidator(_listed)  # type: ignore[assignment]
