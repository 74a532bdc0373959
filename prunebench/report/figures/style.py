"""Colours and marks of methods: one for each, the same in every figure, on light and on dark ground.

A method has a colour and a filled mark. An ablation of it is drawn in the method's colour, with a hollow mark
and a dash that are the ablation's: "snip + shuffle" is orange as SNIP, dashed and ringed as whatever is
shuffled. No two rows look alike.

The colours are told apart by people who see no red or no green, too: after Machado et al. 2009 any two of
them are at least 18 apart in CIELAB for protanopes and for deuteranopes, at least 30 for everybody else; and
nothing is told by colour alone. Every colour has a contrast of at least 3 to 1 to both grounds (WCAG 2.2,
1.4.11), so that a method keeps its colour when the page turns dark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["COLOURS", "DASHES", "GROUNDS", "INK", "MARKS", "SOLID", "Style", "config", "styles"]

_T = TypeVar("_T")

COLOURS: Mapping[str, str] = {
    "blue": "#306cfc",
    "orange": "#cc8400",
    "green": "#3c9c6c",
    "magenta": "#b418b4",
    "red": "#c03000",
    "pink": "#c078c0",
    "sky": "#0090f0",
    "brown": "#9c543c",
    "sand": "#a89048",
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
"""Marks of methods: Vega's shapes, and two paths of our own."""

_RING = "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0ZM-0.5,0A0.5,0.5,0,1,0,0.5,0A0.5,0.5,0,1,0,-0.5,0Z"
_BOX = "M-0.95,-0.95H0.95V0.95H-0.95ZM-0.45,-0.45V0.45H0.45V-0.45Z"
_DOWN = "M0,1.2L-1.2,-0.9L1.2,-0.9ZM0,0.3L0.45,-0.45L-0.45,-0.45Z"
_LOZENGE = "M0,-1.3L1.3,0L0,1.3L-1.3,0ZM0,-0.6L-0.6,0L0,0.6L0.6,0Z"
_UP = "M0,-1.2L1.2,0.9L-1.2,0.9ZM0,-0.3L-0.45,0.45L0.45,0.45Z"
_SALTIRE = "M-1,-0.6L-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0Z"
_HOLLOW = (_RING, _BOX, _DOWN, _LOZENGE, _UP, _SALTIRE)
"""Marks of ablations, which no method has."""

SOLID: tuple[int, ...] = (1, 0)


@dataclass(frozen=True, slots=True)
class Style:
    """How a row is drawn: a colour, a mark (a Vega shape or an SVG path), and the dash of its line."""

    colour: str
    mark: str
    dash: tuple[int, ...] = SOLID


_METHODS: Mapping[str, tuple[str, str]] = {
    "none": ("grey", "circle"),
    "random": ("grey", "cross"),
    "uniform-random": ("grey", "diamond"),
    "magnitude": ("blue", "circle"),
    "snip": ("orange", "square"),
    "grasp": ("green", "triangle-up"),
    "synflow": ("magenta", "diamond"),
    "magnitude-after-training": ("red", "triangle-down"),
    "ltr": ("pink", "triangle-right"),
    "gradual-magnitude": ("sky", "triangle-left"),
    "iterative-snip": ("brown", "square"),
    "grasp-magnitude": ("sand", "triangle-up"),
    "grasp-inverted": ("sky", "triangle-up"),
    "synflow-shuffled": ("pink", "diamond"),
    "force": ("brown", _STAR),
    "erk": ("sand", "cross"),
    "uniform-magnitude": ("sky", "circle"),
}
_ABLATIONS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "shuffle": (_RING, (6, 3)),
    "reinit": (_BOX, (2, 2)),
    "invert": (_DOWN, (8, 3, 2, 3)),
    "fixed-variance": (_LOZENGE, (10, 3)),
    "fixed-variance-scores": (_UP, (4, 2)),
}
DASHES: tuple[tuple[int, ...], ...] = ((6, 3), (2, 2), (8, 3, 2, 3), (10, 3), (4, 2), (1, 3), (12, 3, 4, 3))


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return the style of every row: of methods ("snip") and of methods with ablations ("snip + shuffle").

    The built-in methods have theirs. Another one takes a free pair of colour and mark, the first from a place
    that its name decides, whose colour no other method has; of any colour where each is some method's. So it
    looks the same in another suite unless its colour is taken there; `names` should be all that a suite has.

    >>> looks = styles(["snip", "snip + shuffle"])
    >>> looks["snip + shuffle"].colour == looks["snip"].colour, looks["snip + shuffle"].dash
    (True, (6, 3))
    """
    rows = [(name, *_parts(name)) for name in dict.fromkeys(names)]
    methods = _pairs(sorted({method for _, method, _ in rows}))
    ablated = _ablated([(method, ablations) for _, method, ablations in sorted(rows) if ablations], methods)
    by_name = {}
    for name, method, ablations in rows:
        colour, mark = methods[method]
        by_name[name] = ablated[method, ablations] if ablations else Style(COLOURS[colour], mark)
    return by_name


def _parts(name: str) -> tuple[str, str]:
    method, _, ablations = name.partition(" + ")
    return method, ablations


def _pairs(methods: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a mark for each method: neither a colour nor a pair twice while others are left."""
    methods = list(methods)
    every = [(colour, mark) for mark in MARKS for colour in COLOURS if colour != "grey"]
    taken = set(_METHODS.values())
    used = {_METHODS[method][0] for method in methods if method in _METHODS}
    pairs = {}
    for method in methods:
        pair = _METHODS.get(method)
        if pair is None:
            start = _number(method) % len(every)
            choices = every[start:] + every[:start]
            unused = [choice for choice in choices if choice[0] not in used]
            pair = _first_free(unused or choices, taken)
            taken.add(pair)
            used.add(pair[0])
        pairs[method] = pair
    return pairs


def _ablated(
    rows: Iterable[tuple[str, str]], methods: Mapping[str, tuple[str, str]]
) -> dict[tuple[str, str], Style]:
    """Return the styles of ablated methods: where two methods share a colour, marks differ or dashes do."""
    chosen: dict[tuple[str, str], Style] = {}
    taken: set[Style] = set()
    for method, ablations in sorted(rows, key=lambda row: (row[0] not in _METHODS, row)):
        colour = COLOURS[methods[method][0]]
        mark, dash = _ablation(ablations)
        marks = [mark, *(each for each in _HOLLOW if each != mark)]
        dashes = [dash, *(each for each in DASHES if each != dash)]
        style = _first_free([Style(colour, mark, dash) for dash in dashes for mark in marks], taken)
        taken.add(style)
        chosen[method, ablations] = style
    return chosen


def _first_free(choices: Sequence[_T], taken: Collection[_T]) -> _T:
    """Return the first choice that is not taken; the first of all where every one is."""
    return next((each for each in choices if each not in taken), choices[0])


def _ablation(ablations: str) -> tuple[str, tuple[int, ...]]:
    """Return the mark and the dash of one or several ablations."""
    number = _number(ablations)
    return _ABLATIONS.get(ablations, (_HOLLOW[number % len(_HOLLOW)], DASHES[number // 16 % len(DASHES)]))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


INK = "ink"
"""The style of marks that are drawn in the colour of text."""

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
        "style": {INK: {"color": ink}},
    }  # fmt: skip
