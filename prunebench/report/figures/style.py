"""Colours and marks of methods: one for each, the same in every figure, on light and on dark ground.

A method has a colour and a mark, an ablation a colour and a dash: "snip + shuffle" is drawn in the colour and
dash of shuffling with the mark of SNIP. So no two rows look alike, whoever looks: where two colours are near
for somebody who sees no red or no green, marks or dashes differ. Every colour has a contrast of at least 3 to
1 to both grounds (WCAG 2.2, 1.4.11), so that a method keeps its colour when the page turns dark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["COLOURS", "GROUNDS", "MARKS", "Style", "config", "styles"]

COLOURS: Mapping[str, str] = {
    "blue": "#3a7bd5",
    "orange": "#d2700c",
    "green": "#1a8c55",
    "purple": "#8d5bd6",
    "red": "#d5404f",
    "pink": "#cf4fa6",
    "teal": "#0e8a9e",
    "brown": "#97683a",
    "olive": "#7a8512",
    "grey": "#7b7f87",
}
"""All of them at least 3 to 1 against both of `GROUNDS`."""

GROUNDS: Mapping[str, str] = {"light": "#ffffff", "dark": "#15181d"}
_INK: Mapping[str, str] = {"light": "#1d2127", "dark": "#e7e9ec"}
_FAINT: Mapping[str, str] = {"light": "#e3e6ea", "dark": "#2c3138"}
_MUTED: Mapping[str, str] = {"light": "#565d66", "dark": "#a4abb5"}

_STAR = "M0,-1L0.29,-0.4L0.95,-0.31L0.48,0.15L0.59,0.81L0,0.5L-0.59,0.81L-0.48,0.15L-0.95,-0.31L-0.29,-0.4Z"
_HOURGLASS = "M-0.75,-0.9L0.75,-0.9L0.2,0L0.75,0.9L-0.75,0.9L-0.2,0Z"
MARKS = (
    *(
        "circle",
        "square",
        "triangle-up",
        "diamond",
        "triangle-down",
        "cross",
        "triangle-right",
        "triangle-left",
    ),
    *(_STAR, _HOURGLASS),
)
"""Vega's shapes, and two paths of our own."""

_SOLID: tuple[int, ...] = (1, 0)


@dataclass(frozen=True, slots=True)
class Style:
    """How a row is drawn: a colour, a mark (a Vega shape or an SVG path), and the dash of its line."""

    colour: str
    mark: str
    dash: tuple[int, ...] = _SOLID


_METHODS: Mapping[str, tuple[str, str]] = {
    "none": ("grey", "circle"),
    "random": ("grey", "cross"),
    "magnitude": ("blue", "circle"),
    "snip": ("orange", "square"),
    "grasp": ("green", "triangle-up"),
    "synflow": ("purple", "diamond"),
    "magnitude-after-training": ("red", "triangle-down"),
    "ltr": ("pink", "triangle-right"),
    "gradual-magnitude": ("teal", "triangle-left"),
    "iterative-snip": ("brown", "square"),
    "grasp-magnitude": ("olive", "triangle-up"),
    "grasp-inverted": ("teal", "triangle-up"),
    "synflow-shuffled": ("pink", "diamond"),
    "force": ("brown", _STAR),
    "erk": ("olive", "cross"),
    "uniform-magnitude": ("teal", "circle"),
}
_ABLATIONS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "shuffle": ("pink", (6, 3)),
    "reinit": ("teal", (2, 2)),
    "invert": ("brown", (8, 3, 2, 3)),
    "fixed-variance": ("olive", (10, 3)),
    "fixed-variance-scores": ("grey", (4, 2)),
}
_DASHES: tuple[tuple[int, ...], ...] = ((6, 3), (2, 2), (8, 3, 2, 3), (10, 3), (4, 2), (1, 3), (12, 3, 4, 3))


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return the style of every row: of methods ("snip") and of methods with ablations ("snip + shuffle").

    The built-in methods have theirs. Another one takes the first free pair of colour and mark from a place
    that its name decides, so that it looks the same in another suite unless a pair is taken there; `names`
    should be all that a suite has.

    >>> styles(["snip", "snip + shuffle"])["snip + shuffle"]
    Style(colour='#cf4fa6', mark='square', dash=(6, 3))
    """
    rows = [(name, *_parts(name)) for name in dict.fromkeys(names)]
    methods = _pairs(sorted({method for _, method, _ in rows}))
    by_name = {}
    for name, method, ablations in rows:
        colour, mark = methods[method]
        dash = _SOLID
        if ablations:
            colour, dash = _ablation(ablations)
        by_name[name] = Style(COLOURS[colour], mark, dash)
    return by_name


def _parts(name: str) -> tuple[str, str]:
    method, _, ablations = name.partition(" + ")
    return method, ablations


def _pairs(methods: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a mark for each method, no pair twice as long as there are pairs left."""
    every = [(colour, mark) for mark in MARKS for colour in COLOURS if colour != "grey"]
    taken = set(_METHODS.values())
    pairs = {}
    for method in methods:
        pair = _METHODS.get(method)
        if pair is None:
            start = _number(method) % len(every)
            around = every[start:] + every[:start]
            pair = next((each for each in around if each not in taken), around[0])
            taken.add(pair)
        pairs[method] = pair
    return pairs


def _ablation(ablations: str) -> tuple[str, tuple[int, ...]]:
    known = _ABLATIONS.get(ablations)
    if known is None:
        number = _number(ablations)
        known = (list(COLOURS)[number % len(COLOURS)], _DASHES[number // 16 % len(_DASHES)])
    return known


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


FONT = "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"


def config(*, dark: bool = False) -> dict[str, Any]:
    """Return Vega-Lite's config: fonts, lines and text that can be read, on light or on dark ground."""
    ground = "dark" if dark else "light"
    ink, muted, faint = _INK[ground], _MUTED[ground], _FAINT[ground]
    return {
        "background": GROUNDS[ground],
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": muted, "titleColor": ink, "gridColor": faint, "domainColor": muted,
            "tickColor": muted, "labelFontSize": 11, "titleFontSize": 12, "titlePadding": 8,
            "titleFontWeight": "normal", "labelOverlap": "greedy", "labelSeparation": 4,
        },
        "legend": {
            "labelColor": ink, "titleColor": ink, "labelFontSize": 11, "titleFontSize": 12, "symbolSize": 70,
            "titleFontWeight": "normal", "labelLimit": 260, "symbolLimit": 0, "symbolStrokeWidth": 1.6,
        },
        "header": {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "labelFontWeight": "bold"},
        "title": {"color": ink, "subtitleColor": muted, "fontSize": 14, "anchor": "start"},
        "text": {"color": ink, "fontSize": 11},
        "rule": {"color": muted},
    }  # fmt: skip
