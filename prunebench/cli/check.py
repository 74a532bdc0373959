"""`prunebench check`: what the results say of a suite's claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    reading_options,
    suite_argument,
)
from prunebench.numbers import form_of, spelled

if TYPE_CHECKING:
    from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
    from prunebench.plan import Plan

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench check pai-lenet
  prunebench check pai-lenet -k snip --checks
  prunebench check pai-lenet --json
  prunebench check pai-lenet --strict && echo "every claim holds"

\b
Exit codes: 0 no claim fails, 1 one does (with --strict also: one is open or not run, or a check cannot be
judged), 2 a mistake in what was asked.
"""


@click.command("check", epilog=_EPILOG, short_help="Judge a suite's claims by its results.")
@suite_argument
@click.option("-k", "keyword", metavar="EXPR", help="Only checks whose name or claim matches.")
@click.option("--checks", "each", is_flag=True, help="Also a row for each check: effect, bounds, seeds.")
@click.option(
    "--strict", is_flag=True, help="Exit with 1 also where a claim is open or not run, or cannot be judged."
)
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    keyword: str | None,
    each: bool,
    strict: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Say of each claim of SUITE whether it holds, fails or is open, by the results that are there.

    Nothing is run or written, and a run may go on meanwhile: what is not there yet is missing. A check that
    names no claim is one by itself. -k chooses checks, and with them their claims, which are judged by all of
    their checks; what is counted is counted of the checks that are shown. docs/checks.md explains the
    verdicts.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import FAILED
    from prunebench.cli._output import complain, say, say_smoke
    from prunebench.cli._suite_plan import suite_plan
    from prunebench.cli._verdicts import claims_without_checks, say_unjudged, unjudged, verdicts_of

    shown = suite_plan(suite, options)
    from prunebench.checks.outcomes import Verdicts

    asked = bool(shown.plan.suite.get("checks") or shown.plan.suite.get("claims"))
    every = verdicts_of(shown.plan, shown.store, suite, options) if asked else Verdicts()
    say_damaged(shown.store)
    say_smoke(shown.plan.suite)
    verdicts = _selected(every, keyword)
    say_unjudged(verdicts.outcomes)
    bad = {"fails", "open", "not run"} if strict else {"fails"}
    unsaid = strict and unjudged(one for claim in verdicts.claims for one in claim.outcomes)
    code = FAILED if unsaid or any(claim.verdict in bad for claim in verdicts.claims) else 0
    cells = {cell.key: cell.id for cell in shown.plan.cells}
    if as_json:
        _say_json(shown.plan, verdicts, cells)
        ctx.exit(code)
    for claim, what in claims_without_checks(shown.plan.suite).items():
        if claim in {one.id for one in verdicts.claims}:
            complain(what, label="Warning")
    if not verdicts.claims:
        say(f"suite {shown.plan.suite['name']} has no checks")
        ctx.exit(code)
    _print(shown.plan.suite["name"], verdicts, len(every.outcomes), cells, each)
    ctx.exit(code)


def _selected(verdicts: Verdicts, keyword: str | None) -> Verdicts:
    """Return the checks that an expression matches, and the claims that have one of them, or match alone."""
    if not keyword or not verdicts.claims:
        return verdicts
    from prunebench.engine.selection import select_named

    names = [(one.check, one.claim or "") for one in verdicts.outcomes]
    bare = [claim.id for claim in verdicts.claims if not claim.outcomes]
    chosen = select_named([*names, *((claim, claim) for claim in bare)], keyword, "checks")
    checks = {names[place][0] for place in chosen if place < len(names)}
    return verdicts.of(checks, [bare[place - len(names)] for place in chosen if place >= len(names)])


def _say_json(plan: Plan, verdicts: Verdicts, cells: Mapping[str, str]) -> None:
    from prunebench.cli._output import say_json
    from prunebench.smoke import limit_of

    whole = verdicts.plain()
    for one in whole["outcomes"]:
        _name_missing(one, cells)
    about = {part: plan.suite.get(part) for part in ("name", "version", "digest")}
    say_json({"suite": about, "limit": limit_of(plan.suite), "plan": plan.name, **whole})


