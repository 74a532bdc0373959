"""The conformance kit: what every component of a kind must satisfy, built in or not.

Each check raises AssertionError with a sentence that says what was found. In a plugin's own tests:

    from prunebench.testing import check_scorer

    def test_my_scorer():
        check_scorer(my_plugin.SCORER)
"""

from __future__ import annotations

from pathlib import Path

from prunebench.host.components import (
    Ablation,
    Architecture,
    Component,
    Dataset,
    Diagnostic,
    FunctionalForm,
    Initialization,
    Method,
    Quantity,
    RecipeComponent,
    Scorer,
)
from prunebench.testing._data import check_dataset
from prunebench.testing._forms import check_ablation, check_method, check_recipe
from prunebench.testing._laws import check_form
from prunebench.testing._measures import check_diagnostic, check_scorer
from prunebench.testing._networks import check_architecture, check_initialization
from prunebench.testing._quantities import check_quantity

__all__ = [
    "check_ablation",
    "check_architecture",
    "check_component",
    "check_dataset",
    "check_diagnostic",
    "check_form",
    "check_initialization",
    "check_method",
    "check_quantity",
    "check_recipe",
    "check_scorer",
]


def check_component(component: Component, *, root: Path | None = None) -> None:
    """Check a component of any kind; `root` is the data root of a data set that reads files.

    Raises: AssertionError.
    """
    match component:
        case Scorer():
            check_scorer(component)
        case Architecture():
            check_architecture(component)
        case Initialization():
            check_initialization(component)
        case Dataset():
            check_dataset(component, root)
        case Ablation():
            check_ablation(component)
        case RecipeComponent():
            check_recipe(component)
        case Method():
            check_method(component)
        case Diagnostic():
            check_diagnostic(component)
        case Quantity():
            check_quantity(component)
        case FunctionalForm():
            check_form(component)
        case _:
            raise AssertionError(f"{component!r} is a component of no kind")
