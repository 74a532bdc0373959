"""Functional forms as components: laws that errors of pruned networks may follow (imports no torch)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from prunebench.host._component import Component
from prunebench.scaling.form import Coefficient

__all__ = ["FunctionalForm"]


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
