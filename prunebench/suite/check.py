"""Checks: claims that a suite puts to its own records; parsed and validated here.

A check takes a number `x` of `of` and a number `y` of `against` at each seed, makes D = x − y − by (or
D = x / y − by with compare = "ratio"), and claims that D is above zero or the same as zero. Where x and y are
statistics over the seeds, there is one D alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Tag

from prunebench.reading.labels import ablations_label, changes_label, point_label
from prunebench.reading.tables import Combination, Listed, Name, PointValue, Sparsity, Table, one_of, wanted
from prunebench.suite.cell import Cell

__all__ = ["AXIS_QUANTITIES", "Check", "Drop", "Extreme", "PaperRange", "Selection", "Span", "Where"]

RANGES = ("trivial", "matching", "extreme", "all")
QUANTITIES = ("accuracy", "spread", "range-end", "crossing", "slope", "diverged")
AXIS_QUANTITIES = ("crossing", "slope")
"""What is read off a whole curve: these need to know along which axis it runs."""


def _quantity(value: str) -> str:
    if value.startswith("fit:"):
        raise ValueError(f"found '{value}': quantities of a fit are not built yet")
    kind, _, path = value.partition(":")
    measure = kind in ("measure", "distance") and all(path.split("."))
    if kind == "measure" and "*" in path:
        raise wanted("one field; 'distance:…' takes '*'")
    if value not in QUANTITIES and not measure:
        forms = "'measure:NAME', 'measure:NAME.FIELD' or 'distance:NAME.FIELDS'"
        raise wanted(", ".join(f"'{q}'" for q in QUANTITIES) + f", {forms}")
    return value


Quantity = Annotated[str, AfterValidator(_quantity)]


class Selection(Table):
    """The cells of one side of a check: a method, with its ablations, find and pruning step.

    `quantity`, `architecture`, `dataset` and `recipe` are this side's own, instead of the check's.
    """

    method: str
    ablations: Combination = Field(default=[])
    find: dict[str, Any] | None = None
    score_at: PointValue | None = None
    quantity: Quantity | None = None
    architecture: str | None = None
    dataset: str | None = None
    recipe: str | None = None

    @property
    def ablations_label(self) -> str:
        """The ablations as cells' labels spell them: "" or "shuffle+reinit"."""
        return ablations_label(self.ablations)

    @property
    def setting(self) -> dict[str, str]:
        """The parts of the setting that are this selection's own."""
        named = {key: getattr(self, key) for key in ("architecture", "dataset", "recipe")}
        return {key: name for key, name in named.items() if name is not None}

    def means(self, cell: Cell, *, every_point: bool) -> bool:
        """True if a cell is of this method and of the setting's parts named here; its sparsity is not asked.

        Without `score_at` the method's own point is meant, or with `every_point` any.
        """
        labels = cell.labels
        if (labels["method"], labels["ablations"]) != (self.method, self.ablations_label):
            return False
        if self.find is not None and labels["find"] != changes_label(self.find):
            return False
        point = "" if self.score_at is None else point_label(self.score_at)
        if labels["score_at"] != point and not every_point:
            return False
        return all(labels[key] == name for key, name in self.setting.items())


class Where(Table):
    """The settings that a check speaks of: each key a value or a list of values."""

    matrix: Annotated[list[str] | None, Listed] = None
    architecture: Annotated[list[str] | None, Listed] = None
    dataset: Annotated[list[str] | None, Listed] = None
    recipe: Annotated[list[str] | None, Listed] = None
    split: Annotated[list[str] | None, Listed] = None

    def has(self, cell: Cell, but: Container[str] = ()) -> bool:
        """True if a cell is in these settings; the keys in `but` are not asked."""
        values = {**cell.labels, "matrix": cell.matrix}
        named = ((key, getattr(self, key)) for key in type(self).model_fields if key not in but)
        return all(names is None or values[key] in names for key, names in named)


