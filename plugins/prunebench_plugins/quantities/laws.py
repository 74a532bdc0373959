"""A quantity of a whole family of networks: what a law says that is fitted to it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench import Curves

__all__ = ["OF", "fit"]

OF = ("mu", "sigma", "error_up", "gamma", "p", "phi", "psi", "knee")
"""What of a fit can be asked for."""

_STARTS = 12


def fit(curves: Curves, *, of: str, form: str = "", alone: bool = False) -> Any:
    """What a law fitted at each seed says: `fit:sigma`, `fit:mu`, or a coefficient such as `fit:gamma`.

    Fitted are the errors of the method in all networks of the family (those that differ in depth, width and
    training examples alone), at the sparsities of the check's range, unpruned networks beside them. mu and
    sigma are mean and standard deviation of (predicted − measured) / measured, shares.

    form: a functional form; "": Rosenfeld et al.'s law, joint or as a partial fit, as depth and width vary
    alone: fit the setting's own network, not its family

    There is no number at a seed of which a result is missing, or the unpruned network's, nor of fewer points
    than the law has coefficients.
    """
    import numpy as np

    members = (curves,) if alone else (curves, *curves.relatives)
    wanted = np.unique(curves.sparsities)
    return np.array([_at_seed(members, seed, wanted, form, of) for seed in curves.seeds])


def _at_seed(members: tuple[Curves, ...], seed: int, wanted: Any, form: str, of: str) -> float:
    import numpy as np

    rows = []
    for number, one in enumerate(members):
        if seed not in one.seeds:
            continue
        column = one.seeds.index(seed)
        places = np.isin(one.sparsities, wanted) & one.planned[:, column]
        errors = 1 - one.accuracy[places, column] / 100
        unpruned = 1 - one.dense[column] / 100
        if np.isnan(errors).any() or np.isnan(unpruned):
            return float("nan")
        scales = [one.scales.get(name, np.nan) for name in ("depth", "width", "examples", "prunable")]
        densities = np.round(1 - one.sparsities[places], 12)
        pairs = [(d, e) for d, e in zip(densities.tolist(), errors.tolist(), strict=True) if d < 1]
        rows += [(d, e, unpruned, *scales, number) for d, e in [(1.0, unpruned), *pairs]]
    return _fitted(tuple(rows), form, of)


@lru_cache(maxsize=256)
def _fitted(rows: tuple[tuple[float, ...], ...], form: str, of: str) -> float:
    """Return a number of the fit to rows; a family is asked for in each of its settings."""
    import numpy as np

    from prunebench.host.registry import Host
    from prunebench.scaling.fit import fit as fitted
    from prunebench.scaling.points import points_of

    names = ("density", "error", "error_unpruned", "depth", "width", "examples", "prunable", "network")
    points = points_of(dict(zip(names, np.array(rows).T, strict=True)))
    points = points.changed(
        parameters=points.extra["prunable"], nonzero=points.density * points.extra["prunable"]
    )
    forms = Host.builtin_forms()
    name = form or _law_of(points)
    if name not in forms:
        raise ValueError(f"there is no built-in functional form {name!r}")
    if len(points) < len(forms[name].coefficients):
        return float("nan")  # a single place says nothing of a law
    made = fitted(forms[name], points, starts=_STARTS)
    numbers = {"mu": made.mu, "sigma": made.sigma, **made.parameters}
    if of not in numbers:
        raise ValueError(f"{of!r} is nothing that the form {name!r} says; allowed: {', '.join(numbers)}")
    return float(numbers[of])


def _law_of(points: Any) -> str:
    """Return the name of the law of Rosenfeld et al. that these networks can determine."""
    import numpy as np

    deep, wide, most = (len(np.unique(getattr(points, name))) > 1 for name in ("depth", "width", "examples"))
    if deep and wide:
        return "rosenfeld"
    alone = "rosenfeld-data" if most else "rosenfeld-network"
    return "rosenfeld-width" if wide else "rosenfeld-depth" if deep else alone
