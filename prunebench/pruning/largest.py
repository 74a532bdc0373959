"""The k largest of many numbers, exactly, in about one reading of them.

A random sample brackets the threshold. One pass, in blocks that stay in the processor's cache, marks what
lies above the bracket, collects the few numbers inside it and sees that all are finite; only those few are
ranked. The sample decides how long it takes, never what comes out: a bracket that misses is taken wider.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["NotFiniteError", "Part", "mark_largest", "only_value", "ties"]

Array = np.ndarray[Any, np.dtype[Any]]
Order = Literal["high", "low", "far", "near"]

_BLOCK = 1 << 16
_SAMPLE = 1 << 16


@dataclass
class Part:
    """A layer's numbers: 1-D, float32 or float64.

    live: which of them take part; None is all
    left: how many do
    factor: where there is one, the numbers are |values · factor|, multiplied as they are read
    """

    name: str
    values: Array
    live: Array | None
    left: int
    factor: Array | None = None

    def at(self, places: Array | slice, out: Array | None = None) -> Array:
        """Return the numbers at these places; products are written to `out`."""
        if self.factor is None:
            return self.values[places]
        product = np.multiply(self.values[places], self.factor[places], out=out)
        return np.abs(product, out=product)


class NotFiniteError(ValueError):
    """Numbers that are NaN or infinite: `part` has `count` of them."""

    def __init__(self, part: Part, count: int) -> None:
        super().__init__(f"{count} of {part.values.size} numbers of '{part.name}' are not finite")
        self.part = part
        self.count = count


def mark_largest(parts: Sequence[Part], kept: int, order: Order) -> list[Array]:
    """Return one bool array a part: True at the `kept` numbers that go first in this order.

    high: the highest; low: the lowest; far: the farthest from zero; near: the nearest to it. Of equal numbers
    the first by position: earlier parts first.

    Raises: NotFiniteError.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _mark_largest(parts, kept, order)


def only_value(parts: Sequence[Part]) -> float | None:
    """Return the value of all numbers that take part; None where two differ, or fewer than two take part.

    Nothing beyond the first number that differs is looked at.
    """
    only: float | None = None
    if sum(part.left for part in parts) < 2:
        return None
    for part in parts:
        scratch = np.empty(_BLOCK, dtype=part.values.dtype)
        for start, stop in _blocks(part.values.size):
            values = part.at(slice(start, stop), scratch[: stop - start])
            if part.live is not None:
                values = values[part.live[start:stop]]
            if not values.size:
                continue
            if only is None:
                only = float(values[0])
            if not (values == only).all():
                return None
    return only


def ties(parts: Sequence[Part], marks: Sequence[Array], order: Order) -> tuple[float, int, int]:
    """Return the value of the last number marked, how many marked numbers have it, and how many of all.

    `marks` are what `mark_largest` returns for this order. Where nothing is marked: (0, 0, 0).
    """
    keys = _Keys(parts, order)

    def blocks() -> Iterator[tuple[Array, Array, Array | None]]:
        for part, marked in zip(parts, marks, strict=True):
            scratch = np.empty(_BLOCK, dtype=part.values.dtype)
            for start, stop in _blocks(part.values.size):
                live = None if part.live is None else part.live[start:stop]
                yield keys(part.at(slice(start, stop), scratch[: stop - start])), marked[start:stop], live

    last = min((own.compress(marked).min(initial=math.inf) for own, marked, _ in blocks()), default=math.inf)
    if not math.isfinite(last):
        return 0.0, 0, 0
    kept = equal = 0
    for own, marked, live in blocks():
        same = own == last
        kept += int(np.count_nonzero(same & marked))
        equal += int(np.count_nonzero(same if live is None else same & live))
    return abs(float(last)), kept, equal


