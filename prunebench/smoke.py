"""Smoke runs: a suite on few examples, whose numbers mean nothing, and how that is said.

Everything that shows a suite shows its version, every row the name of its data set: both say so. Besides,
commands and pages say `note`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["limit_of", "note", "version"]


def limit_of(suite: Mapping[str, Any]) -> int | None:
    """Return how many examples the networks of a plan's suite see at most; None where it is no smoke run."""
    limit = suite.get("limit")
    return limit if isinstance(limit, int) else None


def version(version: str, limit: int) -> str:
    """Return what the version of a suite is called in a smoke run.

    >>> version("2", 64)
    '2, smoke run with limit 64'
    """
    return f"{version}, smoke run with limit {limit}"


def note(suite: Mapping[str, Any]) -> str:
    """Return what is said of a smoke run, beside whatever is shown of it; nothing of any other."""
    limit = limit_of(suite)
    if limit is None:
        return ""
    return (
        f"smoke run: every network was trained and evaluated on {limit:,} examples at most, so these numbers "
        "show that the suite runs, and mean nothing else"
    )
