"""What is drawn and told of a law beside its coefficients: transitions, contours, trials.

Each is computed when it is first asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.drawing.means import means
from prunebench.scaling.fit import Fit, fit
from prunebench.scaling.form import Form
from prunebench.scaling.law import Law, proxy, with_size
from prunebench.scaling.law.fewest import analytic, analytic_density, fewest_measured
from prunebench.scaling.law.members import Member
from prunebench.scaling.points import Bools, Floats, Points
from prunebench.scaling.points.families import larger, law_of_scales
from prunebench.scaling.studies.against import LowerFits, lower_fits
from prunebench.scaling.studies.invariant import invariant
from prunebench.scaling.studies.trials import (
    HeldOut,
    Needed,
    extrapolated,
    leave_one_network_out,
    points_needed,
)

__all__ = [
    "DRAWS",
    "SCALES",
    "FamilyPoints",
    "Fewest",
    "Study",
    "studied",
]

SCALES = ("width", "depth", "examples")
"""In what the networks of a family differ."""

DRAWS = 10
"""Random choices of networks at each size of the curve of points that are needed."""


@dataclass(frozen=True)
class FamilyPoints:
    """What was measured of one method on the networks of a family."""

    title: str
    """Architecture, data set and method, in words."""
    settings: Sequence[tuple[str, ...]]
    """The settings of a suite that its networks are, by their labels."""
    forms: Mapping[str, Form]
    points: Points | None
    why: str = ""
    """Why there are no points, where there are none."""
    left: Sequence[str] = ()
    """What was left out of the points, and why."""


@dataclass(frozen=True)
class Fewest:
    """The smallest of some members at an error, counted exactly and by depth · width² · density."""

    error: float
    member: Member
    density: float
    kept: float
    """Weights that are left of it."""
    analytic: Member
    """The member with the least depth · width² · density."""
    analytic_density: float
    analytic_kept: float


@dataclass(frozen=True)
class Study:
    """A law, the forms that it is set beside, and what its networks are."""

    law: Law
    forms: Mapping[str, Form]
    title: str = ""
    """Of what and by which method, in a few words."""
    settings: Sequence[tuple[str, ...]] = ()
    """Of a suite: the settings that its networks are, by their labels."""
    seed: int = 0
    missing: list[str] = field(default_factory=list)
    """What could not be computed, in sentences."""

    @cached_property
    def points(self) -> Points:
        """A row a network and density (`means`)."""
        return means(self.law.points)

    @cached_property
    def undrawn(self) -> str:
        """Why nothing can be drawn by density, depth, width and data; "" where it can."""
        points = self.law.points
        if np.isnan(points.density).any():
            return "some points have no density"
        place = np.unique(np.stack([points.network, points.density]), axis=1, return_inverse=True)[1].reshape(
            -1
        )
        for name in sorted({*self.law.fit.form.columns} - {"density", "error_unpruned"}):
            values = points.column(name)
            if np.isnan(values).any():
                continue
            least, most = np.full(place.max() + 1, np.inf), np.full(place.max() + 1, -np.inf)
            np.minimum.at(least, place, values)
            np.maximum.at(most, place, values)
            if (most > least * (1 + 1e-9)).any():
                return f"networks of one depth, width and amount of data differ in {name}"
        return ""

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """In what the networks differ."""
        return tuple(name for name in SCALES if len(self._known(name)) > 1)

    def _known(self, name: str) -> Floats:
        values = np.unique(self.points.column(name))
        return values[~np.isnan(values)]

    @cached_property
    def predicted(self) -> Floats:
        """The law's error at each of the points."""
        return self.at(self.points)

    def at(self, points: Points) -> Floats:
        """Return the law's errors of networks."""
        return np.asarray(self.law.fit.form.function(points, **self.law.fit.parameters))

    @property
    def rosenfeld(self) -> bool:
        """True if the law has a power law between two plateaus."""
        return self.law.fit.rosenfeld

    def transitions(self, points: Points) -> tuple[Floats, Floats]:
        """Return of each row the densities between which its error is a power law.

        It leaves the unpruned error at p·R / (l^φ w^ψ) and reaches the high-error plateau at p / (l^φ w^ψ),
        R = (error_up / error_unpruned)^(1/γ).
        """
        values = self.law.fit.parameters
        upper = values["p"] / invariant(self.law.fit, points.changed(density=np.ones(len(points))))
        return upper * (values["error_up"] / points.error_unpruned) ** (1 / values["gamma"]), upper

    @cached_property
    def needed(self) -> list[Needed]:
        """How good fits to random networks are, by how many there are of these."""
        count = self.points.networks()
        sizes = sorted(
            {*range(min(3, count), min(count, 6)), *np.geomspace(6, count, 5).round().astype(int).tolist()}
        )
        sizes = [size for size in sizes if size <= count]
        return points_needed(self.law.fit, self.points, sizes, repeats=DRAWS, seed=self.seed)

    @cached_property
    def left_out(self) -> HeldOut | None:
        """How each network is predicted by a fit to all others; None where that cannot be."""
        try:
            return leave_one_network_out(self.law.fit, self.points)
        except FitError as error:
            self.missing.append(f"No network is left out: {error}.")
            return None

    @cached_property
    def small(self) -> Bools | None:
        """Of the points on the most data those of small networks: widths 1/8 and 1/4, depths 14 and 20.

        These are Rosenfeld et al.'s; of other families it is the lower half of widths and of depths, two at
        least. None where no larger network is left, or too few are small.
        """
        scales = [name for name in ("width", "depth") if name in self.varied]
        small = self.on_most_data.copy()
        for name in scales:
            values = np.unique(self.points.column(name)[self.on_most_data])
            paper = set(_SMALL[name]) < set(values)
            small &= np.isin(self.points.column(name), _SMALL[name] if paper else _lower_half(values))
        if not scales or self.points.rows(small).networks() < 2:
            return None
        return small if (self.on_most_data & larger(self.points, small)).any() else None

    @cached_property
    def on_most_data(self) -> Bools:
        """Which points are of networks trained on the most data."""
        if "examples" not in self.varied:
            return np.ones(len(self.points), dtype=np.bool_)
        return np.asarray(self.points.examples == np.nanmax(self.points.examples))

    @cached_property
    def extrapolated(self) -> tuple[Points, Bools, Fit] | None:
        """Points of small networks and of larger ones, which are small, and the law fitted to these alone."""
        if self.small is None:
            self.missing.append(
                "Extrapolation from small to large networks needs three widths or depths on the most data."
            )
            return None
        asked = self.small | (self.on_most_data & larger(self.points, self.small))
        points, small = self.points.rows(asked), self.small[asked]
        form = self.law.fit.form
        if self.rosenfeld:
            form = self.forms.get(law_of_scales(points.rows(small)), form)
        try:
            fixed = {n: v for n, v in self.law.fit.fixed.items() if n in {c.name for c in form.coefficients}}
            made, _ = extrapolated(form, points, small, fixed=fixed, loss=self.law.fit.loss, starts=20)
        except FitError as error:
            self.missing.append(f"Small networks are not extrapolated: {error}.")
            return None
        return points, small, made

    def lower(self, most: int) -> list[LowerFits]:
        """Return Eqs. 8 and 6 fitted to so many networks on the most data, above their plateaus.

        They are spread from the greatest unpruned error to the least.
        """
        points = self.points.rows(self.on_most_data)
        ordered = points.network[np.argsort(-points.error_unpruned, kind="stable")]
        networks = list(dict.fromkeys(ordered.tolist()))
        if len(networks) > most:
            networks = [networks[i] for i in np.linspace(0, len(networks) - 1, most).round().astype(int)]
        made = {
            one.network: one
            for one in lower_fits(points.rows(np.isin(points.network, networks)), self.forms, starts=4)
        }
        return [made[network] for network in networks if network in made]

    def size(self, points: Points) -> Floats:
        """Return how many weights are left of each row: a count, or depth · width² · density without one."""
        if "prunable" in points.extra:
            return points.extra["prunable"] * points.density
        return np.asarray(proxy(points) * points.density)

    @property
    def counted(self) -> bool:
        """True if `size` counts weights."""
        return "prunable" in self.law.points.extra

    @cached_property
    def members(self) -> list[Member]:
        """The measured networks on the most data."""
        rows = self.law.networks
        if "examples" in self.varied:
            rows = rows.rows(rows.examples == np.nanmax(rows.examples))
        counts = rows.extra.get("prunable")
        return [
            Member(
                float(rows.depth[row]),
                float(rows.width[row]),
                float(rows.examples[row]),
                None if counts is None else round(float(counts[row])),
                float(rows.error_unpruned[row]),
                0.0,
                "measured",
            )
            for row in range(len(rows))
        ]

    def fewest(self, errors: Sequence[float] | Floats) -> list[Fewest]:
        """Return the smallest member at each error that one of them reaches."""
        answers = []
        for error in map(float, errors):
            pairs = [(one, d) for one in self.members if (d := analytic_density(self.law, one, error))]
            by_proxy = analytic(self.law, self.members, error)
            if not pairs or by_proxy is None:
                continue
            best, density = min(pairs, key=lambda pair: self._kept(*pair))
            other, other_density, _ = by_proxy
            kept, other_kept = self._kept(best, density), self._kept(other, other_density)
            answers.append(Fewest(error, best, density, kept, other, other_density, other_kept))
        return answers

    def _kept(self, one: Member, density: float) -> float:
        if one.prunable is not None:
            return math.ceil(one.prunable * density)
        depth, width = (1.0 if value != value else value for value in (one.depth, one.width))
        return depth * width**2 * density

    def fewest_measured(self, error: float) -> float:
        """Return the weights of the smallest network measured to be as good, on the most data, else NaN."""
        made = fewest_measured(self.law, error, self.members)
        return math.nan if made is None else float(made.kept)


def _lower_half(values: Floats) -> Floats:
    return values[: max(2, len(values) // 2)]


_SMALL: Mapping[str, tuple[float, ...]] = {"width": (0.125, 0.25), "depth": (14.0, 20.0)}


def studied(
    points: Points, forms: Mapping[str, Form], *, title: str = "", settings: Sequence[tuple[str, ...]] = ()
) -> Study:
    """Return the law of Rosenfeld et al. fitted to points, with all that is drawn of it.

    Raises: FitError where it cannot be fitted.
    """
    sized, is_proxy = with_size(points)
    made = fit(forms[law_of_scales(points)], sized, starts=20)
    return Study(Law(made, sized, about=title, proxy=is_proxy), forms, title, settings)
