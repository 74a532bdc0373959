"""Checks: what a suite claims of its own results, as its file says it.

A check takes numbers x of `of` and y of `against`, makes D = x − y − by (or D = x / y − by with
compare = "ratio"), and expects D to be above zero or the same as zero, or not to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from prunebench.checks.asked import Asked
from prunebench.checks.cells import Against, Extreme, Selection, Side, Where
from prunebench.labels import RANGES
from prunebench.reading.tables import Name, Sparsity, Table, one_of

__all__ = ["Check", "PaperRange", "Place", "Range", "Span"]

Place = tuple[str | int, ...]
"""Keys and indices below a check's table."""


class PaperRange(Table):
    """The sparsities over which the paper makes its claim."""

    paper: list[Sparsity]


class Span(Table):
    """The suite's sparsities between two of them, both included; an end that is absent is the grid's."""

    start: Sparsity | None = Field(default=None, alias="from")
    to: Sparsity | None = None


def _range(value: Any) -> str | None:
    if isinstance(value, Span) or (isinstance(value, dict) and "paper" not in value):
        return "<span>"
    if isinstance(value, dict | PaperRange):
        return "<paper>"
    if isinstance(value, list):
        return "<list>"
    return "<name>" if isinstance(value, str) and value in RANGES else None


Range = Annotated[
    Annotated[str, Tag("<name>")]
    | Annotated[list[Sparsity], Tag("<list>")]
    | Annotated[PaperRange, Tag("<paper>")]
    | Annotated[Span, Tag("<span>")],
    one_of(
        _range,
        "'trivial', 'matching', 'extreme', 'all', {paper = […]}, {from = …, to = …} or a list of sparsities",
    ),
]


def _listed(one: Range) -> list[tuple[Place, float]]:
    if isinstance(one, PaperRange):
        return [(("paper", i), s) for i, s in enumerate(one.paper)]
    if isinstance(one, list):
        return [((i,), s) for i, s in enumerate(one)]
    if isinstance(one, Span):
        return [((key,), s) for key, s in (("from", one.start), ("to", one.to)) if s is not None]
    return []


def _wrong(one: Range) -> str | None:
    """Return what is wrong with a range by itself."""
    if one == [] or (isinstance(one, PaperRange) and not one.paper):
        return "lists no sparsity; allowed: at least one"
    if isinstance(one, Span):
        if one.start is None and one.to is None:
            return "has neither 'from' nor 'to'; allowed: at least one of them"
        if one.start is not None and one.to is not None and one.start > one.to:
            return "begins after its end; allowed: 'from' at most 'to'"
    return None


class Check(Table):
    """`of` is above or the same as `against` over a range, or is not; or all or any of other checks hold."""

    name: Name
    claim: Name | None = None
    """The id of the claim that it belongs to."""
    for_: None = Field(default=None, alias="for")
    each: None = None
    """Makes several of the table, as `for` does: both are filled in before (see `reading.families`)."""
    quantity: Asked = "accuracy"
    of: Side | None = None
    against: Against | None = None
    compare: Literal["difference", "ratio"] = "difference"
    by: float | None = None
    where: Where = Where()
    range: Range | None = None
    beside: list[Range] = Field(default=[])
    """Further ranges: the outcome over each is shown beside, and decides nothing."""
    over: Literal["mean", "everywhere", "somewhere"] = "mean"
    settings: Literal["each", "some"] = "each"
    expect: Literal["above", "same", "not-above", "not-same"] | None = None
    margin: Annotated[float, Field(ge=0)] | None = None
    all_: list[str] | None = Field(default=None, alias="all")
    any_: list[str] | None = Field(default=None, alias="any")

    @property
    def group(self) -> bool:
        """True if it is about other checks."""
        return self.all_ is not None or self.any_ is not None

    @property
    def sides(self) -> list[tuple[Place, Selection]]:
        """The selections of both sides, with their key paths."""
        listed: list[tuple[Place, Selection]] = []
        for side in ("of", "against"):
            value = getattr(self, side)
            if isinstance(value, Selection):
                listed.append(((side,), value))
            elif isinstance(value, Extreme):
                for key, selections in value.given.items():
                    listed += [((side, key, i), s) for i, s in enumerate(selections)]
        return listed

    @property
    def ranges(self) -> list[tuple[Place, Range]]:
        """The range, and those beside it, with their key paths."""
        own = [] if self.range is None else [(("range",), self.range)]
        return [*own, *((("beside", i), one) for i, one in enumerate(self.beside))]

    @property
    def sparsities(self) -> list[tuple[Place, float]]:
        """The sparsities that the ranges list, with their key paths."""
        return [((*place, *inner), s) for place, one in self.ranges for inner, s in _listed(one)]

    def contradictions(self) -> Iterator[tuple[Place, str]]:
        """Yield the key path and message of what does not go together, whatever the quantity."""
        groups = [key for key in ("all", "any") if getattr(self, f"{key}_") is not None]
        given = [
            key
            for field, info in type(self).model_fields.items()
            if (key := info.alias or field) not in ("name", "claim", "all", "any")
            and field in self.model_fields_set
        ]
        if groups:
            others = [*given, *groups[1:]]
            if others:
                alone = f"allowed: '{groups[0]}', the name and the claim alone"
                yield (groups[0],), f"stands beside {', '.join(others)}; {alone}"
            elif not getattr(self, f"{groups[0]}_"):
                yield (groups[0],), "found []; allowed: a list with at least one name of a check"
            return
        for key in ("of", "against", "range", "expect"):
            if key not in given:
                yield (key,), "is missing (or give 'all' or 'any' with the names of checks)"
        for side in ("of", "against"):
            value = getattr(self, side)
            if isinstance(value, Extreme):
                several = [f"'{key}'" for key in value.given]
                if several[1:]:
                    yield (side,), f"has both {' and '.join(several)}; allowed: one of them"
                elif not all(value.given.values()):
                    yield (side,), "has no methods; allowed: a list with at least one"
        if self.compare == "ratio" and isinstance(self.against, int | float) and not self.against:
            yield ("against",), "found 0, by which nothing can be divided; allowed: another number"
        yield from ((place, text) for place, one in self.ranges if (text := _wrong(one)) is not None)
