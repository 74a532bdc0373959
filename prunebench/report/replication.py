"""What others report beside what came out here: reported, ours, difference, verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from prunebench.analysis import SETTING, VARIANT, variant_name
from prunebench.analysis.table import counted
from prunebench.checks.evidence import Paired
from prunebench.checks.judge import ALPHA, judge
from prunebench.checks.outcomes import Outcome
from prunebench.numbers import form_of, spelled
from prunebench.percent import percent_labels
from prunebench.report.document import Block, Cell, Table
from prunebench.report.fields import absent
from prunebench.report.standings import Standing

__all__ = ["REPLICATION", "forms", "replication", "replication_blocks", "what"]

REPLICATION = (
    *SETTING,
    *VARIANT,
    "sparsity",
    "quantity",
    "against",
    "compare",
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

Row = Mapping[Any, Any]


def replication(
    reported: Sequence[Row], standings: Sequence[Standing], cells: pd.DataFrame, judged: Iterable[Outcome]
) -> pd.DataFrame:
    """Return a row for each number that others report of the suite's cells, with ours and a verdict.

    Where a check of the suite asks the same (a `[[reported]]` with `agrees`), its verdict is given with its
    name and margin; of a number that is no accuracy, ours is what that check compares, and the interval is
    that of its differences, or where it has none its two one-sided 95 % bounds. Of an accuracy without a
    check the same question is asked with the setting's margin δ: whether the mean of ours is the same, within
    δ, as the reported number, which is taken as it stands. Diverged runs count with a guess.

    reported: what others report, as a frozen plan has it
    cells: those that the standings were computed from
    judged: what became of the suite's checks
    """
    outcomes = {one.check: one for one in judged}
    rows = [
        row for standing in standings for row in _rows(cells, standing, _of(standing, reported), outcomes)
    ]
    frame = pd.DataFrame(rows, columns=list(REPLICATION))
    return frame.astype(dict.fromkeys(("sparsity", "reported", "mean", "sd", "difference"), "float64"))


def _of(standing: Standing, reported: Sequence[Row]) -> list[Row]:
    """Return those of others' numbers that are of a setting's cells."""
    densities = {*standing.rows["density"], ""}
    mine = [row for row in reported if all(row.get(k, v) == v for k, v in standing.labels.items())]
    return [row for row in mine if row["density"] in densities]


def _rows(
    cells: pd.DataFrame, standing: Standing, reported: Sequence[Row], outcomes: Mapping[str, Outcome]
) -> Iterator[dict[str, Any]]:
    if not reported:
        return
    mine = cells[(cells[list(SETTING)] == pd.Series(standing.labels)).all(axis=1)]
    by_place = dict(iter(mine.groupby([*VARIANT, "density"], sort=False)))
    for row in reported:
        outcome = outcomes.get(row.get("check") or "")
        ours = by_place.get((row["method"], row["ablations"], row["density"]), mine.iloc[:0])
        value = np.nan if row["value"] is None else float(row["value"])
        quantity = row.get("quantity", "accuracy")
        number = quantity == "accuracy" and not row.get("against")
        yield {
            **standing.labels,
            **{name: row[name] for name in (*VARIANT, "source", "runs")},
            **{name: row.get(name, "") for name in ("against", "compare", "matrix")},
            "sparsity": round(1 - float(row["density"]), 12) if row["density"] else np.nan,
            "quantity": quantity,
            "reported": value,
            **(
                _compared(ours.drop_duplicates("seed"), row["value"], standing.ranges.margin)
                if number
                else _read_off(outcome, value)
            ),
            **({} if outcome is None else _judged(outcome)),
        }


def _judged(outcome: Outcome) -> dict[str, Any]:
    return {"verdict": outcome.verdict, "check": outcome.check, "margin": outcome.margin}


def _read_off(outcome: Outcome | None, reported: float) -> dict[str, Any]:
    """Return ours of a number that is no accuracy: what the check compares that asks for it."""
    ours: dict[str, Any] = {"n": 0, "diverged": 0, "margin": np.nan, "verdict": "not run", "check": ""}
    if outcome is None or outcome.effect is None:
        return ours
    differences = np.array(outcome.differences, dtype=np.float64)
    difference = outcome.effect - outcome.by
    ours |= {"n": outcome.n, "difference": difference, "mean": reported + difference}
    if len(differences) > 1:
        evidence = Paired(differences)
        half = ALPHA / 2
        return ours | {"sd": evidence.sd, "low": evidence.lower(half), "high": evidence.upper(half)}
    return ours | {"low": outcome.lower, "high": outcome.upper}


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


_LEGEND = (
    "Differences are ours − reported in points of accuracy, with the 95 % t interval of ours: how far the "
    "reported number would spread is not known. The verdict says whether ours is the same within the margin."
)


_OTHERS = (
    "Of numbers that are no accuracies ours is what the check compares, by seed; the interval is that of its "
    "mean, or where it is read off a whole curve or is a ratio, the check's two one-sided 95 % bounds."
)


def replication_blocks(reported: pd.DataFrame) -> list[Block]:
    """Return one setting's rows of `replication` as a table with its legend; nothing where there are none."""
    if reported.empty:
        return []
    rows: Sequence[Row] = _told_apart(reported).to_dict("records")
    other = any(forms(row)[0] != "points" for row in rows)
    heads = ("method", "sparsity", *(["of what"] if other else []), *_HEADS)
    labels = percent_labels(reported["sparsity"].dropna())
    body = tuple(tuple(_cells(row, labels, other=other)) for row in rows)
    left = (2, 3, len(heads) - 1) if other else (2, len(heads) - 1)
    return [
        "Reported by others:",
        Table("reported", heads, body, left=left),
        _LEGEND,
        *([_OTHERS] if other else []),
    ]


