"""Functional forms as components: laws that errors of pruned networks may follow (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from prunebench.errors import nearest
from prunebench.host._component import Component
from prunebench.scaling.form import Coefficient

__all__ = ["FunctionalForm", "faults"]


@dataclass(frozen=True)
class FunctionalForm(Component):
    """A law: the error of a network as a function of its density, size and data.

    `function(points, **coefficients)` gets points (`points.density`, `points.width`, … and further columns
    in `points.extra`, float64 of shape n) and each coefficient by name; it returns n errors.
    """

    kind: ClassVar[str] = "form"
    function: Callable[..., Any]
    coefficients: tuple[Coefficient, ...]
    """What a fit searches for, with bounds and where the search starts."""
    columns: tuple[str, ...] = ("density",)
    """The columns of the points that the function reads; they must be known in every row."""
    gradient: Callable[..., Mapping[str, Any]] | None = None
    """A function of the same arguments: the derivative of the errors by each coefficient, by name.

    Differences stand in for it where there is none, which is slower and less exact."""
    constant: tuple[str, ...] = ()
    """Columns in which all points must agree: what the form says nothing of."""
    most: float = 1.0
    """The largest value that there can be: 1 for an error, infinite for a loss."""
    notes: Callable[..., Sequence[Any]] | None = None
    """`notes(points, coefficients)` returns `prunebench.scaling.form.Note`s: what these points leave open."""
    text: str = ""
    """What this form is, in a sentence, where several share a function."""
    version: str | None = None
    depends: tuple[str, ...] = ()

    @property
    def source(self) -> object:
        """The function."""
        return self.function

    @property
    def documentation(self) -> str:
        """The text, then the function's docstring."""
        return "\n\n".join(filter(None, [self.text, super().documentation]))

    @property
    def parameters(self) -> dict[str, str]:
        """What each coefficient is, by name."""
        return {one.name: one.text for one in self.coefficients}


def faults(form: FunctionalForm) -> Iterator[str]:
    """Yield what is wrong with a form's fields: what a fit could not work with."""
    names: Any = form.coefficients
    if not isinstance(names, tuple | list) or not all(isinstance(one, Coefficient) for one in names):
        yield f"coefficients must be a tuple of prunebench.Coefficient, found {names!r}"
        return
    for field in ("columns", "constant"):
        columns: Any = getattr(form, field)
        if not isinstance(columns, tuple | list) or not all(isinstance(one, str) for one in columns):
            yield f"{field} must be a tuple of columns' names, found {columns!r}"
            return
    for one in form.coefficients:
        yield from _coefficient_faults(form, one)
    if len({one.name for one in form.coefficients}) < len(form.coefficients):
        yield "two of its coefficients have one name"


def _coefficient_faults(form: FunctionalForm, one: Coefficient) -> Iterator[str]:
    low, high = one.start
    if not one.low <= low <= high <= one.high:
        bounds = f"{one.low:g} to {one.high:g}"
        yield f"the search for {one.name} starts from {low:g} to {high:g}, outside its bounds, {bounds}"
    elif one.log and one.low <= 0:
        yield f"{one.name} has a logarithm: its least value must be above 0, found {one.low:g}"
    if one.varies and one.varies not in form.columns:
        yield f"{one.name} varies with {one.varies!r}{nearest(one.varies, form.columns)}"
