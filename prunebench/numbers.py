"""How numbers are written, one rule a kind: every table, figure, sentence and page goes through here.

A number is rounded once, from what was computed, as Python's `format` rounds (to the nearest; halfway, to the
even digit). report/page/js/1-numbers.js has the same rules for the page, and a test compares the two; so that
they also agree where JavaScript rounds halves up, `shortened` chooses what the page is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["FORMS", "counted", "form_of", "shortened", "spelled"]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "cell"), counted(1200, "cell")
    ('1 cell', '1,200 cells')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _points(value: float) -> str:
    return _no_minus(f"{value:.2f}")


def _difference(value: float) -> str:
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _count(value: float) -> str:
    return _no_minus(f"{value:,.0f}")


def _exact(value: float) -> str:
    return f"{value:.12g}"


def _given(value: float) -> str:
    text = _exact(value)
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _share(value: float) -> str:
    return f"{significant(100 * value, 4)} %"


def _factor(value: float) -> str:
    return f"{significant(value, 3)} ×"


def _ratio(value: float) -> str:
    return _no_minus(f"{value:.4f}")


def _amount(value: float) -> str:
    for prefix, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{significant(value / size, 3)} {prefix}"
    return significant(value, 3)


def _seconds(value: float) -> str:
    if 0 < value < 0.9995:
        return f"{significant(1000 * value, 3)} ms"
    if value >= 2 * 3600:
        return f"{significant(value / 3600, 3)} h"
    return f"{significant(value / 60, 3)} min" if value >= 120 else f"{significant(value, 3)} s"


def _quantity(value: float) -> str:
    return significant(value, 3)


def _effect(value: float) -> str:
    text = significant(value, 3)
    return f"+{text}" if value > 0 and text != "0" else text


def significant(value: float, digits: int) -> str:
    """Return a number with so many significant digits, none that is a 0 at the end; whole from 1,000 on.

    >>> significant(0.98123, 3), significant(999.96, 3), significant(-25000.4, 3), significant(0.1, 3)
    ('0.981', '1,000', '-25,000', '0.1')
    """
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    text = f"{value:.{digits}g}"
    if abs(float(text)) >= 1000:
        return _no_minus(f"{value:,.0f}")
    return "0" if float(text) == 0 else text


def _no_minus(text: str) -> str:
    """Return the text of a number without the sign of a 0."""
    return text.removeprefix("-") if not text.strip("-0.") else text


FORMS: Mapping[str, Callable[[float], str]] = {
    "points": _points,  # accuracies in percent, their spreads and bounds: 96.29
    "difference": _difference,  # differences of accuracies, in points: +0.34
    "p": _p,  # probabilities of no difference: 0.034, <0.001
    "count": _count,  # what is counted, and means of it: 35,729
    "exact": _exact,  # margins and the like: as somebody has given them
    "given": _given,  # what a source reports, with its digits: 92.0, 1.0016
    "share": _share,  # shares of a whole: 48.76 %
    "factor": _factor,  # multiples: 1.2 ×
    "amount": _amount,  # large amounts, with the SI's prefixes: 192 G
    "seconds": _seconds,  # times: 12.3 ms, 83.3 min
    "ratio": _ratio,  # ratios near 1: 1.0016
    "quantity": _quantity,  # other quantities: 0.981
    "effect": _effect,  # differences and ratios of such: +0.0123
}
"""Kinds of numbers, and how each is written. Signs are "-"; writers of formats may set a longer one."""


def spelled(value: float, form: str) -> str:
    """Return a number as everything that people read has it; `form`: its kind, a key of FORMS.

    >>> spelled(96.294999, "points"), spelled(-0.001, "difference"), spelled(136294, "count")
    ('96.29', '0.00', '136,294')
    >>> spelled(1.9166e11, "amount"), spelled(999.6, "amount"), spelled(0.01234, "seconds")
    ('192 G', '1 k', '12.3 ms')
    >>> spelled(5000, "seconds"), spelled(0.48764, "share"), spelled(0.0004, "p")
    ('83.3 min', '48.76 %', '<0.001')
    """
    return FORMS[form](value)


def form_of(quantity: str, compare: str = "difference") -> str:
    """Return the kind that the effect of a check is: a difference in points of accuracy, or of something
    else.
    """
    return "difference" if quantity in ("accuracy", "drop") and compare == "difference" else "effect"


# -- for the page ----------------------------------------------------------------------------------------

_DECIMALS = (0, 1, 2, 3, 4)
_SIGNIFICANT = (3, 4)
_NEAR = 1e-12
"""Halves that are so near, relatively, are not trusted: JavaScript rounds them up, and scales otherwise."""


def shortened(value: float, digits: int = 6, form: str = "") -> float:
    """Return a finite number with few significant digits that is written as the whole one is.

    The one with `digits`, or where that is on the other side of a half, one beside it or with more digits:
    JavaScript and Vega may write it, which round halves up. `form`: how it is written, a key of FORMS; none:
    with 0 to 4 decimals, or with 3 or 4 significant digits.

    >>> shortened(96.29499999999999), shortened(93.52112676056338), shortened(96.125)
    (96.29499, 93.5211, 96.12499)
    >>> shortened(96.125, 5, "points"), shortened(93.52112676056338, 5, "points")
    (96.124, 93.521)
    """
    short = float(f"{value:.{digits}g}")
    if form in ("exact", "given") or abs(value) < 1e-290 or (not form and abs(value) >= 1e15):
        return value
    if not form and not _near_a_half(value, short):
        return short
    written = (FORMS[form],) if form else _WRITTEN
    texts = [write(value) for write in written]
    for more in range(digits, 18):
        for candidate in _around(value, more):
            sides = (candidate * (1 - _NEAR), candidate, candidate * (1 + _NEAR))
            if all({write(side) for side in sides} == {t} for write, t in zip(written, texts, strict=True)):
                return candidate
    return value


_WRITTEN: Sequence[Callable[[float], str]] = (
    *(f"{{:.{digits}f}}".format for digits in _DECIMALS),
    *(f"{{:.{digits}g}}".format for digits in _SIGNIFICANT),
)


def _around(value: float, digits: int) -> Iterator[float]:
    """Yield the nearest number with so many digits, and those beside it."""
    near = float(f"{value:.{digits}g}")
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    for candidate in (near, near - step, near + step):
        yield float(f"{candidate:.{digits}g}")


def _near_a_half(value: float, short: float) -> bool:
    """Return True unless it is sure that no half lies between two numbers, at any number of digits."""
    apart = abs(value - short)
    order = math.floor(math.log10(abs(short)))
    for decimals in (*_DECIMALS, *(digits - 1 - order for digits in _SIGNIFICANT)):
        scaled = abs(short) * 10.0**decimals
        if abs(scaled % 1 - 0.5) <= apart * 10.0**decimals + 1e-9 * max(scaled, 1.0):
            return True
    return False
