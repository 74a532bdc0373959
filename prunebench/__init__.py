"""prunebench: a plugin-based benchmark suite for neural network pruning.

The public API. Names are resolved when first used, so that `import prunebench` and `prunebench --help`
stay light (no torch).
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from prunebench._version import __version__

if TYPE_CHECKING:
    from prunebench import diagnostics
    from prunebench.api import prune, score
    from prunebench.checks.curves import Curves
    from prunebench.errors import (
        ComponentError,
        DataError,
        FitError,
        LeakError,
        PluginError,
        PrunebenchError,
        PruningWarning,
        StoreError,
        SuiteError,
        UsageError,
    )
    from prunebench.host.components import (
        Ablation,
        Architecture,
        Dataset,
        Description,
        Diagnostic,
        FunctionalForm,
        Initialization,
        Method,
        Quantity,
        RecipeComponent,
        Scorer,
    )
    from prunebench.host.form import Batch, Form, ScorerCall
    from prunebench.host.hookspecs import hookimpl
    from prunebench.pruning.filters import shrink, taken_along
    from prunebench.pruning.mask import Mask
    from prunebench.pruning.network import ScoringNetwork
    from prunebench.report.results import Results
    from prunebench.scaling.form import Coefficient
    from prunebench.tables import results
    from prunebench.training.course import Course
    from prunebench.training.images.files import ImageFiles
    from prunebench.training.recipe import Recipe
    from prunebench.training.scored_network import Finding

_WHERE = {
    "prunebench.api": ["prune", "score"],
    "prunebench.checks.curves": ["Curves"],
    "prunebench.errors": [
        "ComponentError",
        "DataError",
        "FitError",
        "LeakError",
        "PluginError",
        "PrunebenchError",
        "PruningWarning",
        "StoreError",
        "SuiteError",
        "UsageError",
    ],
    "prunebench.host.components": [
        "Ablation",
        "Architecture",
        "Dataset",
        "Description",
        "Diagnostic",
        "FunctionalForm",
        "Initialization",
        "Method",
        "Quantity",
        "RecipeComponent",
        "Scorer",
    ],
    "prunebench.host.form": ["Batch", "Form", "ScorerCall"],
    "prunebench.host.hookspecs": ["hookimpl"],
    "prunebench.pruning.filters": ["shrink", "taken_along"],
    "prunebench.pruning.mask": ["Mask"],
    "prunebench.pruning.network": ["ScoringNetwork"],
    "prunebench.report.results": ["Results"],
    "prunebench.scaling.form": ["Coefficient"],
    "prunebench.tables": ["results"],
    "prunebench.training.course": ["Course"],
    "prunebench.training.scored_network": ["Finding"],
    "prunebench.training.images.files": ["ImageFiles"],
    "prunebench.training.recipe": ["Recipe"],
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Ablation",
    "Architecture",
    "Batch",
    "Coefficient",
    "ComponentError",
    "Course",
    "Curves",
    "DataError",
    "Dataset",
    "Description",
    "Diagnostic",
    "Finding",
    "FitError",
    "Form",
    "FunctionalForm",
    "ImageFiles",
    "Initialization",
    "LeakError",
    "Mask",
    "Method",
    "PluginError",
    "PrunebenchError",
    "PruningWarning",
    "Quantity",
    "Recipe",
    "RecipeComponent",
    "Results",
    "Scorer",
    "ScorerCall",
    "ScoringNetwork",
    "StoreError",
    "SuiteError",
    "UsageError",
    "__version__",
    "diagnostics",
    "hookimpl",
    "prune",
    "results",
    "score",
    "shrink",
    "taken_along",
]


def __getattr__(name: str) -> Any:
    if name == "diagnostics":
        return importlib.import_module("prunebench.diagnostics")
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'prunebench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


if "torch" in sys.modules:  # torch.load is told that a saved Mask is harmless
    importlib.import_module("prunebench.pruning.mask")