def _name_missing(outcome: dict[str, Any], cells: Mapping[str, str]) -> None:
    """Add the names of the first cells that an outcome lacks, and those within it."""
    if "absent" in outcome:
        outcome["missing_cells"] = [cells[key] for key in outcome["absent"] if key in cells][:_NAMED]
    for one in (*outcome["beside"], *outcome["parts"]):
        _name_missing(one, cells)


def _print(name: str, verdicts: Verdicts, every: int, cells: Mapping[str, str], each: bool) -> None:
    """Print the claims, the checks or those of them that fail, and how many failures chance explains."""
    from prunebench.checks.words import told
    from prunebench.cli._output import counted, say, say_rows
    from prunebench.cli._verdicts import counted_claims

    claims, outcomes = verdicts.claims, verdicts.outcomes
    few = f" of {every:,}" if len(outcomes) < every else ""
    say(f"suite {name}: {counted_claims(claims)}, {counted(len(outcomes), 'check')}{few}", "bold")
    say()
    say_rows([_claim_row(claim) for claim in claims], _CLAIM, as_json=False, shrink=["says", "source"])
    for claim in claims:
        if claim.verdict in _UNSURE and claim.fails:
            say(f"{claim.id} is {claim.verdict} though {counted(claim.fails, 'check')} of it "
                f"{'fails' if claim.fails == 1 else 'fail'}: {_WHY[claim.kind]}")  # fmt: skip
    failing = [one for one in outcomes if one.verdict == "fails"]
    if each:
        say()
        rows = [row for one in outcomes for row in _check_rows(one, cells)]
        say_rows(rows, _CHECK, as_json=False, shrink=["reason"])
    elif failing:
        say()
        say("checks that fail:")
        for one in failing[:_SHOWN]:
            say(f"  {one.check}: {told(one)}")
        if len(failing) > _SHOWN:
            say(f"  and {len(failing) - _SHOWN:,} more (--checks lists all)")
    say()
    if not verdicts.judged:
        say("no check could be judged yet")
        return
    say(
        f"{verdicts.failures:,} of {counted(verdicts.judged, 'check')} that were judged "
        f"{'fails' if verdicts.failures == 1 else 'fail'}; chance explains up to "
        f"{spelled(verdicts.chance, 'quantity')}, besides differences too small to matter"
    )


_SHOWN, _NAMED = 20, 10
_UNSURE = ("open", "not contradicted")
_WHY = {
    "every": "of several checks one may fail by chance, and none is sure enough for their number (Holm)",
    "some": "it fails where all of its checks fail",
    "most": "it fails where more than half of its checks fail",
}
"""Why a claim of a kind does not fail though a check of it does."""

_CLAIM = {
    "claim": "claim",
    "verdict": "verdict",
    "holds": "holds",
    "fails": "fails",
    "undecided": "undecided",
    "not_run": "not run",
    "kind": "needs",
    "source": "source",
    "says": "says",
}
_CHECK = {
    "check": "check",
    "verdict": "verdict",
    "effect": "effect",
    "lower": "lower",
    "upper": "upper",
    "n": "seeds",
    "seeds_needed": "seeds needed",
    "reason": "reason",
}


def _claim_row(claim: ClaimVerdict) -> dict[str, Any]:
    counts = {name: getattr(claim, name) for name in ("verdict", "holds", "fails", "undecided", "not_run")}
    about = {name: "" if claim.own else getattr(claim, name) for name in ("kind", "source", "says")}
    return {"claim": claim.id, **counts, **about}


def _check_rows(outcome: Outcome, cells: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the row of a check, then those of what it is beside, over other ranges."""
    yield _check_row(outcome, outcome.check, cells)
    for one in outcome.beside:
        yield _check_row(one, f"└ beside, over {one.range}", cells)


def _check_row(outcome: Outcome, name: str, cells: Mapping[str, str]) -> dict[str, Any]:
    from prunebench.checks.words import lacks

    row = {column: getattr(outcome, column) for column in _CHECK}
    form = form_of(outcome.quantity, outcome.compare)
    known = {column: row[column] for column in ("effect", "lower", "upper") if row[column] is not None}
    numbers = {column: spelled(value, form) for column, value in known.items()}
    return {**row, **numbers, "check": name, "reason": outcome.reason + lacks(outcome, cells)}
