"""What others report beside what came out here: reported, ours, difference, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis import SETTING, VARIANT, variant_name
from prunebench.analysis.table import counted
from prunebench.checks.evidence import Paired
from prunebench.checks.judge import ALPHA, judge
from prunebench.checks.outcomes import Outcome, Verdicts
from prunebench.percent import percent_labels
from prunebench.report.document import Block, Cell, Section, Table
from prunebench.report.fields import signed
from prunebench.report.results import Results
from prunebench.report.standings import Standing
from prunebench.report.verdict_tables import verdicts_of

__all__ = ["REPLICATION", "quantities_section", "replication", "replication_blocks"]

REPLICATION = (
    *SETTING,
    *VARIANT,
    "sparsity",
    "source",
    "matrix",
    "runs",
    "reported",
    "n",
    "diverged",
    "mean",
    "sd",
    "difference",
    "low",
    "high",
    "margin",
    "verdict",
    "check",
)
"""Columns of `replication`: docs/results.md says what each one holds."""


def replication(results: Results) -> pd.DataFrame:
    """Return a row for each number that others report of the suite's cells, with ours and a verdict.

    Where a check of the suite asks the same (a `[[reported]]` with `agrees`), its verdict is given with its
    name and margin. Else the same question is asked with the setting's margin δ: whether the mean of ours is
    the same, within δ, as the reported number, which is taken as it stands. Diverged runs count with a guess.
    """
    rows = [row for standing in results.standings for row in _rows(results, standing)]
    return pd.DataFrame(rows, columns=list(REPLICATION))


def _rows(results: Results, standing: Standing) -> Iterator[dict[str, Any]]:
    reported = standing.reported(results.suite.get("reported") or ())
    if not reported:
        return
    cells = results.board.cells
    mine = cells[(cells[list(SETTING)] == pd.Series(standing.labels)).all(axis=1)]
    by_place = dict(iter(mine.groupby([*VARIANT, "sparsity"], sort=False)))
    asked = _asked(results)
    for row in reported:
        place = (row["method"], row["ablations"], row["sparsity"])
        ours = by_place.get(place, mine.iloc[:0]).drop_duplicates("seed")
        check = asked.get((frozenset(ours["key"]), row["value"]))
        yield {
            **standing.labels,
            **{name: row[name] for name in (*VARIANT, "sparsity", "source", "matrix", "runs")},
            "reported": np.nan if row["value"] is None else float(row["value"]),
            **_compared(ours, row["value"], standing.ranges.margin),
            **(check or {}),
        }


def _compared(ours: pd.DataFrame, reported: float | None, margin: float) -> dict[str, Any]:
    """Return ours beside a reported number."""
    finished = ours.loc[ours["status"] == "finished", "accuracy"].to_numpy(dtype=np.float64)
    values = counted(ours).to_numpy(dtype=np.float64)
    ours_is: dict[str, Any] = {
        "n": len(finished),
        "diverged": int((ours["status"] == "diverged").sum()),
        "mean": float(finished.mean()) if len(finished) else np.nan,
        "sd": float(finished.std(ddof=1)) if len(finished) > 1 else np.nan,
        "margin": margin,
        "check": "",
    }
    if not ours_is["n"] + ours_is["diverged"]:
        return {**ours_is, "verdict": "not run"}
    if reported is None or not ours_is["n"]:  # of a divergence there is no number
        agrees = "holds" if reported is None and not ours_is["n"] else "fails"
        return {**ours_is, "verdict": agrees}
    differences = values - reported
    whole = len(values) == len(ours) and not np.isnan(differences).any()
    if whole and len(values) > 1:
        evidence = Paired(differences, scale=100.0)
        half = ALPHA / 2
        ours_is |= {"difference": evidence.effect, "low": evidence.lower(half), "high": evidence.upper(half)}
        return {**ours_is, "verdict": judge(evidence, "same", margin).verdict}
    known = differences[~np.isnan(differences)]
    ours_is["difference"] = float(known.mean()) if len(known) else np.nan
    return {**ours_is, "verdict": "undecided" if whole else "not run"}


def _asked(results: Results) -> dict[tuple[frozenset[str], float | None], dict[str, Any]]:
    """Return the checks that ask whether an accuracy is a number, by the keys of its cells and the number."""
    checks: dict[tuple[frozenset[str], float | None], dict[str, Any]] = {}
    for outcome in verdicts_of(results)[0].outcomes:
        number = _number(outcome.against)
        same = outcome.expect == "same" and outcome.quantity == "accuracy" and not outcome.by
        if same and number is not None:
            about = {"verdict": outcome.verdict, "check": outcome.check, "margin": outcome.margin}
            checks.setdefault((frozenset(outcome.keys), number), about)
    return checks


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_LEGEND = (
    "Differences are ours − reported in points of accuracy, with the 95 % t interval of ours: how far the "
    "reported number would spread is not known. The verdict says whether ours is the same within the margin."
)


def replication_blocks(found: pd.DataFrame) -> list[Block]:
    """Return one setting's rows of `replication` as a table with its legend; nothing where there are none."""
    if found.empty:
        return []
    labels = percent_labels(found["sparsity"])
    rows: list[dict[Any, Any]] = found.drop_duplicates([*VARIANT, "sparsity", "source", "reported"]).to_dict(
        "records"
    )
    heads = ("method", "sparsity", "reported by", "reported", "ours", "difference", "margin", "verdict")
    body = tuple(tuple(_cells(row, labels)) for row in rows)
    return ["Reported by others:", Table("reported", heads, body, left=(2, 7)), _LEGEND]


