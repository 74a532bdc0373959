"""A quantity of a whole family of networks: what a law says that is fitted to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from prunebench import Curves, FunctionalForm
    from prunebench.scaling.fit import Fit
    from prunebench.scaling.points import Points

__all__ = ["OF", "faults", "fit", "reads"]

OF = (
    *("mu", "sigma", "dips", "invariance", "fewest", "spread"),
    *("error_up", "gamma", "p", "phi", "psi"),
)
"""What of a fit can be asked for; of a form that is named its own coefficients."""

_OF_ANY = OF[:6]
_STARTS = 12
_DIGITS = 7
"""How many digits of a number are said: fits on other processors agree in some more."""
_REPEATS = 20
"""Random parts of the points to which fits are compared."""

_ABOVE_PLATEAU = "above-plateau"
_REGIONS = (_ABOVE_PLATEAU,)
"""Parts of each network's curve to which a law can be fitted."""

_NONE: Mapping[str, Any] = MappingProxyType({})


def fit(
    curves: Curves,
    forms: Callable[[str], FunctionalForm],
    *,
    of: str,
    form: str = "",
    region: str = "",
    alone: bool = False,
    within: Mapping[str, Any] = _NONE,
    judged: Mapping[str, Any] = _NONE,
    errors: Sequence[float] = (),
    networks: int = 0,
    points: int = 0,
) -> Any:
    """What a law says that is fitted at each seed: `fit:sigma`, `fit:mu`, `fit:gamma` and so on.

    Fitted are the errors of the method in all networks of the family (those that differ in depth, width and
    training examples alone), at the sparsities of the check's range, unpruned networks beside them. mu and
    sigma are mean and standard deviation of (predicted − measured) / measured, shares.

    - dips: what the errors below the unpruned one, which the law cannot follow, add to mu;
    - invariance: how much errors differ between networks of equal depth^phi · width^psi · density in the
      power-law region: the standard deviation between networks, a share;
    - fewest: by which share the law's count of the smallest network that is good enough is off that of brute
      force, on average over several largest errors;
    - spread: the larger of the standard deviations of mu and sigma, judged on all points, between fits to 20
      random parts of them.

    form: a functional form; "": Rosenfeld et al.'s law, joint or as a partial fit, as depth and width vary
    region: "above-plateau": only densities more than three times above the p of Rosenfeld et al.'s Eq. 1,
      which is fitted to each network first; "": all
    alone: fit the setting's own network, not its family
    within: fit only networks of these scales, {depth = 20, width = [0.125, 0.25]}: a value, or the least and
      the greatest
    judged: mu and sigma over these networks, less those within: the law is not fitted to them
    errors: of fewest: which largest errors; [] takes seven between what the networks reach
    networks, points: of spread: how many whole networks, or single points, a random part has

    There is no number at a seed of which a result is missing, or the unpruned network's, nor of fewer points
    than the law has coefficients, nor where no network has four densities in the region, nor a coefficient
    that the points leave open, by a note of the fit, or that ended at its bound. Diverged runs are left out.
    """
    import numpy as np

    chosen = reads(curves, alone=alone, within=within, judged=judged)
    members = [one for one, mine in zip(curves.relatives, chosen, strict=True) if mine]
    if alone or _is_read(curves.scales, within, judged):
        members.append(curves)
    members.sort(key=_order)  # whichever of a family's settings asks: its points are the same, fitted once
    asked = _Asked(of, form, region, _ranges(within), _ranges(judged), tuple(errors), networks, points)
    wanted = np.unique(curves.sparsities)
    rows = [_rows(members, seed, wanted) for seed in curves.seeds]
    said = [_said(each, forms, asked) if each else np.nan for each in rows]
    return np.array([float(f"{number:.{_DIGITS}g}") for number in said], dtype=np.float64)


def reads(
    curves: Curves,
    *,
    alone: bool = False,
    within: Mapping[str, Any] = _NONE,
    judged: Mapping[str, Any] = _NONE,
    **_: Any,
) -> list[bool]:
    """Return which of the relatives of a setting's network the fit reads."""
    return [not alone and _is_read(one.scales, within, judged) for one in curves.relatives]


_SCALES = ("depth", "width", "examples", "prunable")


