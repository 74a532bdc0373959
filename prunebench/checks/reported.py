"""Numbers that a paper or another program reports: shown beside ours, and checks of what should agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from prunebench.checks.asked import Components, axis_of, name_of, wrong
from prunebench.checks.cells import Kind, Labels, Selection, Where
from prunebench.checks.grammar import Place, Range
from prunebench.reading.grid import density_on_grid
from prunebench.reading.labels import point_label
from prunebench.reading.spelling import show
from prunebench.reading.tables import Name, Sparsity, wanted

__all__ = ["Reported", "reported_rows"]

SETTING = ("architecture", "dataset", "recipe", "find", "score_at", "split")


def _agrees(value: Any) -> Any:
    if value is None or value is True:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return value
    raise wanted("a number of at least 0, or true for the setting's own margin")


class Reported(Selection):
    """The numbers that a source gives for a method, one for each sparsity: percent, or of another quantity.

    With `agrees` each of them is a check: ours is the same within so much.
    """

    source: str
    name: Name | None = None
    """Begins the names of its checks; without it they begin with the setting and the method."""
    for_: None = Field(default=None, alias="for")
    each: None = None
    where: Where = Where()
    sparsities: Annotated[list[Sparsity], Field(min_length=1)] | None = None
    range: Range | None = None
    """Instead of sparsities, where one value is of a whole range."""
    values: Annotated[list[float | Literal["diverged"]], Field(min_length=1)]
    runs: Annotated[int, Field(ge=1)] | None = None
    against: Selection | None = None
    """What is reported is the difference from these cells, or the ratio to them."""
    compare: Literal["difference", "ratio"] = "difference"
    agrees: Annotated[float | bool | None, BeforeValidator(_agrees)] = None
    """The margin of these checks; true for the setting's own, δ."""
    claim: Name | None = None

    def contradictions(self, host: Components) -> Iterator[tuple[Place, str]]:
        """Yield the key path and message of what does not go together."""
        asked = self.quantity or "accuracy"
        faults = list(wrong(asked, host))
        yield from ((("quantity", *place), message) for place, message in faults)
        if faults:
            return
        whole = axis_of(asked, host.get("quantities", name_of(asked))) == "sparsity"
        if not self.accuracies and self.agrees is None:
            yield ("quantity",), "needs 'agrees', as tables show reported accuracies alone"
        if self.compare == "ratio" and self.against is None:
            yield ("compare",), "needs 'against', the cells to which the values are ratios"
        if self.agrees is True and (own := self._no_margin(host)):
            yield ("agrees",), f"found true; allowed: a number where {own}"
        if (self.sparsities is None) != whole or (self.range is None) == whole:
            key, other = ("range", "sparsities") if whole else ("sparsities", "range")
            of = f"where the quantity is '{name_of(asked)}'"
            if self.range is not None and not whole:
                yield ("range",), f"is for quantities with the axis 'sparsity'; allowed: 'sparsities' {of}"
            elif getattr(self, key) is None:
                yield (key,), f"is missing: it is needed {of}"
            else:
                yield (other,), f"stands beside '{key}'; allowed: '{key}' alone {of}"
            return
        places = 1 if self.sparsities is None else len(self.sparsities)
        if len(self.values) != places:
            of = "the range" if self.sparsities is None else f"each of {places} sparsities"
            yield ("values",), f"has {len(self.values)} values; allowed: one for {of}"
        if self.accuracies:
            for i, value in enumerate(self.values):
                if isinstance(value, float) and not 0 <= value <= 100:
                    bound = "at least 0" if value < 0 else "at most 100"
                    yield ("values", i), f"found {value:g}; allowed: a number of {bound}"
        for i, sparsity in enumerate(self.sparsities or []) if self.agrees is not None else ():
            if sparsity in (self.sparsities or [])[:i]:
                yield ("sparsities", i), f"found {show(sparsity)} once more; allowed: each once with 'agrees'"
        if self.agrees is None:
            for key in ("name", "claim"):
                if getattr(self, key) is not None:
                    yield (key,), "needs 'agrees', which makes a check of each value"

    def _no_margin(self, host: Components) -> str:
        """Return where the setting's margin, points of accuracy, is no margin: for these values, or ""."""
        asked = self.quantity or "accuracy"
        if not host.get("quantities", name_of(asked)).points:
            return f"the quantity is '{asked if isinstance(asked, str) else asked.name}'"
        return "compare is 'ratio'" if self.compare == "ratio" and self.against is not None else ""

    @property
    def names(self) -> list[str]:
        """The names of the checks that the sparsities make where `agrees` is given."""
        if self.agrees is None:
            return []
        places = range(len(self.values) if self.sparsities is None else len(self.sparsities))
        return list(dict.fromkeys(map(self._name, places)))

    @property
    def accuracies(self) -> bool:
        """True if the values are accuracies, which tables show beside ours."""
        return self.quantity in (None, "accuracy") and self.against is None

    @property
    def matrix(self) -> str:
        """The matrix that `where` names; "" where it names none, or several."""
        named = self.where.matrix or []
        return named[0] if len(named) == 1 else ""

    def selects(self, labels: Labels) -> bool:
        """Return True if cells of these labels are of this method and setting; sparsity is not asked."""
        return self.means(labels, every_point=self.score_at is None) and self.where.has(labels)

    def checks(self) -> Iterator[dict[str, Any]]:
        """Yield the [[check]] tables that the values make where `agrees` is given; none of "diverged"."""
        if self.agrees is None:
            return
        side = {key: getattr(self, key) for key in Selection.model_fields if key in self.model_fields_set}
        side.pop("quantity", None)
        for i, value in enumerate(self.values):
            if value == "diverged":
                continue
            within: Any = self.range
            if self.sparsities is not None:  # of the unpruned network alone there is no range of the paper's
                sparsity = self.sparsities[i]
                within = {"paper": [sparsity]} if sparsity else [sparsity]
            table: dict[str, Any] = {"name": self._name(i), "of": side, "range": within}
            if self.against is None:
                table["against"] = value
            else:
                table |= {"against": self.against, "compare": self.compare, "by": value}
            table |= {"where": self.where, "expect": "same"}
            if self.agrees is not True:
                table["margin"] = self.agrees
            for key in ("quantity", "claim"):
                if getattr(self, key) is not None:
                    table[key] = getattr(self, key)
            yield table

    def checked(self, i: int) -> str:
        """Return the name of the check of the i-th value; "" where there is none."""
        return "" if self.agrees is None else self._name(i)

    def _name(self, i: int) -> str:
        """Return the name of the check of the i-th value: what is given, or the setting and the method."""
        point = [] if self.score_at is None else [point_label(self.score_at)]
        settings = [name for key in type(self.where).model_fields for name in getattr(self.where, key) or []]
        parts = [*settings, *self.setting.values(), self.method, *self.ablations, *point]
        asked = self.quantity
        parts += [] if asked is None else [asked if isinstance(asked, str) else asked.name]
        parts = [self.name] if self.name else parts
        if self.sparsities is not None and (self.name is None or len(self.sparsities) > 1):
            parts.append(f"{100 * self.sparsities[i]:.4g}")
        return "-".join(_word(part) for part in parts)


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-")


