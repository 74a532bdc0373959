"""The page in a real browser: it loads by itself, and everything that a reader can do works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

Page = Callable[..., Any]
MLP, CONVNET = "digits-mlp on digits", "digits-convnet on digits"


@pytest.fixture(autouse=True)
def nothing_is_said(browser: Any) -> Iterator[None]:
    """Whatever a test does: no message in the console, and no request but for the file."""
    yield
    browser.listen()
    assert browser.said == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len([url for url in browser.requests if url.startswith("file:")]) <= 1


ROWS = "[...document.querySelectorAll('#table-{} tbody tr[data-row]')].map((row) => row.textContent)"


def rows(page: Any, table: str, column: str | None = None) -> list[str]:
    """Return the texts of a table's rows, or of one of its columns."""
    if column is None:
        return list(page.ask(ROWS.format(table)))
    return list(
        page.run(
            "const box = document.getElementById(arguments[0]);"
            "const at = [...box.querySelectorAll('thead th[data-column]')]"
            "  .findIndex((th) => th.dataset.column === arguments[1]);"
            "return [...box.querySelectorAll('tbody tr[data-row]')].map((row) => row.cells[at].textContent);",
            f"table-{table}",
            column,
        )
    )


def table(page: Any, name: str) -> None:
    """Bring a table into view, so that it is built."""
    page.run("document.getElementById(arguments[0]).scrollIntoView()", f"table-{name}")
    page.wait(f"document.querySelector('#table-{name} tbody tr')")


def test_it_opens_from_the_file_system_by_itself(page: Page) -> None:
    """Figures are drawn, tables stand, and nothing is asked of anybody."""
    found = page()
    assert found.ask("document.title") == "A small suite: prunebench"
    assert found.ask("document.querySelectorAll('.chart svg').length") >= 1
    assert found.ask(
        "[...document.querySelectorAll('.chart svg')].every((each) => each.querySelector('path'))"
    )
    table(found, "cells")
    assert len(rows(found, "cells")) > 10
    assert not {"null", "undefined", "NaN"} & set(found.ask("document.body.innerText").split())


def test_a_heading_sorts_rising_falling_and_back(page: Page) -> None:
    found = page()
    table(found, "cells")
    before = rows(found, "cells")
    heading = "#table-cells th[data-column=accuracy] button"
    found.click(heading)
    assert (
        found.ask("document.querySelector('#table-cells th[data-column=accuracy]').ariaSort") == "descending"
    )
    falling = [float(text) for text in rows(found, "cells", "accuracy") if text]
    assert falling == sorted(falling, reverse=True)
    found.click(heading)
    rising = [float(text) for text in rows(found, "cells", "accuracy") if text]
    assert rising == sorted(rising)
    assert rising[0] <= min(falling)
    found.click(heading)
    after = rows(found, "cells")
    assert all(one == other for one, other in zip(before, after, strict=False))
    assert len(after) > 10


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("> 80", lambda x: x > 80),
        ("<=80", lambda x: x <= 80),
        ("70..80", lambda x: 70 <= x <= 80),
    ],
)
def test_a_column_is_filtered_by_a_condition(page: Page, typed: str, kept: Callable[[float], bool]) -> None:
    """All rows that are left meet it, and as many as there are by count."""
    found = page()
    table(found, "cells")
    found.click("#table-cells input[aria-label='filter by accuracy, %']")
    found.keys(typed)
    left = [float(text) for text in rows(found, "cells", "accuracy")]
    assert left
    assert all(map(kept, left))
    assert found.ask("document.querySelector('#table-cells .count').textContent").split(" of ")[0] != ""


def test_a_condition_that_is_none_is_marked_and_filters_nothing(page: Page) -> None:
    found = page()
    table(found, "cells")
    before = found.texts("#table-cells .count")
    found.click("#table-cells input[aria-label='filter by accuracy, %']")
    found.keys("good")
    assert found.ask("document.querySelector('#table-cells .filters .wrong') !== null")
    assert found.texts("#table-cells .count") == before


def test_a_word_and_a_choice_filter(page: Page) -> None:
    found = page()
    table(found, "cells")
    found.click("#table-cells input[type=search]")
    found.keys("synflow")
    assert set(rows(found, "cells", "name")) == {"synflow"}
    found.run(
        "const select = document.querySelector(\"#table-cells select[aria-label='filter by status']\");"
        "if (select) { select.value = 'diverged'; select.dispatchEvent(new Event('change')); }"
    )
    assert set(rows(found, "cells", "status")) <= {"diverged", "finished"}


