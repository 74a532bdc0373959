"""What `fit` tells beside one law: other forms, each network, parts of the family, fewer points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.cli._law_text import OPEN, percent, table

if TYPE_CHECKING:
    from prunebench.scaling.fit import Fit
    from prunebench.scaling.studies import Compared, Extrapolated, OfNetwork, Part, Place, Studies
    from prunebench.scaling.studies.trials import HeldOut, Needed

__all__ = ["compared_text", "studies_text"]

_QUALITY = {"mu": "µ", "sigma": "σ"}


def compared_text(rows: Sequence[Compared]) -> str:
    """Return several forms side by side, and interpolation between the points, which they have to beat."""
    shown = [
        {
            "form": one.form,
            "coefficients": one.coefficients,
            **({} if one.fit is None else _quality(one.fit.mu, one.fit.sigma)),
            **({} if one.left_out is None else _of_left_out(one.left_out.mu, one.left_out.sigma)),
        }
        for one in rows
    ]
    baseline = next((one.left_out for one in rows if one.left_out is not None), None)
    if baseline is not None:
        out = _of_left_out(baseline.baseline_mu, baseline.baseline_sigma)
        shown.append({"form": "interpolation, log-log", **out})
    columns = {"form": "form", "coefficients": "coefficients", **_QUALITY}
    title = "forms on the same points; the last two columns are of networks that were left out:"
    lines = [title, table(shown, {**columns, "out_mu": "left out: µ", "out_sigma": "σ "})]
    beaten = [one.form for one in rows if one.left_out is not None and not one.left_out.is_better]
    if beaten:
        lines.append(f"  no better than interpolation on networks that were left out: {', '.join(beaten)}")
    return "\n".join([*lines, *(f"  {one.form}: {one.why}" for one in rows if one.why)])


def _quality(mu: float, sigma: float) -> dict[str, str]:
    return {"mu": _percent(mu, sign=True), "sigma": _percent(sigma)}


def _of_left_out(mu: float, sigma: float) -> dict[str, str]:
    return {"out_mu": _percent(mu, sign=True), "out_sigma": _percent(sigma)}


def _percent(value: float, *, sign: bool = False) -> str:
    return "" if math.isnan(value) else percent(value, sign=sign)


def studies_text(made: Studies) -> str:
    """Return what was asked for beside the fit, a title and a table each."""
    return "\n\n".join(part for part in _parts(made))


def _parts(made: Studies) -> Iterator[str]:
    if made.each_network is not None:
        yield _each_network(made.each_network)
    if made.partial is not None:
        yield _partial(made.partial)
    if made.extrapolation is not None:
        yield _extrapolation(made.extrapolation)
    if made.points_needed is not None:
        yield _needed(made.points_needed)
    if made.against_unpruned is not None:
        yield _against(made)
    for name, reason in made.why.items():
        yield f"{_TITLES[name]}: not done: {reason}"


_TITLES = {
    "each_network": "each network alone",
    "partial": "partial fits",
    "points_needed": "points needed",
    "against_unpruned": "pruning against non-pruning form",
    "extrapolation": "extrapolation",
}


def _scales(place: Place) -> dict[str, Any]:
    names = ("depth", "width", "examples")
    return {name: _scale(getattr(place, name)) for name in names}


def _scale(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _known(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns in which a row has something."""
    return {name: title for name, title in columns.items() if any(row.get(name) for row in rows)}


_PLACE = {"depth": "depth", "width": "width", "examples": "examples"}


def _each_network(made: Sequence[OfNetwork]) -> str:
    names = list(made[0].fit.parameters)
    rows = [
        {
            **_scales(one.network),
            **{name: _with_error(one, name) for name in names},
            **_quality(one.fit.mu, one.fit.sigma),
        }
        for one in made
    ]
    columns = {**_PLACE, **{name: name for name in names}, **_QUALITY}
    note = _note([one.fit for one in made])
    return f"each network alone, {made[0].fit.form.name}:\n{table(rows, _known(rows, columns))}{note}"


def _star(made: Fit, name: str) -> str:
    return " *" if made.is_open(name) else ""


