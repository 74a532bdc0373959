"""Layers in which masks leave no weight: what their accuracies have to be read with."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from prunebench.analysis.names import one_name
from prunebench.analysis.statistics import AT_SPARSITY
from prunebench.analysis.table import SETTING, VARIANT, distinct

__all__ = ["EmptyLayer", "empty_layers"]


class EmptyLayer(NamedTuple):
    """A layer that some seeds' masks leave without any weight."""

    layer: str
    seeds: int
    """How many seeds' masks."""
    output: bool
    """True if it is known to be the output layer: the network then says the same of every example."""


def empty_layers(frame: pd.DataFrame) -> dict[tuple[Any, ...], tuple[EmptyLayer, ...]]:
    """Return the empty layers, by the values of SETTING, VARIANT and AT_SPARSITY, where there are some."""
    frame = one_name(distinct(frame), AT_SPARSITY, ("seed",))
    by_place: dict[tuple[Any, ...], dict[str, EmptyLayer]] = {}
    some = frame[frame["empty_layers"].astype(bool)]
    for *place, layers, output in some[
        [*SETTING, *VARIANT, *AT_SPARSITY, "empty_layers", "output_layer"]
    ].itertuples(index=False, name=None):
        mine = by_place.setdefault(tuple(place), {})
        for layer in layers:
            seeds = mine[layer].seeds if layer in mine else 0
            mine[layer] = EmptyLayer(layer, seeds + 1, layer == output)
    return {place: tuple(layers.values()) for place, layers in by_place.items()}
