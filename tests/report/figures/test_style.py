"""Every row of a figure can be told from every other, on light and on dark ground."""

from __future__ import annotations

from itertools import combinations
from math import dist

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


@pytest.mark.parametrize("first", range(0, 90, 9))
def test_methods_of_somebody_share_no_colour_while_there_are_others(first: int) -> None:
    """Grey is that of random and no pruning; the built-in ones that are there keep theirs."""
    found = styles([f"mine-{i}" for i in range(first, first + len(COLOURS) - 1)])
    assert len({style.colour for style in found.values()}) == len(COLOURS) - 1
    beside = styles(
        ["none", "random", "snip", *(f"mine-{i}" for i in range(first, first + len(COLOURS) - 2))]
    )
    assert len({style.colour for style in beside.values()}) == len(COLOURS)


def test_main_methods_differ_in_mark_and_in_colour() -> None:
    """Who cannot tell two of the colours apart can tell the marks."""
    main = ["random", "magnitude", "snip", "grasp", "synflow", "magnitude-after-training"]
    found = styles(main)
    for one, other in combinations(main, 2):
        assert found[one].mark != found[other].mark
        assert found[one].colour != found[other].colour


def test_a_method_looks_the_same_beside_others() -> None:
    """Whoever is there beside: the built-in ones always, another's where its colour is free."""
    alone = styles(["snip", "mine"])
    beside = styles(["synflow", "mine", "snip", "snip + shuffle", "random"])
    assert {name: beside[name] for name in alone} == alone


def test_an_ablation_has_its_methods_colour_and_a_mark_and_dash_of_its_own() -> None:
    """Shuffling has one hollow mark and one dash, whatever is shuffled; two ablations never look alike."""
    found = styles(
        ["snip", "grasp", "snip + shuffle", "grasp + shuffle", "snip + reinit", "snip + mine + reinit"]
    )
    shuffled = found["snip + shuffle"]
    assert shuffled.colour == found["snip"].colour != found["grasp + shuffle"].colour
    assert shuffled.mark == found["grasp + shuffle"].mark not in MARKS
    assert shuffled.dash == found["grasp + shuffle"].dash != found["snip"].dash
    for one, other in combinations([name for name in found if name.startswith("snip + ")], 2):
        assert found[one].mark != found[other].mark or found[one].dash != found[other].dash
    assert found["snip + mine + reinit"].dash != found["snip"].dash


def test_ablations_of_methods_that_share_a_colour_look_different() -> None:
    """force and iterative-snip are brown: shuffled, they have different marks or dashes."""
    found = styles(["force", "iterative-snip", "force + shuffle", "iterative-snip + shuffle"])
    assert found["force"].colour == found["iterative-snip"].colour
    assert found["force + shuffle"] != found["iterative-snip + shuffle"]


# Machado, Oliveira, Fernandes 2009, severity 1.0, of linear RGB
VISIONS = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def seen(colour: str, vision: str) -> tuple[float, float, float]:
    """A colour in CIELAB (D65), as somebody of this vision sees it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    mixed = [min(max(sum(w * v for w, v in zip(row, linear, strict=True)), 0), 1) for row in VISIONS[vision]]
    white = [sum(row) for row in XYZ]
    xyz = [sum(w * v for w, v in zip(row, mixed, strict=True)) / n for row, n in zip(XYZ, white, strict=True)]
    x, y, z = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize(("vision", "least"), [("everybody", 30), ("protanopia", 18), ("deuteranopia", 18)])
def test_colours_are_told_apart_by_people_who_see_no_red_or_no_green(vision: str, least: float) -> None:
    """Distances in CIELAB; a just noticeable one is 2.3. Green and brown of equal lightness would be 1."""
    for one, other in combinations(COLOURS.values(), 2):
        assert dist(seen(one, vision), seen(other, vision)) >= least, (one, other)
    assert dist(seen("#97683a", "deuteranopia"), seen("#7a8512", "deuteranopia")) < 18


def test_methods_with_ablations_have_colours_of_their_own() -> None:
    """Of the built-in methods: so an ablation is told from another method's by its colour."""
    ablated = [
        "random",
        "magnitude",
        "snip",
        "grasp",
        "synflow",
        "iterative-snip",
        "magnitude-after-training",
        "ltr",
    ]
    assert len({style.colour for style in styles(ablated).values()}) == len(ablated)
