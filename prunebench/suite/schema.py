"""The file format, as strict models: what may be written, before any name is looked up."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, Tag

from prunebench.baselines import Baselines
from prunebench.reading.labels import call_label, changes_label
from prunebench.reading.tables import (
    Combination,
    Density,
    FindValue,
    Listed,
    Name,
    OpenTable,
    PointValue,
    Seed,
    Sparsity,
    Table,
    is_whole,
    name_or_table,
    one_of,
    wanted,
)

__all__ = [
    "Call",
    "Entry",
    "Find",
    "Leaderboard",
    "Matrix",
    "MethodTable",
    "Overrides",
    "Powers",
    "label_of",
]

MAX_SEEDS = 10_000


def _seeds(value: Any) -> Any:
    if isinstance(value, list):
        return value
    if not is_whole(value) or not 1 <= value <= MAX_SEEDS:
        raise wanted(f"a whole number n from 1 to {MAX_SEEDS} for the seeds 0 … n−1, or a list of seeds")
    return list(range(value))


def _sparsities(value: Any) -> str | None:
    if isinstance(value, dict | BaseModel):
        return "<powers>"
    return "<list>" if isinstance(value, list) else None


class Call(OpenTable):
    """An architecture, a data set or a recipe by name; further keys are its parameters, or changes to it."""

    name: str
    as_: Name | None = Field(default=None, alias="as")

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.as_ or call_label(self.name, self.changes)


class MethodTable(OpenTable):
    """A method with changes to its form, or (without `method`) a whole form."""

    method: str | None = None
    as_: Name | None = Field(default=None, alias="as")

    @property
    def label(self) -> str:
        """What tables call it."""
        return self.as_ or self.method or ""


class Find(OpenTable):
    """Changes to the recipe under which the scored network is trained; none: it trains by the recipe."""

    as_: Name | None = Field(default=None, alias="as")

    @property
    def label(self) -> str:
        """What tables call it: "" where it changes nothing."""
        return self.as_ or changes_label(self.changes)


def label_of(item: str | Call | Find | MethodTable) -> str:
    """Return what tables call an entry of `architecture`, `dataset`, `recipe`, `find` or `methods`."""
    return item if isinstance(item, str) else item.label


class Powers(Table):
    """The sparsities 1 − keep^k for k = 1 … count."""

    keep: Annotated[float, Field(gt=0, lt=1)]
    count: Annotated[int, Field(ge=1)]


class Overrides(Table):
    """Changes to all recipes, to all architectures, and to the methods' scorers, of a matrix."""

    recipe: dict[str, Any] = Field(default={})
    architecture: dict[str, Any] = Field(default={})
    scorer: dict[str, Any] = Field(default={})


class Entry(Table):
    """An entry of `only` or `exclude`: a cell matches where every key given names its value."""

    architecture: Annotated[list[str] | None, Listed] = None
    dataset: Annotated[list[str] | None, Listed] = None
    recipe: Annotated[list[str] | None, Listed] = None
    find: Annotated[list[FindValue] | None, Listed] = None
    score_at: Annotated[list[PointValue] | None, Listed] = None
    method: Annotated[list[str] | None, Listed] = None
    ablation: Annotated[list[Combination] | None, Listed] = None
    sparsity: Annotated[list[Sparsity] | None, Listed] = None
    density: Annotated[list[Density] | None, Listed] = None
    seed: Annotated[list[Seed] | None, Listed] = None


CallItem = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[Call, Tag("<table>")],
    one_of(name_or_table, "a name, or a table {name = …} with changes"),
]
MethodItem = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[MethodTable, Tag("<table>")],
    one_of(name_or_table, "the name of a method, or a table {method = …, as = …} with changes"),
]
Sparsities = Annotated[
    Annotated[list[Sparsity], Tag("<list>")] | Annotated[Powers, Tag("<powers>")],
    one_of(_sparsities, "a list of sparsities, or {keep = 0.8, count = 18}"),
]


class Matrix(Table):
    """Axes whose product is cells."""

    name: Name
    for_: None = Field(default=None, alias="for")
    """What makes a family of the table: filled in before (prunebench.reading.families)."""
    architecture: Annotated[list[CallItem], Listed]
    dataset: Annotated[list[CallItem], Listed]
    recipe: Annotated[list[CallItem], Listed]
    find: list[Find] = Field(default=[Find()])
    score_at: list[PointValue] | None = None
    methods: list[MethodItem]
    ablations: list[Combination] = Field(default=[[]])
    sparsities: Sparsities | None = None
    densities: list[Density] | None = None
    seeds: Annotated[list[Seed], BeforeValidator(_seeds)]
    dense: bool = True
    overrides: Overrides = Overrides()
    only: list[Entry] | None = None
    exclude: list[Entry] | None = None
    measures: list[str] = Field(default=[])
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


class Leaderboard(Table):
    """How the leaderboard is shown."""

    title: str = ""
    margin: Annotated[float, Field(ge=0)] | None = None
    """δ in points of accuracy for all data sets of the suite; None: each data set's own."""


class SuiteTable(Table):
    """The file's own keys; matrices and checks are looked at one by one."""

    below: ClassVar[dict[str, type[Table]]] = {"matrix": Matrix}
    """Tables whose keys are often written one level too high."""

    schema_: int = Field(alias="schema")
    name: Name
    version: str
    description: str = ""
    plugins: list[str] = Field(default=[])
    """Plugin files, beside the suite's file: who loads a host for the suite loads them (`plugin_files`)."""
    matrix: list[dict[str, Any]]
    sets: dict[str, list[Any]] = Field(default={})
    """Lists of values that families share."""
    claim: list[dict[str, Any]] = Field(default=[])
    check: list[dict[str, Any]] = Field(default=[])
    reported: list[dict[str, Any]] = Field(default=[])
    baselines: Baselines = Baselines()
    leaderboard: Leaderboard = Leaderboard()
