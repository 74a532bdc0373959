"""The figure and the table of really smaller networks: shares seed by seed, where filters were removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from prunebench.report.figures import Figure, figures, picture
from prunebench.report.page import Content
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]
SUITE = {"name": "filters", "version": "1", "margins": {"mnist": 0.2}}
ROWS: dict[str, Any] = {
    "none": {0.0: [98.0, 98.2]},
    "by-scale": {0.5: [97.0, 97.2], 0.8: [94.0, 94.4]},
    "at-random": {0.5: [96.0, 96.2], 0.8: [90.0, 91.0]},
}
LEFT = {"0.5": 0.4, "0.2": 0.1}
"""The share of the parameters that are left at a density and seed 0; at seed 1 it is half of that more."""


def costs(frame: pd.DataFrame, *, filters: bool = True, timed: bool = True) -> pd.DataFrame:
    """Return what `shrunk` says: FLOPs fall with the square of what is left, seconds with its root."""
    left = frame["density"].map(lambda density: LEFT.get(density, 1.0) if filters else 1.0)
    left = left * (1 + 0.5 * frame["seed"] * (left < 1))
    measured = frame[frame["sparsity"] > 0].assign(
        parameters_masked=1000.0,
        parameters_shrunk=1000 * left,
        flops_masked=5e6,
        flops_shrunk=5e6 * left**2,
        **({"seconds_masked": 0.02, "seconds_shrunk": 0.02 * left**0.5} if timed else {}),
    )
    return pd.concat([measured, frame[frame["sparsity"] == 0]])


def results(cells: Cells, **how: bool) -> Results:
    frame = cells(ROWS)
    return Results(SUITE, frame, costs=costs(frame, **how))


def made(results: Results) -> Figure | None:
    return next((each for each in figures(results) if each.id == "smaller"), None)


def test_accuracies_stand_at_the_mean_share_that_is_left(cells: Cells) -> None:
    """Of parameters, of FLOPs and of seconds, each a panel; the unpruned network in all of them."""
    figure = made(results(cells))
    assert figure is not None
    rows = figure.rows()["smaller"]
    at = rows[(rows["name"] == "by-scale") & (rows["density"] == 0.5)].set_index("kind")
    assert at["left"].to_dict() == pytest.approx(
        {
            "parameters left": (0.4 + 0.6) / 2,
            "FLOPs left": (0.4**2 + 0.6**2) / 2,
            "measured latency left": (0.4**0.5 + 0.6**0.5) / 2,
        }
    )
    assert list(at["mean"]) == [pytest.approx(97.1)] * 3
    assert len(rows[rows["sparsity"] == 0]) == 3
    assert picture(figure.spec(), "svg").count(b"<svg") == 1
    assert "parameters left, by-scale: 97.10 % with 50" in figure.alt


def test_latency_is_there_where_it_was_measured(cells: Cells) -> None:
    figure = made(results(cells, timed=False))
    assert figure is not None
    assert set(figure.rows()["smaller"]["kind"]) == {"parameters left", "FLOPs left"}


def test_masks_of_single_weights_leave_no_smaller_network(cells: Cells) -> None:
    """Nor is there such a figure where nothing was measured."""
    assert made(results(cells, filters=False)) is None
    assert made(Results(SUITE, cells(ROWS))) is None


def test_the_page_has_a_section_with_the_figure_and_a_table(cells: Cells) -> None:
    content = Content(results(cells), files=False)
    table = next(each for each in content.tables if each.id == "smaller")
    assert {"parameters_shrunk", "flops_left", "seconds_left"} <= {column.id for column in table.columns}
    row = table.frame[(table.frame["name"] == "at-random") & (table.frame["density"] == 0.2)].iloc[0]
    assert row["parameters_shrunk"] == pytest.approx((100 + 150) / 2)
    assert row["mean"] == pytest.approx(90.5)
    assert all(each.id != "smaller" for each in Content(results(cells, filters=False), files=False).tables)
