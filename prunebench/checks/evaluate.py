"""Checks and claims, judged from the table of cells: what docs/checks.md explains."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from prunebench import smoke
from prunebench.baselines import Baselines
from prunebench.checks.asked import field_of, name_of
from prunebench.checks.asking import Asking
from prunebench.checks.claims import Claim
from prunebench.checks.compounds import Kind, combine, judged
from prunebench.checks.frozen import thawed_checks
from prunebench.checks.gather import steps_of
from prunebench.checks.grammar import Check
from prunebench.checks.judge import ALPHA
from prunebench.checks.kin import scales_of
from prunebench.checks.lanes import Table
from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
from prunebench.checks.quantified import asked_by
from prunebench.checks.spans import Spans
from prunebench.errors import PrunebenchError

__all__ = ["evaluate"]

Quantities = Callable[[str], Any] | Mapping[str, Any]


def evaluate(
    suite: Mapping[str, Any],
    cells: pd.DataFrame,
    measures: pd.DataFrame | None = None,
    quantities: Quantities | None = None,
    *,
    only: Collection[str] | None = None,
) -> Verdicts:
    """Return the verdicts of a suite's checks and claims.

    Args:
        suite: a plan's `suite`: its checks, claims, steps, margins, baselines.
        cells: the table of cells (`analysis.table`).
        measures: the table of their measures (`analysis.measures`); None where there are none.
        quantities: the component of a quantity's name: a mapping, or a function.
        only: names of checks; patterns with * and ? too. Others are not judged, unless these are about them,
            and claims are judged from those that are.

    A check whose quantity fails, or is not there, is not run, with the reason; the others are judged.

    Raises: pydantic.ValidationError for a suite whose checks are none.
    """
    checks, claims = thawed_checks(suite)
    if smoke.limit_of(suite) is not None:
        unjudged = [_of_a_smoke_run(check) for check in checks if check.name in _wanted(checks, only)]
        return Verdicts(outcomes=tuple(unjudged), claims=tuple(_claims(claims, unjudged)))
    get = quantities.__getitem__ if isinstance(quantities, Mapping) else quantities
    if get is None:
        raise TypeError("evaluate needs the quantities that checks name")
    asking = _asking(suite, cells, measures, get, checks)
    outcomes = [asking.outcome(name) for name in _wanted(checks, only)]
    counted = sum(one.single and one.verdict != "not run" for one in outcomes)
    return Verdicts(
        outcomes=tuple(outcomes), claims=tuple(_claims(claims, outcomes)), chance=round(ALPHA * counted, 10)
    )


def _of_a_smoke_run(check: Check) -> Outcome:
    """Return the outcome of a check whose cells mean nothing."""
    expect = ("all" if check.all_ is not None else "any") if check.group else str(check.expect)
    told = "a smoke run: no check is judged by it"
    return Outcome(check=check.name, claim=check.claim, verdict="not run", expect=expect, reason=told)


def _wanted(checks: Sequence[Check], only: Collection[str] | None) -> list[str]:
    names = [check.name for check in checks]
    return names if only is None else [n for n in names if any(fnmatchcase(n, one) for one in only)]


def _claims(claims: Iterable[Claim], outcomes: Sequence[Outcome]) -> Iterable[ClaimVerdict]:
    for claim in claims:
        mine = [outcome for outcome in outcomes if outcome.claim == claim.id]
        yield _claim_verdict(claim.id, claim.says, claim.source, claim.kind, mine)
    groups = [outcome for outcome in outcomes if outcome.expect in ("all", "any")]
    parts = {part.check for outcome in groups for part in outcome.parts}  # they count there
    for outcome in outcomes:
        if outcome.claim is None and outcome.check not in parts:
            yield replace(_claim_verdict(outcome.check, outcome.check, "", "every", [outcome]), own=True)


def _claim_verdict(id: str, says: str, source: str, kind: Kind, mine: Sequence[Outcome]) -> ClaimVerdict:
    counts = {
        word: sum(one.verdict == word for one in mine) for word in ("holds", "fails", "undecided", "not run")
    }
    return ClaimVerdict(
        id=id,
        says=says,
        source=source,
        kind=kind,
        verdict=combine([judged(one) for one in mine], kind).verdict,
        holds=counts["holds"],
        fails=counts["fails"],
        undecided=counts["undecided"],
        not_run=counts["not run"],
        failing=tuple(one.check for one in mine if one.verdict == "fails"),
        outcomes=tuple(mine),
    )


def _asking(
    suite: Mapping[str, Any],
    cells: pd.DataFrame,
    measures: pd.DataFrame | None,
    quantities: Callable[[str], Any],
    checks: Sequence[Check],
) -> Asking:
    """Return what answers every check, made of one pass over the tables."""
    own = (suite.get("leaderboard") or {}).get("margin")
    margins = suite.get("margin", suite.get("margins")) if own is None else own
    baselines = Baselines.of(suite.get("baselines"))
    table = Table(
        cells,
        measures,
        fields=set(_fields(checks, quantities)),
        margins=margins,
        dense=baselines.none,
        step=steps_of(suite),
        scales=scales_of(suite),
    )
    spans = Spans(cells, baselines, margins)
    return Asking({check.name: check for check in checks}, table, spans, quantities)


def _fields(checks: Iterable[Check], quantities: Callable[[str], Any]) -> Iterable[str]:
    """Yield the fields of measures that checks ask for, as curves name them."""
    for check in checks:
        for _, asked, _ in asked_by(check) if not check.group else ():
            with suppress(KeyError, PrunebenchError):  # of a quantity that is not installed nothing is asked
                field = field_of(asked, quantities(name_of(asked)))
                if field is not None:
                    yield ".".join(part for part in field if part)