def test_all_rows_of_a_long_table_come_by_as_it_is_scrolled(page: Page) -> None:
    """Only some are elements at a time; the last one is reached."""
    found = page()
    table(found, "cells")
    count = int(found.ask("document.querySelector('#table-cells table').ariaRowCount")) - 2
    assert len(rows(found, "cells")) < count
    scroller = "document.querySelector('#table-cells .scroller')"
    found.run(f"{scroller}.scrollTop = {scroller}.scrollHeight")
    found.wait(
        f"[...document.querySelectorAll('#table-cells tr[data-row]')].at(-1).ariaRowIndex == {count + 2}"
    )


def test_a_method_is_hidden_everywhere_and_shown_again(page: Page) -> None:
    """In figures, places and tables; the address says so."""
    found = page(f"#{'digits-mlp'}/answer")
    marks = "document.querySelectorAll('#figure-accuracy .mark-line path').length"
    before = found.ask(marks)
    assert "synflow" in " ".join(found.texts("#places tbody th"))
    chip = "#chips-methods button:nth-of-type(6)"
    assert found.texts(chip) == ["synflow"]
    found.click(chip)
    assert found.ask(f"document.querySelector('{chip}').ariaPressed") == "false"
    assert "synflow" not in " ".join(found.texts("#places tbody th"))
    found.wait(f"{marks} < {before}")
    assert "hide=synflow" in found.ask("location.hash")
    table(found, "cells")
    assert "synflow" not in rows(found, "cells", "name")
    found.click(chip)
    found.wait(f"{marks} == {before}")
    assert "hide" not in found.ask("location.hash")


def test_an_ablation_is_hidden_and_none_and_all_are_a_click(page: Page) -> None:
    found = page("#digits-mlp/answer")
    assert "snip + shuffle" in " ".join(found.texts("#places tbody th"))
    found.click("#chips-ablations .both button:last-child")
    assert not [text for text in found.texts("#places tbody th") if "+" in text]
    found.click("#chips-ablations .both button:first-child")
    assert "snip + shuffle" in " ".join(found.texts("#places tbody th"))


def test_pointing_at_a_method_dims_the_others(page: Page) -> None:
    """From its chip and from its line; and nothing stays dim."""
    found = page("#digits-mlp/answer")
    dim = "document.querySelectorAll('#figure-accuracy .dim').length"
    found.hover("#chips-methods button:nth-of-type(4)")
    found.wait(f"{dim} > 0")
    lines = "[...document.querySelectorAll('#figure-accuracy .mark-line > path')]"
    assert found.ask(f"{lines}.filter((line) => !line.classList.contains('dim')).length") == 1
    lit = found.ask("[...document.querySelectorAll('#places tr.lit')].map((row) => row.dataset.variant)")
    assert sorted(lit) == ["snip", "snip + reinit", "snip + shuffle"]
    found.hover("h1")
    found.wait(f"{dim} == 0")


def test_a_row_opens_with_the_command_that_runs_it_again(page: Page) -> None:
    found = page()
    table(found, "cells")
    found.click("#table-cells tbody tr[data-row]:nth-child(3)")
    assert found.ask("document.getElementById('row').open")
    command = found.texts("#row code")[0]
    assert not {"null", "undefined"} & set(found.ask("document.getElementById('row').innerText").split())
    assert command.startswith("prunebench run small --store again -k digits-mlp-digits-")
    found.click("#row .close")
    assert not found.ask("document.getElementById('row').open")


def test_a_claim_opens_with_its_checks(page: Page) -> None:
    """The sentence with its verdict; inside, its checks, and of each the runs that it is made of."""
    found = page("#digits-mlp/claims")
    assert found.texts("#claim-A .says") == ["Magnitude after training is above methods at initialisation."]
    found.click("#claim-A summary")
    found.wait("document.querySelectorAll('#claim-A tbody tr').length == 3")
    assert "after-training-above-snip" in found.texts("#claim-A tbody tr")[0]
    found.click("#claim-A tbody tr")
    assert found.texts("#row code") == ["prunebench check small -k after-training-above-snip"]
    found.click("#row details summary")
    found.wait("document.querySelectorAll('#row .runs li').length == 24")
    found.click("#row .close")


def test_claims_are_chosen_by_verdict_and_word(page: Page) -> None:
    found = page("#digits-mlp/claims")
    found.click("#claims-filters input")
    found.keys("shuffle")
    assert found.texts("#claims-list .says") == ["shuffle-loses-nothing"]
