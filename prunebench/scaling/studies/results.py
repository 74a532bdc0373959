"""What studies of a law's points come to, and how that is written as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from prunebench.scaling.fit import Fit
from prunebench.scaling.points.families import Ranges
from prunebench.scaling.studies.against import Against
from prunebench.scaling.studies.trials import HeldOut, Needed, enough

__all__ = [
    "Compared",
    "Extrapolated",
    "OfNetwork",
    "Part",
    "Place",
    "Studies",
    "compared_plain",
    "held_out",
]


@dataclass(frozen=True)
class Compared:
    """A form beside others on the same points."""

    form: str
    coefficients: int
    """How many were searched for."""
    fit: Fit | None
    left_out: HeldOut | None
    """Each network by a fit to all others, and by interpolation between these."""
    why: str = ""
    """Why there is no fit, or no network was left out."""


@dataclass(frozen=True)
class Place:
    """Which network: what is not known is NaN."""

    depth: float
    width: float
    examples: float


@dataclass(frozen=True)
class OfNetwork:
    """A fit to one network alone."""

    network: Place
    fit: Fit


@dataclass(frozen=True)
class Part:
    """A partial fit (App. D): to networks that differ in one scale alone."""

    scale: str
    at: Place
    """What the other two are; the scale itself is NaN."""
    fit: Fit


@dataclass(frozen=True)
class Extrapolated:
    """A fit to small networks, and how it predicts the larger ones."""

    within: Ranges
    fit: Fit
    larger: int
    """How many networks were predicted."""
    others: HeldOut


@dataclass(frozen=True)
class Studies:
    """What was asked for; None where it was not, or where `why` says that it cannot be."""

    each_network: Sequence[OfNetwork] | None = None
    partial: Sequence[Part] | None = None
    points_needed: Mapping[str, Sequence[Needed]] | None = None
    """By "networks" and "points", the curve over sizes."""
    against_unpruned: Sequence[tuple[Place, Against]] | None = None
    extrapolation: Extrapolated | None = None
    why: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return what was asked for as plain JSON values."""
        plain: dict[str, Any] = {}
        if self.each_network is not None:
            plain["each_network"] = [{**_told(one.network), **_brief(one.fit)} for one in self.each_network]
        if self.partial is not None:
            plain["partial"] = [
                {"scale": one.scale, **_told(one.at), **_brief(one.fit)} for one in self.partial
            ]
        if self.points_needed is not None:
            plain["points_needed"] = {
                of: {"enough": enough(curve), "curve": [_known(asdict(one)) for one in curve]}
                for of, curve in self.points_needed.items()
            }
        if self.against_unpruned is not None:
            plain["against_unpruned"] = [
                {**_told(place), **{k: v for k, v in asdict(one).items() if k != "network"}}
                for place, one in self.against_unpruned
            ]
        if self.extrapolation is not None:
            one = self.extrapolation
            plain["extrapolation"] = {
                "within": {name: list(ends) for name, ends in one.within.items()},
                "fit": _brief(one.fit),
                "larger": {"networks": one.larger, "points": len(one.others.rows), **held_out(one.others)},
            }
        return {**plain, **({"why": dict(self.why)} if self.why else {})}


def held_out(one: HeldOut) -> dict[str, Any]:
    """Return how points that took no part were predicted, as plain JSON values."""
    return {
        "mu": one.mu,
        "sigma": one.sigma,
        "interpolation": {"mu": one.baseline_mu, "sigma": one.baseline_sigma},
    }


def _told(place: Place) -> dict[str, float]:
    known = {name: value for name, value in asdict(place).items() if value == value}
    return {name: int(value) if value.is_integer() else value for name, value in known.items()}


def _brief(made: Fit) -> dict[str, Any]:
    return {
        "form": made.form.name,
        "points": made.points,
        "networks": made.networks,
        "mu": made.mu,
        "sigma": made.sigma,
        "parameters": dict(made.parameters),
        "intervals": {name: list(ends) for name, ends in made.intervals.items()},
        "notes": [one.text for one in made.notes],
    }


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if value == value else None for name, value in values.items()}


def compared_plain(rows: Sequence[Compared]) -> list[dict[str, Any]]:
    """Return forms side by side as plain JSON values."""
    return [
        {
            "form": one.form,
            "coefficients": one.coefficients,
            "fit": None if one.fit is None else _brief(one.fit),
            "left_out": None if one.left_out is None else held_out(one.left_out),
            "why": one.why,
        }
        for one in rows
    ]
