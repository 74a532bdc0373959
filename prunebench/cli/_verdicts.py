"""How the checks of a suite stand, for every command that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from prunebench.cli._options import host_of

if TYPE_CHECKING:
    from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan import Plan
    from prunebench.store import Store

__all__ = [
    "as_counts",
    "claims_without_checks",
    "counted_claims",
    "of_fitted_laws",
    "say_left",
    "say_standing",
    "say_unjudged",
    "unjudged",
    "verdicts_if_any",
    "verdicts_of",
]

SHOWN = 10
"""Checks that are named, of those that fail or cannot be judged; `prunebench check` has all."""


def verdicts_of(
    plan: Plan,
    store: Store,
    suite: str,
    options: Mapping[str, Any],
    snapshot: Snapshot | None = None,
    *,
    only: Collection[str] | None = None,
) -> Verdicts:
    """Return the verdicts on a plan's checks as the store stands.

    `suite` and `options` are the command's: they say which plugins a quantity of the user's own comes from.
    `only`: names of the checks that are judged; None: all.

    Raises: UsageError where two different cells stand in one place.
    """
    from prunebench.checks.rows import evaluate_rows
    from prunebench.inventory.rows import measure_rows, rows
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.tables import quantities_of

    look = snapshot or Snapshot(plan, store)
    quantities = quantities_of(plan, host_of(suite, options))
    cells = rows(plan, store, look)
    return evaluate_rows(plan.suite, cells, measure_rows(plan, store, look, cells), quantities, only=only)


def of_fitted_laws(plan: Plan) -> list[str]:
    """Return the names of the checks for which laws are fitted to a family of networks: these take long.

    Checks that stand for one of them are among them.
    """
    from prunebench.checks.asked import name_of
    from prunebench.checks.frozen import thawed_checks
    from prunebench.checks.quantified import asked_by
    from prunebench.host.registry import Host

    builtin = Host.builtin_quantities()
    checks, _ = thawed_checks(plan.suite)
    fitted = {
        check.name
        for check in checks
        if not check.group
        and any(getattr(builtin.get(name_of(asked)), "kin", False) for _, asked, _ in asked_by(check))
    }
    groups = {check.name: {*(check.all_ or ()), *(check.any_ or ())} for check in checks if check.group}
    while more := {name for name, parts in groups.items() if parts & fitted} - fitted:
        fitted |= more
    return [check.name for check in checks if check.name in fitted]


def verdicts_if_any(
    plan: Plan,
    store: Store,
    suite: str,
    options: Mapping[str, Any],
    snapshot: Snapshot | None = None,
    *,
    keys: Collection[str] | None = None,
    left: Collection[str] = (),
) -> Verdicts | None:
    """Return the verdicts for a command that is about something else; None where there are none to tell.

    `keys`: only the checks that cells of these keys have a part in. What cannot be judged, because a quantity
    fails, is told on standard error. `left`: names of checks that are not judged; claims that have one of
    them are not told either.
    """
    from prunebench.cli._output import complain
    from prunebench.errors import PrunebenchError

    if not plan.suite.get("checks"):
        return None
    try:
        verdicts = _without(plan, left, partial(verdicts_of, plan, store, suite, options, snapshot))
    except PrunebenchError as error:
        complain(f"the checks cannot be judged: {error}", label="Warning")
        return None
    if keys is not None:
        wanted = set(keys)
        verdicts = verdicts.of({one.check for one in verdicts.outcomes if wanted.intersection(one.keys)})
    say_unjudged(verdicts.outcomes)
    return verdicts


def _without(plan: Plan, left: Collection[str], judge: Callable[..., Verdicts]) -> Verdicts:
    """Return the verdicts but for the checks that are left, and the claims that these belong to."""
    if not left:
        return judge()
    checks = {str(check["name"]): check.get("claim") for check in plan.suite["checks"]}
    verdicts = judge(only=[name for name in checks if name not in left])
    open_claims = {claim for name, claim in checks.items() if name in left}
    kept = tuple(one for one in verdicts.claims if one.own or one.id not in open_claims)
    return replace(verdicts, claims=kept)


def say_left(left: Collection[str], suite: str) -> None:
    """Print how many checks are not judged here because laws have to be fitted for them."""
    from prunebench.cli._output import counted, say

    if left:
        more = counted(len(left), "check")
        say(f"`prunebench check {suite}` judges {more} of fitted laws, which takes longer")


def unjudged(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the checks that cannot be judged: a quantity fails, or is not installed."""
    return [one for one in outcomes if one.error]


def say_unjudged(outcomes: Iterable[Outcome]) -> None:
    """Tell on standard error which checks cannot be judged, and why: once for all of one reason."""
    from prunebench.checks.words import few
    from prunebench.cli._output import complain, counted

    by_error: dict[str, list[str]] = {}
    for one in unjudged(outcomes):
        by_error.setdefault(one.error, []).append(one.check)
    for error, names in list(by_error.items())[:SHOWN]:
        complain(f"{counted(len(names), 'check')} cannot be judged ({few(names)}): {error}", label="Warning")


def claims_without_checks(suite: Mapping[str, Any]) -> dict[str, str]:
    """Return, for each claim of a plan's suite that no check names, a sentence that says so."""
    named = {check.get("claim") for check in suite.get("checks", ())}
    claims = [claim["id"] for claim in suite.get("claims", ()) if claim["id"] not in named]
    return {claim: f"no check names the claim {claim}, so nothing judges it" for claim in claims}


def as_counts(verdicts: Verdicts | None) -> dict[str, Any] | None:
    """Return how many claims and checks came out how, and which fail or cannot be judged, as plain values."""
    if verdicts is None:
        return None
    return {
        "by_claim": dict(Counter(claim.verdict for claim in verdicts.claims)),
        "by_check": dict(Counter(outcome.verdict for outcome in verdicts.outcomes)),
        "failing": [one.check for one in verdicts.outcomes if one.verdict == "fails"],
        "unjudged": [one.check for one in unjudged(verdicts.outcomes)],
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


def counted_claims(claims: Collection[ClaimVerdict]) -> str:
    """Return "1 claim", of the suite's [[claim]] tables, "and 2 checks of no claim", which count as such."""
    from prunebench.cli._output import counted

    own = sum(claim.own for claim in claims)
    parts = [counted(len(claims) - own, "claim")] if len(claims) > own else []
    parts += [f"{counted(own, 'check')} of no claim"] if own else []
    return " and ".join(parts) or "no claim"


def _in_a_line(verdicts: Verdicts, suite: str) -> str:
    """Return "22 claims: 3 hold, 1 fails; 489 checks: 80 hold, 9 fail (`prunebench check …` says more)"."""
    from prunebench.cli._output import counted

    claims = _came_out(Counter(claim.verdict for claim in verdicts.claims))
    checks = _came_out(Counter(outcome.verdict for outcome in verdicts.outcomes))
    return (
        f"{counted_claims(verdicts.claims)}: {claims}; {counted(len(verdicts.outcomes), 'check')}: "
        f"{checks} (`prunebench check {suite}` says more)"
    )


def _came_out(counts: Counter[Any]) -> str:
    """Return "3 hold, 1 fails"."""
    plural = {"holds": "hold", "fails": "fail"}
    words = ("holds", "fails", "not contradicted", "open", "undecided", "not run")
    return ", ".join(
        f"{counts[word]:,} {plural.get(word, word) if counts[word] > 1 else word}"
        for word in words
        if counts[word]
    )
