"""Built-in quantities: what checks compare (docs/suites.md lists them, docs/statistics.md judges them)."""

from __future__ import annotations

from collections.abc import Sequence

from prunebench import Quantity, hookimpl
from prunebench_plugins.quantities.laws import OF, faults, fit, reads
from prunebench_plugins.quantities.lines import crossing, crossing_tests, range_end, range_end_tests, slope
from prunebench_plugins.quantities.mediation import EFFECTS, mediation
from prunebench_plugins.quantities.runs import accuracy, distance, diverged, drop, mean, measure, spread

__all__ = [
    "accuracy",
    "crossing",
    "distance",
    "diverged",
    "drop",
    "fit",
    "mean",
    "measure",
    "mediation",
    "prunebench_quantities",
    "range_end",
    "slope",
    "spread",
]


@hookimpl
def prunebench_quantities() -> Sequence[Quantity]:
    """Return the built-in quantities."""
    return [
        Quantity("accuracy", accuracy, "seeds", points=True, version="1"),
        Quantity("measure", measure, "seeds", field="of", version="1"),
        Quantity("mean", mean, "seeds", fields="of", version="1"),
        Quantity("spread", spread, "seeds", version="2"),
        Quantity("range-end", range_end, "curve", axis="sparsity", tests=range_end_tests, version="2"),
        Quantity(
            "crossing",
            crossing,
            "curve",
            axis="along",
            selections=("reaches",),
            tests=crossing_tests,
            version="2",
        ),
        Quantity("slope", slope, "seeds", axis="along", version="1"),
        Quantity("diverged", diverged, "counts", version="1"),
        Quantity("distance", distance, "seeds", fields="of", selections=("reference",), version="1"),
        Quantity(
            "fit",
            fit,
            "seeds",
            axis="sparsity",
            option="of",
            choices=OF,
            kin=True,
            reads=reads,
            form="form",
            faults=faults,
            version="4",
        ),
        Quantity("drop", drop, "seeds", selections=("to",), points=True, version="1"),
        Quantity(
            "mediation",
            mediation,
            "seeds",
            option="of",
            choices=EFFECTS,
            selections=("base", "ratios", "weights"),
            points=True,
            version="1",
        ),
    ]
