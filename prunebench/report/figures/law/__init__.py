"""Figures of scaling laws: of each family of a suite, or of points that somebody fitted a law to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from prunebench.errors import FitError
from prunebench.report.escapes import plain
from prunebench.report.figures.figure import Figure
from prunebench.report.figures.law import actual, against, contours, curves, extrapolated, fewest, needed
from prunebench.report.figures.law.source import Source
from prunebench.report.figures.law.told import Told, told
from prunebench.scaling.drawing import FamilyPoints, Study, studied

__all__ = ["Laws", "law_figures", "laws"]

_MAKERS = (
    *(curves.width, curves.depth, curves.examples, curves.network),
    *(actual.actual, actual.left_out),
    *(contours.invariant, contours.contours),
    *(fewest.fewest, needed.needed),
    *(extrapolated.extrapolated, against.pruned, against.unpruned),
)


class Laws:
    """The figures of some families, the laws in words, and what is missing."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.missing: list[str] = []
        self.told: list[Told] = []


def law_figures(study: Study, *, prefix: str = "law") -> list[Figure]:
    """Return the figures of a fitted law for which its points suffice; `study.missing` says what is missing.

    prefix: what their ids begin with
    """
    if why := study.undrawn:
        study.missing.append(f"There are no figures: {why}.")
        return []
    source = Source(study, prefix)
    made = [figure for make in _MAKERS if (figure := make(source)) is not None]
    title = plain(study.title)
    return [replace(each, title=f"{each.title} ({title})") if title else each for each in made]


def laws(families: Iterable[FamilyPoints], titles: Mapping[tuple[str, ...], str]) -> Laws:
    """Return the figures of each family of a suite.

    titles: what the suite's settings are called, by their labels
    """
    whole = Laws()
    families = list(families)
    for prefix, family in zip(_prefixes(families), families, strict=True):
        title = plain(family.title)
        among = tuple(titles[labels] for labels in family.settings if labels in titles)
        try:
            study = _study(family)
        except FitError as error:
            whole.missing.append(f"{title}: no law yet. {_sentence(str(error))}")
            continue
        made = law_figures(study, prefix=prefix)
        whole.told.append(told(study))
        whole.figures += [replace(each, among=among) for each in made]
        said = [*map(_sentence, family.left), *study.missing]
        whole.missing += [f"{title}: {' '.join(said)}"] if said else []
    return whole


def _study(family: FamilyPoints) -> Study:
    if family.points is None:
        raise FitError(family.why)
    if (networks := family.points.networks()) < _NETWORKS:
        raise FitError(f"{networks} of its networks have results; a law is drawn from {_NETWORKS} on")
    if (densities := len(np.unique(family.points.density))) < _DENSITIES:
        raise FitError(f"its results are at {densities} densities; a law is drawn from {_DENSITIES} on")
    return studied(family.points, family.forms, title=family.title, settings=family.settings)


_NETWORKS, _DENSITIES = 3, 3


def _sentence(text: str) -> str:
    text = plain(text)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _prefixes(families: Sequence[FamilyPoints]) -> list[str]:
    """Return what the ids of each family's figures begin with: nothing of the name where there is but one."""
    if len(families) == 1:
        return ["law"]
    prefixes: list[str] = []
    for family in families:
        name = re.sub(r"[^a-z0-9]+", "-", family.title.lower()).strip("-")[:60]
        wanted = f"law-{name}" if name else "law"
        number = next(n for n in range(1, len(families) + 2) if _numbered(wanted, n) not in prefixes)
        prefixes.append(_numbered(wanted, number))
    return prefixes


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
