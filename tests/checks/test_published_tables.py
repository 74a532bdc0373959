"""Quantities on the tables that are published with their records: what they say is what the tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prunebench.analysis import compare, find_ranges, measures, summarize, table
from prunebench.analysis.statistics import paired
from prunebench.checks.curves import Curves
from prunebench.checks.gather import Line, step_of
from prunebench.checks.gather import gather as gather_curves
from prunebench.checks.quantities import numbers
from prunebench.host import Host

FOLDER = Path(__file__).parents[2] / "leaderboards"
HOST = Host.load(third_party=False)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="leaderboards/ is not part of a source archive")


def unpacked(name: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of cells and of measures of a published leaderboard."""
    from prunebench.inventory.rows import measure_rows, rows
    from prunebench.trust.folder import RECORDS
    from prunebench.trust.packs import unpack

    pack = unpack(FOLDER / name / RECORDS, folder)
    return table(rows(pack.plan, pack.store)), measures(measure_rows(pack.plan, pack.store))


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """LeNet-300-100 on MNIST: methods and ablations, three sparsities, two seeds."""
    return unpacked("pai-lenet-test", tmp_path_factory.mktemp("lenet"))


def gather(frame: pd.DataFrame, **more: Any) -> dict[Line, Curves]:
    """Return the curves of the table; its recipe ends after two epochs of 469 steps."""
    return gather_curves(frame, step=lambda label, cell: 938.0 if label == "end" else step_of(label), **more)


def ask(name: str, curves: Curves, **parameters: Any) -> Any:
    return numbers(HOST.get("quantity", name), curves, parameters)


def named(found: dict[Line, Curves], method: str, ablations: str = "") -> Curves:
    """Return a method's curves at its own point."""
    (one,) = [c for line, c in found.items() if (line.method, line.ablations) == (method, ablations)]
    return one.at(np.flatnonzero(np.isnan(one.steps)))


def test_accuracy_over_seeds_is_what_the_table_compares(lenet: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Its mean is the row's mean, and its paired differences those of `compare`, at every sparsity."""
    frame, _ = lenet
    found = gather(frame)
    rows = summarize(frame)
    differences = paired(compare(frame), "snip", "random")
    one, other = named(found, "snip"), named(found, "random")
    for place, sparsity in enumerate(one.sparsities):
        apart = ask("accuracy", one.at([place])) - ask("accuracy", other.at([place]))
        pair = differences[(differences["sparsity"] == sparsity) & (differences["score_at"] == "")]
        np.testing.assert_allclose([apart.mean(), apart.std(ddof=1)], pair[["mean", "sd"]].iloc[0])
        row = rows[(rows["method"] == "snip") & (rows["ablations"] == "") & (rows["sparsity"] == sparsity)]
        np.testing.assert_allclose(ask("accuracy", one.at([place])).mean(), row["mean"].iloc[0])
    assert len(differences) == len(one.sparsities) == 3


def test_range_end_is_where_the_table_ends_its_ranges(lenet: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Of the two baselines: the trivial range ends with random's, the matching one with magnitude's."""
    frame, _ = lenet
    ranges = find_ranges(frame)[("lenet-300-100", "mnist", frame["recipe"].iloc[0], "test", "", "")]
    assert ranges.unknown is None
    found = gather(frame, count=2000)
    for edge in ranges.borders:
        ends = ask("range-end", named(found, edge.baseline))
        after = dict(zip((0.0, *ranges.grid), (*ranges.grid, float("inf")), strict=True))
        assert after[ends[0]] == edge.lost_from
        drawn = sorted(after[end] for end in ends[1:])
        assert (drawn[round(0.05 * 1999)], drawn[round(0.95 * 1999)]) == (edge.low, edge.high)


def test_runs_that_diverged_are_counted(lenet: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Every run of every method once; those that diverged are those of which the table says so."""
    frame, _ = lenet
    every = frame.drop_duplicates(["method", "ablations", "score_at", "density", "seed"])
    runs = [ask("diverged", curves) for curves in gather(frame).values()]
    assert sum((~np.isnan(each)).sum() for each in runs) == len(every)
    assert sum(np.nansum(each) for each in runs) == (every["status"] == "diverged").sum() > 0


def test_measures_are_those_of_the_table(lenet: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """The mean over sparsities of a field, at each seed; the distance of a method from itself is 0."""
    frame, numbers_of = lenet
    name = str(numbers_of["measure"].iloc[0])
    field = str(numbers_of["field"].iloc[0])
    path = f"{name}.{field}" if field else name
    one = named(gather(frame, measures=numbers_of, fields=[path]), "snip")
    rows = numbers_of[
        (numbers_of["score_at"] == "")
        & (numbers_of["measure"] == name)
        & (numbers_of["field"] == field)
        & (numbers_of["method"] == "snip")
    ]
    wanted = rows[rows["ablations"] == ""].groupby("seed")["value"].mean()
    np.testing.assert_allclose(ask("measure", one, of=path), wanted)
    assert ask("distance", one, of=path, reference=one).tolist() == [0.0, 0.0]


def test_crossing_on_a_published_table(lenet: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Where random pruning reaches SNIP less δ, by hand from the means; the infinite margin is reached at once."""
    frame, _ = lenet
    found = gather(frame)
    one, other = named(found, "random"), named(found, "snip")
    ahead = (one.mean() - other.mean())[0] + one.margin
    order = np.argsort(one.sparsities)
    (end,) = ask("crossing", one, along="sparsity", reaches=other)
    reached = [one.sparsities[i] for i in order if ahead[i] >= 0]
    assert end <= reached[0] if reached else end == float("inf")
    wide = gather(frame, margins=100.0)
    assert ask("crossing", named(wide, "random"), along="sparsity", reaches=named(wide, "snip")) == min(
        one.sparsities
    )
