"""Checks: claims that a suite puts to its own records (DESIGN §4); parsed and validated here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Tag

from prunebench.suite.labels import ablations_label
from prunebench.suite.schema import Combination, Listed, Name, PointValue, Sparsity, Table, one_of, wanted

__all__ = ["Check", "Extreme", "PaperRange", "Selection", "Where"]

RANGES = ("trivial", "matching", "extreme", "all")
QUANTITIES = ("accuracy", "range-end", "crossing", "slope", "diverged")


class Selection(Table):
    """The cells of one side of a check: a method, with its ablations, find and pruning step."""

    method: str
    ablations: Combination = Field(default=[])
    find: dict[str, Any] | None = None
    score_at: PointValue | None = None

    @property
    def ablations_label(self) -> str:
        """The ablations as cells' labels spell them: "" or "shuffle+reinit"."""
        return ablations_label(self.ablations)


class Where(Table):
    """The settings that a check speaks of: each key a value or a list of values."""

    matrix: Annotated[list[str] | None, Listed] = None
    architecture: Annotated[list[str] | None, Listed] = None
    dataset: Annotated[list[str] | None, Listed] = None
    recipe: Annotated[list[str] | None, Listed] = None
    split: Annotated[list[str] | None, Listed] = None


def _selection(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else value


class Extreme(Table):
    """The best, or the worst, of several selections: whichever it is in each setting."""

    best: list[Annotated[Selection, BeforeValidator(_selection)]] | None = None
    worst: list[Annotated[Selection, BeforeValidator(_selection)]] | None = None


class PaperRange(Table):
    """The sparsities over which the paper makes its claim."""

    paper: list[Sparsity]


def _against(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<extreme>" if {"best", "worst"} & value.keys() else "<selection>"
    if isinstance(value, Extreme | Selection):
        return "<extreme>" if isinstance(value, Extreme) else "<selection>"
    return "<number>" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _range(value: Any) -> str | None:
    if isinstance(value, dict | PaperRange):
        return "<paper>"
    if isinstance(value, list):
        return "<list>"
    return "<name>" if isinstance(value, str) and value in RANGES else None


def _quantity(value: str) -> str:
    if value.startswith("fit:"):
        raise ValueError(f"found '{value}': quantities of a fit are not built yet")
    if value not in QUANTITIES and not (value.startswith("measure:") and value != "measure:"):
        raise wanted(", ".join(f"'{q}'" for q in QUANTITIES) + " or 'measure:NAME'")
    return value


Against = Annotated[
    Annotated[float, Tag("<number>")]
    | Annotated[Selection, Tag("<selection>")]
    | Annotated[Extreme, Tag("<extreme>")],
    one_of(_against, "a number, {method = …}, {best = […]} or {worst = […]}"),
]
Range = Annotated[
    Annotated[str, Tag("<name>")]
    | Annotated[list[Sparsity], Tag("<list>")]
    | Annotated[PaperRange, Tag("<paper>")],
    one_of(_range, "'trivial', 'matching', 'extreme', 'all', {paper = […]} or a list of sparsities"),
]


class Check(Table):
    """A claim: `of` is above, or the same as, `against` over a range; or all or any of other checks hold."""

    name: Name
    quantity: Annotated[str, AfterValidator(_quantity)] | None = None
    of: Selection | None = None
    against: Against | None = None
    where: Where = Where()
    range: Range | None = None
    claim: Literal["above", "same"] | None = None
    not_: bool = Field(default=False, alias="not")
    margin: Annotated[float, Field(ge=0)] | None = None
    all_: list[str] | None = Field(default=None, alias="all")
    any_: list[str] | None = Field(default=None, alias="any")

    @property
    def selections(self) -> list[tuple[tuple[str | int, ...], Selection]]:
        """Every selection of the check, with its key path."""
        found: list[tuple[tuple[str | int, ...], Selection]] = []
        if self.of is not None:
            found.append((("of",), self.of))
        if isinstance(self.against, Selection):
            found.append((("against",), self.against))
        if isinstance(self.against, Extreme):
            for key in ("best", "worst"):
                found.extend((("against", key, i), s) for i, s in enumerate(getattr(self.against, key) or []))
        return found

    @property
    def sparsities(self) -> list[tuple[tuple[str | int, ...], float]]:
        """The sparsities that the range lists, with their key paths."""
        if isinstance(self.range, PaperRange):
            return [(("range", "paper", i), s) for i, s in enumerate(self.range.paper)]
        if isinstance(self.range, list):
            return [(("range", i), s) for i, s in enumerate(self.range)]
        return []

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the key path and message of what does not go together in this check."""
        groups = [key for key in ("all", "any") if getattr(self, f"{key}_") is not None]
        own = ("quantity", "of", "against", "where", "range", "claim", "not", "margin")
        fields = {"not": "not_"}
        given = [key for key in own if fields.get(key, key) in self.model_fields_set]
        if groups:
            others = [*given, *groups[1:]]
            if others:
                yield (
                    (groups[0],),
                    f"stands beside {', '.join(others)}; allowed: '{groups[0]}' and the name alone",
                )
            elif not getattr(self, f"{groups[0]}_"):
                yield (groups[0],), "found []; allowed: a list with at least one name of a check"
            return
        for key in ("quantity", "of", "against", "range", "claim"):
            if key not in given:
                yield (key,), "is missing (or give 'all' or 'any' with the names of checks)"
        if self.quantity not in (None, "accuracy") and self.margin is None:
            yield (("margin",), f"is missing: it is needed where the quantity is '{self.quantity}'")
        if isinstance(self.against, Extreme):
            if (self.against.best is None) == (self.against.worst is None):
                yield ("against",), "has both 'best' and 'worst'; allowed: one of them"
            elif not (self.against.best or self.against.worst):
                yield ("against",), "has no methods; allowed: a list with at least one"
        if self.range == [] or (isinstance(self.range, PaperRange) and not self.range.paper):
            yield ("range",), "lists no sparsity; allowed: at least one"
