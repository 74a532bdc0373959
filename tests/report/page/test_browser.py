"""The page in a real browser: it loads by itself, and everything that a reader can do works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Page = Callable[..., Any]


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


def test_a_column_is_filtered_by_a_condition(page: Page) -> None:
    """All rows that are left meet it, and some are left."""
    found = page()
    table(found, "cells")
    conditions: dict[str, Callable[[float], bool]] = {
        "> 80": lambda x: x > 80,
        "<=80": lambda x: x <= 80,
        "70..80": lambda x: 70 <= x <= 80,
    }
    for typed, kept in conditions.items():
        found.click("#table-cells input[aria-label='filter by accuracy, %']")
        found.run("document.activeElement.value = ''")
        found.keys(typed)
        left = [float(text) for text in rows(found, "cells", "accuracy")]
        assert left
        assert all(map(kept, left))
        assert " of " in found.texts("#table-cells .count")[0]


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


def test_a_row_opens_with_the_commands_that_run_it_again(page: Page) -> None:
    """The run itself, and all seeds of its row; of a row of accuracies those."""
    found = page()
    table(found, "cells")
    found.click("#table-cells tbody tr[data-row]:nth-child(3)")
    assert found.ask("document.getElementById('row').open")
    again, verify = found.texts("#row code")
    assert not {"null", "undefined"} & set(found.ask("document.getElementById('row').innerText").split())
    assert again.startswith("prunebench run small --store again -k digits-mlp-digits-")
    name = again.split(" -k ")[1].rsplit("-s", 1)[0]
    assert verify == f"prunebench verify methods::{name} --suite small"
    found.click("#row .close")
    assert not found.ask("document.getElementById('row').open")
    table(found, "accuracies")
    found.click("#table-accuracies tbody tr[data-row]:nth-child(5)")
    assert re.fullmatch(
        r"prunebench verify methods::digits-mlp-digits-\S+ --suite small", found.texts("#row code")[0]
    )
    found.keys("\ue00c")


OPENED = """
const box = document.getElementById(arguments[0]);
const row = box.querySelector('tbody tr[data-row]:nth-of-type(2)') ?? box.querySelector('tbody tr[data-row]');
const heads = [...box.querySelectorAll('thead th[data-column]')].map((th) => th.textContent);
const cells = [...row.cells].map((cell) => cell.textContent);
row.click();
const dialog = document.getElementById('row');
const told = [...dialog.querySelectorAll('dl > *')].map((each) => [each.tagName, each.textContent]);
const text = dialog.innerText;
dialog.close();
return [heads, cells, told, text];
"""


def test_a_row_of_every_table_opens_with_all_of_it(page: Page) -> None:
    """Each column that has something, its heading and its text as the table has them, and nothing else."""
    found = page("#digits-mlp/tables")
    found.run(
        "document.querySelectorAll('.figure:not([hidden]) details').forEach((each) => (each.open = true))"
    )
    names = found.ask(
        "[...document.querySelectorAll('.listing, .figure:not([hidden])')].map((each) => each.id)"
    )
    assert len(names) > 10
    for name in names:
        found.run("document.getElementById(arguments[0]).scrollIntoView()", name)
        found.wait(f"document.querySelector('#{name} tbody tr[data-row]')")
        found.run(
            "document.querySelector(`#${arguments[0]} .tools [aria-pressed=false]`)?.click()", name
        )  # all columns
        heads, cells, told, text = found.run(OPENED, name)
        wanted = [pair for pair in zip(heads, cells, strict=True) if pair[1]]
        assert [tag for tag, _ in told] == ["DT", "DD"] * len(wanted), name
        assert [(told[i][1], told[i + 1][1]) for i in range(0, len(told), 2)] == wanted
        assert "[object" not in text


FORESTS = """
return [...document.querySelectorAll('#claims-list svg.forest')].map((picture) => {
  const at = (which, name) => Number(picture.querySelector(which)?.getAttribute(name) ?? NaN);
  return [at('.bounds', 'x1'), at('.effect', 'cx'), at('.bounds', 'x2'), at('.threshold', 'x1'),
          picture.closest('tr').cells[4].textContent, picture.closest('tr').cells[0].textContent];
});
"""


def test_effect_bounds_and_threshold_of_a_check_are_of_one_quantity(page: Page) -> None:
    """The dot lies within its bar, in numbers too, and where a check holds beside the threshold that it is set."""
    found = page("#digits-mlp/claims")
    found.run("document.querySelectorAll('#claims-list details').forEach((each) => (each.open = true))")
    found.wait("document.querySelectorAll('#claims-list svg.forest').length == 7")
    for low, dot, high, threshold, text, verdict in found.run(FORESTS):
        effect, lower, upper = map(float, re.findall(r"[-+]?\d+(?:\.\d+)?", text.replace("\u2212", "-")))
        assert lower <= effect <= upper
        assert low <= dot <= high
        if verdict == "fails" and "share" in text:
            assert dot < threshold
    named = dict(zip(found.texts("#claims-list tr td:nth-child(2)"), found.run(FORESTS), strict=True))
    share = named["share-of-unpruned-random"]
    assert 0 < float(share[4].split()[0]) < 1  # a ratio, and not that less 0.9
    assert "set against 0.9" in " ".join(found.texts("#claims-list tr td:nth-child(3)"))
    points = named["points-below-unpruned"]
    assert points[1] > points[3]  # it loses far more than 5 points


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


def test_a_claim_and_a_check_have_links_of_their_own(page: Page) -> None:
    """They open the claim, show the check, and go back; whatever was chosen before."""
    found = page("#claim-A")
    assert found.ask("document.getElementById('claim-A').open")
    assert found.ask("document.getElementById('claim-A').getBoundingClientRect().top") < 200
    found.click("#claims-filters input")
    found.keys("shuffle")
    found.run("location.hash = '#digits-convnet/claims/check-after-training-above-grasp'")
    found.wait("document.querySelector('#claim-A tr.asked')")
    assert "after-training-above-grasp" in found.texts("tr.asked")[0]
    row = "document.querySelector('tr.asked').getBoundingClientRect()"
    assert found.ask(f"{row}.top > 0 && {row}.bottom < innerHeight")
    found.click("tr.asked")
    assert (
        found.ask("document.querySelector('#row a').hash")
        == "#digits-convnet/claims/check-after-training-above-grasp"
    )
    found.keys("\ue00c")
