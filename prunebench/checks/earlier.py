"""How checks were written until 2026-11: each spelling is refused with what it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prunebench.checks.grammar import Place
from prunebench.reading.spelling import show

__all__ = ["earlier_spellings"]

_NOW = {"along": ("crossing", "slope"), "reaches": ("crossing",), "reference": ("distance",)}
"""What were keys of checks and are parameters of these quantities."""


def earlier_spellings(table: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the key path and message of each spelling of a [[check]] table that is no longer one."""
    claim, negated = table.get("claim"), table.get("not")
    above_or_same = claim in ("above", "same")
    if above_or_same or "not" in table:
        word = claim if above_or_same else str(table.get("expect", "above")).removeprefix("not-")
        old = f"claim = '{word}'" if above_or_same else ""
        old += f"{' with ' if old else ''}not = {show(negated)}" if "not" in table else ""
        new = f"not-{word}" if negated is True else word
        yield (), f"{old} is now expect = '{new}'"
    quantity = table.get("quantity", "accuracy")
    moved = {key: table[key] for key in _NOW if key in table}
    for key in moved:
        name = quantity if isinstance(quantity, str) else _NOW[key][0]
        spelled = ", ".join(f"{k} = {show(v)}" for k, v in moved.items())
        yield (key,), f"is a parameter of the quantity now: quantity = {{name = '{name}', {spelled}}}"
    for side in ("of", "against"):
        value = table.get(side)
        if isinstance(value, Mapping) and {"from", "to"} & value.keys():
            yield (
                (side,),
                "a fall from one to the other is the quantity 'drop' now: "
                f"{side} = {{method = …}}, with quantity = {{name = 'drop', to = {{…}}}}",
            )
