"""Every column of the data, and every key of the JSON, has its line in the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from prunebench.analysis.across import ACROSS
from prunebench.checks.outcomes import ClaimVerdict, Outcome, Verdicts
from prunebench.report.leaderboard import TABLES, leaderboard
from prunebench.report.replication import REPLICATION
from prunebench.report.results import COSTS, Results
from prunebench.report.standings import LONG
from prunebench.report.verdict_tables import CHECK_COLUMNS, CLAIM_COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
SETTING = {
    "architecture",
    "dataset",
    "recipe",
    "split",
    "find",
    "score_at",
    "method",
    "ablations",
    "sparsity",
}


def described(page: str, start: str, end: str) -> set[str]:
    """Return what the first columns of the tables between two texts of a page name."""
    text = (DOCS / page).read_text("utf-8")
    part = text[text.index(start) :]
    part = part[: part.index(end, len(start))]
    firsts = re.findall(r"^\| (.*?) \|", part, re.M)
    return {name for first in firsts for name in re.findall(r"`(\w+)`", first)}


DATA = described("statistics.md", "## The data", "\n## ")
COST = described("results.md", "## `costs`", "\n## ")
OVER = described("results.md", "## `across`", "\n## ")


@pytest.mark.parametrize(
    ("columns", "documented"),
    [
        ({"schema", "suite", "version", *LONG}, DATA),
        (set(COSTS), COST),
        (
            set(REPLICATION) - SETTING,
            described("tables.md", "`--table reported`, a row", "`--table claims`, a"),
        ),
        (set(CLAIM_COLUMNS), described("tables.md", "`--table claims`, a row", "`--table checks`, a")),
        (set(CHECK_COLUMNS), described("tables.md", "`--table checks`, a row", "\n## ")),
        (set(ACROSS) - SETTING, OVER),
    ],
    ids=["leaderboard", "cost", "reported", "claims", "checks", "overall"],
)
def test_every_column_has_its_line(columns: set[str], documented: set[str]) -> None:
    """And a line that is of no column is found where the table has a section of its own."""
    assert columns <= documented
    if not columns & {"schema", "macs", "settings"}:
        assert documented - SETTING <= columns


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            if name not in ("ranges", "seeds_needed"):  # whose keys are names of ranges
                yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def test_every_key_of_the_json_is_described(cells: Callable[..., pd.DataFrame]) -> None:
    """Wherever it stands: settings, borders, rows, reported numbers, what is across settings, claims, checks."""
    methods = {
        "none": {0.0: [98.0, 98.2]},
        "random": {0.5: [94.0, 94.1]},
        "magnitude-after-training": {0.5: [98.0, 98.1]},
        "snip": {0.5: [97.0, 97.2]},
    }
    frames = [cells(methods, architecture=f"net{i}") for i in range(3)]
    first = frames[0].iloc[0]
    labels = {k: str(first[k]) for k in ("architecture", "dataset", "recipe", "find", "score_at", "split")}
    reported = {**labels, "method": "snip", "ablations": "", "density": "0.5", "value": 97.0, "source": "A"}
    suite = {"name": "s", "version": "1", "checks": [{}], "reported": [{**reported, "runs": 3}]}
    results = Results(suite, pd.concat(frames, ignore_index=True))
    one = Outcome(check="c", verdict="holds")
    claim = ClaimVerdict(id="A1", says="x", source="y", kind="every", verdict="holds", outcomes=(one,))
    results.verdicts = Verdicts(outcomes=(one,), claims=(claim,))
    whole = json.loads(leaderboard(results, "json"))
    assert all(whole[name] for name in ("settings", "across", "claims", "checks"))
    assert whole["settings"][0]["reported"]
    text = "".join((DOCS / page).read_text("utf-8") for page in ("statistics.md", "tables.md", "results.md"))
    documented = {name for code in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"\w+", code)}
    assert set(keys(whole)) <= documented


def test_every_table_is_described_in_the_documentation() -> None:
    """Each name that --table takes has its row."""
    assert set(TABLES) <= described("tables.md", "## What there is", "\n## ")
