"""What a check compares in a setting: the methods of its sides, the sparsities, the cells that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from prunebench.analysis import variant_name
from prunebench.checks.asked import QuantityTable, axis_of, field_of, name_of, parameters_of, selections_of
from prunebench.checks.cells import Cells, Extreme, Selection, Where
from prunebench.checks.curves import Curves
from prunebench.checks.grammar import Check
from prunebench.checks.lanes import Lane, Table
from prunebench.checks.quantities import which
from prunebench.labels import FAMILY
from prunebench.reading.labels import find_label, point_label

__all__ = ["Pick", "Setting", "Side", "selections", "settings_of", "side_name", "sides_told"]


@dataclass(frozen=True)
class Setting:
    """Where a check compares: what its cells have in common but for what a side names itself."""

    family: tuple[str, ...]
    find: str

    @property
    def words(self) -> str:
        """The setting as a heading has it."""
        *names, split = self.family
        shown = [name for name in names if name]
        return ", ".join(
            [*shown, *([] if split in ("", "test") else [split]), *([self.find] if self.find else [])]
        )


@dataclass(frozen=True, eq=False)
class Pick:
    """Cells of one method that a side, or a parameter of its quantity, means in a setting."""

    lane: Lane
    places: Mapping[str, Sequence[int]]
    """By density; of the unpruned network, which has one, that place at "1"."""
    unpruned: bool

    def indices(self, densities: Sequence[str]) -> list[int]:
        """Return the places at these densities; those of the unpruned network stand for any."""
        if self.unpruned and not set(densities) <= self.places.keys():
            return [self.places["1"][0]] * len(densities)
        return [i for density in densities for i in self.places[density]]

    def curves(self, densities: Sequence[str], columns: Sequence[int]) -> Curves:
        """Return the curves at these densities and seeds (their columns)."""
        curves = self.lane.at(tuple(self.indices(densities)))
        if self.unpruned:
            curves = replace(curves, sparsities=np.array([round(1 - float(d), 12) for d in densities]))
        return _at_seeds(curves, columns)


def _at_seeds(curves: Curves, columns: Sequence[int]) -> Curves:
    """Return the curves of some of the seeds, by their columns."""
    if list(columns) == list(range(len(curves.seeds))):
        return curves
    index = np.asarray(columns, dtype=np.intp)
    return replace(
        curves,
        seeds=tuple(curves.seeds[i] for i in index),
        accuracy=curves.accuracy[:, index],
        diverged=curves.diverged[:, index],
        planned=curves.planned[:, index],
        dense=curves.dense[index],
        weights=curves.weights[:, index],
        measures={name: values[:, index] for name, values in curves.measures.items()},
    )


class Side(NamedTuple):
    """One selection of a side: its cells, its quantity, and the cells that the quantity's parameters name."""

    name: str
    pick: Pick
    asked: str | QuantityTable
    quantity: Any
    parameters: Mapping[str, Any]
    others: Mapping[str, Pick]
    dense: tuple[Lane, int] | None
    """The unpruned network of the side's setting: its lane and place."""
    measure: str
    """The measure whose numbers are compared; "" where it is none."""
    axis: str
    """What the curves are read along: "sparsity", "score_at", or "" where they are none."""
    kin: tuple[Lane, ...] = ()
    """Of a quantity that reads its family: the rest of it that it reads."""
    unpruned_kin: tuple[tuple[Lane, int], ...] = ()
    """The unpruned networks of the family, lanes and places: its own first."""

    @property
    def picks(self) -> tuple[Pick, ...]:
        """All cells that are needed."""
        return (self.pick, *self.others.values())


def selections(side: Any) -> list[Selection]:
    """Return the selections of a side: none of a number."""
    if isinstance(side, Extreme):
        return [one for listed in side.given.values() for one in listed]
    return [side] if isinstance(side, Selection) else []


def side_name(side: Any) -> str:
    """Return what a side is called in tables."""
    if isinstance(side, Extreme):
        word = " ".join("from best to worst" if key == "gap" else key for key in side.given)
        return f"{word} of {', '.join(_name(one) for one in selections(side))}"
    return _name(side) if isinstance(side, Selection) else f"{side:.12g}"


def sides_told(of: Any, against: Any, asked: str | QuantityTable) -> tuple[str, str]:
    """Return what both sides of a check are called; where it is the same, each with its own quantity.

    `asked` is the check's quantity, which sides without one have.
    """
    names = side_name(of), side_name(against)
    if names[0] != names[1] or not (isinstance(of, Selection) and isinstance(against, Selection)):
        return names
    mine, other = (side.quantity or asked for side in (of, against))
    return tuple(  # type: ignore[return-value]
        f"{_told_apart(own, beside)} of {name}"
        for own, beside, name in ((mine, other, names[0]), (other, mine, names[1]))
    )


def _told_apart(asked: str | QuantityTable, other: str | QuantityTable) -> str:
    """Return a quantity with those of its parameters that another has not, or has otherwise."""
    name, own = _parts(asked)
    _, beside = _parts(other)
    said = [_parameter(key, value) for key, value in own.items() if beside.get(key) != value]
    return f"{name} ({', '.join(said)})" if said else name


def _parts(asked: str | QuantityTable) -> tuple[str, dict[str, Any]]:
    return (asked, {}) if isinstance(asked, str) else (asked.name, asked.changes)


def _parameter(key: str, value: Any) -> str:
    if value is True:
        return key
    if isinstance(value, dict):
        return f"{key} {', '.join(_parameter(*each) for each in value.items())}"
    if isinstance(value, list | tuple):
        ends = [f"{one:.12g}" if isinstance(one, float) else str(one) for one in value]
        return f"{key} {' – '.join(ends)}"
    return f"{key} {value}"


