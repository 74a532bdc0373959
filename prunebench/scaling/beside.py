"""What stands beside a fit: the noise of seeds, dips, and how it does on networks that it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from prunebench.errors import FitError
from prunebench.scaling.fit import Fit
from prunebench.scaling.noise import dips, seed_noise
from prunebench.scaling.points import Points
from prunebench.scaling.trials import leave_one_network_out

__all__ = ["beside"]


def beside(made: Fit, points: Points) -> tuple[dict[str, Any], list[str]]:
    """Return plain numbers to hold a fit against, null where there are none, and why there are none."""
    noise, said = seed_noise(points), list[str]()
    unpruned = "error_unpruned" in made.form.columns
    return {
        "seed_noise": None if noise is None else asdict(noise),
        "dips": _or_none(lambda: asdict(dips(made, points)), said, "dips") if unpruned else None,
        "left_out": _or_none(lambda: _left_out(made, points), said, "leaving networks out"),
    }, said


def _left_out(made: Fit, points: Points) -> dict[str, float]:
    held = leave_one_network_out(made, points)
    return {name: float(getattr(held, name)) for name in ("mu", "sigma", "baseline_mu", "baseline_sigma")}


def _or_none(made: Callable[[], dict[str, Any]], said: list[str], what: str) -> dict[str, Any] | None:
    try:
        return made()
    except FitError as error:
        said.append(f"{what}: {error}")
        return None
