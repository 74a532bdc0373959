"""Suites that find masks under one learning rate and evaluate them under another, as if they had run.

A `World` says how accurate a network is that is trained at a rate, how many points a mask costs by the rates that
found its weights and its layers' ratios, and how ratios move through training; seeds scatter a little around that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from simulated import described, keys_of, named

from prunebench.analysis import measures, table
from prunebench.checks.evaluate import evaluate
from prunebench.checks.outcomes import Verdicts
from prunebench.host import Host
from prunebench.host.form import Like
from prunebench.schedules import OneShot
from prunebench.suite.cell import Cell
from prunebench.suite.suite import Suite

__all__ = ["World", "judged", "rate_of"]

Rates = Mapping[float, float]
"""A number for each learning rate."""


@dataclass(frozen=True)
class World:
    """What is true of networks, data and learning rates; every field is by data set and network."""

    unpruned: Callable[[Cell, float], float]
    """Accuracy in percent of the unpruned network at a learning rate."""
    cost: Callable[[Cell, float, float], float]
    """Points that a cell's mask costs, by the rates that found its weights and its layers' ratios."""
    moved: Callable[[Cell, float], Mapping[str, float]] = field(default=lambda cell, rate: {})
    """What `ratios-by-epoch` says, by field."""
    ratios: Callable[[Cell, float], float] = field(default=lambda cell, rate: 0.0)
    """How far one layer is pruned more and another less than all are on average."""
    noise: float = 0.15


def rate_of(cell: Cell) -> float:
    """Return the learning rate that finds a cell's mask."""
    return float(cell.form.find.get("lr", cell.recipe.lr))


def ratios_of(cell: Cell) -> float:
    """Return the learning rate that finds its layers' ratios."""
    allocation = cell.form.allocation
    if isinstance(allocation, Like) and isinstance(allocation.like, dict):
        return float(allocation.like.get("find", cell.form.find).get("lr", rate_of(cell)))
    return rate_of(cell)


def _accuracy(world: World, cell: Cell, rng: np.random.Generator) -> float:
    level = -np.log(float(cell.density)) / -np.log(0.8)
    accuracy = world.unpruned(cell, cell.recipe.lr) - 0.3 * level
    if cell.form.scorer is not None:
        accuracy -= world.cost(cell, rate_of(cell), ratios_of(cell))
    return float(accuracy + world.noise * rng.standard_normal())


def _measured(world: World, cell: Cell, name: str, rng: np.random.Generator) -> Any:
    rate, sparsity = rate_of(cell), 1 - float(cell.density)

    def near(value: float) -> float:
        return float(value + 0.002 * rng.standard_normal())

    if name == "scored-network":
        unpruned = {"accuracy": world.unpruned(cell, rate) + world.noise * rng.standard_normal()}
        return {"unpruned": unpruned, **(unpruned if isinstance(cell.form.schedule, OneShot) else {})}
    if name == "layer-sparsity":
        apart = world.ratios(cell, ratios_of(cell))
        layers = {"conv1.weight": sparsity + apart, "conv2.weight": sparsity - apart}
        return {"layers": {layer: {"sparsity": near(value)} for layer, value in layers.items()}}
    if name == "ratios-by-epoch":
        nested: dict[str, Any] = {}
        for path, value in world.moved(cell, rate).items():
            kind, _, last = path.partition(".")
            nested.setdefault(kind, {})[last] = near(value)
        return nested
    return {"parameters": {"share": float(cell.density)}}  # shrunk: nothing is claimed of it


def judged(suite: Suite, world: World, host: Host) -> Verdicts:
    """Return what becomes of a suite's checks and claims where all its cells have run in such a world."""
    rows, measured = [], []
    for cell, key in zip(suite.cells, keys_of(suite.cells), strict=True):
        rng = np.random.default_rng(int(key[:12], 16))  # cells with one key have one result
        row = {**named(cell, key), "status": "finished"}
        rows.append(
            {**row, "classes": host.dataset(cell.dataset).classes, "accuracy": _accuracy(world, cell, rng)}
        )
        if cell.form.scorer is not None:
            measured += [
                {**row, "measure": name, "measured": _measured(world, cell, name, rng)}
                for name in cell.measures
            ]
    quantities = {name: host.get("quantity", name) for name in host.names("quantity")}
    return evaluate(described(suite, host), table(rows), measures(measured), quantities)