def _told_apart(reported: pd.DataFrame) -> pd.DataFrame:
    """Return the rows, those that a source reports twice with the matrix that each is of."""
    place = [*VARIANT, "sparsity", "quantity", "against", "source", "reported"]
    twice = reported.duplicated(place, keep=False) & (reported["matrix"] != "")
    return reported.assign(
        source=reported["source"].where(~twice, reported["source"] + " (" + reported["matrix"] + ")")
    )


_HEADS = ("reported by", "reported", "ours", "difference", "margin", "verdict")


def what(row: Row) -> str:
    """Return of what a reported number is, in words.

    >>> what({"quantity": "accuracy", "against": ""}), what({"quantity": "accuracy", "against": "random"})
    ('accuracy', 'accuracy, less that of random')
    """
    words = ", ratio to that of" if row.get("compare") == "ratio" else ", less that of"
    return f"{row['quantity']}{words} {row['against']}" if row["against"] else str(row["quantity"])


def forms(row: Row) -> tuple[str, str]:
    """Return how ours and the difference are written: keys of `numbers.FORMS`."""
    if row["compare"] == "ratio":
        return "ratio", "effect"
    difference = form_of(row["quantity"])
    if row["compare"]:
        return difference, difference
    return "points" if difference == "difference" else "quantity", difference


def _cells(row: Row, labels: Mapping[float, str], *, other: bool) -> Iterator[Cell]:
    yield Cell(variant_name(row["method"], row["ablations"]))
    sparsity = row["sparsity"]
    yield Cell() if absent(sparsity) else Cell(f"{labels[sparsity]} %", True, value=sparsity)
    if other:
        yield Cell(what(row))
    yield Cell(row["source"])
    runs: str = f" (n = {int(row['runs'])})" if pd.notna(row["runs"]) else ""
    lost = absent(row["reported"])
    text = "diverged" if lost else spelled(row["reported"], "given")
    yield Cell(text + runs, True, value=None if lost else float(row["reported"]))
    yield _ours(row)
    yield _difference(row)
    yield Cell() if absent(row["margin"]) else Cell(spelled(row["margin"], "exact"), True)
    yield Cell(row["verdict"])


def _ours(row: Row) -> Cell:
    if not row["n"] or absent(row["mean"]):
        return Cell("diverged" if row["diverged"] else "–")
    form = forms(row)[0]
    spread = (
        "" if absent(row["sd"]) else f" ± {spelled(row['sd'], 'points' if form == 'points' else 'quantity')}"
    )
    lost = f", {row['diverged']} diverged" if row["diverged"] else ""
    return Cell(f"{spelled(row['mean'], form)}{spread} (n = {row['n']}{lost})", True, value=row["mean"])


def _difference(row: Row) -> Cell:
    if absent(row["difference"]):
        return Cell()
    form = forms(row)[1]
    ends = "" if absent(row["low"]) else f" [{spelled(row['low'], form)}, {spelled(row['high'], form)}]"
    return Cell(spelled(row["difference"], form) + ends, True, value=row["difference"])