def _mark_largest(parts: Sequence[Part], kept: int, order: Order) -> list[Array]:
    left = sum(part.left for part in parts)
    if kept in (0, left):
        for part in parts:
            for start, stop in _blocks(part.values.size):
                _check(part, part.at(slice(start, stop)))
        return [_all(part) if kept else np.zeros(part.values.size, dtype=bool) for part in parts]
    keys = _Keys(parts, order)
    low, high = _bracket(parts, kept, left, keys)
    if low == high:
        reading = _Pass(parts, keys, kept).ties(low)
    else:
        reading = _Pass(parts, keys, kept).between(low, high)
        if reading.above > kept:
            reading = _Pass(parts, keys, kept).ties(high)
        elif reading.above + reading.inside < kept:
            reading.take_ties(low)
    if not reading.above <= kept <= reading.above + reading.inside:  # the sample was far off
        reading = _Pass(parts, keys, kept).between(-math.inf, math.inf)
    return reading.finish()


class _Keys:
    """Numbers turned so that the largest go first; negation and magnitude are exact.

    Parts of both precisions are compared in float64, without rounding the finer ones.
    """

    def __init__(self, parts: Sequence[Part], order: Order) -> None:
        self.dtype = np.result_type(*(part.values.dtype for part in parts))
        self._absolute = order in ("far", "near")
        self._negative = order in ("low", "near")
        self._scratch = np.empty(_BLOCK, dtype=self.dtype)

    def __call__(self, values: Array) -> Array:
        """Return the keys of at most a block of values; they last until the next call."""
        if values.dtype == self.dtype and not self._absolute and not self._negative:
            return values
        out = self._scratch[: values.size]
        if self._absolute:
            np.abs(values, out=out)
            return np.negative(out, out=out) if self._negative else out
        if self._negative:
            return np.negative(values, out=out)
        out[:] = values
        return out

    def of(self, values: Array) -> Array:
        """Return the keys of any number of values, as an array of their own."""
        values = np.abs(values) if self._absolute else values
        return (-values if self._negative else values).astype(self.dtype)


class _Pass:
    """One reading of all numbers: what is above is marked, what is inside the bracket is kept for later."""

    def __init__(self, parts: Sequence[Part], keys: _Keys, kept: int) -> None:
        self._parts = parts
        self._keys = keys
        self._kept = kept
        self._marks = [np.empty(part.values.size, dtype=bool) for part in parts]
        self._ties: list[tuple[int, int, int, Array]] = []
        self._places: list[list[Array]] = [[] for _ in parts]
        self._ranked: list[list[Array]] = [[] for _ in parts]
        self.above = 0
        self.inside = 0

    def between(self, low: float, high: float) -> _Pass:
        """Mark the keys from `high` on; those between the two, both excluded, are to be ranked."""
        scratch = np.empty(_BLOCK, dtype=bool)
        for number, start, stop, keys, live in self._read():
            marks, inside = self._marks[number][start:stop], scratch[: stop - start]
            np.greater_equal(keys, high, out=marks)
            np.greater(keys, low, out=inside)
            if live is not None:
                marks &= live
                inside &= live
            inside ^= marks
            self.above += int(np.count_nonzero(marks))
            places = np.flatnonzero(inside)
            if places.size:
                self.inside += places.size
                self._ranked[number].append(keys[places])
                places += start
                self._places[number].append(places)
        return self

    def ties(self, value: float) -> _Pass:
        """Mark the keys above the value; those equal to it go by position."""
        for number, start, stop, keys, live in self._read():
            marks, inside = self._marks[number][start:stop], keys == value
            np.greater(keys, value, out=marks)
            if live is not None:
                marks &= live
                inside &= live
            self.above += int(np.count_nonzero(marks))
            count = int(np.count_nonzero(inside))
            if count and self.inside < self._kept:
                self._ties.append((number, start, count, inside))
            self.inside += count
        return self

    def take_ties(self, value: float) -> None:
        """After `between`: mark the first by position of those that are at its lower end, as many as lack."""
        lacking = self._kept - self.above - self.inside
        for number, start, stop, keys, live in self._read():
            equal = keys == value
            if live is not None:
                equal &= live
            places = np.flatnonzero(equal)[:lacking]
            self._marks[number][start:stop][places] = True
            self.above += places.size
            lacking -= places.size
            if not lacking:
                return

    def finish(self) -> list[Array]:
        """Mark as many of those inside as are wanted, and return the marks."""
        wanted = self._kept - self.above
        for number, start, count, inside in self._ties:
            if not wanted:
                break
            marks = self._marks[number][start : start + inside.size]
            if count <= wanted:
                marks |= inside
            else:
                marks[np.flatnonzero(inside)[:wanted]] = True
            wanted -= min(count, wanted)
        if wanted and self.inside and not self._ties:
            chosen = _first(
                np.concatenate([np.concatenate(ranked) for ranked in self._ranked if ranked]), wanted
            )
            done = 0
            for marks, blocks in zip(self._marks, self._places, strict=True):
                if blocks:
                    places = np.concatenate(blocks)
                    marks[places[chosen[done : done + places.size]]] = True
                    done += places.size
        return self._marks

    def _read(self) -> Iterator[tuple[int, int, int, Array, Array | None]]:
        for number, part in enumerate(self._parts):
            scratch = np.empty(_BLOCK, dtype=part.values.dtype)
            for start, stop in _blocks(part.values.size):
                values = part.at(slice(start, stop), scratch[: stop - start])
                _check(part, values)
                live = None if part.live is None else part.live[start:stop]
                yield number, start, stop, self._keys(values), live


