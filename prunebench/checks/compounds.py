"""How several outcomes are one: every, some, most, with Holm's adjustment of what one of them decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from prunebench.analysis import holm
from prunebench.checks.judge import ALPHA, Judged
from prunebench.checks.outcomes import ClaimWord, Outcome

__all__ = ["Combined", "Kind", "combine", "judged"]

Kind = Literal["every", "some", "most"]


def judged(outcome: Outcome) -> Judged:
    """Return what a compound needs of an outcome; what is not known is no evidence."""
    p_holds, p_fails = (1.0 if p is None else p for p in (outcome.p_holds, outcome.p_fails))
    return Judged(outcome.verdict, p_holds, p_fails)


class Combined(NamedTuple):
    """What parts are together, and p values of that: adjusted where one part is enough."""

    verdict: ClaimWord
    p_holds: float
    p_fails: float


def combine(parts: Sequence[Judged], kind: Kind) -> Combined:
    """Return the verdict of a compound of such parts.

    | kind | holds | fails |
    |---|---|---|
    | every | all hold | one fails after Holm |
    | some | one holds after Holm | all fail |
    | most | more than half hold | more than half fail |

    "every" is "not contradicted" where at least half hold and none fails even unadjusted. A part that has
    not run forbids "holds" and nothing else; where none of them has, the whole has "not run". Everything
    else is "open".
    """
    holds = [part.verdict == "holds" for part in parts]
    fails = [part.verdict == "fails" for part in parts]
    lacking = any(part.verdict == "not run" for part in parts)
    p_holds, p_fails = holm([part.p_holds for part in parts]), holm([part.p_fails for part in parts])
    one_holds = any(h and p < ALPHA for h, p in zip(holds, p_holds, strict=True))
    one_fails = any(f and p < ALPHA for f, p in zip(fails, p_fails, strict=True))
    if not parts:
        return Combined("open", 1.0, 1.0)
    half = len(parts) / 2
    whole = {
        "every": (all(holds), one_fails),
        "some": (one_holds, all(fails)),
        "most": (sum(holds) > half, sum(fails) > half),
    }[kind]
    most = {
        "every": (max(part.p_holds for part in parts), float(min(p_fails))),
        "some": (float(min(p_holds)), max(part.p_fails for part in parts)),
        "most": (1.0, 1.0),
    }[kind]
    verdict: ClaimWord = "open"
    if whole[1]:
        verdict = "fails"
    elif all(part.verdict == "not run" for part in parts):
        verdict = "not run"
    elif whole[0] and not lacking:
        verdict = "holds"
    elif kind == "every" and sum(holds) >= half and not any(fails):
        verdict = "not contradicted"
    return Combined(verdict, *most)
