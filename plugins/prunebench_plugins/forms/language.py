"""Laws of the loss of sparse language models, of power laws that are added up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from prunebench import Coefficient, FunctionalForm

__all__ = ["FORMS", "average", "average_gradient", "sparse", "sparse_gradient"]


def sparse(points: Any, *, a: float, b: float, c: float, d: float, e: float, f: float, g: float) -> Any:
    """Loss by sparsity S, non-zero parameters N and data D; Frantar et al. 2024 (arXiv:2309.08520).

    (a · (1 − S)^b + c) · N^(-d) + e · D^(-f) + g, with D in examples or steps, and S of the prunable weights.
    """
    size = points.extra["nonzero"] ** -d
    return (a * points.density**b + c) * size + e * points.examples**-f + g


def sparse_gradient(
    points: Any, *, a: float, b: float, c: float, d: float, e: float, f: float, g: float
) -> Mapping[str, Any]:
    """Return the derivatives of `sparse` by its coefficients."""
    size, data = points.extra["nonzero"] ** -d, points.examples**-f
    dense = points.density**b
    return {
        "a": dense * size,
        "b": a * dense * np.log(points.density) * size,
        "c": size,
        "d": -(a * dense + c) * size * np.log(points.extra["nonzero"]),
        "e": data,
        "f": -e * data * np.log(points.examples),
        "g": np.ones_like(size),
    }


def average(points: Any, *, a: float, alpha: float, b: float, beta: float, c: float) -> Any:
    """Loss by parameters averaged over training, and data; Jin et al. 2025 (arXiv:2501.12486).

    a · N^(-alpha) + b · D^(-beta) + c, the form of Hoffmann et al. 2022, with N the number of parameters that
    are left, averaged over the steps of training: for networks that are pruned while they train.
    """
    return a * points.extra["average_parameters"] ** -alpha + b * points.examples**-beta + c


def average_gradient(
    points: Any, *, a: float, alpha: float, b: float, beta: float, c: float
) -> Mapping[str, Any]:
    """Return the derivatives of `average` by its coefficients."""
    size, data = points.extra["average_parameters"] ** -alpha, points.examples**-beta
    return {
        "a": size,
        "alpha": -a * size * np.log(points.extra["average_parameters"]),
        "b": data,
        "beta": -b * data * np.log(points.examples),
        "c": np.ones_like(size),
    }


def _factor(name: str, text: str) -> Coefficient:
    return Coefficient(name, 0, 1e12, (0.01, 1), linear=True, text=text)


def _exponent(name: str, varies: str, text: str) -> Coefficient:
    return Coefficient(name, 1e-3, 10, (0.01, 1), log=True, varies=varies, text=text)


_LOSS = float("inf")

FORMS = (
    FunctionalForm(
        "frantar",
        sparse,
        (
            _factor("a", "what sparsity changes of the size's factor"),
            _exponent("b", "density", "exponent of the density"),
            _factor("c", "factor of the size's power law, at any sparsity"),
            _exponent("d", "nonzero", "exponent of the non-zero parameters"),
            _factor("e", "factor of the data's power law"),
            _exponent("f", "examples", "exponent of the data"),
            _factor("g", "loss of any size and data"),
        ),
        ("density", "nonzero", "examples"),
        sparse_gradient,
        most=_LOSS,
        version="1",
    ),
    FunctionalForm(
        "jin",
        average,
        (
            _factor("a", "factor of the size's power law"),
            _exponent("alpha", "average_parameters", "exponent of the parameters averaged over training"),
            _factor("b", "factor of the data's power law"),
            _exponent("beta", "examples", "exponent of the data"),
            _factor("c", "loss of any size and data"),
        ),
        ("average_parameters", "examples"),
        average_gradient,
        most=_LOSS,
        version="1",
    ),
)
