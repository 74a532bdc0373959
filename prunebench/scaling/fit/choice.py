"""Which law points can be fitted by: what a form reads that they have not, and which form would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from prunebench.errors import FitError
from prunebench.scaling.fit.fitting import check_fixed
from prunebench.scaling.fit.obstacles import differing, untold
from prunebench.scaling.form import Form, columns_read
from prunebench.scaling.points import Points
from prunebench.scaling.points.columns import SCALES
from prunebench.scaling.points.families import law_of_scales

__all__ = ["check_fits", "chosen", "own_points", "pooled"]


def chosen(points: Points, forms: Mapping[str, Form], fixed: Mapping[str, float]) -> tuple[Form, str]:
    """Return the law of Rosenfeld et al. 2021 for what varies in some points, and why it is that one.

    It is the joint law where a coefficient is given that the partial fit has not.
    """
    form, joint = forms[law_of_scales(points)], forms["rosenfeld"]
    if not set(fixed) <= {one.name for one in form.coefficients}:
        check_fixed(joint, fixed)
        return joint, f"form {joint.name}: the law of all scales, as {', '.join(fixed)} is given"
    scales = SCALES if form.name in ("rosenfeld-data", "rosenfeld-network") else SCALES[:2]
    return form, f"form {form.name}: {', '.join(_state(points, name) for name in scales)}"


def _state(points: Points, name: str) -> str:
    values = points.column(name)
    known = np.unique(values[~np.isnan(values)])
    if not len(known):
        return f"{name} is not known"
    return (
        f"{name} is {known[0]:g} alone"
        if len(known) == 1
        else f"{name} {'vary' if name == 'examples' else 'varies'}"
    )


def _nowhere(_: str) -> str:
    return ""


def check_fits(
    form: Form,
    points: Points,
    forms: Mapping[str, Form],
    fixed: Mapping[str, float],
    source: Callable[[str], str] = _nowhere,
) -> None:
    """See that points have what a form reads, and differ where it says so.

    source: of a column that is missing, what to say of where it may come from

    Raises: FitError naming the column, and a form that would do where there is one.
    """
    check_fixed(form, fixed)
    said = next(_obstacles(form, points, fixed, source), "")
    if said:
        others = [f"--form {name}" for name in _others(form, points, forms)]
        would = f"; {' or '.join(others)} would do" if others else ""
        raise FitError(f"form {form.name!r} {said}{would}")


def _obstacles(
    form: Form, points: Points, fixed: Mapping[str, float], source: Callable[[str], str] = _nowhere
) -> Iterator[str]:
    """Yield why points cannot be fitted by a form, as what comes after its name."""
    there = points.names()
    for name in columns_read(form, fixed):
        if name not in there:
            yield f"reads {name}, which the points have not{source(name)}"
    yield from differing(form, points)
    free = (one for one in form.coefficients if one.varies in there and one.name not in fixed)
    for one, everywhere, given in untold(free, points):
        yield f"has {one.name}, which nothing tells: every point has {everywhere}; --fix {given}"


def _others(form: Form, points: Points, forms: Mapping[str, Form]) -> list[str]:
    """Return the forms of the kind of one that these points can be fitted by: the fullest, and its equals."""
    kin = [
        other
        for other in forms.values()
        if _alike(form, other) and next(_obstacles(other, own_points(other, points)[0], {}), None) is None
    ]
    most = max((len(other.coefficients) for other in kin), default=0)
    return [other.name for other in kin if len(other.coefficients) == most]


def _alike(form: Form, other: Form) -> bool:
    """True if two forms tell the same of the same networks: of one function, or of fewer or more columns."""
    if other.function is form.function:
        return True
    mine, its = set(form.columns), set(other.columns)
    return (
        form.most == other.most
        and ("error_unpruned" in mine) == ("error_unpruned" in its)
        and (mine < its or its < mine)
    )


def own_points(form: Form, points: Points) -> tuple[Points, str]:
    """Return the points that a form is of, and what is left out: one of unpruned networks is of density 1.

    Its `parameters` are the prunable weights where nobody says others.
    """
    if "parameters" in form.columns and "parameters" not in points.extra and "prunable" in points.extra:
        points = points.changed(parameters=points.extra["prunable"])
    densities = np.unique(points.density[~np.isnan(points.density)])
    if "density" not in form.constant or len(densities) < 2:
        return points, ""
    whole = points.density == 1
    if not whole.any():
        raise FitError(f"form {form.name!r} is of unpruned networks; no point is of density 1")
    return points.rows(
        whole
    ), f"{whole.sum():,} of {len(points):,} points are of unpruned networks: these are fitted"


def pooled(form: Form, points: Points) -> str:
    """Return that a form takes networks as one, as it reads nothing that tells them apart; else nothing."""
    scales = np.nan_to_num(np.stack([points.column(name) for name in SCALES], axis=1), nan=-1.0)
    alike = np.unique(scales, axis=0, return_inverse=True)[1].reshape(-1)
    reads = set(form.columns) & {*points.extra}
    if points.networks() == len(np.unique(alike)) or reads:
        return ""
    counts = [name for name in ("prunable", "parameters") if name in points.extra]
    by = next((name for name in counts if len(np.unique(points.extra[name])) > 1), "unpruned error")
    unknown = [name for name in ("depth", "width") if name not in points.names()]
    way = f"; a column {' or '.join(unknown)} tells the law what they are" if unknown else ""
    return (
        f"{points.networks()} networks differ in {by} alone, which form {form.name} "
        f"does not read: it takes them as one network{way}"
    )
