"""The law that `fit` makes: which form, of which points, with the law of unpruned networks beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.cli._laws import Source, assigned, form_of, is_file, source_of
from prunebench.errors import UsageError, nearest

if TYPE_CHECKING:
    from prunebench.scaling.form import Form
    from prunebench.scaling.law import Law
    from prunebench.scaling.points import Points

__all__ = ["fixed_by", "law_of_points", "where_from"]


def fixed_by(given: Sequence[str]) -> dict[str, float]:
    """Return the coefficients that --fix gives. Raises: UsageError."""
    values = {}
    for name, text in assigned(given, "--fix").items():
        try:
            values[name] = float(text)
        except ValueError:
            raise UsageError(f"--fix: {name} is '{text}'; allowed: a number") from None
    return values


def law_of_points(
    given: str, named: Sequence[Form], forms: Mapping[str, Form], fixed: dict[str, float], options: Any
) -> Law:
    """Return the law of a suite's points or a file's: of the first form that is named, else of what varies.

    Raises: FitError, UsageError saying what the points or the options lack.
    """
    from prunebench.scaling.fit import fit
    from prunebench.scaling.fit.resampling import bootstrap
    from prunebench.scaling.law import Law, unpruned_fit, with_size

    names = _unpruned_names(options["unpruned"], forms)
    form, source = _form_and_source(given, named, forms, fixed, options)
    made = fit(form, source.points, fixed=fixed, loss=options["loss"], starts=options["starts"])
    if options["bootstrap"]:
        made = bootstrap(made, source.points, resamples=options["bootstrap"])
    points, proxy = with_size(source.points)
    unpruned, said = None, list(source.said)
    if "error_unpruned" in form.columns and names:
        unpruned, why = unpruned_fit(points, forms, names)
        said += [f"no law of unpruned networks: {why}"] if why else []
    return Law(made, points, unpruned, source.family, source.about, proxy, said)


def _form_and_source(
    given: str, named: Sequence[Form], forms: Mapping[str, Form], fixed: Mapping[str, float], options: Any
) -> tuple[Form, Source]:
    import numpy as np

    from prunebench.scaling.fit.choice import check_fits, chosen, own_points, pooled
    from prunebench.scaling.form import columns_read

    # what any law of pruned networks reads; which one it is the points tell
    first = named[0] if named else forms["rosenfeld-network"]
    source = source_of(given, first, options, others=named[1:])
    points, left = own_points(first, source.points)
    form, why = (first, "") if named else chosen(points, forms, fixed)
    check_fits(form, points, forms, fixed, where_from(given, points))
    if is_file(given) and any(np.isnan(points.column(name)).any() for name in columns_read(form, fixed)):
        source_of(given, form, options, columns_read(form, fixed))  # says where
    said = [*source.said, *(one for one in (left, why, pooled(form, points)) if one)]
    return form, source._replace(points=points, said=said)


def where_from(given: str, points: Points) -> Callable[[str], str]:
    """Return what says where a column may come from that points have not."""

    from prunebench.scaling.points.columns import ALIKE

    def said(name: str) -> str:
        if is_file(given):
            hint = nearest(name, points.names(), alike=ALIKE)
            return f"{hint} (--column {name}=NAME says which column of the file it is)"
        return ""

    return said


def _unpruned_names(name: str | None, forms: Mapping[str, Form]) -> Sequence[str]:
    from prunebench.scaling.law import UNPRUNED

    if name is None:
        return UNPRUNED
    if name == "none":
        return ()
    form = form_of(forms, name, "--unpruned")
    for column in ("error_unpruned", "density"):
        if column in form.columns:
            raise UsageError(
                f"--unpruned: form '{name}' reads {column}, and tells nothing of networks that are not "
                f"pruned; allowed: {', '.join(UNPRUNED)}, or none"
            )
    return (form.name,)
