"""What the points do not determine, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from prunebench.errors import ComponentError
from prunebench.faults import blamed
from prunebench.scaling.fit.intervals import Known
from prunebench.scaling.fit.problem import Problem, origin
from prunebench.scaling.form import Note
from prunebench.scaling.points import Floats

__all__ = ["MANY", "notes"]

_VAGUE = 0.5
"""A standard error beyond this share of a coefficient, or of where it is looked for, is told."""


def notes(problem: Problem, vector: Floats, known: Known, *, reached: int) -> Iterator[Note]:
    """Yield what a fit has to say of its coefficients: bounds, undetermined combinations, wide errors.

    reached: how many starts reached the end that is told

    Raises: ComponentError for a form whose own notes are none.
    """
    values = problem.values(vector)
    sizes = {one.name: abs(values[one.name]) for one in problem.free}
    for one in problem.free:
        if not one.log:  # an exponent of 0 is one that is known, if its error is small
            sizes[one.name] = max(sizes[one.name], (one.start[1] - one.start[0]) / 4)
    for one, at_bound in zip(problem.free, known.bound, strict=True):
        if at_bound:
            end = "lower" if values[one.name] - one.low < one.high - values[one.name] else "upper"
            text = f"{one.name} ended at its {end} bound, {values[one.name]:g}: it is no estimate"
            yield Note(text, (one.name,), no_estimate=True)
    for direction in known.undetermined:
        yield _undetermined(problem, direction)
    told = {name for direction in known.undetermined for name in _touched(problem, direction)}
    told |= {one.name for one, at_bound in zip(problem.free, known.bound, strict=True) if at_bound}
    for name, error in known.errors.items():
        if name not in told and error > _VAGUE * sizes[name]:
            text = f"{name} is hardly determined: {values[name]:.3g} with a standard error of {error:.2g}"
            yield Note(text, (name,))
    yield from _together(problem, known)
    yield from _beyond(problem, vector)
    if len(problem.points) == len(problem.free) > 0:
        text = "as many coefficients as points: nothing shows how far these scatter around the law"
        yield Note(text, problem.names, no_estimate=True)
    if not reached and problem.free:
        yield Note(
            "no start reached the end that is told in the steps that it has: the best of them was let go on, "
            "and another may lie lower; more starts may tell"
        )
    at_bound = {one.name for one, at in zip(problem.free, known.bound, strict=True) if at}
    for note in _of_form(problem, values):
        shares = [known.errors.get(name, 0.0) / abs(values[name]) for name in note.parameters]
        if not note.unless or max(shares, default=np.inf) > note.unless or at_bound & set(note.parameters):
            yield replace(note, unless=0.0, otherwise="")
        elif note.otherwise:
            yield Note(note.otherwise)


def _of_form(problem: Problem, values: Mapping[str, float]) -> Sequence[Note]:
    form = problem.form
    if form.notes is None:
        return ()
    with blamed(f"notes of {origin(form)}"):
        told = list(form.notes(problem.points, values))
    for note in told:
        if not isinstance(note, Note) or not set(note.parameters) <= set(values):
            raise ComponentError(
                f"notes of {origin(form)} returned {note!r}; allowed: prunebench.scaling.form.Note, of its "
                "coefficients"
            )
    return told


MANY = 2
"""Networks a coefficient from which on intervals that count networks cover about as often as they say."""


def _together(problem: Problem, known: Known) -> Iterator[Note]:
    """Yield what points of a network that err together do to the intervals."""
    if not known.correlated:
        return
    said = f"points of one network err together (correlation of neighbouring densities {known.together:.2g})"
    if not known.clusters:
        yield Note(f"{said}: with one network intervals take them as independent, and are too narrow")
        return
    rough = "" if known.clusters >= MANY * len(problem.free) else ", few, so that they are rough"
    yield Note(f"{said}: intervals count its {known.clusters} networks, not its points{rough}")


def _beyond(problem: Problem, vector: Floats) -> Iterator[Note]:
    """Yield that a form gives errors at its own points that no error can be."""
    errors, most = problem.predicted(vector), problem.form.most
    above = errors > most * (1 + 1e-9)
    if above.any():
        row = int(np.argmax(errors))
        yield Note(
            f"the form gives errors above {most:g}, the most that there can be, at {above.sum():,} of its "
            f"{len(errors):,} points, up to {errors[row]:.4g} at {problem.points.said(row)}: there it says "
            "nothing"
        )


def _touched(problem: Problem, direction: Floats) -> tuple[str, ...]:
    share = np.abs(direction) / np.abs(direction).max()
    return tuple(name for name, part in zip(problem.names, share, strict=True) if part > 1e-3)


def _undetermined(problem: Problem, direction: Floats) -> Note:
    names = _touched(problem, direction)
    if len(names) == 1:
        return Note(f"the points do not determine {names[0]} at all", names, no_estimate=True)
    text = f"the points determine {', '.join(names)} only together, none of them alone"
    return Note(text, names, no_estimate=True)
