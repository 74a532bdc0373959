"""What else can be asked of a law's points: other forms, each network, parts of the family, fewer points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.fit.choice import check_fits
from prunebench.scaling.form import Form
from prunebench.scaling.points import Points
from prunebench.scaling.points.columns import SCALES
from prunebench.scaling.points.families import Ranges, larger, partial, within
from prunebench.scaling.studies.against import Against, pruning_against_unpruned
from prunebench.scaling.studies.results import Compared, Extrapolated, OfNetwork, Part, Place, Studies
from prunebench.scaling.studies.trials import (
    Needed,
    each_network,
    extrapolated,
    leave_one_network_out,
    points_needed,
)

__all__ = ["Asked", "compared", "studies"]

_NONE: Mapping[str, float] = {}
_SIZES = {"networks": (3, 5, 8, 10, 15, 20, 30, 50, 80, 120), "points": (10, 20, 40, 80, 160, 320, 640, 1280)}


@dataclass(frozen=True)
class Asked:
    """Which studies to make."""

    each_network: bool = False
    partial: bool = False
    points_needed: bool = False
    against_unpruned: bool = False
    small: Ranges | None = None
    """Extrapolation: the networks to which the law is fitted."""


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
    values = {name: float(points.column(name)[row]) for name in SCALES}
    return Place(**{**values, **({but: float("nan")} if but else {})})


def _first(points: Points, network: int) -> Place:
    return _place(points, int(np.argmax(points.network == network)))


def _networks(made: Fit, points: Points, forms: Mapping[str, Form], starts: int) -> list[OfNetwork]:
    """Fit each network alone: Eq. 1 for a law of Rosenfeld's, whose exponents one network does not tell."""
    form = forms["rosenfeld-network"] if made.rosenfeld else made.form
    names = {one.name for one in form.coefficients}
    fixed = {name: value for name, value in made.fixed.items() if name in names}
    alone = each_network(form, points, fixed=fixed, loss=made.loss, starts=starts)
    if not alone:
        raise FitError(f"the form {form.name!r} can be fitted to no network alone")
    return [OfNetwork(_first(points, network), one) for network, one in alone.items()]


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
