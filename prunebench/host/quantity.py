"""Quantities as components: what checks compare (imports no torch)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, ClassVar, Literal

from prunebench.host._component import Component, keyword_parameters

__all__ = ["Quantity"]


@dataclass(frozen=True)
class Quantity(Component):
    """What a check compares: numbers read off a method's curves in one setting.

    `function(curves, **parameters)` gets a `prunebench.Curves` of the places in the check's range: P places ×
    S seeds, R resamples of the seeds. It returns float64 numbers; NaN where a missing result decides.
    `inference` says which numbers, and so how a claim about them is judged:

    - "seeds": S numbers, one a seed, over all the places (paired t test);
    - "curve": R numbers, one a resample, of that row of `curves.weights` alone (`tests`, else resamples);
    - "counts": P × S numbers, yes (1) or no (0) for each run (exact binomial).

    Keyword-only arguments of the function are the quantity's parameters; those without a default have to be
    given. Those in `selections` name cells, as a side of a check does, and arrive as the curves of these.
    """

    kind: ClassVar[str] = "quantity"
    function: Callable[..., Any]
    inference: Literal["seeds", "curve", "counts"]
    axis: str = ""
    """What the curve is read along, or the parameter that says which: "sparsity" (one number for a range) or
    "score_at" (every pruning step is meant)."""
    selections: tuple[str, ...] = ()
    field: str = ""
    """The parameter that names one field of a measure; suites may spell it behind a colon, `NAME:FIELD`."""
    fields: str = ""
    """The same for a parameter that names several fields, `*` standing for any name."""
    option: str = ""
    """The parameter that takes one of `choices`; suites may spell it behind a colon, `NAME:VALUE`."""
    choices: tuple[str, ...] = ()
    kin: bool = False
    """True if it reads the family of networks: `curves.scales` and `curves.relatives` are there then."""
    reads: Callable[..., Sequence[bool]] | None = None
    """`reads(curves, **parameters)` returns which of `curves.relatives` it reads: their cells are needed too.

    Without it all are."""
    form: str = ""
    """The parameter that names a functional form, "" for none; the function then gets as its second argument
    a function that returns the form of a name, of a plugin's too."""
    faults: Callable[..., Iterable[tuple[str, str]]] | None = None
    """`faults(parameters)` yields what is wrong with parameters that a suite gives: which one, and what.

    All parameters are there, of the right kinds. With `form` it gets the function of names as well."""
    points: bool = False
    """True if the numbers are points of accuracy: the margin of a check is the setting's δ unless given."""
    version: str | None = None
    depends: tuple[str, ...] = ()
    tests: Callable[..., Any] | None = None
    """Of a "curve": a function of the same arguments that tests each value that the number could have.

    It returns a list of (values, p_more, p_less), one for each number that the quantity is the mean of:
    values that rise, and for each of them p values that are small where the number is surely more, and
    surely less. If the number truly is a value, each of its p values is below x in at most a share x of
    experiments. Bounds are where the values end that are not refused, so they are right on every curve;
    resamples are a guess where it is flat."""

    @property
    def source(self) -> object:
        """The function."""
        return self.function

    def with_forms(self, form_of: Callable[[str], Any]) -> Quantity:
        """Return the quantity with what looks functional forms up, where its function wants that."""
        if not self.form:
            return self
        function = self.function

        @wraps(function)
        def bound(curves: Any, **parameters: Any) -> Any:
            return function(curves, form_of, **parameters)

        return replace(self, function=bound)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that have defaults."""
        return keyword_parameters(self.function)

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that have to be given."""
        given = inspect.signature(self.function).parameters.values()
        return tuple(p.name for p in given if p.kind is p.KEYWORD_ONLY and p.default is p.empty)

    @property
    def path(self) -> str:
        """The parameter that names a field, or fields, of a measure; "" where there is none."""
        return self.field or self.fields
