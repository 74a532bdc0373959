"""What quantities are computed from: all that a method did in one setting (imports only numpy)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from prunebench.checks.axes import Axis

__all__ = ["Bools", "Curves", "Floats"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Curves:
    """A method's results in one setting: P places (a sparsity and a pruning step each), S seeds, R resamples.

    Arrays are read-only. A result that is missing is NaN. The curves that are compared, and those that a
    quantity takes as parameters, have the same seeds and the same resamples, in the same order.
    """

    sparsities: Floats
    """(P): the share of weights removed."""
    steps: Floats
    """(P): the training step whose network was scored; NaN at the method's own point."""
    seeds: tuple[int, ...]
    """The S seeds of the setting."""
    accuracy: Floats
    """(P, S): percent. A diverged run counts with the accuracy of a guess."""
    diverged: Floats
    """(P, S): 1 for a run that diverged, 0 for one that finished."""
    planned: Bools
    """(P, S): True if the cell is part of the suite, whatever became of it."""
    dense: Floats
    """(S): the accuracy of the unpruned network of the setting."""
    margin: float
    """δ: differences in accuracy of fewer points do not matter."""
    weights: Floats
    """(R, S): how much a resample weighs each seed, in sum S; perhaps below zero. The first one is all 1."""
    measures: Mapping[str, Floats] = field(default_factory=dict)
    """"layer-sparsity.early" → (P, S): the numbers of measures, by the measure's name and the field's."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """What the setting's network is in its family: depth, width, examples, prunable; those that it has."""
    relatives: tuple[Curves, ...] = ()
    """The same method's whole curves in the other networks of the family, whatever the check's settings."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, each.name, _read_only(value))
        numbers = {name: _read_only(values) for name, values in self.measures.items()}
        object.__setattr__(self, "measures", MappingProxyType(numbers))
        object.__setattr__(self, "scales", MappingProxyType(dict(self.scales)))

    def at(self, places: Sequence[int] | npt.NDArray[np.intp]) -> Curves:
        """Return the curves at these places alone (indices), in their order."""
        index = np.asarray(places, dtype=np.intp)
        return replace(
            self,
            sparsities=self.sparsities[index],
            steps=self.steps[index],
            accuracy=self.accuracy[index],
            diverged=self.diverged[index],
            planned=self.planned[index],
            measures={name: values[index] for name, values in self.measures.items()},
        )

    def mean(self, values: Floats | None = None) -> Floats:
        """Return the mean curve of each resample, R × P; NaN where none of the seeds that count has a result.

        `values` are P × S; without them the mean is of accuracies.
        """
        values = self.accuracy if values is None else values
        there = ~np.isnan(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            whole = self.weights @ np.where(there, values, 0.0).T
            return np.asarray(whole / (self.weights @ there.T.astype(np.float64)))

    def lines(self, axis: Axis) -> Iterator[tuple[Floats, npt.NDArray[np.intp]]]:
        """Yield one line along the axis after the other: rising positions, and the indices of their places.

        Along "sparsity" there is a line for each pruning step, along "score_at" one for each sparsity;
        places at the method's own point are on no line along "score_at".
        """
        positions, others = self.sparsities, np.nan_to_num(self.steps, nan=-1.0)
        if axis == "score_at":
            positions, others = self.steps, self.sparsities
        for other in dict.fromkeys(others.tolist()):
            places = np.flatnonzero((others == other) & ~np.isnan(positions))
            places = places[np.argsort(positions[places], kind="stable")]
            if len(places):
                yield positions[places], places

    def places_of(self, other: Curves) -> npt.NDArray[np.intp]:
        """Return for each of the other curves' places the index of these curves' place that answers to it.

        That is the place of the same sparsity and pruning step, else the one of this sparsity at the method's
        own point; -1 where there is neither.
        """
        mine = {(s, None if np.isnan(k) else k): i for i, (s, k) in enumerate(self._places())}
        answers = (mine.get((s, k), mine.get((s, None), -1)) for s, k in other._places())
        return np.fromiter(answers, dtype=np.intp, count=len(other.sparsities))

    def _places(self) -> list[tuple[float, float]]:
        return list(zip(self.sparsities.tolist(), self.steps.tolist(), strict=True))


def _read_only(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if not array.flags.writeable:
        return array
    array = array.copy()
    array.flags.writeable = False
    return array
