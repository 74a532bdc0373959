"""How many seeds would decide an outcome: one comparison, or a compound by the part that decides it."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench.checks.compounds import Kind
from prunebench.checks.evidence import ALPHA, Evidence, Extreme
from prunebench.checks.judge import judge
from prunebench.checks.outcomes import Outcome
from prunebench.checks.power import Way, seeds_to_decide
from prunebench.checks.shares import Share, ShareDifference
from prunebench.checks.tested import ValueTests

__all__ = ["seeds_of_compound", "seeds_of_one"]


def seeds_of_one(outcome: Outcome, way: Way = "either", alpha: float = ALPHA) -> int | None:
    """Return how many seeds would decide a single comparison, or show one verdict at a level.

    Those that there are, where it is so already; None where no number would.
    """
    evidence, margin = outcome.evidence, float(outcome.margin or 0.0)
    if evidence is None:
        return None
    said = judge(evidence, outcome.expect, margin)
    if outcome.verdict == said.verdict == way and {"holds": said.p_holds, "fails": said.p_fails}[way] < alpha:
        return outcome.n
    if evidence.without_spread:
        return None  # its value stays what it is

    def enough(more: Evidence) -> bool:
        verdict, p_holds, p_fails = judge(more, outcome.expect, margin)
        wanted = {"holds": p_holds < alpha, "fails": p_fails < alpha, "undecided": False, "not run": False}
        return way in ("either", verdict) and wanted[verdict]

    one, levels = _deciding(evidence)
    more_than = outcome.n
    if isinstance(one, ValueTests):
        return one.seeds_until(enough)
    if isinstance(one, Share | ShareDifference):
        few = one.seeds_until(enough)
        if few is not None:
            return few
        more_than = max(more_than, one.most)  # of so many the t test is near enough
    return seeds_to_decide(
        one.effect, one.sd, outcome.expect, margin, more_than=more_than, way=way, alpha=alpha, parts=levels
    )


def _deciding(evidence: Evidence) -> tuple[Evidence, tuple[int, int]]:
    """Return the one of several that decides, and by how many its bounds below and above are adjusted."""
    below = above = 1
    while isinstance(evidence, Extreme):
        if evidence.least:
            above *= len(evidence.of)
        else:
            below *= len(evidence.of)
        evidence = evidence.decides
    return evidence, (below, above)


def seeds_of_compound(
    parts: Sequence[Outcome], kind: Kind, way: Way = "either", alpha: float = ALPHA
) -> int | None:
    """Return how many seeds would decide a compound: where one part is enough, of the first after adjusting.

    For "every" that is the part that fails with the fewest at the level alpha / parts, or the one that
    needs most until all hold; for "some" the other way around. None where no number would.
    """
    if way == "either":
        ways = [seeds_of_compound(parts, kind, one, alpha) for one in ("holds", "fails")]
        return min((seeds for seeds in ways if seeds is not None), default=None)
    by_all = (kind == "every") == (way == "holds")
    level = alpha if by_all else alpha / len(parts)
    each = [_seeds_of(part, way, level) for part in parts]
    known = [seeds for seeds in each if seeds is not None]
    if by_all:
        return max(known) if len(known) == len(each) else None
    return min(known, default=None)


def _seeds_of(part: Outcome, way: Way, alpha: float) -> int | None:
    if part.kind is None:
        return seeds_of_one(part, way, alpha)
    return seeds_of_compound(part.parts, part.kind, way, alpha)
