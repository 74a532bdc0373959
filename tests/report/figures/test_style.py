"""Every row of a figure can be told from every other, on light and on dark ground."""

from __future__ import annotations

from itertools import combinations

import pytest
from simulated import simulate

from prunebench.report.figures import COLOURS, GROUNDS, MARKS, styles


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ground", GROUNDS.values(), ids=str)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_stands_out_from_both_grounds(colour: str, ground: str) -> None:
    """A graphical object needs a contrast of 3 to 1 (WCAG 2.2, 1.4.11)."""
    lights = sorted([luminance(COLOURS[colour]), luminance(ground)])
    assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 3


def names_of(suite: str) -> list[str]:
    cells = simulate(suite, measured=False).cells
    rows = cells[["method", "ablations"]].drop_duplicates().itertuples(index=False, name=None)
    return [" + ".join([method, *filter(None, ablations.split("+"))]) for method, ablations in rows]


@pytest.mark.parametrize("suite", ["pai-lenet", "pai-extreme", "pai-after-init"])
def test_no_two_rows_of_a_suite_look_alike(suite: str) -> None:
    """Colour, mark and dash together are each row's own."""
    found = styles(names_of(suite))
    assert len(set(found.values())) == len(found) >= 7


def test_forty_methods_of_somebody_have_forty_looks() -> None:
    """The place that a name decides is left to the first method where two names decide the same."""
    found = styles([f"mine-{i}" for i in range(40)])
    assert len({(style.colour, style.mark) for style in found.values()}) == 40


def test_main_methods_differ_in_mark_and_in_colour() -> None:
    """Who cannot tell two of the colours apart can tell the marks."""
    main = ["random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training"]
    found = styles(main)
    for one, other in combinations(main, 2):
        assert found[one].mark != found[other].mark
        assert found[one].colour != found[other].colour


def test_a_method_looks_the_same_beside_others() -> None:
    """Whoever is there beside: the built-in ones always, another's where its pair is free."""
    alone = styles(["snip", "mine"])
    beside = styles(["synflow", "mine", "snip", "snip + shuffle", "random"])
    assert {name: beside[name] for name in alone} == alone


def test_an_ablation_keeps_the_mark_of_its_method_and_has_a_dash() -> None:
    """Shuffling has one colour and dash, whatever is shuffled."""
    found = styles(["snip", "grasp", "snip + shuffle", "grasp + shuffle", "snip + mine + reinit"])
    assert found["snip + shuffle"].mark == found["snip"].mark in MARKS
    assert found["snip + shuffle"].dash == found["grasp + shuffle"].dash != found["snip"].dash
    assert found["snip + shuffle"].colour == found["grasp + shuffle"].colour
    assert found["snip + mine + reinit"].dash != found["snip"].dash