def _bracket(parts: Sequence[Part], kept: int, left: int, keys: _Keys) -> tuple[Any, Any]:
    """Estimate by a sample two keys that the last kept one lies between: 4.5 standard deviations each way."""
    ends = np.cumsum([part.values.size for part in parts])
    if left <= _SAMPLE:
        return -math.inf, math.inf
    places = np.sort(np.random.Generator(np.random.PCG64(0)).integers(int(ends[-1]), size=_SAMPLE))
    drawn: list[Array] = []
    for part, own in zip(parts, np.split(places, np.searchsorted(places, ends[:-1])), strict=True):
        own -= ends[len(drawn)] - part.values.size
        if part.live is not None:
            own = own[part.live[own]]
        drawn.append(keys.of(part.at(own)))
    sample = np.sort(np.concatenate(drawn))[::-1]
    share = kept / left
    rank = share * sample.size
    about = 4.5 * math.sqrt(sample.size * share * (1 - share)) + 8
    first, last = math.floor(rank - about), math.ceil(rank + about)
    return (
        sample[last] if last < sample.size else -math.inf,
        sample[first] if first >= 0 else math.inf,
    )


def _first(keys: Array, kept: int) -> Array:
    """Mark the `kept` largest keys; of those equal to the last one, the first by position."""
    if kept == keys.size:
        return np.ones(keys.size, dtype=bool)
    threshold = np.partition(keys, keys.size - kept)[keys.size - kept]
    chosen: Array = keys > threshold
    ties = np.flatnonzero(keys == threshold)
    chosen[ties[: kept - np.count_nonzero(chosen)]] = True
    return chosen


def _all(part: Part) -> Array:
    return np.ones(part.values.size, dtype=bool) if part.live is None else part.live.copy()


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, _BLOCK):
        yield start, min(start + _BLOCK, size)


def _check(part: Part, values: Array) -> None:
    """Refuse numbers that are not finite.

    Of magnitudes the largest shows it; of others their sum, which may be infinite without: then look.
    """
    reduce: Any = np.add.reduce if part.factor is None else np.maximum.reduce
    if not math.isfinite(reduce(values)) and not np.isfinite(values).all():
        raise NotFiniteError(part, int((~np.isfinite(part.at(slice(None)))).sum()))
