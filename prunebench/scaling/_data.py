"""Reading a fit back from its JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prunebench.errors import FitError, nearest
from prunebench.scaling.form import Form, Note

if TYPE_CHECKING:
    from prunebench.scaling.fit import Fit

__all__ = ["fit_of"]

_NUMBERS = ("mu", "sigma", "converged", "reached", "spread", "together")
_COUNTS = ("starts", "points", "networks", "freedom", "clusters")


def fit_of(text: str, forms: Mapping[str, Form]) -> Fit:
    """Return the fit that a JSON text holds. Raises: FitError for a text that is none, or an unknown form."""
    from prunebench.scaling.fit import Fit

    try:
        plain = json.loads(text)
        name = plain["form"]
    except (ValueError, TypeError, KeyError) as error:
        raise FitError(f"this is no fit in JSON ({type(error).__name__}: {error})") from error
    if name not in forms:
        raise FitError(f"there is no form {name!r}{nearest(str(name), forms)}")
    form = forms[name]
    _check_version(form, plain)
    wanted = {f.name for f in dataclasses.fields(Fit)}
    for field in sorted(wanted - set(plain)):
        raise FitError(f"the fit has no field {field!r}")
    try:
        return Fit(form=form, **{field: _read(field, plain[field]) for field in wanted - {"form"}})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FitError(f"the fit cannot be read ({type(error).__name__}: {error})") from error


def _check_version(form: Form, plain: Any) -> None:
    """Raises: FitError where the form at hand is another than the one that was fitted."""
    here, there = getattr(form, "version", None), plain.get("version")
    if here != there:
        raise FitError(
            f"version {there!r} of form {form.name!r} was fitted; the one here is version {here!r}: "
            "fit it again"
        )


def _read(field: str, value: Any) -> Any:
    from prunebench.scaling.fit import Worst

    if field in _NUMBERS:
        return _number(value, math.nan)
    if field in _COUNTS:
        return int(value)
    if field in ("parameters", "fixed"):
        return {str(name): float(one) for name, one in value.items()}
    if field == "standard_errors":
        return {str(name): _number(one, math.inf) for name, one in value.items()}
    if field in ("intervals", "ranges") or (field == "bootstrap" and value is not None):
        return {
            str(name): (_number(low, -math.inf), _number(high, math.inf))
            for name, (low, high) in value.items()
        }
    if field == "worst":
        return tuple(Worst(**one) for one in value)
    if field == "notes":
        return tuple(Note(str(one["text"]), tuple(map(str, one["parameters"]))) for one in value)
    if field in ("factor", "undetermined", "spreads"):
        return tuple(tuple(_number(one, math.inf) for one in row) for row in value)
    return value if value is None else str(value)


def _number(value: Any, none: float) -> float:
    return none if value is None else float(value)
