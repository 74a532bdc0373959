"""An outcome in words, for reports that have a line for it."""

from __future__ import annotations

from prunebench.checks.outcomes import Outcome

__all__ = ["evidence", "told"]


def told(outcome: Outcome) -> str:
    """Return what is found of a check: its reason where it gives one, and the evidence."""
    return "; ".join(part for part in (outcome.reason, evidence(outcome)) if part) or outcome.verdict


def evidence(outcome: Outcome) -> str:
    """Return the comparison and its numbers: what is known of them.

    >>> evidence(Outcome(check="a", verdict="holds", of="snip", against="random", effect=1.5, lower=0.25,
    ...                  upper=2.75, n=5, margin=0.5, expect="above", range="95 %"))
    'snip above random over 95 %: +1.5, bounds [+0.25, +2.75] of 5 seeds, margin 0.5'
    """
    if not outcome.single:
        return ""
    said = f"{outcome.of} {outcome.expect} {outcome.against}"
    said += f" over {outcome.range}" if outcome.range else ""
    said += f" ({outcome.setting})" if outcome.setting else ""
    if outcome.effect is not None:
        said += f": {outcome.effect:+.3g}"
        if outcome.lower is not None and outcome.upper is not None:
            said += f", bounds [{outcome.lower:+.3g}, {outcome.upper:+.3g}]"
        said += f" of {outcome.n} {'seed' if outcome.n == 1 else 'seeds'}"
    if outcome.by:
        said += f", by {outcome.by:g}"
    return said + (f", margin {outcome.margin:g}" if outcome.margin else "")