def _name(one: Cells) -> str:
    name = variant_name(one.method, one.ablations_label)
    point = [] if one.score_at is None else [f"at {point_label(one.score_at)}"]
    find = [] if not one.find else [f"found with {find_label(one.find)}"]
    return " ".join([name, *point, *find, *(f"on {value}" for value in one.setting.values())])


def settings_of(
    check: Check, table: Table, quantities: Any, *, itself: bool = False
) -> Iterator[tuple[Setting, list[Side], list[Side]]]:
    """Yield the settings that have all cells of a check's sides: both sides' selections there.

    Where both sides are the same cells there is nothing to compare: such settings come with `itself` alone.
    """
    both = [selections(check.of), selections(check.against)]
    every = [one for side in both for one in side]
    seen: set[tuple[int, ...]] = set()
    for setting in _candidates(check.where, every, table):
        sides = [[_side(one, check, setting, table, quantities) for one in side] for side in both]
        resolved = [[side for side in group if side is not None] for group in sides]
        lanes = tuple(id(side.pick.lane) for group in resolved for side in group)
        whole = [len(group) for group in resolved] == [len(group) for group in both]
        alike = _kind(check.of) == _kind(
            check.against
        )  # the best of some may be compared with the worst of them
        if whole and lanes not in seen and itself == (alike and _itself(*resolved)):
            seen.add(lanes)
            yield setting, resolved[0], resolved[1]


def _candidates(where: Where, every: Sequence[Selection], table: Table) -> Iterator[Setting]:
    """Yield the settings of the selection that names least of one, with all find changes of the others."""
    base = min(every, key=lambda one: len(one.setting))
    families: dict[tuple[str, ...], dict[str, None]] = {
        family: {} for family in _families(base, table) if _where(where, base, family)
    }
    for one in every:
        for family, by_find in _families(one, table).items():
            if family in families:
                families[family].update(dict.fromkeys(by_find if one.find is None else [""]))
    for family, finds in families.items():
        yield from (Setting(family, find) for find in finds)


def _families(one: Cells, table: Table) -> Mapping[tuple[str, ...], Mapping[str, Lane]]:
    return table.named.get((one.method, one.ablations_label), {})


def _kind(side: Any) -> object:
    return tuple(side.given) if isinstance(side, Extreme) else type(side)


def _itself(of: Sequence[Side], against: Sequence[Side]) -> bool:
    """Return True if both sides are the same cells and number, as where one names the other's setting."""
    return [(id(s.pick.lane), s.pick.places, s.asked) for s in of] == [
        (id(s.pick.lane), s.pick.places, s.asked) for s in against
    ]


def _where(where: Where, one: Cells, family: Sequence[str]) -> bool:
    """Return True if a family is in the check's settings and in those that a selection names itself."""
    labels = dict(zip(FAMILY, family, strict=True))
    own = one.setting
    return where.has({**labels, "matrix": ""}, but={*own, "matrix"}) and all(
        labels[key] == name for key, name in own.items()
    )


def _side(one: Selection, check: Check, setting: Setting, table: Table, quantities: Any) -> Side | None:
    asked = one.quantity or check.quantity
    quantity = quantities(name_of(asked))
    along = axis_of(asked, quantity)
    any_point = along == "score_at"
    parameters = dict(parameters_of(asked, quantity))
    pick = _pick(one, check.where, setting, table, any_point)
    others = {}
    for key, cells in selections_of(asked, quantity).items():
        named = Cells.model_validate(cells if "method" in cells else one.changed(cells))
        other = _pick(named, check.where, setting, table, any_point)
        if other is None:
            return None
        others[key] = other
        parameters.pop(key)
    if pick is None:
        return None
    dense = table.unpruned.get(pick.lane.line.family)
    field = field_of(asked, quantity)
    kin = _kin(quantity, pick, parameters, table) if quantity.kin else ()
    lanes = [pick.lane, *kin] if quantity.kin else []
    whole = [table.unpruned[lane.line.family] for lane in lanes if lane.line.family in table.unpruned]
    read = field[0] if field else ""
    return Side(_name(one), pick, asked, quantity, parameters, others, dense, read, along, kin, tuple(whole))


def _kin(quantity: Any, pick: Pick, parameters: Mapping[str, Any], table: Table) -> tuple[Lane, ...]:
    """Return the lanes of the rest of the family that a quantity reads."""
    others = table.kin.get(pick.lane.line, ())
    if quantity.reads is None:
        return others
    return tuple(
        lane
        for lane, is_read in zip(others, which(quantity, pick.lane.curves, parameters), strict=True)
        if is_read
    )


def _pick(one: Cells, where: Where, setting: Setting, table: Table, any_point: bool) -> Pick | None:
    labels = {**dict(zip(FAMILY, setting.family, strict=True)), **one.setting}
    family = tuple(labels[key] for key in FAMILY)
    find = setting.find if one.find is None else find_label(one.find)
    lanes = table.variants.get((family, one.method, one.ablations_label), {})
    unpruned = one.method == table.dense
    lane = lanes.get(find)
    if lane is None and one.find is None:
        lane = lanes.get("") or (next(iter(lanes.values()), None) if unpruned else None)
    if lane is None:
        return None
    point = (
        None
        if any_point and one.score_at is None
        else ""
        if one.score_at is None
        else point_label(one.score_at)
    )
    places = lane.places(lane.densities, point, where.matrix)
    if not places and unpruned:
        places = lane.places(lane.densities, None, where.matrix)
    return Pick(lane, places, unpruned) if places else None
