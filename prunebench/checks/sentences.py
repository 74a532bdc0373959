"""What is said of an outcome, for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prunebench.checks.outcomes import Outcome
from prunebench.numbers import form_of, spelled

__all__ = ["compound_reason", "enough", "lacking", "reason"]


def lacking(missing: int, cells: int) -> str:
    """Return what is said where cells are no results yet."""
    return f"{missing} of {cells} cells {'is' if missing == 1 else 'are'} missing"


def reason(outcome: Outcome) -> str:
    """Return what the numbers are and why they say what they say; not how many seeds would be enough."""
    if outcome.missing:
        return lacking(outcome.missing, outcome.cells)
    if outcome.n == 0 or outcome.effect is None:
        return "no seed has all the numbers"
    what = "ratio" if outcome.compare == "ratio" else "difference"
    form = form_of(outcome.quantity, outcome.compare)
    if math.isnan(outcome.effect):
        why = ": what it is to is 0" if outcome.compare == "ratio" else ""
        return f"the {what} is not known{why}; {outcome.n} seeds"
    if outcome.n == 1:
        return f"{what} {spelled(outcome.effect, form)} at one seed, which has no spread to judge by"
    if outcome.lower is None or outcome.upper is None:
        return f"{what} {spelled(outcome.effect, form)}, {outcome.n} seeds, without bounds"
    beside = _number(outcome)
    if beside is not None:
        what, form = outcome.quantity, "quantity"
    more = outcome.by + (beside or 0.0)
    low, high = outcome.lower + more, outcome.upper + more
    bounds = _bounds(low, high, form)
    if low == high:
        bounds = "at every seed" if outcome.differences else "every other value being refused at 5 %"
    value = spelled(outcome.effect + (beside or 0.0), form)
    return f"{what} {value}, {bounds}, {outcome.n} seeds; claimed: {_claimed(outcome, beside or 0.0)}"


def _number(outcome: Outcome) -> float | None:
    """Return the number that a quantity is set against, so that its own value can be told; else None.

    Of accuracies differences are told: their bounds are those that ranges and margins are made of.
    """
    if outcome.quantity in ("accuracy", "drop") or outcome.compare != "difference":
        return None
    try:
        return float(outcome.against)
    except ValueError:
        return None


def _bounds(low: float, high: float, form: str) -> str:
    """Return bounds in words; one that is infinite is none."""
    least = "" if low == -math.inf else f"at least {spelled(low, form)}"
    most = "" if high == math.inf else f"at most {spelled(high, form)}"
    if least and most:
        return f"{least} and {most} (95 % each)"
    return f"{least or most} (95 %)" if least or most else "without bounds"


def _claimed(outcome: Outcome, beside: float = 0.0) -> str:
    by = spelled(outcome.by + beside, "exact")
    margin = spelled(outcome.margin or 0.0, "exact")
    claim = outcome.expect.removeprefix("not-")
    word = "not " if claim != outcome.expect else ""
    if claim == "same":
        return f"{word}within {margin} of {by}"
    matters = f", where less than {margin} does not matter" if outcome.margin else ""
    return f"{word}above {by}{matters}"


def enough(outcome: Outcome) -> str:
    """Return what follows the reason of what is undecided: how many seeds would decide it."""
    if outcome.verdict != "undecided" or outcome.missing or (outcome.n < 2 and not outcome.parts):
        return ""
    if outcome.seeds_needed is not None:
        return f"; about {outcome.seeds_needed} seeds would decide it"
    if outcome.parts or outcome.effect is None or outcome.lower is None or outcome.upper is None:
        return ""
    if outcome.p_holds is None:
        return ""  # some seeds have no number: more of these would decide nothing
    if not all(map(math.isfinite, (outcome.effect, outcome.lower, outcome.upper))) or not outcome.differences:
        return "; how many seeds would decide it cannot be said"
    return "; it is on the border, and no number of seeds would decide it"


def compound_reason(outcome: Outcome, parts: Sequence[Outcome], names: Sequence[str], what: str) -> str:
    """Return how many parts say what, and which of them fail, or decide."""
    counts = {word: sum(p.verdict == word for p in parts) for word in ("holds", "fails", "undecided")}
    told = [
        f"holds at {counts['holds']}",
        f"fails at {counts['fails']}",
        f"undecided at {counts['undecided']}",
    ]
    unrun = len(parts) - sum(counts.values())
    told += [f"not run at {unrun}"] if unrun else []
    said = f"{', '.join(told)} of {len(parts)} {what}"
    failing = [name for name, part in zip(names, parts, strict=True) if part.verdict == "fails"]
    if failing:
        apart = "; " if what == "settings" else ", "  # names of settings have commas
        shown = apart.join(failing[:5]) + (f" and {len(failing) - 5} more" if failing[5:] else "")
        said += f"; fails at {shown}"
    if outcome.error:
        said += f"; {outcome.error.splitlines()[0]}"
    elif outcome.missing:
        said += f"; {lacking(outcome.missing, outcome.cells)}"
    return said
