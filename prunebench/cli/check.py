"""`prunebench check`: what the results say of a suite's claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    as_json,
    data_option,
    planning_options,
    plugin_options,
    store_option,
    suite_argument,
)
from prunebench.numbers import form_of, spelled

if TYPE_CHECKING:
    from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench check pai-lenet
  prunebench check pai-lenet -k snip --checks
  prunebench check pai-lenet --json
  prunebench check pai-lenet --strict && echo "every claim holds"

\b
Exit codes: 0 no claim fails, 1 one does (with --strict also: one is open or not run), 2 a mistake in what was
asked.
"""


@click.command("check", epilog=_EPILOG, short_help="Judge a suite's claims by its results.")
@suite_argument
@click.option("-k", "keyword", metavar="EXPR", help="Only checks whose name or claim matches.")
@click.option("--checks", "each", is_flag=True, help="Also a row for each check: effect, bounds, seeds.")
@click.option("--strict", is_flag=True, help="Exit with 1 also where a claim is open or not run.")
@planning_options
@store_option
@data_option
@plugin_options
@as_json
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
    their checks. docs/checks.md explains the verdicts.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import FAILED
    from prunebench.cli._output import say, say_json, say_smoke
    from prunebench.cli._suite_plan import suite_plan
    from prunebench.cli._verdicts import verdicts_of
    from prunebench.smoke import limit_of

    shown = suite_plan(suite, options)
    from prunebench.checks.outcomes import Verdicts

    asked = bool(shown.plan.suite.get("checks"))
    verdicts = verdicts_of(shown.plan, shown.store, suite, options) if asked else Verdicts()
    say_damaged(shown.store)
    say_smoke(shown.plan.suite)
    name = shown.plan.suite["name"]
    outcomes, claims = _selected(verdicts, keyword)
    bad = {"fails", "open", "not run"} if strict else {"fails"}
    code = FAILED if any(claim.verdict in bad for claim in claims) else 0
    if as_json:
        whole = verdicts.plain()
        kept = {"outcomes": {one.check for one in outcomes}, "claims": {one.id for one in claims}}
        whole["outcomes"] = [one for one in whole["outcomes"] if one["check"] in kept["outcomes"]]
        whole["claims"] = [one for one in whole["claims"] if one["id"] in kept["claims"]]
        about = {part: shown.plan.suite.get(part) for part in ("name", "version", "digest")}
        say_json({"suite": about, "limit": limit_of(shown.plan.suite), "plan": shown.plan.name, **whole})
        ctx.exit(code)
    if not verdicts.outcomes:
        say(f"suite {name} has no checks")
        ctx.exit(code)
    _print(name, verdicts, outcomes, claims, each)
    ctx.exit(code)


def _selected(verdicts: Verdicts, keyword: str | None) -> tuple[Sequence[Outcome], Sequence[ClaimVerdict]]:
    """Return the checks that an expression matches, and the claims that have one of them."""
    if not keyword or not verdicts.outcomes:
        return verdicts.outcomes, verdicts.claims
    from prunebench.engine.selection import select_named

    names = [(one.check, one.claim or "") for one in verdicts.outcomes]
    chosen = select_named(names, keyword, "checks")
    outcomes = [verdicts.outcomes[place] for place in chosen]
    wanted = {one.check for one in outcomes}
    claims = [c for c in verdicts.claims if wanted.intersection(one.check for one in c.outcomes)]
    return outcomes, claims


def _print(
    name: str, verdicts: Verdicts, outcomes: Sequence[Outcome], claims: Sequence[ClaimVerdict], each: bool
) -> None:
    from prunebench.checks.words import told
    from prunebench.cli._output import counted, say, say_rows

    few = f" of {len(verdicts.outcomes):,}" if len(outcomes) < len(verdicts.outcomes) else ""
    say(f"suite {name}: {counted(len(claims), 'claim')}, {counted(len(outcomes), 'check')}{few}", "bold")
    say()
    rows = [_claim_row(claim) for claim in claims]
    say_rows(rows, _CLAIM, as_json=False, shrink=["says"])
    failing = [one for one in outcomes if one.verdict == "fails"]
    if each:
        say()
        say_rows([_check_row(one) for one in outcomes], _CHECK, as_json=False, shrink=["reason"])
    elif failing:
        say()
        say("checks that fail:")
        for one in failing[:_SHOWN]:
            say(f"  {one.check}: {told(one)}")
        if len(failing) > _SHOWN:
            say(f"  and {len(failing) - _SHOWN:,} more (--checks lists all)")
    say()
    say(
        f"{verdicts.failures:,} of {counted(verdicts.judged, 'check')} that were judged "
        f"{'fails' if verdicts.failures == 1 else 'fail'}; chance explains up to "
        f"{spelled(verdicts.chance, 'quantity')}, besides differences too small to matter"
    )


_SHOWN = 20
_CLAIM = {
    "claim": "claim",
    "verdict": "verdict",
    "holds": "holds",
    "fails": "fails",
    "undecided": "undecided",
    "not_run": "not run",
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
    said = {name: getattr(claim, name) for name in ("verdict", "holds", "fails", "undecided", "not_run")}
    return {"claim": claim.id, **said, "says": "" if claim.own else claim.says}


def _check_row(outcome: Outcome) -> dict[str, Any]:
    row = {name: getattr(outcome, name) for name in _CHECK}
    form = form_of(outcome.quantity, outcome.compare)
    numbers = {name: row[name] for name in ("effect", "lower", "upper") if row[name] is not None}
    return {**row, **{name: spelled(value, form) for name, value in numbers.items()}}
