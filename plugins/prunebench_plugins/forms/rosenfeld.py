"""The law of pruned networks of Rosenfeld, Frankle, Carbin and Shavit, 2021 (arXiv:2006.10621).

For a family of networks of depth l and width w at density d, with m = l^phi · w^psi · d,

    error = error_unpruned · [ (m² + p² R²) / (m² + p²) ]^(gamma / 2)
    R = (error_up / error_unpruned)^(1 / gamma)

(its Eq. 2; Eq. 1, of one network, has m = d). The amount of data acts through the unpruned error alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from prunebench import Coefficient, FunctionalForm
from prunebench.scaling.form import Note

__all__ = ["FORMS", "joint", "joint_gradient", "joint_notes", "lower", "lower_gradient"]


class _Terms(NamedTuple):
    """What value and derivatives share."""

    log_depth: Any
    log_width: Any
    log_r: Any
    log_ratio: Any
    """log((m² + p²R²) / (m² + p²))."""
    upper: Any
    """p²R² / (m² + p²R²): near 1 above the lower transition."""
    plateau: Any
    """p² / (m² + p²): near 1 on the plateau."""


def _terms(points: Any, error_up: float, gamma: float, p: float, phi: float, psi: float) -> _Terms:
    # a coefficient of 0 takes no part, and its column need not be known
    log_depth = np.log(points.depth) if phi else np.zeros(len(points.density))
    log_width = np.log(points.width) if psi else np.zeros(len(points.density))
    log_m = np.log(points.density) + phi * log_depth + psi * log_width
    log_r = (np.log(error_up) - np.log(points.error_unpruned)) / gamma
    below = 2 * (np.log(p) - log_m)  # log(p² / m²)
    above = below + 2 * log_r
    log_ratio = np.logaddexp(0, above) - np.logaddexp(0, below)
    return _Terms(log_depth, log_width, log_r, log_ratio, _share(above), _share(below))


def _share(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-log_odds))


def joint(points: Any, *, error_up: float, gamma: float, p: float, phi: float = 0.0, psi: float = 0.0) -> Any:
    """Error of a family of pruned networks; the law of Rosenfeld et al. 2021, Eq. 2.

    With phi = psi = 0 it is Eq. 1, of one network at all its densities.
    """
    terms = _terms(points, error_up, gamma, p, phi, psi)
    return points.error_unpruned * np.exp(gamma / 2 * terms.log_ratio)


def joint_gradient(
    points: Any, *, error_up: float, gamma: float, p: float, phi: float = 0.0, psi: float = 0.0
) -> Mapping[str, Any]:
    """Return the derivatives of `joint` by its coefficients."""
    terms = _terms(points, error_up, gamma, p, phi, psi)
    error = points.error_unpruned * np.exp(gamma / 2 * terms.log_ratio)
    fall = error * gamma * (terms.upper - terms.plateau)  # by −log m, and by log p
    return {
        "error_up": error * terms.upper / error_up,
        "gamma": error * (terms.log_ratio / 2 - terms.upper * terms.log_r),
        "p": fall / p,
        "phi": -fall * (terms.log_depth if phi else _logs(points.depth)),
        "psi": -fall * (terms.log_width if psi else _logs(points.width)),
    }


def _logs(values: Any) -> Any:
    return np.nan_to_num(np.log(values))


def joint_notes(points: Any, coefficients: Mapping[str, float]) -> Sequence[Note]:
    """Return what the points leave open of `joint`: regions without points, one depth or width, dips.

    On the plateau alone error_up shows as it is, in the power-law region gamma. Without the plateau the
    height of the power law is known, error_up · p^gamma, and of the two what the bend towards it tells.
    """
    terms = _terms(points, **{"phi": 0.0, "psi": 0.0, **coefficients})
    return [
        *_regions(points, terms, coefficients),
        *_alone(points, coefficients),
        *_dips(points, terms, coefficients["gamma"]),
    ]


_THERE = 0.5
"""A share of a region in a point's error from which on the point is in that region."""

_ON_PLATEAU = 0.85
"""The least share of error_up that a point on the plateau has."""

_KNOWN = 0.1
"""A standard error up to this share of a coefficient tells it, wherever the points lie."""


def _regions(points: Any, terms: _Terms, coefficients: Mapping[str, float]) -> Iterator[Note]:
    error = points.error_unpruned * np.exp(coefficients["gamma"] / 2 * terms.log_ratio)
    up, highest, unpruned = coefficients["error_up"], points.error.max(), points.error_unpruned.max()
    if unpruned >= up:
        text = (
            f"error_up, {up:.3g}, is below the unpruned error of some network, up to {unpruned:.3g}: no "
            "plateau lies there, and error_up and p are not known"
        )
        yield Note(text, ("error_up", "p"), no_estimate=True)
    elif not (error > _ON_PLATEAU * up).any():
        height = up * coefficients["p"] ** coefficients["gamma"]
        share = (
            f"no point is on the plateau, the highest error is {highest:.3g}, {highest / up:.0%} of error_up"
        )
        yield Note(
            f"{share}: the points determine error_up · p^gamma, {height:.3g}, far better than error_up or p",
            ("error_up", "p"),
            unless=_KNOWN,
            otherwise=f"{share}: error_up is beyond what was measured, and as good as the law is there",
        )
    if not (terms.upper - terms.plateau > _THERE).any():
        text = (
            "no point is in the power-law region, between the unpruned error and the plateau: gamma is open"
        )
        yield Note(text, ("gamma",), unless=_KNOWN, no_estimate=True)


