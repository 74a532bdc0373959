"""What a functional form is: a function of points and coefficients, with the bounds of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prunebench.scaling.points import Floats, Points

__all__ = ["Coefficient", "Form", "Note", "columns_read"]


@dataclass(frozen=True)
class Coefficient:
    """A number of a form that a fit determines, or that is given to it."""

    name: str
    low: float
    """The least value that it may have; at a bound a fit says so."""
    high: float
    start: tuple[float, float]
    """Between these the search starts, at many places."""
    log: bool = False
    """True if it is searched for by its logarithm: positive, over several powers of ten."""
    linear: bool = False
    """True if the form's value is a linear function of all its linear coefficients together.

    They are then solved for at each set of the others, which leaves a search in fewer dimensions."""
    varies: str = ""
    """The column that must have two values at least, or nothing determines the coefficient."""
    text: str = ""
    """What it is, in a few words, with its unit."""


@dataclass(frozen=True)
class Note:
    """A sentence on what the data do not say, and the coefficients that it is about."""

    text: str
    parameters: tuple[str, ...] = ()
    unless: float = 0.0
    """It is said unless the standard error of each of these is at most that share of the coefficient."""
    otherwise: str = ""
    """What is said then, and of none of these; "" for nothing."""
    no_estimate: bool = False
    """True if what it says of these is that their values are none that the points give."""


class Form(Protocol):
    """What of a `prunebench.FunctionalForm` is needed to fit it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def function(self) -> Callable[..., Floats]: ...  # noqa: D102
    @property
    def coefficients(self) -> tuple[Coefficient, ...]: ...  # noqa: D102
    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def gradient(self) -> Callable[..., Mapping[str, Floats]] | None: ...  # noqa: D102
    @property
    def constant(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def most(self) -> float: ...  # noqa: D102
    @property
    def notes(self) -> Callable[[Points, Mapping[str, float]], Sequence[Note]] | None: ...  # noqa: D102


def columns_read(form: Form, fixed: Mapping[str, float]) -> tuple[str, ...]:
    """Return the columns that a form reads of points when some coefficients are given.

    An exponent of 0 leaves out the depth, width or examples that it is of: these need not be known then.
    """
    out = {one.varies for one in form.coefficients if fixed.get(one.name) == 0} & {
        "depth",
        "width",
        "examples",
    }
    return tuple(name for name in form.columns if name not in out)
