"""Laws of networks that are not pruned: Rosenfeld, Rosenfeld, Belinkov and Shavit, 2020 (arXiv:1909.12673).

With m parameters and n training examples, and j the imaginary unit,

    e(m, n) = n^(-alpha) + b · m^(-beta) + c
    error = error_0 · |e / (e − j eta)| = error_0 · e / sqrt(e² + eta²)

Equations are numbered as in appendix G of Rosenfeld, Frankle, Carbin and Shavit 2021 (arXiv:2006.10621),
which compares them with pruning. The first term's factor is 1, as in the paper of 2020: a common factor of e
and eta changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from prunebench import Coefficient, FunctionalForm

__all__ = ["FORMS", "pinned", "pinned_gradient", "saturating", "saturating_gradient", "size", "size_gradient"]


def saturating(
    points: Any, *, error_0: float, eta: float, alpha: float, b: float, beta: float, c: float
) -> Any:
    """Error of a network that is not pruned, by its parameters and examples; Eqs. 3 and 4."""
    e = points.examples**-alpha + b * points.extra["parameters"] ** -beta + c
    return error_0 * e / np.hypot(e, eta)


def saturating_gradient(
    points: Any, *, error_0: float, eta: float, alpha: float, b: float, beta: float, c: float
) -> Mapping[str, Any]:
    """Return the derivatives of `saturating` by its coefficients."""
    of_data, of_size = points.examples**-alpha, points.extra["parameters"] ** -beta
    e = of_data + b * of_size + c
    length = np.hypot(e, eta)
    by_e = error_0 * eta**2 / length**3
    return {
        "error_0": e / length,
        "eta": -error_0 * e * eta / length**3,
        "alpha": -by_e * of_data * np.log(points.examples),
        "b": by_e * of_size,
        "beta": -by_e * b * of_size * np.log(points.extra["parameters"]),
        "c": by_e,
    }


def size(points: Any, *, b: float, beta: float, c: float) -> Any:
    """Error by the number of parameters alone, at one amount of data; Eq. 5: b · m^(-beta) + c."""
    return b * points.extra["parameters"] ** -beta + c


def size_gradient(points: Any, *, b: float, beta: float, c: float) -> Mapping[str, Any]:
    """Return the derivatives of `size` by its coefficients."""
    fall = points.extra["parameters"] ** -beta
    return {"b": fall, "beta": -b * fall * np.log(points.extra["parameters"]), "c": np.ones_like(fall)}


def pinned(points: Any, *, b: float, beta: float) -> Any:
    """The form of unpruned networks applied to the densities of a pruned one; Eq. 6.

    b · d^(-beta) + error_unpruned − b: at density 1 it is the error of the network before pruning.
    """
    return points.error_unpruned + b * np.expm1(-beta * np.log(points.density))


def pinned_gradient(points: Any, *, b: float, beta: float) -> Mapping[str, Any]:
    """Return the derivatives of `pinned` by its coefficients."""
    logs = np.log(points.density)
    return {"b": np.expm1(-beta * logs), "beta": -b * np.exp(-beta * logs) * logs}


_BETA = Coefficient("beta", 1e-3, 10, (0.1, 1), log=True, text="exponent of the size")
_B = Coefficient("b", 0, 1e12, (0.01, 1), linear=True, text="factor of the size's power law")
_C = Coefficient("c", 0, 1, (0, 0.3), linear=True, text="error of a network of any size")

FORMS = (
    FunctionalForm(
        "unpruned",
        saturating,
        (
            Coefficient("error_0", 1e-3, 1, (0.5, 1), log=True, text="error of a guess"),
            Coefficient("eta", 1e-9, 1e9, (1e-3, 1), log=True, text="where the error leaves that of a guess"),
            Coefficient(
                "alpha", 1e-3, 10, (0.1, 1), log=True, varies="examples", text="exponent of the data"
            ),
            Coefficient("b", 1e-12, 1e12, (1e-2, 10), log=True, text="factor of the size's power law"),
            Coefficient(
                "beta", 1e-3, 10, (0.1, 1), log=True, varies="parameters", text="exponent of the size"
            ),
            Coefficient("c", 0, 1e6, (0, 1e-2), text="what remains of e for any size and data"),
        ),
        ("parameters", "examples"),
        saturating_gradient,
        ("density",),
        version="1",
    ),
    FunctionalForm(
        "unpruned-size",
        size,
        (_B, Coefficient("beta", 1e-3, 10, (0.1, 1), log=True, varies="parameters", text=_BETA.text), _C),
        ("parameters",),
        size_gradient,
        ("density", "examples"),
        version="1",
    ),
    FunctionalForm(
        "unpruned-pinned",
        pinned,
        (_B, _BETA),
        ("density", "error_unpruned"),
        pinned_gradient,
        ("depth", "width", "examples"),
        version="1",
    ),
)
