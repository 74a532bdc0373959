"""The file format, as strict models: what may be written, before any name is looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic_core import PydanticCustomError

from prunebench.training.recipe import AtEpoch, AtShare, AtStep, Point

__all__ = [
    "POINTS",
    "Baselines",
    "Call",
    "Entry",
    "Leaderboard",
    "Matrix",
    "MethodTable",
    "Overrides",
    "Powers",
]

POINTS = "'init', 'end', 'rewind', {step = k}, {epoch = k} or {share = x}"
MAX_SEEDS = 10_000


class Table(BaseModel):
    """A table of a suite file: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _OpenTable(BaseModel):
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


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _point(value: Any) -> Point:
    if isinstance(value, AtStep | AtEpoch | AtShare) or value in ("init", "end", "rewind"):
        return value  # type: ignore[no-any-return]
    if isinstance(value, dict) and len(value) == 1:
        ((key, k),) = value.items()
        if key == "step" and _whole(k) and k >= 0:
            return AtStep(step=k)
        if key == "epoch" and (_whole(k) or isinstance(k, float)) and k >= 0:
            return AtEpoch(epoch=int(k) if float(k).is_integer() else k)
        if key == "share" and (_whole(k) or isinstance(k, float)) and 0 <= k <= 1:
            return AtShare(share=k)
    raise wanted(POINTS)


def _seeds(value: Any) -> Any:
    if isinstance(value, list):
        return value
    if not _whole(value) or not 1 <= value <= MAX_SEEDS:
        raise wanted(f"a whole number n from 1 to {MAX_SEEDS} for the seeds 0 … n−1, or a list of seeds")
    return list(range(value))


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


def one_of(tag: Callable[[Any], str | None], text: str) -> Discriminator:
    """Return what chooses a union's member by `tag`; where there is none the error says what is allowed.

    Tags are written in angle brackets, so that key paths leave them out.
    """
    return Discriminator(tag, custom_error_type="wanted", custom_error_message=f"allowed: {text}")


def _call(value: Any) -> str | None:
    if isinstance(value, dict | BaseModel):
        return "<table>"
    return "<name>" if isinstance(value, str) else None


def _sparsities(value: Any) -> str | None:
    if isinstance(value, dict | BaseModel):
        return "<powers>"
    return "<list>" if isinstance(value, list) else None


Name = Annotated[str, AfterValidator(_name)]
Sparsity = Annotated[float, AfterValidator(_sparsity)]
Density = Annotated[float, AfterValidator(_density)]
Seed = Annotated[int, AfterValidator(_seed)]
PointValue = Annotated[Point, BeforeValidator(_point)]
Combination = Annotated[list[str], BeforeValidator(_combination)]
Listed: Callable[[Any], Any] = BeforeValidator(_listed)  # type: ignore[assignment]


class Call(_OpenTable):
    """An architecture, a data set or a recipe by name; further keys are its parameters, or changes to it."""

    name: str
    as_: Name | None = Field(default=None, alias="as")


class MethodTable(_OpenTable):
    """A method with changes to its form, or (without `method`) a whole form."""

    method: str | None = None
    as_: Name | None = Field(default=None, alias="as")


class Powers(Table):
    """The sparsities 1 − keep^k for k = 1 … count."""

    keep: Annotated[float, Field(gt=0, lt=1)]
    count: Annotated[int, Field(ge=1)]


class Overrides(Table):
    """Changes to all recipes, to all architectures, and to the methods' scorers, of a matrix."""

    recipe: dict[str, Any] = {}
    architecture: dict[str, Any] = {}
    scorer: dict[str, Any] = {}


class Entry(Table):
    """An entry of `only` or `exclude`: a cell matches where every key given names its value."""

    architecture: Annotated[list[str] | None, Listed] = None
    dataset: Annotated[list[str] | None, Listed] = None
    recipe: Annotated[list[str] | None, Listed] = None
    find: Annotated[list[dict[str, Any]] | None, Listed] = None
    score_at: Annotated[list[PointValue] | None, Listed] = None
    method: Annotated[list[str] | None, Listed] = None
    ablation: Annotated[list[Combination] | None, Listed] = None
    sparsity: Annotated[list[Sparsity] | None, Listed] = None
    density: Annotated[list[Density] | None, Listed] = None
    seed: Annotated[list[Seed] | None, Listed] = None


CallItem = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[Call, Tag("<table>")],
    one_of(_call, "a name, or a table {name = …} with changes"),
]
MethodItem = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[MethodTable, Tag("<table>")],
    one_of(_call, "the name of a method, or a table {method = …, as = …} with changes"),
]
Sparsities = Annotated[
    Annotated[list[Sparsity], Tag("<list>")] | Annotated[Powers, Tag("<powers>")],
    one_of(_sparsities, "a list of sparsities, or {keep = 0.8, count = 18}"),
]


class Matrix(Table):
    """Axes whose product is cells."""

    name: Name
    architecture: Annotated[list[CallItem], Listed]
    dataset: Annotated[list[CallItem], Listed]
    recipe: Annotated[list[CallItem], Listed]
    find: list[dict[str, Any]] = [{}]
    score_at: list[PointValue] | None = None
    methods: list[MethodItem]
    ablations: list[Combination] = [[]]
    sparsities: Sparsities | None = None
    densities: list[Density] | None = None
    seeds: Annotated[list[Seed], BeforeValidator(_seeds)]
    dense: bool = True
    overrides: Overrides = Overrides()
    only: list[Entry] | None = None
    exclude: list[Entry] | None = None
    measures: list[str] = []
    split: Literal["test", "val"] = "test"


PLACEHOLDERS: dict[str, Any] = {
    "name": "matrix",
    "architecture": [],
    "dataset": [],
    "recipe": [],
    "methods": [],
    "seeds": [],
}
"""Stand in for what is missing or bad, so that the rest of a matrix can still be looked at."""


class Baselines(Table):
    """Which methods stand for magnitude after training, random pruning, and no pruning."""

    after_training: str = Field(default="magnitude-after-training", alias="after")
    random: str = "random"
    none: str = "none"


class Leaderboard(Table):
    """How the leaderboard is shown."""

    title: str = ""
    margin: Annotated[float, Field(ge=0)] | None = None
    """δ in points of accuracy for all data sets of the suite; None: each data set's own."""


class SuiteTable(Table):
    """The file's own keys; matrices and checks are looked at one by one."""

    schema_: int = Field(alias="schema")
    name: Name
    version: str
    description: str = ""
    plugins: list[str] = []
    """Plugin files, beside the suite's file: who loads a host for the suite loads them (`plugin_files`)."""
    matrix: list[dict[str, Any]]
    sets: dict[str, list[Any]] = {}
    """Lists of values that families of checks share."""
    check: list[dict[str, Any]] = []
    reported: list[dict[str, Any]] = []
    baselines: Baselines = Baselines()
    leaderboard: Leaderboard = Leaderboard()
