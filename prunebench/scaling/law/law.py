"""A fitted law with what it takes to ask it: unpruned networks, family, points (imports no torch)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from prunebench.errors import FitError, UsageError
from prunebench.scaling.fit import Fit, fit, stored
from prunebench.scaling.fit.schema import KIND, SCHEMA, LawFile
from prunebench.scaling.fit.stored import forms_in
from prunebench.scaling.form import Form, columns_read
from prunebench.scaling.points import Floats, Points, points_of
from prunebench.scaling.points.columns import SCALES
from prunebench.scaling.points.unpruned import unpruned_rows

__all__ = ["UNPRUNED", "Family", "Law", "forms_in", "law_of", "proxy", "unpruned_fit", "with_size"]

UNPRUNED = ("unpruned", "unpruned-size")
"""Forms of the unpruned error, the first that the points determine is taken."""

_COLUMNS = ("density", "error", "error_unpruned", *SCALES, "network", "seed")


@dataclass(frozen=True)
class Family:
    """Which networks the members are: what it takes to build one of any depth and width."""

    architecture: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What all members share."""
    scales: Sequence[str] = ("depth", "width")
    """The parameters in which they differ."""
    input: Sequence[int] = ()
    classes: int = 0
    prunable: Mapping[str, Any] = field(default_factory=lambda: {"of": "weights", "except": []})


@dataclass(frozen=True)
class Law:
    """A fit, that of the unpruned networks beside it, and the points that both are of."""

    fit: Fit
    points: Points
    unpruned: Fit | None = None
    """The law of the unpruned error by size and data; None where the points do not determine one."""
    family: Family | None = None
    about: str = ""
    """Of what the points are, in a few words."""
    proxy: bool = False
    """True if `parameters` are depth · width², because nobody said how many there are."""
    said: Sequence[str] = ()
    """What was left out, and what is not known."""
    wider: Mapping[str, str] = field(default_factory=dict)
    """Of columns that the form has but one value of: which form reads more of them."""

    @cached_property
    def networks(self) -> Points:
        """A row a network, unpruned."""
        return unpruned_rows(self.points)

    def plain(self) -> dict[str, Any]:
        """Return the law as plain JSON values; `law_of` reads them back."""
        columns = {name: _listed(getattr(self.points, name)) for name in _COLUMNS}
        return {
            "schema": SCHEMA,
            "kind": KIND,
            "about": self.about,
            "said": list(self.said),
            "fit": json.loads(self.fit.to_json()),
            "unpruned": None if self.unpruned is None else json.loads(self.unpruned.to_json()),
            "family": None if self.family is None else asdict(self.family),
            "proxy": self.proxy,
            "columns": columns | {name: _listed(values) for name, values in self.points.extra.items()},
        }


def law_of(text: str, where: str, forms: Mapping[str, Form]) -> Law:
    """Return the law that `prunebench fit -o` wrote. Raises: FitError naming the field for what is none."""
    try:
        law = _law(stored.read_law(text), forms)
        _check_same(law)
        return law
    except FitError as error:
        raise FitError(f"{where}: {error}") from error


def _law(table: LawFile, forms: Mapping[str, Form]) -> Law:
    made = stored.made_of(table.fit, forms, "fit.")
    stored.check_columns(table.columns, columns_read(made.form, made.fixed), made.form.most)
    columns = {
        name: [np.nan if one is None else one for one in values] for name, values in table.columns.items()
    }
    points = points_of(columns)
    if len(points) != made.points:
        raise FitError(f"columns have {len(points)} rows; field 'fit.points' says {made.points}")
    unpruned = None if table.unpruned is None else stored.made_of(table.unpruned, forms, "unpruned.")
    stored.check_ranges(made, points.names(), "fit.")
    if unpruned is not None:
        stored.check_ranges(unpruned, points.names(), "unpruned.")
    return Law(
        fit=made,
        wider=wider(made.form, forms),
        points=points,
        unpruned=unpruned,
        family=None if table.family is None else Family(**table.family.model_dump(by_alias=True)),
        about=table.about,
        proxy=table.proxy,
        said=tuple(table.said),
    )


def wider(form: Form, forms: Mapping[str, Form]) -> dict[str, str]:
    """Return for each column of which a form takes one value a form like it that takes several."""
    own = {one.name for one in form.coefficients}
    answer = {}
    for column in form.constant:
        able = [
            other
            for other in forms.values()
            if column not in other.constant
            and own <= {one.name for one in other.coefficients}
            and set(form.columns) <= set(other.columns)
        ]
        if able:
            answer[column] = min(able, key=lambda one: (len(one.constant) == 0, len(one.coefficients))).name
    return answer


def _check_same(law: Law) -> None:
    """Raises: FitError where the form at hand gives other errors than the one that was fitted."""
    made, points = law.fit, law.points
    relative = np.asarray(made.form.function(points, **made.parameters)) / points.error - 1
    now = (float(relative.mean()), float(relative.std()))
    if not np.allclose(now, (made.mu, made.sigma), rtol=1e-4, atol=1e-6):
        raise FitError(
            f"form {made.form.name!r} is another than the one that was fitted: µ and σ at its points are now "
            f"{100 * now[0]:.3g} % and {100 * now[1]:.3g} %, and were {100 * made.mu:.3g} % and "
            f"{100 * made.sigma:.3g} %; fit it again"
        )


def _listed(values: Any) -> list[Any]:
    return [None if one != one else one for one in values.tolist()]


def with_size(points: Points) -> tuple[Points, bool]:
    """Return the points with `parameters`, and True where these are depth · width² for want of a count.

    They are the prunable weights where these are known, since those of any member can be counted; else what
    the points call so.
    """
    if "prunable" in points.extra:
        return points.changed(parameters=points.extra["prunable"]), False
    if "parameters" in points.extra:
        return points, False
    return points.changed(parameters=proxy(points)), True


def proxy(points: Points) -> Floats:
    """Return depth · width², which weights are nearly proportional to; what is unknown counts as 1."""
    depth, width = np.nan_to_num(points.depth, nan=1.0), np.nan_to_num(points.width, nan=1.0)
    return depth * width**2


def unpruned_fit(
    points: Points, forms: Mapping[str, Form], names: Sequence[str] = UNPRUNED, **options: Any
) -> tuple[Fit | None, str]:
    """Return the law of the unpruned error, or None and why there is none.

    The first of the forms is taken that the networks determine: with more networks than coefficients, of more
    than one size.
    """
    why, networks = "", unpruned_rows(points)
    for name in names:
        if name not in forms:
            continue
        try:
            if len(networks) <= len(forms[name].coefficients):
                count = len(forms[name].coefficients)
                raise FitError(f"{len(networks)} unpruned cannot tell the {count} coefficients of {name}")
            return fit(forms[name], networks, **options), ""
        except (FitError, UsageError) as error:
            why = str(error)
    return None, why