def _note(made: Sequence[Fit]) -> str:
    starred = any(one.is_open(name) for one in made for name in one.parameters)
    return f"\n  {OPEN}" if starred else ""


def _with_error(one: OfNetwork, name: str) -> str:
    value = f"{one.fit.parameters[name]:.3g}"
    if star := _star(one.fit, name):
        return value + star
    error = one.fit.standard_errors.get(name)
    return value if error is None else f"{value} ± {error:.1g}"


def _partial(made: Sequence[Part]) -> str:
    names = list(dict.fromkeys(name for one in made for name in one.fit.parameters))
    rows = [
        {
            "scale": one.scale,
            **_scales(one.at),
            "networks": one.fit.networks,
            "points": one.fit.points,
            **{name: f"{value:.3g}{_star(one.fit, name)}" for name, value in one.fit.parameters.items()},
            **_quality(one.fit.mu, one.fit.sigma),
        }
        for one in made
    ]
    columns = {"scale": "varied", **_PLACE, "networks": "networks", "points": "points"}
    columns |= {name: name for name in names} | _QUALITY
    shown = table(rows, _known(rows, columns))
    note = _note([one.fit for one in made])
    return f"partial fits, of networks that differ in one scale alone:\n{shown}{note}"


def _extrapolation(made: Extrapolated) -> str:
    ends = [
        f"{name} {low:g}" + (f" to {high:g}" if high != low else "")
        for name, (low, high) in made.within.items()
    ]
    rows = [
        {"what": f"fitted: {', '.join(ends)}", "networks": made.fit.networks, "points": made.fit.points,
         **_quality(made.fit.mu, made.fit.sigma)},
        _predicted("all larger networks, by the law", made.larger, made.others, own=True),
        _predicted("the same, by interpolation", made.larger, made.others, own=False),
    ]  # fmt: skip
    columns = {"what": "", "networks": "networks", "points": "points", **_QUALITY}
    note = (
        "" if made.others.is_better else "\n  the law tells larger networks no better than interpolation does"
    )
    return f"extrapolation:\n{table(rows, columns)}{note}"


def _predicted(what: str, networks: int, held: HeldOut, *, own: bool) -> dict[str, Any]:
    quality = _quality(held.mu, held.sigma) if own else _quality(held.baseline_mu, held.baseline_sigma)
    return {"what": what, "networks": networks, "points": len(held.rows), **quality}


def _needed(made: Mapping[str, Sequence[Needed]]) -> str:
    from prunebench.scaling.studies.trials import enough

    parts = ["points needed: fits to random parts, judged on all points; spread is between fits:"]
    for of, curve in made.items():
        rows = [
            {
                "size": one.size,
                **_quality(one.mu, one.sigma),
                "mu_spread": _percent(one.mu_spread),
                "sigma_spread": _percent(one.sigma_spread),
                "failed": one.failed or "",
            }
            for one in curve
        ]
        columns = {"size": of if of == "networks" else "single points", **_QUALITY}
        columns |= {"mu_spread": "spread of µ", "sigma_spread": "spread of σ", "failed": "without a fit"}
        size = enough(curve)
        said = "more than these" if size is None else f"{size}"
        parts += [table(rows, _known(rows, columns)), f"  {of} until both spreads stay under 1 %: {said}"]
    return "\n".join(parts)


def _against(made: Studies) -> str:
    rows = [
        {
            **_scales(place),
            "points": one.points,
            **_quality(one.pruning_mu, one.pruning_sigma),
            "out_mu": _percent(one.unpruned_mu, sign=True),
            "out_sigma": _percent(one.unpruned_sigma),
        }
        for place, one in made.against_unpruned or ()
    ]
    better = sum(one.pruning_sigma < one.unpruned_sigma for _, one in made.against_unpruned or ())
    columns = {**_PLACE, "points": "points", "mu": "pruning: µ", "sigma": "σ", "out_mu": "non-pruning: µ"}
    title = (
        "pruning form (Eq. 8) against non-pruning form (Eq. 6), each network above its plateau, seeds apart:"
    )
    shown = table(rows, _known(rows, {**columns, "out_sigma": "σ "}))
    return f"{title}\n{shown}\n  the pruning form has the smaller σ in {better} of {len(rows)}"
