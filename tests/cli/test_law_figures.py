"""`fit --figures`: files of figures with the tables behind them, for a file of anybody's points."""

from __future__ import annotations

import csv
import itertools

import pytest

from .conftest import Place
from .test_mistakes import refused


def write_points(place: Place, widths: tuple[float, ...]) -> None:
    with (place.folder / "points.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(["width", "density", "error", "error_unpruned"])
        for width, k in itertools.product(widths, range(12)):
            unpruned = 0.05 + 0.02 / width
            m, ratio = width * 0.6**k, (0.9 / unpruned) ** 2
            error = unpruned * abs((m - 0.01j * ratio) / (m - 0.01j)) ** 0.5
            write.writerow([width, 0.6**k, error, unpruned])


def test_figures_of_a_fit_are_files_with_their_tables(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without vl-convert they are pages that load nothing, and it is said how to have SVG and PDF."""
    monkeypatch.setattr("prunebench.report.figures.files.can_convert", lambda: False)
    write_points(place, (0.5, 1.0, 2.0))
    done = place.call(
        "fit", "points.csv", "--form", "rosenfeld-width", "--starts", "4", "--figures", "made/figures"
    )
    folder = place.folder / "made" / "figures"
    names = {path.stem for path in folder.glob("*.html")}
    assert {"law-width", "law-actual", "law-contours", "law-fewest", "law-pruned"} <= names
    assert names == {path.stem for path in folder.glob("*.csv")}
    rows = list(csv.DictReader((folder / "law-width.csv").open()))
    assert len(rows) == 3 * 12
    assert {row["width"] for row in rows} == {"0.5", "1", "2"}
    assert all(len(value) <= 18 for row in rows for value in row.values())  # no 38400.00000000001
    assert f"made/figures: {len(names)} figures as HTML, and the tables behind them" in done.stderr
    assert "How many networks a law needs is drawn from 4 networks on." in done.stderr
    assert "prunebench[report]" in done.stderr


def test_figures_cannot_be_written_over_a_file(place: Place) -> None:
    write_points(place, (0.5, 1.0))
    assert "points.csv" in refused(place, "fit", "points.csv", "--figures", "points.csv")
