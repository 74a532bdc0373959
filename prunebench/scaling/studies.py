"""What else can be asked of a law's points: other forms, each network, parts of the family, fewer points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.against import Against, pruning_against_unpruned
from prunebench.scaling.choice import check_fits
from prunebench.scaling.families import Ranges, larger, partial, within
from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.form import Form
from prunebench.scaling.points import Points
from prunebench.scaling.trials import (
    HeldOut,
    Needed,
    each_network,
    enough,
    extrapolated,
    leave_one_network_out,
    points_needed,
)

__all__ = [
    "Asked",
    "Compared",
    "Extrapolated",
    "OfNetwork",
    "Part",
    "Place",
    "Studies",
    "compared",
    "compared_plain",
    "studies",
]

_NONE: Mapping[str, float] = {}
_SIZES = {"networks": (3, 5, 8, 10, 15, 20, 30, 50, 80, 120), "points": (10, 20, 40, 80, 160, 320, 640, 1280)}


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
class Asked:
    """Which studies to make."""

    each_network: bool = False
    partial: bool = False
    points_needed: bool = False
    against_unpruned: bool = False
    small: Ranges | None = None
    """Extrapolation: the networks to which the law is fitted."""


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


def compared(
    forms: Sequence[Form],
    points: Points,
    others: Mapping[str, Form],
    source: Callable[[str], str],
    *,
    fixed: Mapping[str, float] = _NONE,
    loss: str,
    starts: int,
) -> list[Compared]:
    """Return how each of several forms does on some points, and on networks that it was not fitted to.

    A coefficient is fixed in the forms that have it.

    others: all forms by name, among which one is sought that would do where one of `forms` does not
    source: of a column that is missing, what to say of where it may come from
    """
    rows = []
    for form in forms:
        names = {one.name for one in form.coefficients}
        own = {name: value for name, value in fixed.items() if name in names}
        free = len(names) - len(own)
        try:
            check_fits(form, points, others, own, source)
            made = fit(form, points, fixed=own, loss=loss, starts=starts)
        except FitError as error:
            rows.append(Compared(form.name, free, None, None, str(error)))
            continue
        try:
            rows.append(Compared(form.name, free, made, leave_one_network_out(made, points)))
        except FitError as error:
            rows.append(Compared(form.name, free, made, None, str(error)))
    return rows


def studies(
    made: Fit, points: Points, forms: Mapping[str, Form], asked: Asked, *, starts: int = 20
) -> Studies:
    """Return what is asked of the points that a law was fitted to.

    forms: the functional forms by name, those of Rosenfeld et al. 2021 among them
    """
    why: dict[str, str] = {}

    def told(name: str, wanted: bool, make: Callable[[], Any]) -> Any:
        if not wanted:
            return None
        try:
            return make()
        except FitError as error:
            why[name] = str(error)
            return None

    values = {
        "each_network": told(
            "each_network", asked.each_network, lambda: _networks(made, points, forms, starts)
        ),
        "partial": told("partial", asked.partial, lambda: _parts(made, points, forms, starts)),
        "points_needed": told("points_needed", asked.points_needed, lambda: _curves(made, points)),
        "against_unpruned": told("against_unpruned", asked.against_unpruned, lambda: _against(points, forms)),
        "extrapolation": told(
            "extrapolation",
            asked.small is not None,
            lambda: _extrapolated(made, points, asked.small or {}, starts),
        ),
    }
    return Studies(**values, why=why)


def _place(points: Points, row: int, *, but: str = "") -> Place:
    values = {name: float(points.column(name)[row]) for name in ("depth", "width", "examples")}
    return Place(**{**values, **({but: float("nan")} if but else {})})


def _first(points: Points, network: int) -> Place:
    return _place(points, int(np.argmax(points.network == network)))


def _networks(made: Fit, points: Points, forms: Mapping[str, Form], starts: int) -> list[OfNetwork]:
    """Fit each network alone: Eq. 1 for a law of Rosenfeld's, whose exponents one network does not tell."""
    form = forms["rosenfeld-network"] if _is_rosenfeld(made) else made.form
    names = {one.name for one in form.coefficients}
    fixed = {name: value for name, value in made.fixed.items() if name in names}
    alone = each_network(form, points, fixed=fixed, loss=made.loss, starts=starts)
    if not alone:
        raise FitError(f"the form {form.name!r} can be fitted to no network alone")
    return [OfNetwork(_first(points, network), one) for network, one in alone.items()]


def _is_rosenfeld(made: Fit) -> bool:
    return {"error_up", "gamma", "p"} <= set(made.parameters)


def _parts(made: Fit, points: Points, forms: Mapping[str, Form], starts: int) -> list[Part]:
    rows, why = [], ""
    for scale, mine in partial(points):
        own = points.rows(mine)
        name = "rosenfeld-data" if scale == "examples" else f"rosenfeld-{scale}"
        names = {one.name for one in forms[name].coefficients}
        fixed = {key: value for key, value in made.fixed.items() if key in names}
        try:
            one = fit(forms[name], own, fixed=fixed, loss=made.loss, starts=starts)
            rows.append(Part(scale, _place(own, 0, but=scale), one))
        except FitError as error:
            why = f"{name}: {error}"
    if not rows:
        raise FitError(why or "the networks differ in no scale")
    return rows


def _curves(made: Fit, points: Points) -> dict[str, list[Needed]]:
    curves = {}
    for of, most in (("networks", points.networks()), ("points", len(points))):
        sizes = [size for size in _SIZES[of] if size < most]
        if sizes:
            curves[of] = points_needed(made, points, sizes, of="networks" if of == "networks" else "points")
    if not curves:
        raise FitError(f"{points.networks()} networks are too few to leave some out")
    return curves


def _against(points: Points, forms: Mapping[str, Form]) -> list[tuple[Place, Against]]:
    return [(_first(points, one.network), one) for one in pruning_against_unpruned(points, forms)]


def _extrapolated(made: Fit, points: Points, small: Ranges, starts: int) -> Extrapolated:
    chosen = within(points, small)
    others = larger(points, chosen)
    if not others.any():
        raise FitError("no network is larger than those that the law is to be fitted to")
    both = points.rows(chosen | others)
    one, held = extrapolated(
        made.form, both, within(both, small), fixed=made.fixed, loss=made.loss, starts=starts
    )
    return Extrapolated(small, one, points.rows(others).networks(), held)
