"""What tables of a published leaderboard say of trust: claimed, or what came out when a row was run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunebench.report.document import Cell

__all__ = ["contradicted", "trust_cell"]

_SAID = {"rerun": "agrees", "differs": "differs"}


def trust_cell(trust: Mapping[str, str]) -> Cell:
    """Return whether a method's rows are claims, by the labels of their sparsities.

    >>> trust_cell({"80 %": "claimed", "95 %": "rerun"}).text, trust_cell({"80 %": "claimed"}).text
    ('claimed; rerun at 95 %: agrees', 'claimed')
    """
    parts = ["claimed"] if "claimed" in trust.values() else []
    for word, said in _SAID.items():
        where = [label for label, one in trust.items() if one == word]
        if where:
            parts.append(f"rerun at {', '.join(where)}: {said}")
    return Cell("; ".join(parts))


def contradicted(labels: Sequence[str]) -> str:
    """Return what must be known of a number over a range in which a rerun differs at these sparsities."""
    return (
        f"Rests on a claim that a rerun at {', '.join(labels)} contradicts: mean, place and difference are "
        "those of the claim."
        if labels
        else ""
    )
