"""Claims: the sentences that checks put to the test, each judged from the checks that name it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from prunebench.reading.tables import Name, Table, wanted

__all__ = ["Claim"]


def _id(value: str) -> str:
    if value in ("above", "same"):
        raise wanted('another id, as a check\'s claim = "above" or "same" was what is now \'expect\'')
    return value


class Claim(Table):
    """A sentence of a paper, in words of the suite's own."""

    id: Annotated[Name, AfterValidator(_id)]
    says: str
    source: str
    """Where it stands: "§5, Fig. 4"."""
    kind: Literal["every", "some", "most"]
    """Of how many cases the sentence speaks: all of them, one at least, or most."""
