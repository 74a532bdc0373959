"""The answer in words says who is best, who cannot be told from the best, and how far that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from prunebench.analysis import table
from prunebench.report.page.answer import answer
from prunebench.report.results import Results

SUITE = {"name": "s", "version": "1", "margin": 0.5}


def said(accuracies: Mapping[str, list[float | None]], range: str = "all") -> Any:
    """Return what is said of methods by their accuracies, one a seed; None: not run."""
    rows = [
        {
            "matrix": "m", "cell": f"{method}-s{seed}", "key": f"{method}{seed}", "architecture": "net",
            "dataset": "data", "method": method, "density": "0.1" if method != "none" else "1", "seed": seed,
            "status": "finished" if accuracy is not None else "missing", "classes": 10,
            "correct": None if accuracy is None else round(100 * accuracy),
            "examples": None if accuracy is None else 10000,
        }
        for method, each in accuracies.items()
        for seed, accuracy in enumerate(each)
    ]  # fmt: skip
    standing = Results(SUITE, table(rows)).standings[0]
    return next(each for each in answer(standing) if each.range == range)


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        (
            {"a": [90, 91, 92, 93, 94], "b": [80, 81.1, 82, 83, 84], "c": [70, 71, 72.1, 73, 74]},
            "a is best (92.00 %): significantly better than each of the 2 others.",
        ),
        (
            {"a": [90, 91, 92, 93, 94], "b": [80, 81.1, 82, 83, 84]},
            "a is best (92.00 %): significantly better than the other one.",
        ),
        (
            {"a": [90, 95, 92, 93, 94], "b": [92, 91, 93, 92, 93]},
            "The two cannot be told apart; a has the higher mean (92.80 %).",
        ),
        (
            {"a": [90, 95, 92, 93, 94], "b": [92, 91, 93, 92, 93], "c": [91, 90, 95, 93, 90]},
            "None of the 3 methods can be told from the best; a has the highest mean (92.80 %).",
        ),
        (
            {"a": [90, 95, 92, 93, 94], "b": [92, 91, 93, 92, 93], "c": [51, 50, 52, 53, 50]},
            "a has the highest mean (92.80 %); nobody is significantly better than b (92.20) either: 2 of 3 may be best.",
        ),
    ],
)  # fmt: skip
def test_the_best_are_named(accuracies: Mapping[str, list[float | None]], words: str) -> None:
    found = said(accuracies)
    assert found.words.startswith(words)
    assert found.points == "90 %"


def test_what_is_not_run_is_not_forgotten() -> None:
    """A best of two says so where a third was planned."""
    found = said({"a": [90, 91, 92], "b": [80, 81.1, 82], "c": [None, None, None]})
    assert found.words.startswith("So far, of the 2 methods that can be compared: a is best")


def test_many_of_the_best_are_counted() -> None:
    """Four are named in the table of settings, of the others the number is said."""
    found = said({name: [90 + i, 95 - i, 92] for i, name in enumerate("abcdefg")})
    assert len(found.best) == found.of == 7
    assert (len(found.few), found.more) == (4, 3)
