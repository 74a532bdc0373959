"""A place in a file that is read, and all that is wrong with the file, raised at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from prunebench.errors import SuiteError
from prunebench.reading.messages import translate, unknown
from prunebench.reading.spelling import at

__all__ = ["Cursor", "Location", "Problems"]

Location = tuple[str | int, ...]
"""Keys and indices that lead to a value of a file."""

M = TypeVar("M", bound=BaseModel)


class Problems:
    """Collects what is wrong with one file."""

    def __init__(self, file: str = "", content: Any = None) -> None:
        self.file = file
        self.content = content
        self.noted = 0
        """How many were noted, repeats and those of settled values included."""
        self._members: dict[tuple[str, str], list[str]] = {}
        self._settled: set[str] = set()
        self._filled: dict[str, tuple[Location, Any]] = {}

    def settle(self, location: Location) -> None:
        """Take no further problems of a value, nor of the tables and lists that it is directly in."""
        self._settled |= {self.path(location[:n]) for n in range(min(len(location), 3), len(location) + 1)}

    def add(self, location: Location, message: str, member: str = "") -> None:
        """Note a problem at a location; an index into a single value that stands for a list is left out.

        `member` says which of those that one table stands for has the problem.
        """
        self.noted += 1
        path = self.path(location, member)
        if path in self._settled:
            return
        members = self._members.setdefault((path, message), [])
        if member and member not in members:
            members.append(member)

    def path(self, location: Location, member: str = "") -> str:
        """Return the key path of a location, as the file spells it, or the member's filled table."""
        return at(*self._spelled(location, self._filled.get(member)))

    def fill(self, location: Location, member: str, table: Any) -> None:
        """Take a table for what stands at a location, for one of those that the table there stands for."""
        self._filled[member] = (location, table)

    def _spelled(self, location: Location, filled: tuple[Location, Any] | None = None) -> Location:
        """Keep the parts of a location that are there: no tags of unions, no index into a single value."""
        if self.content is None:
            return location
        node = self.content
        spelled: list[str | int] = []
        for place, part in enumerate(location):
            if filled is not None and location[:place] == filled[0]:
                node = filled[1]
            last = place == len(location) - 1
            if isinstance(part, int):
                if isinstance(node, list):
                    spelled.append(part)
                    node = node[part] if part < len(node) else None
            elif isinstance(node, dict) and (part in node or last) and not part.startswith("<"):
                spelled.append(part)
                node = node.get(part)
        return tuple(spelled)

    def has(self, location: Location, member: str = "") -> bool:
        """Return whether the file spells something at a location, or the member's table there."""
        node, filled = self.content, self._filled.get(member)
        for place, part in enumerate(location):
            if filled is not None and location[:place] == filled[0]:
                node = filled[1]
            if isinstance(part, int) and not isinstance(node, list):
                continue  # a single value that stands for a list
            there = part in node if isinstance(node, dict) else isinstance(part, int) and part < len(node)
            if not there:
                return False
            node = node[part]
        return True

    @property
    def lines(self) -> list[str]:
        """A line for each problem: file, key path, message and the members that have it."""
        return [
            ": ".join(part for part in (self.file, path, message + _of(members)) if part)
            for (path, message), members in self._members.items()
        ]

    def __bool__(self) -> bool:
        return bool(self._members)

    def raise_all(self) -> None:
        """Raise all problems as one SuiteError, if there are any."""
        if self:
            raise SuiteError("\n".join(self.lines))


def _of(members: list[str]) -> str:
    more = f" and {len(members) - 1} more" if len(members) > 1 else ""
    return f" ({members[0]}{more})" if members else ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a file: `here / "methods" / 3` is one further inside, `here.problem(…)` notes what is wrong.

    `member` names which of those that one table stands for is read (see `families`).
    """

    problems: Problems
    location: Location = ()
    member: str = ""
    _moved: Mapping[str, Cursor] = field(default_factory=dict)

    def __truediv__(self, part: str | int) -> Cursor:
        return self.at(part)

    def at(self, *parts: str | int) -> Cursor:
        """Return the place that these keys and indices lead to from here."""
        if not parts:
            return self
        first, *rest = parts
        moved = self._moved.get(str(first))
        if moved is not None:
            return moved.at(*rest)
        if not self._moved:
            return Cursor(self.problems, (*self.location, *parts), self.member)
        return Cursor(self.problems, (*self.location, first), self.member).at(*rest)

    def moved(self, keys: Mapping[str, Cursor]) -> Cursor:
        """Return this place with keys that stand elsewhere in the file: `here / key` is `keys[key]` then."""
        return replace(self, _moved={**self._moved, **keys})

    def of(self, member: str, table: Any) -> Cursor:
        """Return this place as it is read for one of those that its table stands for, filled in."""
        self.problems.fill(self.location, member, table)
        return replace(self, member=member)

    def aside(self) -> Cursor:
        """Return this place, with problems that nobody is told of."""
        return Cursor(Problems(self.problems.file, self.problems.content), self.location, self.member)

    @property
    def whole(self) -> Cursor:
        """This place as the file has it, whatever its table stands for."""
        return replace(self, member="")

    @property
    def path(self) -> str:
        """The key path, as the file spells it."""
        return self.problems.path(self.location, self.member)

    @property
    def noted(self) -> int:
        """How many problems the file has so far: more of them afterwards mean that something was wrong."""
        return self.problems.noted

    def spelled(self, key: str) -> Cursor:
        """Return the place of a key of the table here; where the file does not spell it, the table's own."""
        return self / key if self.problems.has((self / key).location, self.member) else self

    def problem(self, message: str) -> None:
        """Note what is wrong here."""
        self.problems.add(self.location, message, self.member)

    def unknown(self, name: str, what: str, allowed: Iterable[str]) -> None:
        """Note that a name is none of those allowed, with the nearest; `allowed` is read twice."""
        self.problem(unknown(name, what, allowed))

    def validate(self, model: type[M], table: Mapping[str, Any]) -> M | None:
        """Return the table here as a model; None where there were problems, which are noted."""
        try:
            return model.model_validate(dict(table))
        except ValidationError as error:
            self.not_valid(error, model)
            return None

    def not_valid(self, error: ValidationError, model: type[BaseModel]) -> set[str]:
        """Note pydantic's errors about the table here; return its keys that are bad."""
        bad: set[str] = set()
        for one in error.errors(include_url=False):
            inner = [part for part in one["loc"] if not str(part).startswith("<")]
            if inner and isinstance(inner[0], str):
                bad.add(inner[0])
            self.at(*inner).problem(translate(one, model, one["loc"]))
        return bad