def reported_rows(reported: Sequence[Reported], kinds: Sequence[Kind]) -> list[Mapping[str, Any]]:
    """Return a row for each number that is reported, and setting: its labels, whose it is, and the number.

    - `matrix`: the one that the numbers are of, "" where they name none or several: a source may report one
      network twice, in two tables of its own, and both numbers stand.
    - `method`, `ablations`, `density`: of which cells; no density where the number is of a whole range.
    - `quantity`, `against`, `compare`: of what the number is; a difference from `against`, or a ratio to it.
    - `value`, `source`, `runs`: the number, None where a run diverged; where it stands; over how many runs.
    - `check`: the check of the suite that asks whether ours is the same; "" where none does of this setting
      alone.
    """
    return [
        {**labels, **row}
        for one in reported
        for settings in [_settings(one, kinds)]
        for labels, grid in settings
        if one.accuracies or _asked_in(one, labels)
        for row in _numbers(
            one, grid, asked=[each for each, _ in settings if _asked_in(one, each)] == [labels]
        )
    ]


def _settings(one: Reported, kinds: Sequence[Kind]) -> list[tuple[dict[str, str], list[Any]]]:
    """Return the settings of which numbers are, with all densities of these cells."""
    mine = [kind for kind in kinds if one.selects(kind.labels)]
    grid = sorted(set().union(*(kind.densities for kind in mine)))
    return [
        (dict(labels), grid) for labels in {tuple((k, kind.labels[k]) for k in SETTING): 0 for kind in mine}
    ]


def _asked_in(one: Reported, labels: Labels) -> bool:
    """Return True of settings that a check is about which names no pruning step: those without one."""
    return one.score_at is not None or not labels["score_at"]


def _numbers(one: Reported, grid: Sequence[Any], *, asked: bool) -> Iterator[dict[str, Any]]:
    places = [None] if one.sparsities is None else one.sparsities
    other = one.against
    for i, (sparsity, value) in enumerate(zip(places, one.values, strict=True)):
        lost = value == "diverged"
        yield {
            "matrix": one.matrix,
            "method": one.method,
            "ablations": one.ablations_label,
            "density": "" if sparsity is None else density_on_grid(sparsity, grid, sparsity=True),
            "quantity": _spelled(one.quantity or "accuracy"),
            "against": "" if other is None else "+".join(filter(None, (other.method, other.ablations_label))),
            "compare": "" if other is None else one.compare,
            "value": None if lost else value,
            "source": one.source,
            "runs": one.runs,
            "check": one.checked(i) if asked and not lost else "",
        }


def _spelled(quantity: Any) -> str:
    return quantity if isinstance(quantity, str) else str(quantity.name)
