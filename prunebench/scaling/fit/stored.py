"""Reading a fit back from its JSON: what of its fields must agree, with the form and with each other.

What does not is refused with the field: an answer from a file that was cut, edited or is another's would look
like any other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from prunebench.errors import FitError, nearest
from prunebench.scaling.fit.result import Fit
from prunebench.scaling.fit.schema import INFINITE, KIND, SCHEMA, LawFile, fit_table, law_table, valid
from prunebench.scaling.form import Coefficient, Form, columns_read
from prunebench.scaling.points.columns import COUNTS, SCALES, refusal

__all__ = ["check_columns", "check_ranges", "fit_of", "forms_in", "made_of", "read_law"]


def fit_of(text: str, forms: Mapping[str, Form]) -> Fit:
    """Return the fit that a JSON text holds. Raises: FitError for a text that is none, or an unknown form."""
    return made_of(valid(fit_table(), text), forms)


def read_law(text: str) -> LawFile:
    """Return the fields of a file that `prunebench fit -o` wrote, of which only the types are checked.

    Raises: FitError naming what is wrong.
    """
    try:
        value = from_json(text)
    except ValueError as error:
        raise FitError(f"not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise FitError("found no fit; allowed: a file that `prunebench fit … -o FILE` wrote")
    if value.get("schema") != SCHEMA:
        raise FitError(f"schema {value.get('schema')!r} is not known here; allowed: {SCHEMA}")
    return valid(law_table(), text)


def forms_in(text: str) -> list[str]:
    """Return the names of the forms that a file of a fit says it needs; none where it cannot be read."""
    try:
        value = from_json(text)
        names = [(value[field] or {}).get("form") for field in ("fit", "unpruned")]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
    return [name for name in names if isinstance(name, str)]


def made_of(table: Any, forms: Mapping[str, Form], above: str = "") -> Fit:
    """Return the fit of a table of its fields.

    above: of which field of a file, for messages

    Raises: FitError for an unknown form, and for fields that do not go together.
    """
    if table.form not in forms:
        raise FitError(f"there is no form {table.form!r}{nearest(table.form, forms)}")
    form = forms[table.form]
    _check_version(form, table.version)
    for field, said in _disagreements(table, form):
        raise FitError(f"field '{above}{field}': {said}")
    values = {name: _filled(getattr(table, name), INFINITE.get(name)) for name in type(table).model_fields}
    return Fit(**{**values, "form": form})


def _check_version(form: Form, there: str | None) -> None:
    """Raises: FitError where the form at hand is another than the one that was fitted."""
    here = getattr(form, "version", None)
    if here != there:
        raise FitError(
            f"version {there!r} of form {form.name!r} was fitted; the one here is version {here!r}: "
            "fit it again"
        )


def _filled(value: Any, infinite: Any) -> Any:
    """Return a value with what null stands for."""
    if infinite is None or value is None:
        return value
    if isinstance(value, dict):
        return {name: _one(one, infinite) for name, one in value.items()}
    return tuple(_one(one, infinite) for one in value)


def _one(value: Any, infinite: Any) -> Any:
    if isinstance(value, tuple):
        ends = infinite if isinstance(infinite, tuple) else (infinite,) * len(value)
        return tuple(_one(one, end) for one, end in zip(value, ends, strict=True))
    return infinite if value is None else value


def _disagreements(table: Any, form: Form) -> Iterator[tuple[str, str]]:
    """Yield the fields that do not go with others or with the form, and what is wrong."""
    names = [one.name for one in form.coefficients]
    free = [name for name in names if name not in table.fixed]
    yield from _names(table.parameters, names, "parameters", form)
    yield from _names(dict.fromkeys(table.fixed), [n for n in table.fixed if n in names], "fixed", form)
    for field in ("standard_errors", "intervals"):
        yield from _names(getattr(table, field), free, field, form)
    yield from _names(
        table.bootstrap or {}, [n for n in free if n in (table.bootstrap or {})], "bootstrap", form
    )
    yield from _names(table.ranges, [*columns_read(form, table.fixed), *table.ranges], "ranges", form)
    for one in form.coefficients:
        yield from _outside(one, table.parameters[one.name])
    for name, value in table.fixed.items():
        if value != table.parameters[name]:
            yield f"fixed.{name}", f"found {value:g}, and {table.parameters[name]:g} in parameters"
    for field, (allowed, holds) in _RULES.items():
        if not holds(getattr(table, field), table, len(free)):
            yield field, f"allowed: {allowed}"


def _names(
    there: Mapping[str, Any], wanted: Sequence[str], field: str, form: Form
) -> Iterator[tuple[str, str]]:
    for name in wanted:
        if name not in there:
            yield f"{field}.{name}", "is missing"
    for name in there:
        if name not in wanted:
            yield f"{field}.{name}", f"is nothing of form {form.name!r}{nearest(name, wanted)}"


def _outside(one: Coefficient, value: float) -> Iterator[tuple[str, str]]:
    room = 1e-6 * max(abs(value), 1e-12)
    if not one.low - room <= value <= one.high + room or (one.log and value <= 0):
        yield f"parameters.{one.name}", f"found {value:g}; allowed: {one.low:g} to {one.high:g}"


def _ordered(pairs: Mapping[str, tuple[float | None, float | None]], *_: Any) -> bool:
    return all(low is None or high is None or low <= high for low, high in pairs.values())


def _share(value: float, *_: Any) -> bool:
    return 0 <= value <= 1


def _one_or_more(value: int, *_: Any) -> bool:
    return value >= 1


_LARGE = 1e100
"""Numbers below this can be squared and added."""


def _rows(rows: Sequence[Sequence[float]], _: Any, free: int) -> bool:
    small = all(abs(one) < _LARGE for row in rows for one in row)
    return small and len(rows) == free and len({len(row) for row in rows}) < 2


def _regions(pairs: Sequence[tuple[float, float]], *_: Any) -> bool:
    densities = [density for density, _ in pairs]
    rising = all(low < high for low, high in itertools.pairwise([0.0, *densities]))
    return bool(pairs) and rising and all(spread >= 0 for _, spread in pairs)


_RULES: Mapping[str, tuple[str, Callable[[Any, Any, int], bool]]] = {
    "standard_errors": ("0 and above", lambda errors, *_: all(e is None or e >= 0 for e in errors.values())),
    "intervals": ("a lower and an upper end", _ordered),
    "bootstrap": ("a lower and an upper end", lambda pairs, *_: _ordered(pairs or {})),
    "ranges": ("the least and the greatest value of columns", _ordered),
    "loss": ("relative-squares or huber-log", lambda loss, *_: loss in ("relative-squares", "huber-log")),
    "sigma": ("0 and above", lambda value, *_: value >= 0),
    "spread": ("0 and above", lambda value, *_: value >= 0),
    "converged": ("a share, 0 to 1", _share),
    "reached": ("a share, 0 to 1", _share),
    "starts": ("1 and above", _one_or_more),
    "points": ("1 and above", _one_or_more),
    "networks": ("1 and above", _one_or_more),
    "freedom": ("points less free coefficients", lambda value, table, free: value == table.points - free),
    "factor": ("a row for each free coefficient, all as long", _rows),
    "undetermined": (
        "rows of a number for each free coefficient",
        lambda rows, _, free: all(len(row) == free and max(map(abs, row)) < _LARGE for row in rows),
    ),
    "spreads": ("densities, rising, with a spread of 0 and above each", _regions),
    "clusters": (
        "0, or 2 to the networks",
        lambda value, table, _: value == 0 or 2 <= value <= table.networks,
    ),
}
"""What a field may hold, in words, and whether its value does (with the table, the number of free ones)."""


def check_ranges(made: Fit, known: Sequence[str], above: str) -> None:
    """See that a fit says the range of every scale that its points know: what lies outside is told by these.

    Raises: FitError naming the field.
    """
    for name in (*SCALES, *made.form.constant):
        if name in known and name not in made.ranges:
            raise FitError(f"field '{above}ranges.{name}' is missing")


def check_columns(columns: Mapping[str, Sequence[float | None]], needed: Sequence[str], most: float) -> None:
    """See that columns of points hold what they may.

    needed: the columns in which all must be known
    most: the largest error that there can be

    Raises: FitError naming column and row.
    """
    for name in sorted({"density", "error", "error_unpruned", "network", "seed"} - set(columns)):
        raise FitError(f"column '{name}' is missing")
    length = len(columns["density"])
    for name, values in columns.items():
        if len(values) != length:
            raise FitError(f"column '{name}' has {len(values)} rows, 'density' has {length}")
        for row, value in enumerate(values):
            unknown = value is None and name in ("error", "network", "seed", *COUNTS, *needed)
            said = "a number" if unknown else ""
            said = said or ("" if value is None else refusal(name, value, most))
            if said:
                shown = "null" if value is None else f"{value:g}"
                raise FitError(f"column '{name}', row {row + 1}: found {shown}; allowed: {said}")
