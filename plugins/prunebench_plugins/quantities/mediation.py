"""What accuracy follows: where layerwise pruning ratios come from, or where the weights do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench import Curves

__all__ = ["EFFECTS", "mediation"]

EFFECTS = ("ratios", "weights", "total")
"""What can be asked for."""


def mediation(curves: Curves, *, of: str, base: Curves, ratios: Curves, weights: Curves) -> Any:
    """What the ratios, or the weights, of one find contribute to its accuracy, in points at each seed.

    Two finds, A and B, each give weights that are ranked and ratios by which layers are pruned: so there are
    four networks. The check's own cells have both of B (BB), `base` both of A (AA), `ratios` A's weights at
    B's ratios (AB), `weights` B's weights at A's ratios (BA). "ratios" is what B's ratios add, whosever the
    weights: ((AB + BB) − (AA + BA)) / 2. "weights" is what B's weights add, whosever the ratios:
    ((BA + BB) − (AA + AB)) / 2. "total" is BB − AA, the sum of both.
    """
    import numpy as np

    aa, ab, ba = (_accuracy(one, curves) for one in (base, ratios, weights))
    bb = curves.accuracy
    effects = {
        "ratios": ((ab + bb) - (aa + ba)) / 2,
        "weights": ((ba + bb) - (aa + ab)) / 2,
        "total": bb - aa + 0 * (ab + ba),  # of the same seeds as the others
    }
    return np.asarray(effects[of]).mean(axis=0)


def _accuracy(one: Curves, curves: Curves) -> Any:
    """Return the accuracies of other cells at the places of these; NaN where they have none there."""
    import numpy as np

    places = one.places_of(curves)
    return np.where((places < 0)[:, None], np.nan, one.accuracy[places])