def _cells(row: Mapping[Any, Any], labels: Mapping[float, str]) -> Iterator[Cell]:
    yield Cell(variant_name(row["method"], row["ablations"]))
    yield Cell(f"{labels[row['sparsity']]} %", True, value=row["sparsity"])
    yield Cell(row["source"])
    runs = f" (n = {int(row['runs'])})" if pd.notna(row["runs"]) else ""
    lost = pd.isna(row["reported"])
    yield Cell(
        ("diverged" if lost else f"{row['reported']:.2f}") + runs, True, value=_sortable(row["reported"])
    )
    yield _ours(row)
    yield _difference(row)
    yield Cell(f"{row['margin']:g}", True)
    yield Cell(row["verdict"])


def _ours(row: Mapping[Any, Any]) -> Cell:
    if not row["n"]:
        return Cell("diverged" if row["diverged"] else "–")
    spread = f" ± {row['sd']:.2f}" if pd.notna(row["sd"]) else ""
    lost = f", {row['diverged']} diverged" if row["diverged"] else ""
    return Cell(f"{row['mean']:.2f}{spread} (n = {row['n']}{lost})", True, value=row["mean"])


def _difference(row: Mapping[Any, Any]) -> Cell:
    if pd.isna(row["difference"]):
        return Cell()
    interval = f" [{signed(row['low'])}, {signed(row['high'])}]" if pd.notna(row["low"]) else ""
    return Cell(signed(row["difference"]) + interval, True, value=row["difference"])


def _sortable(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def quantities_section(verdicts: Verdicts) -> Section | None:
    """Return what checks ask to be the same as a number that is no accuracy: reported, ours, difference."""
    rows = [
        (outcome, number)
        for outcome in verdicts.outcomes
        if (number := _reported_number(outcome)) is not None
    ]
    body = tuple(
        (
            Cell(outcome.check),
            Cell(outcome.quantity),
            Cell(", ".join(part for part in (outcome.of, outcome.setting) if part)),
            Cell(f"{number:.4g}", True, value=number),
            Cell(f"{ours:.4g}", True, value=ours),
            Cell(f"{ours - number:+.3g}", True, value=ours - number),
            Cell("" if outcome.margin is None else f"{outcome.margin:g}", True, value=outcome.margin),
            Cell(outcome.verdict),
        )
        for outcome, number in rows
        if (ours := _our_number(outcome)) is not None
    )
    if not body:
        return None
    heads = ("check", "quantity", "of", "reported", "ours", "difference", "margin", "verdict")
    table = Table("reported quantities", heads, body, left=(1, 2, 7), kind="reported")
    return Section("Reported numbers of other quantities", (_QUANTITIES, table))


_QUANTITIES = (
    "Numbers of a paper that are no accuracies, beside what came out here; the verdict says whether ours is "
    "the same within the margin."
)


def _reported_number(outcome: Outcome) -> float | None:
    """Return the number that a check asks to be met; None where it asks for something else."""
    if outcome.expect != "same" or outcome.verdict == "not run":
        return None
    number = _number(outcome.against)
    if number is not None:
        return None if outcome.quantity == "accuracy" else number + outcome.by
    return outcome.by or None


def _our_number(outcome: Outcome) -> float | None:
    """Return what stands beside that number: a difference from it is made good again."""
    number = _number(outcome.against)
    if outcome.effect is None or number is None:
        return outcome.effect
    return outcome.effect + number
