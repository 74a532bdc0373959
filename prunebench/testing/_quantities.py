"""Checks of quantities: on curves made by hand, whole and with holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from prunebench.checks.axes import AXES
from prunebench.checks.curves import Curves, Floats
from prunebench.checks.quantities import numbers, tests
from prunebench.host.components import Quantity
from prunebench.host.registry import Host
from prunebench.testing._common import (
    at_last_documented,
    ensure,
    ensure_callable,
    ensure_common,
    said,
    untouched,
)
from prunebench.training.streams import stream

__all__ = ["check_quantity"]

_FIELDS = ("layer-sparsity.layers.conv1.sparsity", "layer-sparsity.layers.fc.sparsity")
_SEEDS = 5
_RESAMPLES = 7


@at_last_documented
def check_quantity(quantity: Quantity) -> None:
    """Check a quantity on curves over sparsities and over pruning steps: whole, with diverged, missing runs.

    It must take (curves), and parameters by keyword alone, of which it can be given no others than curves
    (`selections`), fields of measures (`field`, `fields`) and its axis unless they have defaults. It returns
    what its `inference` says: a number a seed, a resample or a run, the same when asked again. The order of
    the seeds must not matter; of a "curve" the number of a resample must depend on that resample alone, and
    its `tests`, where it has some, give rising values with p values.
    Where no run has a result there is no number; at a single place it answers too. The curves stay as
    they were.

    Raises: AssertionError.
    """
    who = ensure_common(quantity)
    quantity = quantity.with_forms(Host.builtin_forms().__getitem__)
    function = quantity.function
    ensure(callable(function), f"{who}: its function is a {type(function).__name__}; a function is wanted")
    given = (*quantity.selections, *filter(None, [quantity.path, quantity.option]))
    axes = AXES if quantity.axis not in ("", *AXES) else (None,)
    for name in quantity.required:
        known = name in given or name == quantity.axis
        ensure(known, f"{who}: its parameter {name!r} needs a default, as a suite need not give it")
    for name in (*given, *([quantity.axis] if axes == AXES else [])):
        there = name in quantity.required or name in quantity.parameters
        ensure(there, f"{who}: its function has no parameter {name!r} by keyword alone")
    if not quantity.required:
        ensure_callable(who, "its function", function, "curves", parameters=True)
    for axis in axes:
        for curves, kind in _samples():
            for rest in _arguments(quantity, axis, curves):
                _check_answers(f"{who} on {kind}", quantity, curves, rest)


def _check_answers(where: str, quantity: Quantity, curves: Curves, rest: dict[str, Any]) -> None:
    with said(where), untouched(where):
        first = numbers(quantity, curves, rest)
    with said(where):
        again = numbers(quantity, curves, rest)
        turned = numbers(quantity, _turned(curves), _each(rest, _turned))
    ensure(_equal(first, again), f"{where} gives other numbers when it is asked again")
    if quantity.inference == "curve":
        ensure(_equal(first, turned), f"{where} gives other numbers when the seeds come in another order")
        with said(where):
            last = numbers(quantity, _resampled(curves), _each(rest, _resampled))
        ensure(
            _equal(first[-2:], last),
            f"{where} gives a resample another number when other resamples stand beside it",
        )
    else:
        ensure(
            _equal(first[..., ::-1], turned),
            f"{where} gives a seed another number when the seeds come in another order",
        )
    if quantity.tests is not None:
        with said(where), untouched(where):
            tests(quantity, curves, rest)
    if np.isnan(curves.accuracy).all():
        ensure(np.isnan(first).all(), f"{where} gives numbers; allowed: NaN for what no run has a result of")


def _equal(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True))


def _each(rest: dict[str, Any], change: Any) -> dict[str, Any]:
    return {name: change(value) if isinstance(value, Curves) else value for name, value in rest.items()}


def _turned(curves: Curves) -> Curves:
    """Return the same curves with the seeds the other way around."""
    return replace(
        curves,
        seeds=curves.seeds[::-1],
        accuracy=curves.accuracy[:, ::-1],
        diverged=curves.diverged[:, ::-1],
        planned=curves.planned[:, ::-1],
        dense=curves.dense[::-1],
        weights=curves.weights[:, ::-1],
        measures={name: values[:, ::-1] for name, values in curves.measures.items()},
    )


def _resampled(curves: Curves) -> Curves:
    return replace(curves, weights=curves.weights[-2:])


def _samples() -> Iterator[tuple[Curves, str]]:
    for steps, along in (((np.nan,), "curves over sparsities"), ((0.0, 100.0, 1000.0), "curves over steps")):
        whole = _sample(steps, "mine")
        yield whole, along
        yield whole.at([0]), f"{along} at a single place"
        holes = whole.accuracy.copy()
        holes[0, 0] = holes[-1, 1] = np.nan
        some = np.where(np.isnan(holes), np.nan, whole.diverged)
        yield replace(whole, accuracy=holes, diverged=some), f"{along} with missing runs"
        nothing = np.full(holes.shape, np.nan)
        none = dict.fromkeys(whole.measures, nothing)
        yield replace(whole, accuracy=nothing, diverged=nothing, measures=none), f"{along} without a result"


def _sample(steps: tuple[float, ...], name: str) -> Curves:
    """Return curves that fall from 90 to about 50 % and scatter over five seeds; one run diverges."""
    sparsities = np.array([0.2, 0.5, 0.8, 0.9])
    places = [(sparsity, step) for sparsity in sparsities for step in steps]
    draws = stream(0, "conformance", name)
    shape = (len(places), _SEEDS)
    accuracy = (
        90 - 50 * np.array([p[0] for p in places])[:, None] ** 4 + draws.normal(shape).astype(np.float64)
    )
    diverged = np.zeros(shape)
    diverged[-1, -1], accuracy[-1, -1] = 1.0, 10.0
    drawn = np.floor(stream(0, "conformance").uniform((_RESAMPLES - 1, _SEEDS)) * _SEEDS)
    counts = (drawn[:, :, None] == np.arange(_SEEDS)).sum(axis=1).astype(np.float64)
    apart = stream(0, "conformance", "weights").normal((_SEEDS,)).astype(np.float64)
    counts[-1] = 1 + 2 * (apart - apart.mean())  # no counts: some below zero
    return Curves(
        sparsities=np.array([place[0] for place in places]),
        steps=np.array([place[1] for place in places]),
        seeds=tuple(range(_SEEDS)),
        accuracy=accuracy,
        diverged=diverged,
        planned=np.ones(shape, dtype=bool),
        dense=90 + stream(0, "conformance", "dense").normal((_SEEDS,)).astype(np.float64),
        margin=0.5,
        weights=np.vstack([np.ones(_SEEDS), counts]),
        measures={field: stream(0, "conformance", name, field).uniform(shape) for field in _FIELDS},
    )


def _arguments(quantity: Quantity, axis: str | None, curves: Curves) -> Iterator[dict[str, Any]]:
    """Yield parameters that a suite may give: axis, fields, the first choice, curves of another method."""
    rest: dict[str, Any] = {} if axis is None else {quantity.axis: axis}
    if quantity.field:
        rest[quantity.field] = _FIELDS[0]
    if quantity.fields:
        rest[quantity.fields] = "layer-sparsity.layers.*.sparsity"
    if quantity.option:
        rest[quantity.option] = quantity.choices[0]
    steps = tuple(dict.fromkeys(curves.steps.tolist()))
    for others in (steps, (float("nan"),)):
        selected = {name: _sample(others, name) for name in quantity.selections}
        yield {**rest, **selected}
        if not selected:
            return
