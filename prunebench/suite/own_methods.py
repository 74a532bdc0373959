"""The methods that a suite names itself, by their labels: others may take their layers' counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from prunebench.host.form import Form
from prunebench.suite.schema import Matrix, MethodTable

__all__ = ["OwnMethods", "shared_of"]

Placed = Callable[[MethodTable, Form], Form | None]
"""From an entry and its form to what the axes of a matrix make of it."""


def shared_of(matrix: Matrix, item: str | MethodTable) -> dict[str, Any]:
    """Return the parameters for all scorers of a matrix that an entry of `methods` has not given its own."""
    given = {} if isinstance(item, str) else item.changes.get("scorer", {})
    own = given if isinstance(given, dict) else {}
    return {key: value for key, value in matrix.overrides.scorer.items() if key not in own}


@dataclass(frozen=True)
class OwnMethods:
    """The entries of `methods` with a label of their own, as one matrix of the suite sees them.

    A label means one method in all of a file. Of several entries it is the matrix's own, and it has the
    parameters that the matrix gives to all scorers.
    """

    entries: Mapping[str, MethodTable] = field(default_factory=dict)
    matrix: Matrix | None = None
    placed: Placed | None = None
    """What the axes `find` and `score_at` make of a method, where these are told."""
    whole: bool = True
    """False where a matrix's methods could not be read: then a label may be one of these."""

    @classmethod
    def of(cls, matrices: Iterable[tuple[Matrix, set[str]]]) -> OwnMethods:
        """Return those of matrices, each with its keys that are bad."""
        entries: dict[str, MethodTable] = {}
        whole = True
        for matrix, bad in matrices:
            whole = whole and "methods" not in bad
            for label, item in _labelled(matrix):
                entries.setdefault(label, item)
        return cls(entries, whole=whole)

    def within(self, matrix: Matrix) -> OwnMethods:
        """Return them as a matrix sees them."""
        return replace(self, entries={**self.entries, **dict(_labelled(matrix))}, matrix=matrix)

    def shared(self, item: MethodTable) -> dict[str, Any]:
        """Return the parameters that the matrix gives to an entry's scorer."""
        return {} if self.matrix is None else shared_of(self.matrix, item)

    def circle(self, label: str) -> list[str]:
        """Return labels of methods each of which takes the counts of the next, the first again at the end.

        They are those that `label` leads to; none where it leads to no such circle.
        """
        way = [label]
        while way[-1] in self.entries:
            after = _named(self.entries[way[-1]].changes)
            if after is None:
                return []
            if after in way:
                return [*way[way.index(after) :], after]
            way.append(after)
        return []


def _labelled(matrix: Matrix) -> Iterator[tuple[str, MethodTable]]:
    for item in matrix.methods:
        if isinstance(item, MethodTable) and item.as_ is not None:
            yield item.as_, item


def _named(changes: Mapping[str, Any]) -> str | None:
    """Return the name of the method whose counts changes to a form take in the end; None without one."""
    allocation = changes.get("allocation")
    like = allocation.get("like") if isinstance(allocation, Mapping) else None
    return _named(like) if isinstance(like, Mapping) else like if isinstance(like, str) else None
