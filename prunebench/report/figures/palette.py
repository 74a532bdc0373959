"""Colours of values that rise: depths, widths, amounts of data, learning rates, layers."""

from __future__ import annotations

import numpy as np

__all__ = ["palette"]

_ORDER = (
    *("#5158de", "#0773c7", "#1180a3", "#098991", "#13907c", "#0b9855", "#629602"),
    *("#938b05", "#b2820f", "#d47202", "#f05231", "#ee4a75", "#de50ab"),
)
"""Colours of values that rise: hues 24° apart from violet to pink (OKLCH), lighter as they go, each at least
3 to 1 against both grounds of figures."""


def palette(count: int) -> list[str]:
    """Return colours of so many values that rise, far apart; the first again where these are more."""
    if count > len(_ORDER):
        return [_ORDER[i % len(_ORDER)] for i in range(count)]
    places = np.linspace(0, len(_ORDER) - 1, count).round().astype(int)
    return [_ORDER[i] for i in places]
