"""A leaderboard's part over all settings: who stands where in each, and what holds across them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prunebench.analysis import SETTING, variant_name
from prunebench.numbers import spelled
from prunebench.report.document import Block, Cell, Section, Table
from prunebench.report.fields import interval, place
from prunebench.report.methods import Methods, Row
from prunebench.report.results import Results
from prunebench.report.settings import heading
from prunebench.report.standings import Standing

__all__ = ["overall_section"]

_LEGEND = (
    "Each method's mean accuracy in percent, with its place, over the setting's matching sparsities: over "
    "all sparsities where it has no matching ones, or they are not known."
)
_ACROSS = (
    "The difference is the mean over settings of method − {baseline} in points of accuracy, with its 95 % "
    "bootstrap interval over settings; the improvement is the probability that a run is better than one of "
    "{baseline} in the same setting; within: the share of settings in which the method is at most the margin "
    "below the best."
)


def overall_section(results: Results) -> Section | None:
    """Return the section over all settings; None where there is but one."""
    standings = [
        s for s in results.standings if s.ranges.grid and s.rows["n"].sum() + s.rows["diverged"].sum()
    ]
    if len(standings) < 2:
        return None
    labels = [
        label if standing.ranges.matching else f"{label} (all sparsities)"
        for label, standing in zip(setting_labels([s.labels for s in standings]), standings, strict=True)
    ]
    columns = [_by_method(standing) for standing in standings]
    names = list(dict.fromkeys(name for column in columns for name in column))
    cells = {name: [column.get(name, Cell()) for column in columns] for name in names}
    if len(labels) <= len(names):
        table = Table(
            "all settings", ("method", *labels), tuple((Cell(n), *cells[n]) for n in names), kind="overall"
        )
    else:
        rows = tuple((Cell(label), *(cells[n][i] for n in names)) for i, label in enumerate(labels))
        table = Table("all settings", ("setting", *names), rows, kind="overall")
    blocks: list[Block] = [_LEGEND, table]
    return Section("All settings", (*blocks, *_across(results.across)))


def setting_labels(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Return for each setting in words what tells it from the others.

    >>> same = {"recipe": "", "split": "test", "find": "", "dataset": "mnist", "score_at": ""}
    >>> setting_labels([{**same, "architecture": "lenet"}, {**same, "architecture": "mlp"}])
    ['lenet', 'mlp']
    """
    differing = [name for name in SETTING if len({labels[name] for labels in settings}) > 1]
    few = [{name: labels[name] if name in differing else "" for name in SETTING} for labels in settings]
    short = [_short(labels) for labels in few]
    return short if len(set(short)) == len(short) else [heading(labels) for labels in settings]


def _short(labels: Mapping[str, str]) -> str:
    network = " on ".join(labels[name] for name in ("architecture", "dataset") if labels[name])
    rest = [labels[name] for name in ("recipe", "split") if labels[name]]
    rest += [f"find {labels['find']}"] if labels["find"] else []
    rest += [f"pruned at {labels['score_at']}"] if labels["score_at"] else []
    return ", ".join([*([network] if network else []), *rest]) or "at methods' own steps"


def _by_method(standing: Standing) -> dict[str, Cell]:
    """Return what the table over all settings says of each method in one of them."""
    over = "matching" if standing.ranges.points("matching") else "all"
    rows: Sequence[Row] = standing.rows.to_dict("records")
    methods = Methods(rows, standing.baselines.none)
    cells = {}
    for name in methods.names:
        row, _ = methods.row(name, over)
        if row is not None:
            cells[name] = _cell(row)
    return cells


def _cell(row: Row) -> Cell:
    if not row["n"]:
        return Cell("diverged" if row["diverged"] else "–")
    where = place(row).text
    diverged = f", {row['diverged']} diverged" if row["diverged"] else ""
    text = spelled(row["mean"], "points") + (f" ({where}{diverged})" if where else "")
    return Cell(text, True, value=float(row["mean"]))


def _across(found: pd.DataFrame) -> list[Block]:
    """Return a table for each group of settings that are taken together, and for each range that matters."""
    blocks: list[Block] = []
    for (find, score_at), group in found.groupby(["find", "score_at"], sort=False):
        known = list(dict.fromkeys(group["range"]))
        for over in [name for name in ("trivial", "matching", "extreme") if name in known] or known:
            part = group[group["range"] == over]
            details = [f"find {find}"] if find else []
            details += [f"pruned at {score_at}"] if score_at else []
            where = f" ({', '.join(details)})" if details else ""
            rows: list[dict[Any, Any]] = part.to_dict("records")
            blocks += [f"Across settings, {over} sparsities{where}:", _across_table(over, details, rows)]
    return [*blocks, _ACROSS.format(baseline=found["against"].iloc[0])] if blocks else []


def _across_table(over: str, details: Sequence[str], rows: Sequence[Mapping[Any, Any]]) -> Table:
    name = ", ".join(["across settings", over, *details])
    body = tuple(
        (
            Cell(variant_name(row["method"], row["ablations"])),
            Cell(f"{row['settings']} of {row['of']}", True, value=float(row["settings"])),
            interval(row["difference"], row["low"], row["high"], "difference"),
            interval(row["improvement"], row["improvement_low"], row["improvement_high"], "share"),
            interval(row["within"], None, None, "share"),
        )
        for row in rows
    )
    return Table(name, ("method", "settings", "difference", "improvement", "within"), body, kind="overall")
