"""The checks of a file: families filled in, every table validated, and all that they name looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class _Readable(NamedTuple):
    """A check whose quantities are known (of another nothing more can be said)."""

    here: Cursor
    check: Check
    reported: int | None
    """Which of the reported tables makes it."""


@dataclass(frozen=True)
class Read:
    """The checks of a file with their places, those that its reported numbers make among them."""

    checks: Sequence[tuple[Cursor, Check]]
    claims: Sequence[Claim]
    reported: Sequence[tuple[Cursor, Reported]]
    _readable: Sequence[_Readable]
    _ids: Collection[str]
    """Of all claims that the file has, those that are refused among them."""

    def look_up(self, spelled: Spelled, host: Components) -> Sequence[_Readable]:
        """Note every name that no matrix spells; return the checks all of whose names are there."""
        there = []
        for one in self._readable:
            before = one.here.noted
            are_there(one.check, one.here, self._ids, spelled, host)
            if one.here.noted == before:
                there.append(one)
        refuse_circles(self.checks)
        return there

    def find_cells(self, there: Sequence[_Readable], kinds: Sequence[Kind], host: Components) -> None:
        """Note every selection without cells, and every sparsity that its cells do not have.

        `there` are the checks that `look_up` returned. What a reported number and its checks both lack is
        told once.
        """
        have_cells([(one.here, one.check) for one in there if one.reported is None], kinds, host)
        unnamed = {one.reported for one in self._readable} - {one.reported for one in there}
        for i, (here, reported) in enumerate(self.reported):
            before = here.noted
            reported_there(reported, here, kinds, named=i not in unnamed)
            if here.noted == before:  # its checks differ in the sparsity alone
                first = [(one.here, one.check) for one in there if one.reported == i][:1]
                have_cells(first, kinds, host)


def read_checks(content: Mapping[str, Any], here: Cursor, host: Components) -> Read:
    """Return the checks, claims and reported numbers of a file; what is wrong with them is noted."""
    given_claims = list(tables(content, "claim", here))
    ids = [name for _, table in given_claims if isinstance(name := table.get("id"), str)]
    claims = [
        (place, claim) for place, table in given_claims if (claim := place.validate(Claim, table)) is not None
    ]
    names_differ(((place, claim.id) for place, claim in claims), "id")
    reported: list[tuple[Cursor, Reported]] = []
    given: list[tuple[Cursor, Check, int | None]] = []
    stand_ins: list[tuple[Cursor, Check]] = []
    for place, table in _members(content, "check", here):
        if (check := _check(table, place)) is not None:
            given.append((place, check, None))
    for place, table in _members(content, "reported", here):
        before = place.noted
        one = _reported(table, place, host)
        if one is not None and place.noted == before:
            made = [place.validate(Check, made) for made in one.checks()]
            given += [(place, check, len(reported)) for check in made if check is not None]
        elif one is not None:
            stand_ins += [(place, _stand_in(name)) for name in one.names]
        if one is not None:
            reported.append((place, one))
    checks = name_groups([*((place, check) for place, check, _ in given), *stand_ins])[: len(given)]
    names_differ((place, check.name) for place, check in checks)
    readable = [
        _Readable(place, check, of)
        for (place, check), (*_, of) in zip(checks, given, strict=True)
        if check.group or quantities_known(check, place, host)
    ]
    return Read(checks, [claim for _, claim in claims], reported, readable, ids)


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
    if earlier:
        name = table.get("name")
        return _stand_in(name) if isinstance(name, str) else None
    check = here.validate(Check, table)
    for location, message in check.contradictions() if check is not None else ():
        here.at(*location).problem(message)
    return check


def _stand_in(name: str) -> Check:
    """Return what keeps others that name a refused check from being refused as well."""
    return Check.model_construct(name=name, all_=[])


def _reported(table: Mapping[str, Any], here: Cursor, host: Components) -> Reported | None:
    one = here.validate(Reported, table)
    for location, message in one.contradictions(host) if one is not None else ():
        here.at(*location).problem(message)
    return one