def _order(member: Curves) -> list[float]:
    """Return what tells a member of a family from the others, and sorts them; -1 for what is not known."""
    known = [member.scales.get(name, -1.0) for name in _SCALES]
    return [-1.0 if one != one else float(one) for one in known]


_Ranges = tuple[tuple[str, float, float], ...]


def _ranges(given: Mapping[str, Any]) -> _Ranges:
    ends = {
        name: value if isinstance(value, list | tuple) else (value, value) for name, value in given.items()
    }
    return tuple((name, float(low), float(high)) for name, (low, high) in ends.items())


def _by_name(ranges: _Ranges) -> dict[str, tuple[float, float]]:
    return {name: (low, high) for name, low, high in ranges}


def _is_read(scales: Mapping[str, float], within: Mapping[str, Any], judged: Mapping[str, Any]) -> bool:
    return _is_in(scales, _ranges(within)) or (bool(judged) and _is_in(scales, _ranges(judged)))


def _is_in(scales: Mapping[str, float], ranges: _Ranges) -> bool:
    near, none = 1e-9, float("nan")
    return all(low * (1 - near) <= scales.get(name, none) <= high * (1 + near) for name, low, high in ranges)


def faults(
    parameters: Mapping[str, Any], forms: Callable[[str], FunctionalForm]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with parameters that a suite gives: which one, and what."""
    from prunebench.errors import nearest
    from prunebench.scaling.points.columns import SCALES

    of, within = parameters["of"], parameters["within"]
    if form := parameters["form"]:
        said = (*_OF_ANY, *(one.name for one in forms(form).coefficients))
        if of not in said:
            yield "of", f"found '{of}', which the form '{form}' does not say{nearest(of, said)}"
    if (region := parameters["region"]) and region not in _REGIONS:
        yield "region", f"found '{region}', which is no part of a curve{nearest(region, _REGIONS)}"
    for key in ("within", "judged"):
        for name, value in dict(parameters[key]).items():
            if name not in SCALES:
                yield key, f"found '{name}', in which networks do not differ{nearest(name, SCALES)}"
            elif not _is_range(value):
                allowed = "a number above 0, or a list of the least and the greatest"
                yield key, f"found {name} = {value!r}; allowed: {allowed}"
    if parameters["judged"] and (not within or of not in ("mu", "sigma")):
        yield "judged", f"found with fit:{of}; allowed: with fit:mu or fit:sigma, and with 'within'"
    if parameters["alone"] and (within or of in ("invariance", "fewest")):
        many = "'within'" if within else f"fit:{of}"
        yield "alone", f"found true; allowed: false with {many}, of many networks"
    if (of == "spread") != ((parameters["networks"] > 0) + (parameters["points"] > 0) == 1):
        yield "of", f"found '{of}'; 'spread' needs either 'networks' or 'points', and only it takes them"
    if parameters["errors"] and of != "fewest":
        yield "errors", f"found with fit:{of}; allowed: with fit:fewest"
    if not all(isinstance(one, int | float) and 0 < one < 1 for one in parameters["errors"]):
        yield "errors", f"found {list(parameters['errors'])}; allowed: fractions above 0, below 1"


def _is_range(value: Any) -> bool:
    ends = value if isinstance(value, list) and len(value) == 2 else [value]
    numbers = [one for one in ends if isinstance(one, int | float) and not isinstance(one, bool) and one > 0]
    return len(numbers) == len(ends) and sorted(numbers) == numbers


@dataclass(frozen=True)
class _Asked:
    """What is asked of a fit."""

    of: str
    form: str
    region: str
    within: _Ranges
    judged: _Ranges
    errors: tuple[float, ...]
    networks: int
    points: int


_Rows = tuple[tuple[float, ...], ...]


def _rows(members: Sequence[Curves], seed: int, wanted: Any) -> _Rows:
    """Return the points of a seed; none where a result is missing."""
    import numpy as np

    rows: list[tuple[float, ...]] = []
    for number, one in enumerate(members):
        if seed not in one.seeds:
            continue
        column = one.seeds.index(seed)
        places = np.isin(one.sparsities, wanted) & one.planned[:, column]
        errors = 1 - one.accuracy[places, column] / 100
        unpruned = 1 - one.dense[column] / 100
        if np.isnan(errors).any() or np.isnan(unpruned):
            return ()
        scales = [one.scales.get(name, np.nan) for name in _SCALES]
        densities = np.round(1 - one.sparsities[places], 12)
        finished = one.diverged[places, column] != 1
        pairs = [(d, e) for d, e, ok in zip(densities, errors, finished, strict=True) if d < 1 and ok]
        rows += [(float(d), float(e), unpruned, *scales, number) for d, e in [(1.0, unpruned), *pairs]]
    return tuple(rows)


@lru_cache(maxsize=256)
def _points(rows: _Rows, forms: Callable[[str], FunctionalForm], region: str) -> Points:
    """Return rows as points, those in a region; forms that are compared are fitted to the same."""
    import numpy as np

    from prunebench.scaling.points import points_of
    from prunebench.scaling.studies.against import WHOLE, above_plateau

    names = ("density", "error", "error_unpruned", *_SCALES, "network")
    every = points_of(dict(zip(names, np.array(rows).T, strict=True)))
    every = every.changed(parameters=every.extra["prunable"], nonzero=every.density * every.extra["prunable"])
    if region != _ABOVE_PLATEAU:
        return every
    return every.rows(above_plateau(every, forms(WHOLE), starts=_STARTS))


@lru_cache(maxsize=256)
def _fitted(
    rows: _Rows, forms: Callable[[str], FunctionalForm], name: str, region: str, ranges: _Ranges
) -> Fit | None:
    """Return the law of the networks in some ranges, of which several checks ask; None of too few points."""
    from prunebench.scaling.fit import fit as fitted
    from prunebench.scaling.points.families import law_of_scales, within

    every = _points(rows, forms, region)
    if not len(every):
        return None
    points = every.rows(within(every, _by_name(ranges)))
    form = forms(name or law_of_scales(points))
    return fitted(form, points, starts=_STARTS) if len(points) >= len(form.coefficients) else None


@lru_cache(maxsize=256)
def _said(rows: _Rows, forms: Callable[[str], FunctionalForm], asked: _Asked) -> float:
    """Return a number of the fit to rows; a family is asked for in each of its settings."""
    from prunebench.scaling.points.families import within

    made = _fitted(rows, forms, asked.form, asked.region, asked.within)
    if made is None:
        return float("nan")  # a single place says nothing of a law
    every = _points(rows, forms, asked.region)
    small = within(every, _by_name(asked.within))
    points = every.rows(small)
    if asked.judged:
        others = every.rows(within(every, _by_name(asked.judged)) & ~small)
        if not len(others):
            raise ValueError("no network is judged that the law is not fitted to")
        off = made.predict(others)[0] / others.error - 1
        return float(off.mean() if asked.of == "mu" else off.std())
    return _number(made, points, asked)


def _number(made: Fit, points: Points, asked: _Asked) -> float:
    from prunebench.scaling.law import Law
    from prunebench.scaling.studies.answers import answers, errors_between
    from prunebench.scaling.studies.invariant import invariance
    from prunebench.scaling.studies.noise import dips
    from prunebench.scaling.studies.trials import points_needed

    if asked.of == "dips":
        return dips(made, points).bias
    if asked.of == "invariance":
        return invariance(made, points).sd
    if asked.of == "fewest":
        told = answers(Law(made, points), asked.errors or errors_between(points))
        return sum(abs(one.off) for one in told) / len(told)
    if asked.of == "spread":
        size = asked.networks or asked.points
        units: Literal["networks", "points"] = "networks" if asked.networks else "points"
        needed = points_needed(made, points, [size], of=units, repeats=_REPEATS)[0]
        return max(needed.mu_spread, needed.sigma_spread)
    numbers = {"mu": made.mu, "sigma": made.sigma, **made.parameters}
    if asked.of not in numbers:
        raise ValueError(
            f"{asked.of!r} is nothing that the form {made.form.name!r} says; allowed: {', '.join(numbers)}"
        )
    is_open = asked.of in made.parameters and made.is_open(asked.of)
    return float("nan") if is_open else float(numbers[asked.of])  # what ended at its bound is no estimate
