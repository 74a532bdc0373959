"""Built-in functional forms: laws of the error of pruned networks (docs/plugins.md says how to write one)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import FunctionalForm, hookimpl
from prunebench_plugins.forms.language import FORMS as LANGUAGE
from prunebench_plugins.forms.rosenfeld import FORMS as ROSENFELD
from prunebench_plugins.forms.unpruned import FORMS as UNPRUNED

__all__ = ["prunebench_forms"]


@hookimpl
def prunebench_forms() -> Sequence[FunctionalForm]:
    """Return the built-in forms."""
    return [*ROSENFELD, *UNPRUNED, *LANGUAGE]
