"""The checks of a file: families filled in, every table validated, and what they speak of looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunebench.checks.asked import Components
from prunebench.checks.cells import Kind
from prunebench.checks.claims import Claim
from prunebench.checks.earlier import earlier_spellings
from prunebench.checks.grammar import Check
from prunebench.checks.groups import name_groups, refuse_circles
from prunebench.checks.quantified import quantities_known
from prunebench.checks.references import Spelled, are_there, have_cells, reported_there
from prunebench.checks.reported import Reported
from prunebench.reading.cursor import Cursor
from prunebench.reading.families import entries, members, names_differ, tables

__all__ = ["Read", "read_checks"]


@dataclass(frozen=True)
class Read:
    """The checks of a file with their places, those that its reported numbers make among them."""

    checks: Sequence[tuple[Cursor, Check]]
    claims: Sequence[Claim]
    reported: Sequence[tuple[Cursor, Reported]]
    _readable: Sequence[tuple[Cursor, Check]]
    """Those whose quantities are known: of the others nothing more can be said."""

    def look_up(self, spelled: Spelled, host: Components) -> None:
        """Note every name that is spoken of and that no matrix spells."""
        are_there(self._readable, self.claims, spelled, host)
        refuse_circles(self.checks)

    def find_cells(self, kinds: Sequence[Kind], host: Components) -> None:
        """Note every selection without cells, and every sparsity that its cells do not have."""
        have_cells(self._readable, kinds, host)

    def find_reported(self, kinds: Sequence[Kind]) -> None:
        """Note every reported number that is of no cell."""
        for here, one in self.reported:
            reported_there(one, here, kinds)


def read_checks(content: Mapping[str, Any], here: Cursor, host: Components) -> Read:
    """Return the checks, claims and reported numbers of a file; what is wrong with them is noted."""
    claims = [
        (place, claim)
        for place, table in tables(content, "claim", here)
        if (claim := place.validate(Claim, table)) is not None
    ]
    names_differ(((place, claim.id) for place, claim in claims), "id")
    reported = [
        (place, one)
        for place, table in _members(content, "reported", here)
        if (one := _reported(table, place, host)) is not None
    ]
    given = [*_members(content, "check", here)]
    given += [(place, table) for place, one in reported for table in one.checks()]
    checks = [(place, check) for place, table in given if (check := _check(table, place)) is not None]
    checks = name_groups(checks)
    names_differ((place, check.name) for place, check in checks)
    readable = [
        (place, check) for place, check in checks if check.group or quantities_known(check, place, host)
    ]
    return Read(checks, [claim for _, claim in claims], reported, readable)


def _members(
    content: Mapping[str, Any], key: str, here: Cursor
) -> Iterator[tuple[Cursor, Mapping[str, Any]]]:
    """Yield the tables of a key, with those that `each` and `for` make of one."""
    what = key if key == "check" else "table"
    for whole, table in tables(content, key, here):
        for place, entry in entries(table, whole):
            for member in members(entry, place, content.get("sets"), what):
                yield place, member


def _check(table: Mapping[str, Any], here: Cursor) -> Check | None:
    earlier = list(earlier_spellings(table))
    for location, message in earlier:
        here.at(*location).problem(message)
    if earlier:  # what stands for the check keeps others that name it from being refused as well
        name = table.get("name")
        return Check.model_construct(name=name, all_=[]) if isinstance(name, str) else None
    check = here.validate(Check, table)
    for location, message in check.contradictions() if check is not None else ():
        here.at(*location).problem(message)
    return check


def _reported(table: Mapping[str, Any], here: Cursor, host: Components) -> Reported | None:
    one = here.validate(Reported, table)
    for location, message in one.contradictions(host) if one is not None else ():
        here.at(*location).problem(message)
    return one
