"""Figures of scaling laws in a real browser: they fit, and are there where their family is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scaling_families import family, noisy

from prunebench.analysis import SETTING
from prunebench.host import Host
from prunebench.report.figures import law
from prunebench.report.figures.law import actual, curves
from prunebench.report.page import PAGE, Content, render, write
from prunebench.report.results import Results
from prunebench.scaling.drawing import FamilyPoints


@pytest.fixture
def laws(small: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of a suite whose first setting is of a family: two figures, of three and of two panels."""
    monkeypatch.setattr(law, "_MAKERS", (curves.width, actual.actual))
    points = noisy(family([20], [1 / 8, 1 / 2, 2], [1, 2, 4], 14), 0.03, 0)
    first = tuple(str(small.standings[0].labels[name]) for name in SETTING)
    mine = FamilyPoints("net on data, imp", [first], Host.builtin_forms(), points)
    whole = Results(
        small.suite, small.cells, small.measures, small.costs, small.quantities, laws=lambda: [mine]
    )
    write(tmp_path, PAGE, render(Content(whole, files=False)))
    return tmp_path / PAGE


def test_figures_of_a_law_fit_and_are_there_for_their_family(browser: Any, laws: Path) -> None:
    """Three panels side by side on a screen, one below the other on a phone; no other setting has the section."""
    boxes = "[...document.querySelectorAll('#laws .chart')]"
    widths = (
        f"{boxes}.map((box) => [box.querySelector('svg').getBoundingClientRect().width, box.clientWidth])"
    )
    height = "document.querySelector('#figure-law-width svg').getBoundingClientRect().height"
    for size, low in (((390, 800), False), ((1280, 900), True)):
        browser.open(laws, size=size)
        for drawn, room in browser.ask(widths):
            assert 0.4 * room < drawn <= room
        assert (browser.ask(height) < 600) == low
    assert not browser.ask("document.getElementById('laws').hidden")
    browser.keys("]")
    browser.wait("document.getElementById('laws').hidden", 5)
    browser.listen()
    assert browser.said == []
