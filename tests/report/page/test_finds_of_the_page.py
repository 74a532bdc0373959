"""A page of a study of finds: it opens with what they say, in words, in tables and in figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from little_study import HOT, PLAIN, SLOW, SUITE

from prunebench.analysis import measures
from prunebench.report.leaderboard import leaderboard
from prunebench.report.page import PAGE, Content, render, write
from prunebench.report.results import Results

Cells = Callable[..., pd.DataFrame]


@pytest.fixture
def results(cells: Cells) -> Results:
    """What no find concerns comes first in the suite; the networks that were scored are measured."""
    frames = [
        cells(rows, recipe=recipe, **labels)
        for recipe in ("eval", "other")
        for rows, labels in ((PLAIN, {}), (SLOW, {"find": "lr=0.01"}), (HOT, {"find": "hot"}))
    ]
    frame = pd.concat(frames, ignore_index=True)
    scored = [
        {**row, "measure": "scored-network", "measured": {"unpruned": {"accuracy": 90.0 + row["seed"]}}}
        for row in frame.to_dict("records")
        if row["method"] == "chain" and row["status"] == "finished"
    ]
    return Results(SUITE, frame, measures(scored))


def tables(page: str) -> list[list[list[str]]]:
    """Return the texts of the tables of finds in a page."""
    found = re.findall(r'<table class="finds">(.*?)</table>', page, re.DOTALL)
    rows = [re.findall(r"<tr.*?</tr>", table, re.DOTALL) for table in found]
    cell = re.compile(r"<t[hd].*?>(.*?)</t[hd]>", re.DOTALL)
    return [
        [[unescape(re.sub("<.*?>", "", one)) for one in cell.findall(row)] for row in table] for table in rows
    ]


def test_its_tables_are_those_of_the_leaderboard(results: Results) -> None:
    """Of each recipe of evaluation one, with the accuracy of the networks that were scored."""
    page = render(Content(results, files=False))
    text = leaderboard(results, "md")
    parts = [part.split("\n\n")[2] for part in text.split("\n## ") if part.startswith("Finds: ")]
    told = [
        [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in part.splitlines()
            if "|:" not in line
        ]
        for part in parts
    ]
    assert len(told) == 2
    assert tables(page) == told


def test_it_begins_with_finds_in_a_setting_that_has_one(results: Results) -> None:
    content = Content(results, files=False)
    page = render(content)
    sections = re.findall(r'data-section="(.*?)"', page)
    assert sections[:2] == ["finds", "answer"]
    assert content.settings[content.first].name.title == "lenet on mnist, recipe eval, find lr=0.01"
    assert "chain, mean over 2 sparsities, 50–80 %: masks found under lr=0.01 96.60 %" in page
    assert "local, at 50 %: masks found under hot 95.60 %" in page


def test_means_are_over_the_sparsities_that_all_finds_of_a_method_have(cells: Cells) -> None:
    """Differences by seed are 0, 2 and 4 points for local, and 10, 10 and 11 for chain.

    At 2 degrees of freedom t is 4.303: 2 ± 4.97 and 10.33 ± 1.43 points.
    """
    high: dict[str, Any] = {
        "chain": {0.5: [90.0, 91.0, 92.0], 0.8: [10.0, 10.0, 10.0], 0.9: [80.0, 81.0, 82.0]},
        "local": {0.9: [60.0, 62.0, 64.0]},
    }
    low: dict[str, Any] = {
        "chain": {0.5: [80.0, 82.0, 81.0], 0.9: [70.0, 70.0, 71.0], 0.8: [10.0, 10.0, None]},
        "local": {0.5: [99.0, 99.0, 99.0], 0.9: [60.0, 60.0, 60.0]},
    }
    none: dict[str, Any] = {"none": {0.0: [98.0, 98.2, 98.1]}}
    frames = [cells(none), cells(high, find="lr=0.1"), cells(low, find="lr=0.2")]
    (part,) = Content(Results(SUITE, pd.concat(frames, ignore_index=True)), files=False).finds
    chain, local = part.said
    assert chain.startswith(
        "chain, mean over 2 sparsities, 50–90 %: masks found under lr=0.1 86.00 % (83.52 to"
    )
    assert ", under lr=0.2 75.67 % (" in chain
    assert "told apart" not in chain
    assert local.startswith(
        "local, at 90 %: masks found under lr=0.1 62.00 % (57.03 to 66.97), under lr=0.2 60.00 %"
    )
    assert local.endswith(" By seed, lr=0.1 cannot be told apart from lr=0.2.")


def test_a_suite_without_finds_has_none_of_it(cells: Cells) -> None:
    content = Content(Results(SUITE, cells({**PLAIN, **SLOW})), files=False)
    assert (content.finds, content.first) == ([], 0)
    assert 'id="finds"' not in render(content)


def test_a_setting_shows_the_table_of_its_recipe(results: Results, browser: Any, tmp_path: Path) -> None:
    """And a method that is hidden has no row."""
    write(tmp_path, PAGE, render(Content(results, files=False)))
    browser.open(tmp_path / PAGE)
    shown = "[...document.querySelectorAll('[data-settings]')].filter(each => !each.hidden)"
    heading = f"{shown}.map(each => each.querySelector('h3').textContent)"
    assert browser.ask(heading) == ["lenet on mnist, recipe eval"]
    browser.click("[data-settings]:not([hidden]) a")
    browser.wait(f"{heading}[0] === 'lenet on mnist, recipe other'")
    rows = f"{shown}[0].querySelectorAll('tbody tr:not([hidden])').length"
    assert browser.ask(rows) == 6
    browser.click("#chips-methods .chip:nth-child(3)")
    browser.wait(f"{rows} === 4")
    browser.listen()
    assert browser.said == []
