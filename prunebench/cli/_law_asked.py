"""What `predict` is asked: which networks its options name, and what of them cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench.scaling.law import Law
    from prunebench.scaling.law.members import Member

__all__ = [
    "all_members",
    "check_error",
    "check_known",
    "check_left",
    "check_scale",
    "examples_of",
    "numbers",
    "one_member",
]

_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in ("density", "depth", "width", "examples", "error_unpruned")
}
"""What is said of a network by an option of its own, and so not by --column."""


def numbers(law: Law, given: Sequence[str]) -> dict[str, float]:
    """Return the columns that --column gives. Raises: UsageError for one that the law does not read."""
    from prunebench.cli._laws import assigned
    from prunebench.errors import UsageError, nearest

    values = {}
    for name, text in assigned(given, "--column").items():
        if name in _OPTIONS:
            raise UsageError(f"--column: {name} has an option of its own: {_OPTIONS[name]} {text}")
        if name not in law.fit.form.columns:
            raise UsageError(f"--column: the law does not read '{name}'{nearest(name, law.fit.form.columns)}")
        try:
            values[name] = float(text)
        except ValueError:
            raise UsageError(f"--column: {name} is '{text}'; allowed: a number above 0") from None
        _positive(f"--column {name}", [values[name]])
    return values


def check_error(value: float, option: str, most: float) -> None:
    """Raises: UsageError for what is no error, of a law whose errors are at most `most`."""
    from prunebench.cli._laws import fraction

    if most == 1:
        fraction(value, option, "an error as a fraction", one=option == "--error-unpruned")
    else:
        _positive(option, [value])


def check_scale(law: Law, name: str, values: Sequence[float]) -> None:
    """Raises: UsageError for what is no depth, width or number of examples, or where the law knows none."""
    import numpy as np

    from prunebench.errors import UsageError

    _positive(f"--{name}", values)
    if values and np.isnan(law.points.column(name)).all():
        raise UsageError(f"--{name}: the points of this law have no {name}; leave it out")


def _positive(name: str, values: Sequence[float]) -> None:
    from prunebench.errors import UsageError

    for value in values:
        if not 0 < value < float("inf"):
            raise UsageError(f"{name}: found {value:g}; allowed: a number above 0")


def examples_of(law: Law, given: float | None) -> float:
    """Return how many training examples are meant: else the most that points have, NaN if none are known."""
    import numpy as np

    known = law.points.examples[~np.isnan(law.points.examples)]
    if given is not None:
        return given
    return float(known.max()) if len(known) else float("nan")


def one_member(
    law: Law,
    depth: Sequence[float],
    width: Sequence[float],
    examples: float,
    error: float | None,
    options: Any,
) -> Member:
    """Return the one network that is asked about. Raises: UsageError where several could be meant."""
    from prunebench.cli._laws import counter
    from prunebench.errors import UsageError
    from prunebench.scaling.law.members import distinct, member

    values = []
    for name, given in (("depth", depth), ("width", width)):
        there = distinct(given or law.points.column(name))
        if len(there) > 1:
            listed = ", ".join(f"{one:g}" for one in there)
            why = "several are given" if given else f"the points have {listed}"
            raise UsageError(f"--{name}: say the network's {name}, one; {why}")
        values.append(there[0])
    return member(law, values[0], values[1], examples, counter(law, options), error)


def all_members(
    law: Law, depth: Sequence[float], width: Sequence[float], examples: float, options: Any
) -> tuple[list[Member], list[str]]:
    """Return the members among which the smallest is sought, and why others cannot be looked at."""
    from prunebench.cli._laws import counter
    from prunebench.errors import FitError
    from prunebench.scaling.law.members import distinct, member

    count, members, without = counter(law, options), [], []
    for one in distinct(depth or law.points.depth):
        for other in distinct(width or law.points.width):
            try:
                members.append(member(law, one, other, examples, count))
            except FitError as error:
                without.append(str(error))
    if not members:
        raise FitError(without[0])
    return members, without


def check_known(law: Law, one: Member, way: str) -> None:
    """Raises: FitError for a column that a law reads and nobody knows of a network; `way` says what helps."""
    import numpy as np

    from prunebench.errors import FitError
    from prunebench.scaling.form import columns_read

    points = one.points(np.ones(1))
    for name in columns_read(law.fit.form, law.fit.fixed):
        known = name in points.names() and not np.isnan(points.column(name)).any()
        if not known and name not in ("depth", "width", "examples", "error_unpruned"):
            reads = f"form {law.fit.form.name!r} reads {name}"
            raise FitError(f"{reads}, which is not known of {one.name}; {way.format(name)}")


def check_left(one: Member, density: Sequence[float]) -> None:
    """Raises: UsageError for a density at which no weight of a member is left."""
    from prunebench.errors import UsageError

    for value in density:
        if one.prunable is not None and value * one.prunable < 0.5:
            least = f"{1 / one.prunable:.3g} and above"
            raise UsageError(
                f"--density {value:g} leaves none of the {one.prunable:,} weights; allowed: {least}"
            )
