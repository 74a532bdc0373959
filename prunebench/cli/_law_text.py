"""Fits and answers in words and tables, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.cli._output import counted
from prunebench.report.listing import render

if TYPE_CHECKING:
    from prunebench.scaling.beside import Beside
    from prunebench.scaling.fewest import Choice, Measurement
    from prunebench.scaling.fit import Fit
    from prunebench.scaling.law import Law
    from prunebench.scaling.members import Member
    from prunebench.scaling.points import Floats

__all__ = ["errors_text", "fewest_text", "fit_text", "number", "percent", "say_outside"]


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
    for one in fit.form.coefficients:
        low, high = fit.intervals.get(one.name, (math.nan, math.nan))
        error = fit.standard_errors.get(one.name, math.nan)
        over = (fit.bootstrap or {}).get(one.name)
        rows.append(
            {
                "name": one.name,
                "value": number(fit.parameters[one.name]),
                "error": "given" if one.name in fit.fixed else number(error),
                "interval": "" if math.isnan(low) else f"{number(low)} – {number(high)}",
                "networks": "" if over is None else f"{number(over[0])} – {number(over[1])}",
                "text": one.text,
            }
        )
    columns = {"name": "coefficient", "value": "value", "error": "± error", "interval": "95 % interval"}
    if fit.bootstrap is not None:
        columns["networks"] = "over networks"
    return table(rows, {**columns, "text": "what it is"})


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
    size = "depth · width²" if law.proxy else "prunable weights"
    values = ", ".join(f"{name} {number(value)}" for name, value in fit.parameters.items())
    return [
        "",
        f"unpruned networks: {fit.form.name} of {counted(fit.points, 'network')}, by {size}: {values}; "
        f"µ {percent(fit.mu, sign=True)}, σ {percent(fit.sigma)}",
    ]


def say_outside(law: Law, one: Member, density: Floats) -> None:
    """Warn of what of an answer lies outside the points that the law was fitted to."""
    from prunebench.cli._output import complain
    from prunebench.scaling.cautions import cautions

    for text in cautions(law, one, density):
        complain(text, label="Warning")


def errors_text(law: Law, one: Member, rows: Sequence[Mapping[str, float]]) -> str:
    """Return a member's errors at densities, in words."""
    shown_as = percent if law.fit.form.most == 1 else number
    known = not math.isnan(one.error_unpruned)
    unpruned = f": unpruned error {shown_as(one.error_unpruned)} ({one.source})" if known else ""
    counts = "" if one.prunable is None else f", {one.prunable:,} prunable weights"
    shown = [
        {
            "density": number(row["density"]),
            "weights": "" if one.prunable is None else f"{round(row['density'] * one.prunable):,}",
            "error": shown_as(row["error"]),
            "interval": f"{shown_as(row['low'])} – {shown_as(row['high'])}",
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
    return (
        f"{one.name}{unpruned}{counts}\n\n{table(shown, columns)}\n\nby {law.fit.form.name} ({law.about})\n"
    )


def fewest_text(
    law: Law,
    most: float,
    choices: Sequence[Choice],
    solved: tuple[Member, float, float] | None,
    measured: Measurement | None,
    among: int,
) -> str:
    """Return the answer to which member, pruned how far, has the fewest weights, in words."""
    best = choices[0]
    weights = "" if best.kept is None else f": {best.kept:,} weights ({_between(best)})"
    lines = [
        f"error at most {percent(most)}: {best.member.name}, pruned to density "
        f"{number(best.density)}{weights}",
        "",
        _choices(choices[:8]),
        f"  {len(choices)} of {counted(among, 'member')} can reach it by the law",
        "",
    ]
    if solved is not None:
        same = "the same member" if solved[0] == best.member else solved[0].name
        kept = (
            "" if solved[0].prunable is None else f", {math.ceil(solved[1] * solved[0].prunable):,} weights"
        )
        lines.append(
            f"analytic solution (least depth · width² · density): {same}, density {number(solved[1])}{kept}"
        )
    if measured is not None:
        off = (
            ""
            if best.kept is None
            else f"; the law's answer is {percent(best.kept / measured.kept - 1, sign=True)}"
        )
        values = {"depth": measured.depth, "width": measured.width}
        name = ", ".join(f"{key} {value:g}" for key, value in values.items() if value == value)
        lines.append(
            f"measured: of {counted(measured.among, 'network')} as good the smallest is {name}, density "
            f"{number(measured.density)}, with {measured.kept:,} weights and error "
            f"{percent(measured.error)}{off}"
        )
    if best.kept is None:
        lines.append(
            "weights are not counted: the points have no column prunable, and no architecture was named"
        )
    return "\n".join(lines).rstrip() + "\n"


def _between(one: Choice) -> str:
    low = "" if one.kept_low is None else f"{one.kept_low:,}"
    return (
        f"95 %: {low} to {one.kept_high:,}"
        if one.kept_high is not None
        else f"95 %: {low} or more, perhaps none"
    )


def _choices(choices: Sequence[Choice]) -> str:
    rows = [
        {
            "member": one.member.name,
            "unpruned": percent(one.member.error_unpruned)
            + ("" if one.member.source == "measured" else " *"),
            "prunable": one.member.prunable,
            "density": number(one.density),
            "kept": "" if one.kept is None else f"{one.kept:,}",
            "interval": "" if one.kept is None else _between(one).removeprefix("95 %: "),
            "size": number(one.size),
        }
        for one in choices
    ]
    columns = {
        "member": "member", "unpruned": "unpruned", "prunable": "prunable", "density": "density",
        "kept": "weights left", "interval": "95 %", "size": "depth · width² · density",
    }  # fmt: skip
    starred = any(one.member.source != "measured" for one in choices)
    note = "\n  * not trained: by the law of unpruned networks" if starred else ""
    return table(rows, columns) + note