def _alone(points: Any, coefficients: Mapping[str, float]) -> Iterator[Note]:
    for name, of in (("phi", "depth"), ("psi", "width")):
        values = np.unique(getattr(points, of))
        if name not in coefficients and len(values) == 1 and not np.isnan(values[0]):
            yield Note(f"p is that of {of} {values[0]:g}: it has {of}^{name} in it", ("p",))


_FLAT = 0.05
"""A point is above the power law where the law is less than that above the unpruned error, by its log."""


def _dips(points: Any, terms: _Terms, gamma: float) -> Iterator[Note]:
    flat = (gamma * terms.log_ratio < 2 * _FLAT) & (points.density < 1)
    below = points.error[flat] / points.error_unpruned[flat] - 1
    if len(below) > 2 and below.mean() < -2 * below.std(ddof=1) / np.sqrt(len(below)):
        text = (
            f"above the power law errors are {-100 * below.mean():.1f} % below the unpruned ones on average, "
            "a dip that the law cannot follow: it biases gamma and p"
        )
        yield Note(text, ("gamma", "p"))


def lower(points: Any, *, gamma: float, knee: float) -> Any:
    """Error of one network well above its plateau; Rosenfeld et al. 2021, Eq. 8.

    error_unpruned · [1 + (knee / (d · error_unpruned^(1 / gamma)))²]^(gamma / 2). The equation's error_up
    and p come in as knee = p · error_up^(1 / gamma) alone: points above the plateau tell no more.
    """
    return points.error_unpruned * np.exp(gamma / 2 * np.logaddexp(0, _odds(points, gamma, knee)))


def lower_gradient(points: Any, *, gamma: float, knee: float) -> Mapping[str, Any]:
    """Return the derivatives of `lower` by its coefficients."""
    odds = _odds(points, gamma, knee)
    error = points.error_unpruned * np.exp(gamma / 2 * np.logaddexp(0, odds))
    share = _share(odds)
    by_gamma = np.logaddexp(0, odds) / 2 + share * np.log(points.error_unpruned) / gamma
    return {"gamma": error * by_gamma, "knee": error * gamma * share / knee}


def _odds(points: Any, gamma: float, knee: float) -> Any:
    """Return log(p²R² / d²)."""
    return 2 * (np.log(knee) - np.log(points.density) - np.log(points.error_unpruned) / gamma)


_ERROR_UP = Coefficient("error_up", 1e-3, 1, (0.3, 1), log=True, text="error of the plateau at low densities")
_GAMMA = Coefficient("gamma", 1e-3, 20, (0.1, 2), log=True, text="slope of the power law")
_P = Coefficient("p", 1e-12, 1e12, (1e-5, 1e-1), log=True)
_PHI = Coefficient("phi", -10, 10, (0, 2), varies="depth", text="exponent of the depth")
_PSI = Coefficient("psi", -10, 10, (0, 2), varies="width", text="exponent of the width")
_KNEE = Coefficient("knee", 1e-12, 1e12, (1e-5, 1e-1), log=True, text="p · error_up^(1 / gamma)")
_READ = ("density", "error_unpruned")


def _form(name: str, text: str, more: tuple[Coefficient, ...], constant: tuple[str, ...]) -> FunctionalForm:
    size = "".join(f"{one.varies}^{one.name} · " for one in more)
    p = replace(_P, text=f"{size}density at which the plateau begins")
    return FunctionalForm(
        name,
        joint,
        (_ERROR_UP, _GAMMA, p, *more),
        (*_READ, *(one.varies for one in more)),
        joint_gradient,
        constant,
        notes=joint_notes,
        text=f"Error of {text} (Rosenfeld et al. 2021).",
        version="1",
    )


FORMS = (
    _form("rosenfeld", "a family of pruned networks of any depth and width, Eq. 2", (_PHI, _PSI), ()),
    _form("rosenfeld-network", "one network by its density, Eq. 1", (), ("depth", "width", "examples")),
    _form("rosenfeld-width", "pruned networks of one depth and any width", (_PSI,), ("depth",)),
    _form("rosenfeld-depth", "pruned networks of one width and any depth", (_PHI,), ("width",)),
    _form("rosenfeld-data", "one pruned network by any amount of data", (), ("depth", "width")),
    FunctionalForm(
        "rosenfeld-lower",
        lower,
        (_GAMMA, _KNEE),
        _READ,
        lower_gradient,
        ("depth", "width", "examples"),
        version="1",
    ),
)
"""Eq. 2, Eq. 1, the partial fits of appendix D, and Eq. 8."""
