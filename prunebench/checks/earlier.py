"""How checks were written until 2026-11: each spelling is refused with what it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prunebench.checks.grammar import Place
from prunebench.reading.spelling import show

__all__ = ["earlier_spellings"]

_TAKE: Mapping[str, Mapping[str, str]] = {
    "slope": {"along": "…"},
    "crossing": {"along": "…", "reaches": "{method = …}"},
    "distance": {"reference": "{method = …}"},
}
"""What were keys of checks and are parameters of these quantities, which need them all."""


def earlier_spellings(table: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the key path and message of each spelling of a [[check]] table that is no longer one."""
    group = next((f"has no place beside '{key}': leave it out" for key in ("all", "any") if key in table), "")
    claim, negated = table.get("claim"), table.get("not")
    above_or_same = claim in ("above", "same")
    if above_or_same or "not" in table:
        word = claim if above_or_same else str(table.get("expect")).removeprefix("not-")
        word = word if word in ("above", "same") else "above"
        old = f"claim = '{word}'" if above_or_same else ""
        old += f"{' with ' if old else ''}not = {show(negated)}" if "not" in table else ""
        new = f"not-{word}" if negated is True else word
        yield (), f"{old} {group}" if group else f"{old} is now expect = '{new}'"
    falls = [] if group else [side for side in ("of", "against") if _falls(table.get(side))]
    asked = {"name": "drop"} if falls else _asked(table.get("quantity", "accuracy"))
    for key in ("along", "reaches", "reference"):
        if key in table:
            yield (key,), group or _now(key, table, asked)
    for side in falls:
        yield (
            (side,),
            "a fall from one to the other is the quantity 'drop' now: "
            f"{side} = {{method = …}}, with quantity = {{name = 'drop', to = {{…}}}}",
        )


def _falls(side: Any) -> bool:
    return isinstance(side, Mapping) and bool({"from", "to"} & side.keys())


def _asked(quantity: Any) -> dict[str, Any]:
    """Return a quantity as a table with its name and parameters."""
    return dict(quantity) if isinstance(quantity, Mapping) else {"name": quantity}


def _now(key: str, table: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return what is said of a key that is a parameter of quantities now; `asked` is the check's quantity."""
    name = str(asked.get("name")).partition(":")[0]
    if key in asked:
        return f"is a parameter of the quantity now, which has '{key}' already: leave it out here"
    if key in _TAKE.get(name, ()):
        return f"is a parameter of the quantity now: quantity = {_spelled(name, table, asked)}"
    takers = [other for other, keys in _TAKE.items() if key in keys]
    best = max(takers, key=lambda other: sum(one in table for one in _TAKE[other]))
    whose = " and ".join(f"'{other}'" for other in takers)
    other = {"name": "distance:…" if best == "distance" else best}
    margin = "" if "margin" in table else ", and a margin"
    return (
        f"is a parameter of {whose} now, not of '{name}': leave it out, or give "
        f"quantity = {_spelled(best, table, other)}{margin}"
    )


def _spelled(name: str, table: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return a quantity as a table with the parameters that it has, those given beside it, and the rest."""
    rest = {key: show(table[key]) if key in table else blank for key, blank in _TAKE[name].items()}
    words = {key: show(value) for key, value in asked.items()}
    words |= {key: word for key, word in rest.items() if key not in asked}
    return "{" + ", ".join(f"{key} = {word}" for key, word in words.items()) + "}"
