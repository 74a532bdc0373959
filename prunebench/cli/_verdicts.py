"""How the checks of a suite stand, for every command that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prunebench.cli._options import request_of

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Verdicts
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan import Plan
    from prunebench.store import Store

__all__ = ["as_counts", "of_cells", "say_standing", "verdicts_if_any", "verdicts_of"]

SHOWN = 10
"""Failing checks that are named; `prunebench check` has all."""


def verdicts_of(
    plan: Plan, store: Store, suite: str, options: Mapping[str, Any], snapshot: Snapshot | None = None
) -> Verdicts:
    """Return the verdicts on a plan's checks as the store stands.

    `suite` and `options` are the command's: they say which plugins a quantity of the user's own comes from.

    Raises: ComponentError where a quantity fails; PluginError where its plugin does.
    """
    from prunebench.checks.rows import evaluate_rows
    from prunebench.inventory.rows import measure_rows, rows
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.tables import quantities_of

    look = snapshot or Snapshot(plan, store)
    quantities = quantities_of(plan, lambda: request_of(suite, dict(options)).with_suite_plugins().host())
    return evaluate_rows(plan.suite, rows(plan, store, look), measure_rows(plan, store, look), quantities)


def verdicts_if_any(
    plan: Plan, store: Store, suite: str, options: Mapping[str, Any], snapshot: Snapshot | None = None
) -> Verdicts | None:
    """Return the verdicts for a command that is about something else; None where there are none to tell.

    Checks that cannot be judged, because a quantity fails, are told on standard error.
    """
    from prunebench.cli._output import complain
    from prunebench.errors import PrunebenchError

    if not plan.suite.get("checks"):
        return None
    try:
        return verdicts_of(plan, store, suite, options, snapshot)
    except PrunebenchError as error:
        complain(f"the checks cannot be judged: {error}", label="Warning")
        return None


def of_cells(verdicts: Verdicts, keys: Collection[str]) -> Verdicts:
    """Return the checks that cells of these keys have a part in, and the claims that have one of them."""
    wanted = set(keys)
    outcomes = tuple(one for one in verdicts.outcomes if wanted.intersection(one.keys))
    names = {one.check for one in outcomes}
    claims = (one for one in verdicts.claims if any(mine.check in names for mine in one.outcomes))
    return replace(verdicts, outcomes=outcomes, claims=tuple(claims))


def as_counts(verdicts: Verdicts | None) -> dict[str, Any] | None:
    """Return how many claims and checks came out how, and which checks fail, as plain values."""
    if verdicts is None:
        return None
    return {
        "by_claim": dict(Counter(claim.verdict for claim in verdicts.claims)),
        "by_check": dict(Counter(outcome.verdict for outcome in verdicts.outcomes)),
        "failing": [one.check for one in verdicts.outcomes if one.verdict == "fails"],
    }


def say_standing(verdicts: Verdicts | None, suite: str, *, err: bool = False) -> None:
    """Print a line that says how claims and checks stand, and which checks fail."""
    from prunebench.checks.words import told
    from prunebench.cli._output import say

    if verdicts is None or not verdicts.outcomes:
        return
    say(_in_a_line(verdicts, suite), err=err)
    failing = [one for one in verdicts.outcomes if one.verdict == "fails"]
    for one in failing[:SHOWN]:
        say(f"  {one.check}: {told(one)}", err=err)
    if len(failing) > SHOWN:
        say(f"  and {len(failing) - SHOWN:,} more", err=err)


def _in_a_line(verdicts: Verdicts, suite: str) -> str:
    """Return "22 claims: 3 hold, 1 fails; 1 of 489 checks fails (`prunebench check …` says more)"."""
    from prunebench.cli._output import counted

    said = Counter(claim.verdict for claim in verdicts.claims)
    plural = {"holds": "hold", "fails": "fail"}
    parts = [
        f"{said[word]:,} {plural.get(word, word) if said[word] > 1 else word}"
        for word in ("holds", "fails", "not contradicted", "open", "not run")
        if said[word]
    ]
    failing = sum(outcome.verdict == "fails" for outcome in verdicts.outcomes)
    checks = counted(len(verdicts.outcomes), "check")
    fails = (
        f"{failing:,} of {checks} {'fails' if failing == 1 else 'fail'}"
        if failing
        else f"none of {checks} fails"
    )
    more = f"(`prunebench check {suite}` says more)"
    return f"{counted(len(verdicts.claims), 'claim')}: {', '.join(parts)}; {fails} {more}"
