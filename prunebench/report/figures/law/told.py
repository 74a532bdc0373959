"""A law in words and numbers, as its figures' reader wants it first: what `prunebench fit` prints."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from prunebench.report.escapes import plain
from prunebench.report.figures.law.source import percent, place
from prunebench.scaling.drawing import SCALES, Study
from prunebench.scaling.fit import Fit
from prunebench.scaling.studies.beside import beside

__all__ = ["Told", "told"]


@dataclass(frozen=True)
class Told:
    """A fitted law: what of, its coefficients, how good it is, what the points leave open."""

    title: str
    """Of what: architecture, data set and method."""
    said: str
    """The form, and the points that it was fitted to."""
    rows: tuple[tuple[str, str, str, str, str], ...]
    """A row a coefficient: name, value, standard error, 95 % interval, what it is."""
    sentences: tuple[str, ...]
    """How good it is, and beside what."""
    open: tuple[str, ...]
    """What the points do not say."""


def told(study: Study) -> Told:
    """Return a study's law in words: its coefficients are those of all seeds' points."""
    made = study.law.fit
    return Told(
        plain(study.title),
        f"{plain(made.form.name)} fitted to {_points(study)}.",
        tuple(_row(made, one.name, one.text) for one in made.form.coefficients),
        tuple(_upper(plain(one)) for one in _sentences(study)),
        tuple(_upper(plain(note.text)) for note in made.notes),
    )


def _row(made: Fit, name: str, text: str) -> tuple[str, str, str, str, str]:
    error = made.standard_errors.get(name, math.nan)
    low, high = made.intervals.get(name, (math.nan, math.nan))
    interval = "" if math.isnan(low) else f"{_number(low)} – {_number(high)}"
    shown = "given" if name in made.fixed else _number(error)
    return plain(name), _number(made.parameters[name]), shown, interval, plain(text)


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.4g}" if math.isfinite(value) else "∞" if value > 0 else "-∞"


def _points(study: Study) -> str:
    """Return how many points, networks, densities and seeds there are, and which networks have fewer."""
    points = study.points
    networks, counts = np.unique(points.network, return_counts=True)
    most = int(counts.max())
    many = f"{study.law.fit.points:,} points: {len(networks)} network{'s' if len(networks) > 1 else ''}"
    said = f"{many}, {most} densities, {int(points.extra['seeds'].max())} seeds"
    fewer = [
        f"{_named(study, int(network))}: {count} of {most} densities"
        for network, count in zip(networks, counts, strict=True)
        if count < most
    ]
    if fewer:
        more = f" and {len(fewer) - _SHOWN} more" if len(fewer) > _SHOWN else ""
        said += f"; some are measured in part ({'; '.join(fewer[:_SHOWN])}{more})"
    return said


_SHOWN = 3


def _named(study: Study, network: int) -> str:
    row = int(np.flatnonzero(study.points.network == network)[0])
    values = [float(study.points.column(name)[row]) for name in SCALES]
    return place(SCALES, values) or f"network {network}"


def _sentences(study: Study) -> Iterator[str]:
    made = study.law.fit
    yield (
        f"relative error of the fit: mean µ {percent(made.mu, sign=True)}, standard deviation "
        f"σ {percent(made.sigma)}"
    )
    yield from beside(made, study.law.points).sentences()
    if (out := study.left_out) is not None:
        yield (
            f"networks left out, means over seeds: µ {percent(out.mu, sign=True)}, σ {percent(out.sigma)}; "
            f"interpolation between the others, which a law has to beat: "
            f"µ {percent(out.baseline_mu, sign=True)}, σ {percent(out.baseline_sigma)}"
        )


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
