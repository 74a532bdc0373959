"""Built-in initializations."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Initialization, hookimpl
from prunebench_plugins.initializations.kaiming import kaiming_normal, kaiming_uniform, unit_variance

__all__ = ["kaiming_normal", "kaiming_uniform", "prunebench_initializations", "unit_variance"]

_OWN = """The values that the architecture's own constructor gives, run under a seeded torch generator.

Everything is left to the constructor: weights, biases, normalisation layers. The values come from torch's
generator, not from prunebench's streams.
"""


@hookimpl
def prunebench_initializations() -> Sequence[Initialization]:
    """Return the built-in initializations."""
    return [
        Initialization("kaiming-normal", kaiming_normal, version="1"),
        Initialization("kaiming-uniform", kaiming_uniform, version="1"),
        Initialization("unit-variance", unit_variance, version="1"),
        Initialization("own", None, version="1", text=_OWN),
    ]
