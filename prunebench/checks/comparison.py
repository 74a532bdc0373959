"""One comparison of a check: of its sides at given sparsities of a setting, over the seeds that both have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations
from typing import Any, TypeVar

import numpy as np

from prunebench.checks.cells import Extreme as ExtremeSide
from prunebench.checks.curves import Bools, Curves, Floats
from prunebench.checks.evidence import ROUNDING, Draws, Evidence, Extreme, Paired, Ratio
from prunebench.checks.grammar import Check
from prunebench.checks.lanes import Lane
from prunebench.checks.quantities import numbers, tests
from prunebench.checks.resampling import student_weights
from prunebench.checks.shares import Share, ShareDifference
from prunebench.checks.sides import Pick, Side
from prunebench.checks.tested import ValueTests
from prunebench.reading.grid import density_on_grid

__all__ = ["Comparison"]

_Numbers = TypeVar("_Numbers", Floats, ValueTests)
"""What is known of one selection: its numbers, or its evidence."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The selections of both sides (none of a number), the densities, and what else has to be there."""

    check: Check
    of: Sequence[Side]
    against: Sequence[Side]
    densities: tuple[str, ...]
    baselines: Sequence[tuple[str, bool]] = ()
    """The keys of the cells that the range is found with, and whether each has a result."""

    @property
    def _sides(self) -> tuple[Side, ...]:
        return (*self.of, *self.against)

    @property
    def _picks(self) -> list[Pick]:
        return [pick for side in self._sides for pick in side.picks]

    @property
    def inference(self) -> str:
        """What kind of numbers are compared."""
        return str(self._sides[0].quantity.inference)

    @cached_property
    def planned(self) -> tuple[int, ...]:
        """The seeds at which everything is planned."""
        common: list[int] | None = None
        for pick in self._picks:
            curves = pick.lane.curves
            whole: Bools = np.all(curves.planned[pick.indices(self.densities)], axis=0)
            mine = [seed for seed, is_there in zip(curves.seeds, whole, strict=True) if is_there]
            common = mine if common is None else [seed for seed in common if seed in mine]
        return tuple(common or ())

    @cached_property
    def cells(self) -> dict[str, bool]:
        """The keys of the cells that are needed, and whether each has a result."""
        there_by_key: dict[str, bool] = {}
        for side in self._sides:
            for pick in side.picks:
                there = pick.lane.measured.get(side.measure) if side.measure else pick.lane.there
                there_by_key.update(self._of(pick.lane, pick.indices(self.densities), there))
        for lane, place in self._unpruned():
            there_by_key.update(self._of(lane, [place], lane.there))
        for side in self._sides:
            for lane in side.kin:
                places = [i for i, one in enumerate(lane.densities) if one in self.densities]
                there_by_key.update(self._of(lane, places, lane.there))
            for lane, place in side.unpruned_kin:
                there_by_key.update(self._of(lane, [place], lane.there))
        there_by_key.update(self.baselines)
        there_by_key.pop("", None)
        return there_by_key

    def _of(self, lane: Lane, rows: Sequence[int], there: Bools | None) -> Iterable[tuple[str, bool]]:
        seeds = [seed for seed in self.planned if seed in lane.curves.seeds]  # a relative may have fewer
        block = np.ix_(rows, _columns(lane.curves, seeds))
        known = np.zeros(lane.keys.shape, dtype=bool) if there is None else there
        return zip(lane.keys[block].ravel(), known[block].ravel(), strict=True)

    def _unpruned(self) -> Iterable[tuple[Lane, int]]:
        """Yield the unpruned cells that a property of mean curves along sparsities is measured by."""
        if self.inference == "curve" and any(side.axis == "sparsity" for side in self._sides):
            lanes = {id(side.dense[0]): side.dense for side in self._sides if side.dense is not None}
            yield from lanes.values()

    @cached_property
    def _gathered(self) -> tuple[list[Floats], Bools]:
        """Each selection's numbers, and at which planned seeds all of them are known."""
        if not self.planned:
            return [np.empty(0) for _ in self._sides], np.empty(0, dtype=bool)
        if self.inference == "curve":
            known = self._complete()
            seeds = [seed for seed, is_known in zip(self.planned, known, strict=True) if is_known]
            return [self._numbers(side, seeds, self._weights(len(seeds))) for side in self._sides], known
        each_side = [self._numbers(side, self.planned, None) for side in self._sides]
        if self.inference == "counts":
            each_side = [each.mean(axis=0) for each in each_side]
        whole: Bools = np.all(np.isfinite(each_side), axis=0)  # an infinite number has no mean
        return [each[whole] for each in each_side], whole

    @property
    def _tested(self) -> bool:
        """True if bounds are found by testing values, and not by resamples."""
        return self.inference == "curve" and all(side.quantity.tests is not None for side in self._sides)

    def _weights(self, seeds: int) -> Floats:
        return np.ones((1, seeds)) if self._tested or not seeds else student_weights(seeds)

    def _complete(self) -> Bools:
        """Say at which of the planned seeds every run has a result."""
        known = np.ones(len(self.planned), dtype=bool)
        for pick in self._picks:
            curves = pick.curves(self.densities, _columns(pick.lane.curves, self.planned))
            known &= ~np.isnan(curves.accuracy).any(axis=0)
        for lane, _ in self._unpruned():
            known &= ~np.isnan(lane.curves.dense[_columns(lane.curves, self.planned)])
        return known

    def _numbers(self, side: Side, seeds: Sequence[int], weights: Floats | None) -> Floats:
        return numbers(side.quantity, *self._asked(side, seeds, weights))

    def _asked(
        self, side: Side, seeds: Sequence[int], weights: Floats | None
    ) -> tuple[Curves, dict[str, Any]]:
        """Return what a quantity is asked with: curves, and parameters."""

        def curves(pick: Pick) -> Curves:
            mine = pick.curves(self.densities, _columns(pick.lane.curves, seeds))
            return mine if weights is None else replace(mine, weights=weights)

        others = {key: curves(pick) for key, pick in side.others.items()}
        return curves(side.pick), {**side.parameters, **others}

    def _of_tests(self, side: Side, value: float) -> ValueTests:
        """Return what is known of one selection's number, which is the mean of its lines' numbers."""
        lines = tests(side.quantity, *self._asked(side, self.seeds, self._weights(len(self.seeds))))
        return ValueTests.of_lines(value, lines, len(self.seeds))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that count: those at which every number is known."""
        known = self._gathered[1]
        return tuple(seed for seed, is_known in zip(self.planned, known, strict=True) if is_known)

    @cached_property
    def evidence(self) -> Evidence | None:
        """What is known of D; None where no two seeds are there, and of what has no bounds.

        These are ratios of shares, ratios to a distance, and differences of distances between shares.
        """
        if len(self.seeds) < 2:
            return None
        ratio, counts, gap = (
            self.check.compare == "ratio",
            self.inference == "counts",
            _gap(self.check.against),
        )
        if (ratio and (counts or gap)) or (counts and self.against and (gap or _gap(self.check.of))):
            return None
        each_side = self._gathered[0]
        if self._tested:
            tested = [self._of_tests(side, x[0]) for side, x in zip(self._sides, each_side, strict=True)]
            rows = self._rows(tested, self._tested_pair)
        else:
            rows = self._rows(each_side, self._pair)
        inner = [_extreme(row, self.check.against, turned=True) for row in rows]
        return _extreme(inner, self.check.of, turned=False)

    def _rows(
        self, each_side: Sequence[_Numbers], pair: Callable[[_Numbers, _Numbers | None], Evidence]
    ) -> list[list[Evidence]]:
        """Return what is known of each selection of one side against each of the other."""
        of = _several(each_side[: len(self.of)], self.check.of)
        against = _several(each_side[len(self.of) :], self.check.against)
        return [[pair(x, y) for y in against] or [pair(x, None)] for x in of]

    @property
    def alone(self) -> float | None:
        """D at the only seed; None where it is not known."""
        each_side = self._gathered[0]
        if len(self.seeds) != 1 or len(self.of) > 1 or len(self.against) > 1:
            return None
        x, y = float(each_side[0][0]), float(each_side[1][0]) if self.against else self._number(each_side[0])
        if self.check.compare == "ratio":
            return x / y - self.by if y else None
        return x - y - self.by

    @property
    def lost(self) -> int:
        """How many seeds have no number, though all their cells are there."""
        missing = {key for key, is_there in self.cells.items() if not is_there}
        return 0 if missing else len(self.planned) - len(self.seeds)

    @property
    def diverged(self) -> list[tuple[str, int, int]]:
        """How many runs of each selection diverged, and of how many, where accuracies are compared."""
        counts = []
        for side in self._sides if all(not side.measure for side in self._sides) else ():
            block = np.ix_(side.pick.indices(self.densities), _columns(side.pick.lane.curves, self.planned))
            marks = side.pick.lane.curves.diverged[block]
            counts.append((side.name, int((marks == 1).sum()), int((~np.isnan(marks)).sum())))
        return counts

    @property
    def differences(self) -> tuple[float, ...]:
        """D at each seed, where it is a number a seed; of the best of several, of the one that decides."""
        one = self.evidence
        while isinstance(one, Extreme):
            one = one.decides
        if isinstance(one, Ratio):
            with np.errstate(invalid="ignore", divide="ignore"):
                return tuple(map(float, one.x / one.y - one.by))
        if isinstance(one, Paired):
            return tuple(map(float, one.differences))
        if isinstance(one, ShareDifference):
            return tuple(map(float, one.differences - one.by))
        return tuple(map(float, one.shares - one.less)) if isinstance(one, Share) else ()

    @property
    def by(self) -> float:
        """What the effect is set against."""
        own = self.check.by
        return float(own) if own is not None else 1.0 if self.check.compare == "ratio" else 0.0

    def _number(self, x: Floats) -> float:
        """Return the number that is compared with; on the grid where what it is compared with is.

        Papers print 59 % for 1 − 0.8^4: of a range's end this is that very sparsity.
        """
        assert isinstance(self.check.against, int | float)
        number = float(self.check.against)
        if self.inference != "curve":
            return number
        grid = [0.0, *(round(1 - float(density), 12) for density in self.densities)]
        density = density_on_grid(number, self.densities, sparsity=True)
        on_grid = np.isin(np.round(x[np.isfinite(x)], 12), grid).all()
        return number if density is None or not on_grid else round(1 - float(density), 12)

    def _pair(self, x: Floats, y: Floats | None) -> Evidence:
        """Return what is known of one selection against one other, or a number."""
        other = np.full(x.shape, self._number(x)) if y is None else y
        if self.inference == "curve":
            return self._of_curves(x, other)
        if self.inference == "counts":
            if y is None and not _gap(self.check.of):
                return Share(x, float(other[0]) + self.by)
            return (
                ShareDifference(x, float(other[0]) + self.by)
                if y is None
                else ShareDifference(x - y, self.by)
            )
        if self.check.compare == "ratio":
            return Ratio(x, other, self.by)
        return Paired(x - other - self.by, scale=float(np.abs([x, other]).max()))

    def _tested_pair(self, x: ValueTests, y: ValueTests | None) -> ValueTests:
        """Return what is known of one selection against one other, or a number, by testing values."""
        ratio = self.check.compare == "ratio"
        if y is not None:
            return x.against(y, ratio=ratio).shifted(-self.by)
        number = self._number(x.lows)
        return (x.divided(number) if ratio else x.shifted(-number)).shifted(-self.by)

    def _of_curves(self, x: Floats, y: Floats) -> Draws:
        with np.errstate(invalid="ignore", divide="ignore"):
            d = (x / y if self.check.compare == "ratio" else x - y) - self.by
        d = np.where(np.abs(d) <= ROUNDING * np.maximum(np.abs(np.nan_to_num(x)), 1), 0.0, d)
        return Draws(float(d[0]), d[1:], len(self.seeds))


def _columns(curves: Curves, seeds: Sequence[int]) -> list[int]:
    place = {seed: i for i, seed in enumerate(curves.seeds)}
    return [place[seed] for seed in seeds]


def _gap(side: Any) -> bool:
    return isinstance(side, ExtremeSide) and side.gap is not None


def _several(each: Sequence[_Numbers], side: Any) -> Sequence[_Numbers]:
    """Return a side's numbers; of a distance from the best to the worst those of each from each other.

    The greatest of these is the distance.
    """
    if not _gap(side):
        return each
    return [one - other for one, other in permutations(each, 2)] or [each[0] - each[0]]


def _extreme(each: Sequence[Evidence], side: Any, *, turned: bool) -> Evidence:
    """Return D for the best, or worst, of a side; `turned` where a greater number makes D less."""
    if len(each) == 1 or not isinstance(side, ExtremeSide):
        return each[0]
    return Extreme(each, least=(side.worst is None) == turned)
