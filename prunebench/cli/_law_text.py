"""Fits and answers in words and tables, for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.cli._output import counted
from prunebench.report.listing import render

if TYPE_CHECKING:
    from prunebench.scaling.fit import Fit
    from prunebench.scaling.law import Law
    from prunebench.scaling.law.members import Member
    from prunebench.scaling.points import Floats
    from prunebench.scaling.studies.beside import Beside

__all__ = ["errors_text", "fit_text", "number", "percent", "say_outside", "shown_as", "table"]


OPEN = "* no estimate: at its bound, or left open by the points"
"""What a star behind a coefficient says."""


def number(value: float) -> str:
    """Return a coefficient with four digits; nothing where it is not known."""
    return (
        ""
        if math.isnan(value)
        else "∞"
        if value == math.inf
        else "-∞"
        if value == -math.inf
        else f"{value:.4g}"
    )


def percent(value: float, *, sign: bool = False) -> str:
    """Return a share in percent.

    >>> percent(0.0839), percent(0.014, sign=True)
    ('8.39 %', '+1.4 %')
    """
    return f"{100 * value:+.2g} %" if sign else f"{100 * value:.3g} %"


def shown_as(law: Law) -> Callable[[float], str]:
    """Return how an error of a law is written: a fraction in percent, a loss as a number."""
    return percent if law.fit.form.most == 1 else number


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Return a table, indented under its title."""
    text = render(rows, columns=columns, as_json=False)
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def fit_text(law: Law, compared: Beside, *, written: str | None = None) -> str:
    """Return a fit as `prunebench fit` prints it."""
    fit = law.fit
    parts = [
        f"{fit.form.name} fitted to {counted(fit.points, 'point')} of {counted(fit.networks, 'network')} "
        f"({law.about})",
        *[f"  {one}" for one in law.said],
        "",
        _coefficients(fit),
        "",
        *_quality(fit),
        *compared.sentences(),
        *_open(fit),
        *_worst(law),
        *_unpruned(law),
    ]
    if written and written != "-":
        parts += ["", f"{written} holds the fit: prunebench predict {written} …"]
    return "\n".join(parts) + "\n"


def _coefficients(fit: Fit) -> str:
    rows = []
    starred = [one.name for one in fit.form.coefficients if fit.is_open(one.name)]
    for one in fit.form.coefficients:
        low, high = fit.intervals.get(one.name, (math.nan, math.nan))
        error = fit.standard_errors.get(one.name, math.nan)
        over = (fit.bootstrap or {}).get(one.name)
        rows.append(
            {
                "name": one.name,
                "value": number(fit.parameters[one.name]) + " *" * (one.name in starred),
                "error": "given" if one.name in fit.fixed else number(error),
                "interval": "" if math.isnan(low) else f"{number(low)} – {number(high)}",
                "networks": "" if over is None else f"{number(over[0])} – {number(over[1])}",
                "text": one.text,
            }
        )
    columns = {"name": "coefficient", "value": "value", "error": "± error", "interval": "95 % interval"}
    if fit.bootstrap is not None:
        columns["networks"] = "over networks"
    note = f"\n  {OPEN}" if starred else ""
    return table(rows, {**columns, "text": "what it is"}) + note


def _quality(fit: Fit) -> list[str]:
    return [
        f"relative error of the fit: mean µ {percent(fit.mu, sign=True)}, "
        f"standard deviation σ {percent(fit.sigma)}",
        f"{counted(fit.starts, 'start')}: {percent(fit.converged)} converged, "
        f"{percent(fit.reached)} reached the same optimum ({fit.loss})",
    ]


def _open(fit: Fit) -> list[str]:
    if not fit.notes:
        return []
    return ["", "what the points do not say:", *[f"  {note.text}" for note in fit.notes]]


def _worst(law: Law) -> list[str]:
    rows = [
        {
            "at": _place(law, one.row),
            "measured": number(one.measured),
            "predicted": number(one.predicted),
            "off": percent(one.relative, sign=True),
        }
        for one in law.fit.worst[:5]
    ]
    columns = {"at": "where", "measured": "measured", "predicted": "predicted", "off": "off"}
    return ["", "worst points:", table(rows, columns)]


def _place(law: Law, row: int) -> str:
    points = law.points
    values = {name: points.column(name)[row] for name in ("depth", "width", "examples", "density")}
    told = [
        f"{name} {value:,.0f}" if value >= 1000 else f"{name} {value:.4g}" for name, value in values.items()
    ]
    return ", ".join([*[one for one in told if not one.endswith("nan")], f"seed {points.seed[row]}"])


def _unpruned(law: Law) -> list[str]:
    fit = law.unpruned
    if fit is None:
        return []
    counted_by = "prunable weights" if "prunable" in law.points.extra else "the column parameters"
    size = "depth · width²" if law.proxy else counted_by
    values = ", ".join(f"{name} {number(value)}" for name, value in fit.parameters.items())
    return [
        "",
        f"unpruned networks: {fit.form.name} of {counted(fit.points, 'network')}, by {size}: {values}; "
        f"µ {percent(fit.mu, sign=True)}, σ {percent(fit.sigma)}",
        *[f"  {note.text}" for note in fit.notes],
    ]


def say_outside(law: Law, one: Member, density: Floats) -> None:
    """Warn of what of an answer lies outside the points that the law was fitted to."""
    from prunebench.cli._output import complain
    from prunebench.scaling.law.cautions import cautions

    for text in cautions(law, one, density):
        complain(text, label="Warning")


def errors_text(law: Law, one: Member, rows: Sequence[Mapping[str, float]]) -> str:
    """Return a member's errors at densities, in words."""
    shown = shown_as(law)
    known = not math.isnan(one.error_unpruned)
    unpruned = f": unpruned error {shown(one.error_unpruned)} ({one.source})" if known else ""
    counts = "" if one.prunable is None else f", {one.prunable:,} prunable weights"
    told = [
        {
            "density": number(row["density"]),
            "weights": "" if one.prunable is None else f"{round(row['density'] * one.prunable):,}",
            "error": shown(row["error"]),
            "interval": f"{shown(row['low'])} – {shown(row['high'])}",
        }
        for row in rows
    ]
    columns = {
        "density": "density",
        "weights": "weights left",
        "error": "error",
        "interval": "95 % of measurements",
    }
    if one.prunable is None:
        del columns["weights"]
    parts = [f"{one.name}{unpruned}{counts}", table(told, columns), *_whole(law, one, rows)]
    return "\n\n".join([*parts, f"by {law.fit.form.name} ({law.about})\n"])


def _whole(law: Law, one: Member, rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Return what an answer at density 1 is beside the unpruned error, where it is another number."""
    shown = shown_as(law)
    known = not math.isnan(one.error_unpruned)
    curve = [shown(row["error"]) for row in rows if row["density"] == 1]
    if not known or not curve or curve[0] == shown(one.error_unpruned):
        return []
    return [
        f"at density 1 the network is not pruned, and its error is {shown(one.error_unpruned)} "
        f"({one.source}); {curve[0]} is where\nthe law's curve, fitted to points of all densities, ends"
    ]
