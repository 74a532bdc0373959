"""How the checks of a suite stand, for every command that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from prunebench.cli._options import request_of

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Verdicts
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan import Plan
    from prunebench.store import Store

__all__ = ["as_counts", "in_a_line", "of_cells", "verdicts_of"]


def verdicts_of(
    plan: Plan, store: Store, suite: str, options: Mapping[str, Any], snapshot: Snapshot | None = None
) -> Verdicts | None:
    """Return the verdicts on a plan's checks as the store stands; None where it has none.

    `suite` and `options` are the command's: they say which plugins a quantity of the user's own comes from.
    """
    if not plan.suite.get("checks"):
        return None
    from prunebench.checks.rows import evaluate_rows
    from prunebench.inventory.rows import measure_rows, rows
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.tables import quantities_of

    look = snapshot or Snapshot(plan, store)
    quantities = quantities_of(plan, lambda: request_of(suite, dict(options)).with_suite_plugins().host())
    return evaluate_rows(plan.suite, rows(plan, store, look), measure_rows(plan, store, look), quantities)


def of_cells(verdicts: Verdicts, keys: Collection[str]) -> list[Any]:
    """Return the outcomes that cells of these keys have a part in."""
    wanted = set(keys)
    return [outcome for outcome in verdicts.outcomes if wanted.intersection(outcome.keys)]


def as_counts(verdicts: Verdicts) -> dict[str, Any]:
    """Return how many claims and checks came out how, and which checks fail, as plain values."""
    return {
        "claims": dict(Counter(claim.verdict for claim in verdicts.claims)),
        "checks": dict(Counter(outcome.verdict for outcome in verdicts.outcomes)),
        "failing": [one.check for one in verdicts.outcomes if one.verdict == "fails"],
    }


def in_a_line(verdicts: Verdicts, suite: str) -> str:
    """Return "22 claims: 3 hold, 1 fails, 18 open; of 489 checks 1 fails (`prunebench check …` lists them)"."""
    from prunebench.cli._output import counted

    said = Counter(claim.verdict for claim in verdicts.claims)
    words = {"holds": ("holds", "hold"), "fails": ("fails", "fail")}
    parts = [
        f"{said[word]:,} {words.get(word, (word, word))[said[word] > 1]}"
        for word in ("holds", "fails", "not contradicted", "open", "not run")
        if said[word]
    ]
    failing = sum(outcome.verdict == "fails" for outcome in verdicts.outcomes)
    checks = counted(len(verdicts.outcomes), "check")
    fails = (
        f"of {checks} {failing:,} {'fails' if failing == 1 else 'fail'}"
        if failing
        else f"of {checks} none fails"
    )
    return (
        f"{counted(len(verdicts.claims), 'claim')}: {', '.join(parts)}; {fails} "
        f"(`prunebench check {suite}` lists them)"
    )
