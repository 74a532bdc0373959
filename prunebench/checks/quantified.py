"""What a check says with its quantity: the cells and measures that this needs, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from prunebench.checks.asked import (
    Components,
    QuantityTable,
    axis_of,
    field_of,
    name_of,
    selections_of,
    wrong,
)
from prunebench.checks.cells import Cells, Selection
from prunebench.checks.grammar import Check, Place
from prunebench.reading.cursor import Cursor

__all__ = ["axis", "quantities_known", "every_cells", "measures", "reads_kin"]


def asked_by(check: Check) -> list[tuple[Place, str | QuantityTable, list[tuple[Place, Selection]]]]:
    """Return the quantities of a check and of its sides, with their key paths and the sides they are of."""
    plain = [(place, side) for place, side in check.sides if side.quantity is None]
    own = [
        ((*place, "quantity"), side.quantity, [(place, side)])
        for place, side in check.sides
        if side.quantity is not None
    ]
    return [(("quantity",), check.quantity, plain or check.sides[:0]), *own]


def reads_kin(check: Check, host: Components) -> bool:
    """True if a quantity of the check reads the networks of a family beside its own."""
    if check.group:
        return False
    return any(host.get("quantities", name_of(asked)).kin for _, asked, _ in asked_by(check))


def axis(check: Check, host: Components) -> str:
    """Return what the check's curves are read along: "sparsity", "score_at", or "" where they are none."""
    return axis_of(check.quantity, host.get("quantities", name_of(check.quantity)))


def measures(check: Check, host: Components) -> list[tuple[Place, str, str]]:
    """Return the measures that are asked for: key path, name, and field or fields of each."""
    listed = []
    for place, asked, _ in asked_by(check):
        quantity = host.get("quantities", name_of(asked))
        field = field_of(asked, quantity)
        if field is not None:
            at = (*place, quantity.path) if _tabled(asked, quantity.path) else place
            listed.append((at, *field))
    return listed


def _tabled(asked: str | QuantityTable, key: str) -> bool:
    return not isinstance(asked, str) and key in asked.changes


def every_cells(check: Check, host: Components) -> list[tuple[Place, Cells]]:
    """Return the cells of both sides, and those that the quantity's parameters name, with their key paths.

    A parameter that names no method means the side's own cells with its changes.
    """
    listed: list[tuple[Place, Cells]] = list(check.sides)
    for place, asked, sides in asked_by(check):
        quantity = host.get("quantities", name_of(asked))
        for key, table in selections_of(asked, quantity).items():
            if "method" in table:
                listed.append(((*place, key), Cells.model_validate(table)))
            else:
                listed += [((*place, key), Cells.model_validate(side.changed(table))) for _, side in sides]
    return listed


def quantities_known(check: Check, here: Cursor, host: Components) -> bool:
    """Note what is wrong with the quantities of a check; return True if they can be looked up and read."""
    before = here.noted
    for place, asked, sides in asked_by(check):
        for inner, message in wrong(asked, host):
            here.at(*place, *inner).problem(message)
        if here.noted == before:
            quantity = host.get("quantities", name_of(asked))
            for key, table in selections_of(asked, quantity).items():
                _cells(table, sides, here.at(*place, key))
    if here.noted > before:
        return False
    for place, message in _together(check, host):
        here.at(*place).problem(message)
    return True


def _cells(table: Any, sides: list[tuple[Place, Selection]], here: Cursor) -> None:
    """Note what is wrong with a parameter that names cells."""
    side = sides[0][1] if sides else None
    whole = table if side is None or "method" in table else side.changed(table)
    try:
        Cells.model_validate(whole)
    except ValidationError as error:
        here.not_valid(error, Cells)


def _together(check: Check, host: Components) -> Iterator[tuple[Place, str]]:
    """Yield what does not go with the quantity: a margin that is missing, own quantities, `over`, points."""
    name = name_of(check.quantity)
    quantity = host.get("quantities", name)
    shown = check.quantity if isinstance(check.quantity, str) else check.quantity.name
    if check.margin is None and not quantity.points:
        yield ("margin",), f"is missing: it is needed where the quantity is '{shown}'"
    elif check.margin is None and check.compare == "ratio":
        yield ("margin",), "is missing: it is needed where compare is 'ratio'"
    for place, own, _ in asked_by(check)[1:]:
        if own != check.quantity and name_of(own) != name:
            text = f"found '{own if isinstance(own, str) else own.name}' beside '{shown}'"
            yield place, f"{text}; allowed: the check's own, or the same with other parameters"
    along = axis(check, host)
    if along == "score_at":
        for place, side in check.sides:
            if side.score_at is not None:
                yield (*place, "score_at"), "is the axis of the curve; allowed: absent"
    if along == "sparsity" and check.over != "mean":
        yield ("over",), f"found '{check.over}', where the quantity has one value for the range"
