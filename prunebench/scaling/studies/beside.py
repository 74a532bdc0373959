"""What stands beside a fit's own error: noise of seeds, dips, networks left out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit
from prunebench.scaling.points import Points
from prunebench.scaling.studies.noise import Dips, SeedNoise, dips, seed_noise, unpruned_noise
from prunebench.scaling.studies.trials import HeldOut, leave_one_network_out

__all__ = ["Beside", "beside"]


_WELL = 1.5
"""From so many times the seeds' noise on it is said that σ is more."""


@dataclass(frozen=True)
class Beside:
    """What a fit's µ and σ are to be compared with."""

    noise: SeedNoise | None
    """None where no place was measured with two seeds."""
    dips: Dips | None
    """None where the form knows no unpruned error."""
    left_out: HeldOut | None
    unpruned_noise: float | None = None
    """How much unpruned errors differ between seeds, a share; None where that is not known."""
    why: str = ""
    """Why networks were not left out, where they were asked for."""
    sigma: float = 0.0
    """That of the fit."""

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values; None for what is not known."""
        noise, own, out = self.noise, self.dips, self.left_out
        return {
            "seed_noise": noise and {"sd": noise.sd, "places": noise.places, "freedom": noise.freedom},
            "unpruned_noise": self.unpruned_noise,
            "dips": own
            and {"share": own.share, "deepest": own.deepest, "density": own.density, "bias": own.bias},
            "left_out": out
            and {
                "mu": out.mu,
                "sigma": out.sigma,
                "interpolation": {"mu": out.baseline_mu, "sigma": out.baseline_sigma},
            },
        }

    def sentences(self) -> Iterator[str]:
        """Yield it as sentences."""
        if self.noise is not None:
            times = self.sigma / self.noise.sd if self.noise.sd else 0.0
            more = f"; σ is {times:.1f} times that: the law misses what is no noise" if times > _WELL else ""
            yield f"seeds differ by {_percent(self.noise.sd)} of the error (standard deviation){more}"
        if self.unpruned_noise:
            yield (
                f"unpruned errors differ by {_percent(self.unpruned_noise)} between seeds, and are "
                "taken as they are: intervals of the coefficients have that in them as far as networks "
                "err together"
            )
        if self.dips is not None and self.dips.deepest < 0:
            own = self.dips
            yield (
                f"{_percent(own.share)} of the points are below their unpruned error, the deepest by "
                f"{_percent(-own.deepest)} at density {own.density:.3g}: {own.bias * 100:+.2g} points of µ"
            )
        if self.left_out is not None:
            out = self.left_out
            yield (
                f"networks left out: µ {out.mu * 100:+.2g} %, σ {_percent(out.sigma)}; interpolation between "
                f"the others: µ {out.baseline_mu * 100:+.2g} %, σ {_percent(out.baseline_sigma)}"
            )
            if not out.is_better:
                yield "the law tells networks that it was not fitted to no better than interpolation does"
        if self.why:
            yield f"no network was left out: {self.why}"


def beside(made: Fit, points: Points, *, left_out: bool = False) -> Beside:
    """Return what a fit to some points is to be compared with.

    left_out: True to predict each network by a fit to the others, which takes a search for each
    """
    out, why = None, ""
    if left_out:
        try:
            out = leave_one_network_out(made, points)
        except FitError as error:
            why = str(error)
    reads = "error_unpruned" in made.form.columns
    noise = unpruned_noise(points) if reads else None
    return Beside(seed_noise(points), _dips(made, points), out, noise, why, made.sigma)


def _dips(made: Fit, points: Points) -> Dips | None:
    if "error_unpruned" not in made.form.columns or "density" not in made.form.columns:
        return None
    try:
        return dips(made, points)
    except FitError:
        return None


def _percent(share: float) -> str:
    return "∞" if math.isinf(share) else f"{100 * share:.2g} %"
