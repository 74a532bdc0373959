"""Built-in recipes."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import RecipeComponent, hookimpl
from prunebench_plugins.recipes.frankle import PAI_CIFAR10, PAI_LENET
from prunebench_plugins.recipes.quick import DIGITS

__all__ = ["prunebench_recipes"]


@hookimpl
def prunebench_recipes() -> Sequence[RecipeComponent]:
    """Return the built-in recipes."""
    return [PAI_LENET, PAI_CIFAR10, DIGITS]
