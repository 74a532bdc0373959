"""The page writes numbers as everything else does."""

from __future__ import annotations

import random
from importlib.resources import files

import pandas as pd
from report.page.conftest import Browser
from report.page.test_columns import unpacked

from prunebench.numbers import FORMS, spelled
from prunebench.report.page.columns import packed

SCRIPT = files("prunebench.report.page").joinpath("js/1-numbers.js").read_text("utf-8")


def numbers() -> list[float]:
    """Of all sizes, halves among them that Python and JavaScript round differently."""
    draw = random.Random(1)
    sizes = [draw.choice((-1, 1)) * 10 ** draw.uniform(-6, 12) for _ in range(300)]
    means = [draw.randrange(20000) / 200 for _ in range(300)]
    return [
        *sizes,
        *means,
        *(k / 8 for k in range(-300, 300)),
        0.0,
        999.6,
        999_600.0,
        0.9996,
        7199.0,
        1e-5,
        1.91663e11,
    ]


def embedded(form: str) -> list[float]:
    """Return the numbers as the page's data have them."""
    columns = packed(pd.DataFrame({"x": numbers()}), forms={"x": form})["columns"]
    return unpacked(columns, "x", len(numbers()))


def test_every_kind_of_number_is_written_in_the_page_as_elsewhere(browser: Browser) -> None:
    """Of numbers that are shortened as the page's data are, forms and default alike."""
    given = [(value, form) for form in FORMS for value in embedded(form)]
    pairs = [(value, form) for form in FORMS for value in numbers()]
    found = browser.run(f"{SCRIPT}; return arguments[0].map(([v, f]) => spelled(v, f));", given)
    wrong = [(*pair, text) for pair, text in zip(pairs, found, strict=True) if spelled(*pair) != text]
    assert not wrong[:5]


def test_numbers_without_a_kind_are_counts_or_quantities(browser: Browser) -> None:
    values = [12345, 7, 0.98123, 25000.4]
    found = browser.run(f"{SCRIPT}; return arguments[0].map((v) => shown(v));", values)
    assert found == ["12,345", "7", "0.981", "25,000"]
