"""The rule of checks: from what is known of D to a verdict.

| expect | holds | fails |
|---|---|---|
| above | lower > 0 and upper ≥ δ | upper < δ |
| same | lower > −δ and upper < δ | above holds with 97.5 % bounds, one way or the other |

with one-sided 95 % bounds; the negations swap the two, and all else is undecided. A D of which every seed
says the same is decided by its value.
"""

from __future__ import annotations

from typing import NamedTuple

from prunebench.checks.evidence import ALPHA, Evidence
from prunebench.checks.outcomes import Verdict

__all__ = ["ALPHA", "Judged", "judge"]


class Judged(NamedTuple):
    """A verdict, and p values against holding and against failing."""

    verdict: Verdict
    p_holds: float
    p_fails: float


def judge(evidence: Evidence, expect: str, margin: float) -> Judged:
    """Return what is known of D's being above 0, or the same as 0 (`expect`, perhaps with "not-")."""
    claim = expect.removeprefix("not-")
    rule = _by_value if evidence.without_spread else {"above": _above, "same": _same}[claim]
    holds, fails, p_holds, p_fails = rule(evidence, claim, margin)
    if claim != expect:
        holds, fails, p_holds, p_fails = fails, holds, p_fails, p_holds
    verdict: Verdict = "holds" if holds else "fails" if fails else "undecided"
    return Judged(verdict, p_holds, p_fails)


_Rule = tuple[bool, bool, float, float]
"""If it holds, if it fails, and the p values against both."""


def _above(evidence: Evidence, claim: str, margin: float, alpha: float = ALPHA) -> _Rule:
    p_holds, p_fails = evidence.p_at_most(0.0), evidence.p_at_least(margin)
    return p_holds < alpha <= p_fails, p_fails < alpha, p_holds, p_fails


def _same(evidence: Evidence, claim: str, margin: float) -> _Rule:
    below, above = evidence.p_at_most(-margin), evidence.p_at_least(margin)
    p_holds = max(below, above)
    p_up, p_down = evidence.p_at_most(0.0), evidence.p_at_least(0.0)
    half = ALPHA / 2
    fails = p_up < half <= above or p_down < half <= below
    holds = p_holds < ALPHA
    return holds, fails and not holds, p_holds, min(1.0, 2 * min(p_up, p_down))


def _by_value(evidence: Evidence, claim: str, margin: float) -> _Rule:
    value = evidence.effect
    holds = 0 < value >= margin if claim == "above" else abs(value) < margin or value == 0
    p = evidence.p_other
    return holds, not holds, p if holds else 1.0, 1.0 if holds else p
