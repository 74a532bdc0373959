"""A sparsity is selected as tables print it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prunebench.engine.sparsities import of_sparsity, sparsity_of
from prunebench.errors import UsageError
from prunebench.percent import percent_labels
from prunebench.plan.cells import PlannedCell


def cells(grids: dict[str, Sequence[str]]) -> list[PlannedCell]:
    """Return a cell for each setting (a recipe's name) and density."""
    return [
        PlannedCell(
            matrix="main",
            name=f"{recipe}-d{density}",
            key=f"{recipe}{density}",
            targets=(),
            labels={"architecture": "a", "dataset": "d", "recipe": recipe},
            density=density,
            seed=0,
            target=1,
            prunable=2,
            cost=0.0,
            parts=(),
        )
        for recipe, densities in grids.items()
        for density in densities
    ]


CHAIN = [f"{0.8**k:.12f}" for k in (0, 1, 5, 19, 20, 31)]
"""Sparsities 0, 20, 67.232, 98.559…, 98.847…, 99.900…: tables print 98.56, or 98.6, by what else is there."""


def chosen(grids: dict[str, Sequence[str]], *texts: str) -> list[tuple[str, float]]:
    return [(cell.labels["recipe"], sparsity_of(cell)) for cell in of_sparsity(cells(grids), texts)]


@pytest.mark.parametrize("text", ["95", "95 %", "95%", "95.0", "0.95", ".95", "0.950", " 95 % "])
def test_spellings(text: str) -> None:
    """A share, or percent with or without its sign."""
    assert chosen({"r": ["1", "0.2", "0.05"]}, text) == [("r", 0.95)]


@pytest.mark.parametrize("place", range(len(CHAIN)))
@pytest.mark.parametrize("spelled", ["{} %", "{}%", "{}"])
def test_every_heading_selects_its_column(place: int, spelled: str) -> None:
    """Whatever stands over a column of the table."""
    values = [round(1 - float(density), 12) for density in CHAIN]
    label = percent_labels(values)[values[place]]
    assert chosen({"r": CHAIN}, spelled.format(label)) == [("r", values[place])]


def test_more_digits_than_the_table_prints() -> None:
    """A number is rounded as it is given."""
    for text in ("98.559", "98.55885", "0.9855885", "98.56"):
        ((_, value),) = chosen({"r": CHAIN}, text)
        assert value == pytest.approx(0.985588, abs=1e-6)


def test_fewer_digits_are_enough_where_they_tell() -> None:
    """67 can only be 67.232; 99 may be two."""
    assert chosen({"r": CHAIN}, "67") == [("r", 0.67232)]
    with pytest.raises(UsageError, match=r"--sparsity 99: may be 98\.\d+ %, 98\.\d+ %; give more digits"):
        chosen({"r": CHAIN[:-1]}, "99")


def test_settings_have_their_own_headings() -> None:
    """What is exact in one setting is not looked for by rounding in another."""
    grids = {"a": ["1", "0.05"], "b": ["1", "0.0513", "0.1"]}
    assert chosen(grids, "95") == [("a", 0.95)]
    assert chosen(grids, "94.9") == [("b", 0.9487)]
    assert chosen(grids, "0", "90") == [("a", 0.0), ("b", 0.0), ("b", 0.9)]


def test_nothing_wanted_is_all() -> None:
    """No option, no selection."""
    assert len(chosen({"r": CHAIN})) == len(CHAIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("96", r"no cell has it; the nearest is 95 %; allowed: 0 %, 80 %, 95 %"),
        ("0.5", r"no cell has it; the nearest is 80 %"),
        ("0.95 %", r"no cell has it; the nearest is 0 %"),
        ("100", "a sparsity is below 100 %"),
        ("100 %", "a sparsity is below 100 %"),
        ("-5", "found '-5', allowed: a share below 1"),
        ("95,5", "found '95,5'"),
        ("nan", "found 'nan'"),
        ("", "found ''"),
        ("1e1", "found '1e1'"),
        ("%", "found '%'"),
    ],
)
def test_what_is_no_sparsity_here(text: str, said: str) -> None:
    """Says what was found, the nearest, and what is allowed."""
    with pytest.raises(UsageError, match=said):
        chosen({"r": ["1", "0.2", "0.05"]}, text)
