"""Claims and checks as tables of the page: what became of each, and what that was seen from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from prunebench.checks.outcomes import Outcome, Verdicts
from prunebench.numbers import form_of, spelled
from prunebench.report.page.listed import NUMBER, Column, Listed

__all__ = ["checks", "claims"]


def claims(verdicts: Verdicts) -> Listed:
    """Return a row a claim: its sentence, its verdict, and how its checks came out."""
    rows = [
        {
            "id": claim.id,
            "says": claim.says,
            "source": claim.source,
            "kind": claim.kind,
            "verdict": claim.verdict,
            "holds": claim.holds,
            "fails": claim.fails,
            "undecided": claim.undecided,
            "not_run": claim.not_run,
            "failing": ", ".join(claim.failing),
            "own": claim.own,
        }
        for claim in verdicts.claims
    ]
    columns = [
        Column("id", "claim"),
        Column("says", "says"),
        Column("source", "source"),
        Column("kind", "kind", "the sentence's own quantifier: every, some, most"),
        Column("verdict", "verdict"),
        *(
            Column(name, title, f"checks that {what}", NUMBER)
            for name, title, what in (
                ("holds", "hold", "hold"),
                ("fails", "fail", "fail"),
                ("undecided", "undecided", "this many seeds do not decide"),
                ("not_run", "not run", "lack cells"),
            )
        ),
        Column("failing", "failing", "names of the checks that fail", main=False),
    ]
    about = "A row a sentence, with how its checks came out."
    return Listed("claims", "Claims", about, columns, pd.DataFrame(rows), hidden=("own",), chosen=False)


def checks(verdicts: Verdicts, cells: pd.DataFrame) -> Listed:
    """Return a row a check; `runs` are the rows of `cells` that it needs, as first row and how many."""
    places = {key: row for row, key in reversed(list(enumerate(cells["key"])))}
    frame = pd.DataFrame([_row(outcome, places) for outcome in verdicts.outcomes])
    columns = [
        Column("check", "check"),
        Column("claim", "claim"),
        Column("verdict", "verdict"),
        Column("of", "of"),
        Column("expect", "is expected", "above, the same, or not so"),
        Column("against", "against"),
        Column("setting", "setting"),
        Column("range", "range"),
        Column("quantity", "quantity", main=False),
        _number("effect", "effect", "mean over seeds of the difference, or the ratio of the means"),
        _number("low", "at least", "lower bound of the effect: one-sided, right in 95 %"),
        _number("high", "at most", "upper bound of the effect: one-sided, right in 95 %"),
        _number("by", "threshold", "what the effect is set against; D is the effect less this"),
        Column("margin", "margin", "the difference that does not matter", "exact"),
        Column("n", "seeds", "", NUMBER),
        Column("seeds_needed", "would decide", "seeds that would decide it, with 80 % power", NUMBER),
        Column("missing", "not there", "cells that it lacks", NUMBER),
        Column("cells", "cells", "that it needs", NUMBER, main=False),
        Column("p_holds", "p against holding", "", "p", main=False),
        Column("p_fails", "p against failing", "", "p", main=False),
        Column("over", "over", "the range: mean, everywhere, somewhere", main=False),
        Column("differences", "D at each seed", "", main=False),
        Column("parts", "parts", "of a compound, by verdict", main=False),
        Column("beside", "beside", "over other ranges, which decide nothing", main=False),
        Column("reason", "reason", main=False),
        Column("notes", "notes", main=False),
    ]
    about = "A row a check: what was claimed of which difference, and what the seeds say."
    hidden = ("runs", "own_claim", "compare", "form")
    return Listed("checks", "Checks", about, columns, frame, hidden=hidden, chosen=False)


def _number(name: str, title: str, about: str, *, main: bool = True) -> Column:
    return Column(name, title, about, NUMBER, by="form", main=main)


def _row(outcome: Outcome, places: Mapping[str, int]) -> dict[str, object]:
    form = "quantity" if outcome.compare == "ratio" else form_of(outcome.quantity, outcome.compare)
    return {
        **{
            name: getattr(outcome, name)
            for name in (
                *("check", "verdict", "expect", "quantity", "over", "margin", "setting", "range", "of"),
                *("against", "effect", "by", "compare", "p_holds", "p_fails", "n", "seeds_needed"),
                *("cells", "missing", "reason"),
            )
        },
        "low": _bound(outcome.lower, outcome.by),
        "high": _bound(outcome.upper, outcome.by),
        "claim": outcome.claim or "",
        "own_claim": outcome.claim or outcome.check,
        "form": form,
        "differences": [
            f"s{seed}: {spelled(difference, form)}"
            for seed, difference in zip(outcome.seeds, outcome.differences, strict=False)
        ],
        "parts": _by_verdict(outcome.parts, outcome),
        "beside": "; ".join(f"{each.range}: {each.verdict}" for each in outcome.beside),
        "notes": "; ".join(outcome.notes),
        "runs": _spans([places[key] for key in outcome.keys if key in places]),
    }


def _bound(of_d: float | None, by: float) -> float | str | None:
    """Return a bound of the effect, from one of D, which is the effect less `by`."""
    if of_d is None or math.isfinite(of_d):
        return None if of_d is None else of_d + by
    return "∞" if of_d > 0 else "−∞"


def _by_verdict(parts: Sequence[Outcome], whole: Outcome) -> str:
    """Return the parts of a compound by their verdicts, each named by what tells it from the others."""
    named: dict[str, list[str]] = {}
    for part in parts:
        words = [
            text
            for text, same in (
                (part.check, whole.check),
                (part.setting, whole.setting),
                (part.range, whole.range),
                (part.of, whole.of),
            )
            if text and text != same
        ]
        named.setdefault(part.verdict, []).append(", ".join(words))
    return "; ".join(f"{verdict}: {' · '.join(names)}" for verdict, names in named.items())


def _spans(rows: Sequence[int]) -> list[int]:
    """Return rows as runs of successive ones: first, how many, first, how many.

    >>> _spans([7, 3, 4, 5])
    [3, 3, 7, 1]
    """
    spans: list[int] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-2] + spans[-1]:
            spans[-1] += 1
        else:
            spans += [row, 1]
    return spans
