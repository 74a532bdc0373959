"""What became of a suite's claims and checks, as tables."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
from prunebench.checks.words import few
from prunebench.numbers import spelled
from prunebench.report.document import Block, Cell, Section, Table

__all__ = [
    "CHECK_COLUMNS",
    "CLAIM_COLUMNS",
    "checks_frame",
    "claims_frame",
    "verdict_sections",
]

CLAIM_COLUMNS = (
    *("claim", "says", "source", "kind", "verdict"),
    *("holds", "fails", "undecided", "not_run", "checks", "failing"),
)
"""Columns of `claims_frame`: docs/results.md says what each one holds."""

CHECK_COLUMNS = (
    *("check", "claim", "verdict", "expect", "quantity", "compare", "over", "margin"),
    *("setting", "range", "of", "against", "effect", "by", "lower", "upper", "p_holds", "p_fails"),
    *("n", "seeds", "differences", "seeds_needed", "cells", "missing", "reason", "notes"),
)
"""Columns of `checks_frame`: the fields of an outcome, as docs/checks.md says."""


def claims_frame(verdicts: Verdicts) -> pd.DataFrame:
    """Return a row for each claim; a check that names no claim is one by itself."""
    rows = [
        {
            **{name: getattr(claim, name) for name in CLAIM_COLUMNS if name != "claim"},
            "claim": claim.id,
        }
        for claim in verdicts.claims
    ]
    return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS))


def checks_frame(verdicts: Verdicts) -> pd.DataFrame:
    """Return a row for each check: its outcome, without those of its parts."""
    rows = [{name: getattr(outcome, name) for name in CHECK_COLUMNS} for outcome in verdicts.outcomes]
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


_CLAIMS = (
    'A claim is judged from its checks as its kind says: every, some or most of them. "Not contradicted" is '
    'less than "holds": at least half hold and none fails, but some are not decided.'
)
_CHECKS = (
    "The bounds are one-sided, of 95 % each. An undecided check says how many seeds would decide it with "
    "80 % power, at the effect and spread that were seen."
)


def verdict_sections(verdicts: Verdicts, fault: str = "") -> list[Section]:
    """Return the sections of claims and checks that can be judged; `fault`: why none can."""
    if fault:
        return [Section("Checks", (fault,))]
    if not verdicts.outcomes:
        return []
    claims = [claim for claim in verdicts.claims if not claim.own and claim.verdict != "not run"]
    checks = [outcome for outcome in verdicts.outcomes if outcome.verdict != "not run"]
    return [*_claims(verdicts, claims), _checks(verdicts, checks)]


def _claims(verdicts: Verdicts, claims: list[ClaimVerdict]) -> Iterator[Section]:
    every = [claim for claim in verdicts.claims if not claim.own]
    if not every:
        return
    said = ", ".join(
        f"{sum(claim.verdict == word for claim in every)} {word}"
        for word in ("holds", "not contradicted", "open", "fails", "not run")
    )
    blocks: list[Block] = [f"Of {len(every)} claims: {said}."]
    if claims:
        heads = ("claim", "sentence", "source", "kind", "verdict", "checks", "fails")
        body = tuple(
            (
                *(Cell(text) for text in (claim.id, claim.says, claim.source, claim.kind, claim.verdict)),
                Cell(claim.evidence),
                Cell(few(claim.failing, shown=5)),
            )
            for claim in claims
        )
        blocks += [Table("claims", heads, body, left=(1, 2, 3, 4, 5, 6)), _CLAIMS]
    yield Section("Claims", tuple(blocks))


def _checks(verdicts: Verdicts, checks: list[Outcome]) -> Section:
    failures = f"{verdicts.failures} of {verdicts.judged} judged checks fail"
    number = spelled(verdicts.chance, "quantity")
    chance = f"chance explains at most {number}, besides differences too small to matter"
    blocks: list[Block] = [
        f"{failures}; {chance}. {len(verdicts.outcomes) - len(checks)} checks are not run."
    ]
    if checks:
        heads = ("check", "verdict", "is", "range", "why")
        body = tuple(tuple(_check_cells(outcome)) for outcome in checks)
        blocks += [Table("checks", heads, body, left=(1, 2, 3, 4)), _CHECKS]
    return Section("Checks", tuple(blocks))


def _check_cells(outcome: Outcome) -> Iterator[Cell]:
    yield Cell(outcome.check)
    yield Cell(outcome.verdict)
    yield Cell(_question(outcome))
    yield Cell(outcome.range)
    yield Cell(" ".join([*([outcome.reason] if outcome.reason else []), *outcome.notes]))


def _question(outcome: Outcome) -> str:
    """Return what a check asks, in words: "snip above random"."""
    if not outcome.single:
        return f"{outcome.expect} of {len(outcome.parts)} checks"
    asked = f"{outcome.of} {outcome.expect} {outcome.against}".strip()
    by = f", by {spelled(outcome.by, 'exact')}" if outcome.by else ""
    quantity = f", in {outcome.quantity}" if outcome.quantity != "accuracy" else ""
    over = f", {outcome.over}" if outcome.over != "mean" else ""
    return f"{asked}{by}{quantity}{over}"