def _selection(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else value


class Extreme(Table):
    """The best, or the worst, of several selections: whichever it is in each setting."""

    best: list[Annotated[Selection, BeforeValidator(_selection)]] | None = None
    worst: list[Annotated[Selection, BeforeValidator(_selection)]] | None = None


class Drop(Table):
    """How much lower the number of `to` is than that of `from`: a side of a check, as of two differences."""

    start: Annotated[Selection, BeforeValidator(_selection)] = Field(alias="from")
    to: Annotated[Selection, BeforeValidator(_selection)]


class PaperRange(Table):
    """The sparsities over which the paper makes its claim."""

    paper: list[Sparsity]


class Span(Table):
    """The suite's sparsities between two of them, both included; an end that is absent is the grid's."""

    start: Sparsity | None = Field(default=None, alias="from")
    to: Sparsity | None = None


def _side(value: Any) -> str | None:
    tag = _against(value)
    return None if tag == "<number>" else tag


def _against(value: Any) -> str | None:
    if isinstance(value, dict):
        kinds = {"<extreme>": {"best", "worst"}, "<drop>": {"from", "to"}}
        return next((tag for tag, keys in kinds.items() if keys & value.keys()), "<selection>")
    if isinstance(value, Extreme | Drop | Selection):
        return f"<{type(value).__name__.lower()}>"
    return "<number>" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _range(value: Any) -> str | None:
    if isinstance(value, Span) or (isinstance(value, dict) and "paper" not in value):
        return "<span>"
    if isinstance(value, dict | PaperRange):
        return "<paper>"
    if isinstance(value, list):
        return "<list>"
    return "<name>" if isinstance(value, str) and value in RANGES else None


Against = Annotated[
    Annotated[float, Tag("<number>")]
    | Annotated[Selection, Tag("<selection>")]
    | Annotated[Drop, Tag("<drop>")]
    | Annotated[Extreme, Tag("<extreme>")],
    one_of(_against, "a number, {method = …}, {best = […]}, {worst = […]} or {from = …, to = …}"),
]
Side = Annotated[
    Annotated[Selection, Tag("<selection>")]
    | Annotated[Drop, Tag("<drop>")]
    | Annotated[Extreme, Tag("<extreme>")],
    one_of(_side, "{method = …}, {best = […]}, {worst = […]} or {from = …, to = …}"),
]
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


def _listed(one: Range) -> list[tuple[tuple[str | int, ...], float]]:
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
    """A claim: `of` is above, or the same as, `against` over a range; or all or any of other checks hold."""

    name: Name
    for_: None = Field(default=None, alias="for")
    """What makes a family of the table: filled in before (prunebench.suite.families)."""
    quantity: Quantity | None = None
    along: Literal["sparsity", "score_at"] | None = None
    reaches: Selection | None = None
    reference: Selection | None = None
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
    claim: Literal["above", "same"] | None = None
    not_: bool = Field(default=False, alias="not")
    margin: Annotated[float, Field(ge=0)] | None = None
    all_: list[str] | None = Field(default=None, alias="all")
    any_: list[str] | None = Field(default=None, alias="any")

    @property
    def selections(self) -> list[tuple[tuple[str | int, ...], Selection]]:
        """Every selection of the check, with its key path."""
        found: list[tuple[tuple[str | int, ...], Selection]] = []
        for side in ("of", "reaches", "reference", "against"):
            value = getattr(self, side)
            if isinstance(value, Selection):
                found.append(((side,), value))
            elif isinstance(value, Extreme):
                for key in ("best", "worst"):
                    found.extend(((side, key, i), s) for i, s in enumerate(getattr(value, key) or []))
            elif isinstance(value, Drop):
                found += [((side, "from"), value.start), ((side, "to"), value.to)]
        return found

    @property
    def measures(self) -> list[tuple[tuple[str | int, ...], str, str]]:
        """The measures that are asked for: key path, name, and field or fields of each."""
        every = [((), self.quantity), *((place, s.quantity) for place, s in self.selections)]
        spelled = (((*place, "quantity"), q.partition(":")[2]) for place, q in every if q and ":" in q)
        return [(place, name, field) for place, path in spelled for name, _, field in [path.partition(".")]]

    @property
    def ranges(self) -> list[tuple[tuple[str | int, ...], Range]]:
        """The range, and those beside it, with their key paths."""
        own = [] if self.range is None else [(("range",), self.range)]
        return [*own, *((("beside", i), one) for i, one in enumerate(self.beside))]

    @property
    def sparsities(self) -> list[tuple[tuple[str | int, ...], float]]:
        """The sparsities that the ranges list, with their key paths."""
        return [((*place, *inner), s) for place, one in self.ranges for inner, s in _listed(one)]

    def contradictions(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the key path and message of what does not go together in this check."""
        groups = [key for key in ("all", "any") if getattr(self, f"{key}_") is not None]
        given = [
            key
            for field, info in type(self).model_fields.items()
            if (key := info.alias or field) not in ("name", "all", "any") and field in self.model_fields_set
        ]
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
        yield from self._own_quantities()
        yield from self._axis()
        for side in ("of", "against"):
            value = getattr(self, side)
            if isinstance(value, Extreme):
                if (value.best is None) == (value.worst is None):
                    yield (side,), "has both 'best' and 'worst'; allowed: one of them"
                elif not (value.best or value.worst):
                    yield (side,), "has no methods; allowed: a list with at least one"
        if self.compare == "ratio" and isinstance(self.against, int | float) and not self.against:
            yield ("against",), "found 0, by which nothing can be divided; allowed: another number"
        if self.compare == "ratio" and self.margin is None and self.quantity == "accuracy":
            yield ("margin",), "is missing: it is needed where compare is 'ratio'"
        yield from ((place, text) for place, one in self.ranges if (text := _wrong(one)) is not None)

    def _own_quantities(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is wrong with the quantities of sides, and a margin that is missing."""
        if self.quantity not in (None, "accuracy") and self.margin is None:
            yield ("margin",), f"is missing: it is needed where the quantity is '{self.quantity}'"
        measured = (self.quantity or "").startswith("measure:")
        for place, own in ((place, s.quantity) for place, s in self.selections):
            if own is None or own == self.quantity:
                continue
            if place[0] in ("reaches", "reference"):
                yield (*place, "quantity"), f"found '{own}'; allowed: the check's own, '{self.quantity}'"
            elif not (measured and own.startswith("measure:")):
                text = f"found '{own}' beside '{self.quantity}'"
                yield (*place, "quantity"), f"{text}; allowed: the check's own, or two fields of measures"

    def _axis(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is wrong with `along`, `reaches`, `reference` and `over`."""
        curve = self.quantity in AXIS_QUANTITIES
        if self.quantity is None:
            return
        if curve and self.along is None:
            text = f"is missing: it is needed where the quantity is '{self.quantity}'"
            yield ("along",), f"{text}; allowed: 'sparsity' or 'score_at'"
        if self.along is not None and not curve:
            yield ("along",), f"stands with the quantity '{self.quantity}'; allowed: with 'crossing', 'slope'"
        if self.quantity == "crossing" and self.reaches is None:
            yield ("reaches",), "is missing: it is needed where the quantity is 'crossing'"
        if self.reaches is not None and self.quantity != "crossing":
            yield ("reaches",), f"stands with the quantity '{self.quantity}'; allowed: with 'crossing'"
        if self.along == "score_at":
            for place, selection in self.selections:
                if place[0] != "reaches" and selection.score_at is not None:
                    yield (*place, "score_at"), "is the axis of the curve; allowed: absent"
        distance = self.quantity is not None and self.quantity.startswith("distance:")
        if distance and self.reference is None:
            yield ("reference",), "is missing: it is needed where the quantity is a distance"
        if self.reference is not None and not distance:
            text = f"stands with the quantity '{self.quantity}'; allowed: with 'distance:…'"
            yield ("reference",), text
        whole = self.quantity == "range-end" or self.along == "sparsity"
        if whole and self.over != "mean":
            yield ("over",), f"found '{self.over}', where the quantity has one value for the range"
