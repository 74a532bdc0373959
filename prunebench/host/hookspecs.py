"""The hooks: a plugin marks its own with `@prunebench.hookimpl`; each returns a list of components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prunebench.host import components

__all__ = ["PROJECT", "hookimpl"]

PROJECT = "prunebench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def prunebench_scorers() -> Sequence[components.Scorer]:
    """Return scorers: a number for every prunable weight, higher is kept.

    Every scorer is also a method of its own name (one shot, at initialisation), unless a method of that
    name is registered.
    """
    return []


@hookspec
def prunebench_architectures() -> Sequence[components.Architecture]:
    """Return architectures: functions that build a network for an input shape and a number of classes."""
    return []


@hookspec
def prunebench_initializations() -> Sequence[components.Initialization]:
    """Return initializations: how each parameter's first values are drawn; recipes name one."""
    return []


@hookspec
def prunebench_datasets() -> Sequence[components.Dataset]:
    """Return data sets: labelled images with their shape, classes, sizes, normalisation and fingerprint."""
    return []


@hookspec
def prunebench_ablations() -> Sequence[components.Ablation]:
    """Return ablations: functions from a method's form to a method's form."""
    return []


@hookspec
def prunebench_recipes() -> Sequence[components.RecipeComponent]:
    """Return recipes: named settings of training."""
    return []


@hookspec
def prunebench_methods() -> Sequence[components.Method]:
    """Return methods: named values of the general form."""
    return []


@hookspec
def prunebench_diagnostics() -> Sequence[components.Diagnostic]:
    """Return diagnostics: measures of masks and trained networks, kept beside the records."""
    return []


@hookspec
def prunebench_quantities() -> Sequence[components.Quantity]:
    """Return quantities: what checks compare, functions of a method's curves in one setting."""
    return []


@hookspec
def prunebench_forms() -> Sequence[components.FunctionalForm]:
    """Return functional forms: laws of the error by density, size and data, which are fitted to records."""
    return []
