"""The quantity that a check asks for: a name, with a field behind a colon, or a table with its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Protocol

from pydantic import Tag

from prunebench.checks.axes import AXES
from prunebench.errors import nearest
from prunebench.faults import blamed
from prunebench.reading.messages import kinds_differ, unknown
from prunebench.reading.slips import meant
from prunebench.reading.spelling import show
from prunebench.reading.tables import OpenTable, name_or_table, one_of

__all__ = [
    "Asked",
    "Components",
    "QuantityTable",
    "axis_of",
    "field_of",
    "name_of",
    "parameters_of",
    "selections_of",
    "wrong",
]

Faults = Iterator[tuple[tuple[str | int, ...], str]]
"""Key paths below the quantity, and what is wrong there."""


class Components(Protocol):
    """What checks ask of the host."""

    def get(self, kind: str, name: str) -> Any:
        """Return the component of that kind and name."""

    def names(self, kind: str) -> Any:
        """Return the names of that kind."""


class QuantityTable(OpenTable):
    """A quantity with its parameters."""

    name: str


Asked = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[QuantityTable, Tag("<table>")],
    one_of(name_or_table, "the name of a quantity, or a table {name = …} with its parameters"),
]


def _spelled(asked: str | QuantityTable) -> str:
    return asked if isinstance(asked, str) else asked.name


def name_of(asked: str | QuantityTable) -> str:
    """Return the name of the component."""
    return _spelled(asked).partition(":")[0]


def _given(asked: str | QuantityTable) -> dict[str, Any]:
    return {} if isinstance(asked, str) else asked.changes


def parameters_of(asked: str | QuantityTable, quantity: Any) -> dict[str, Any]:
    """Return the parameters that are given, the one behind the colon among them."""
    _, colon, path = _spelled(asked).partition(":")
    return {_behind(quantity): path, **_given(asked)} if colon else _given(asked)


def _behind(quantity: Any) -> str:
    """Return the parameter that stands behind a colon; "" where none may."""
    return str(quantity.path or quantity.option)


def axis_of(asked: str | QuantityTable, quantity: Any) -> str:
    """Return what the curve is read along: "sparsity", "score_at", or "" where it is no curve."""
    if quantity.axis in ("", *AXES):
        return str(quantity.axis)
    return str({**quantity.parameters, **parameters_of(asked, quantity)}.get(quantity.axis, ""))


def _path_of(asked: str | QuantityTable, quantity: Any) -> Any:
    """Return the field, or fields, of a measure that are given, else the function's default."""
    return {**quantity.parameters, **parameters_of(asked, quantity)}.get(quantity.path)


def field_of(asked: str | QuantityTable, quantity: Any) -> tuple[str, str] | None:
    """Return the measure and the field, or fields, that are asked for; None where it asks for none."""
    path = _path_of(asked, quantity)
    if not isinstance(path, str):
        return None
    measure, _, field = path.partition(".")
    return measure, field


def wrong(asked: str | QuantityTable, host: Components) -> Faults:
    """Yield what is wrong with a quantity by itself: its name, a field, its parameters."""
    plain = list(_plain_faults(asked, host))
    yield from plain or _own_faults(asked, host.get("quantities", name_of(asked)), host)


def _own_faults(asked: str | QuantityTable, quantity: Any, host: Components) -> Faults:
    """Yield what the quantity itself finds wrong with its parameters."""
    if quantity.faults is None:
        return
    look_up = [lambda name: host.get("forms", name)] if quantity.form else []
    given = _given(asked)
    with blamed(f"the faults of quantity '{quantity.name}'"):
        listed = list(quantity.faults({**quantity.parameters, **parameters_of(asked, quantity)}, *look_up))
    for key, text in listed:
        yield (key,) if key in given else () if isinstance(asked, str) else ("name",), text


def _choices(quantity: Any, values: Mapping[str, Any], host: Components) -> list[str]:
    """Return what the option may be: of a form that is named its coefficients too."""
    form = values.get(quantity.form) if quantity.form else None
    own = [one.name for one in host.get("forms", form).coefficients] if form else []
    return list(dict.fromkeys([*quantity.choices, *own]))


def _plain_faults(asked: str | QuantityTable, host: Components) -> Faults:
    spelled, name = _spelled(asked), name_of(asked)
    at: tuple[str, ...] = () if isinstance(asked, str) else ("name",)
    if name not in host.names("quantities"):
        yield at, unknown(name, "quantity", host.names("quantities"))
        return
    quantity = host.get("quantities", name)
    values, given = parameters_of(asked, quantity), _given(asked)
    if ":" in spelled and (not _behind(quantity) or _behind(quantity) in given):
        yield at, f"found {show(spelled)}; allowed: {show(name)}"
        return
    form = given.get(quantity.form)
    if form and form not in (forms := host.names("forms")):
        yield (quantity.form,), unknown(str(form), "functional form", forms)
        return
    chosen = values.get(quantity.option)
    if quantity.option and chosen is not None and chosen not in (all_ := _choices(quantity, values, host)):
        text = f"found {show(chosen)}{nearest(str(chosen), all_)}"
        yield (quantity.option,) if quantity.option in given else at, text
    if quantity.path and (fault := _wrong_path(_path_of(asked, quantity), quantity, host)):
        yield (quantity.path,) if quantity.path in given else at, fault
    defaults = quantity.parameters
    known = {*defaults, *quantity.required}
    for key in quantity.required:
        if key not in values and key != quantity.path:
            yield from _missing(asked, key, quantity)
    for key, value in given.items():
        if key not in known:
            yield (key,), f"is no parameter of the quantity '{name}'{nearest(key, known)}"
        elif key == quantity.axis:
            if value not in AXES:
                hint = nearest(value, AXES) if isinstance(value, str) else f"; allowed: {', '.join(AXES)}"
                yield (key,), f"found {show(value)}{hint}"
        elif key in quantity.selections:
            if not isinstance(value, dict):
                yield (key,), f"found {show(value)}; allowed: {{method = …}}"
        elif key != quantity.path and (kind := kinds_differ(value, defaults.get(key))):
            told = f"found {show(value)}; allowed: {kind} (the default is {show(defaults.get(key))})"
            yield (key,), told + meant(value, kind)


def _missing(asked: str | QuantityTable, key: str, quantity: Any) -> Faults:
    """A parameter that has to be given; of a quantity that is named alone, how it is given."""
    name = quantity.name
    allowed = f"; allowed: {' or '.join(map(repr, AXES))}" if key == quantity.axis else ""
    if isinstance(asked, str):
        yield (), f"found {show(asked)}, which needs '{key}': write {{name = '{asked}', {key} = …}}{allowed}"
    else:
        yield (key,), f"is missing: it is needed where the quantity is '{name}'{allowed}"


def _wrong_path(path: Any, quantity: Any, host: Components) -> str:
    """Return what is wrong with the field, or fields, of a measure that a quantity asks for."""
    name = quantity.name
    if isinstance(path, str) and "*" in path and not quantity.fields:
        several = [f"'{one}:…'" for one in host.names("quantities") if host.get("quantities", one).fields]
        take = f"; {' and '.join(several)} take{'' if several[1:] else 's'} '*'" if several else ""
        return f"found '{name}:{path}'; allowed: one field{take}"
    if not isinstance(path, str) or not all(path.split(".")):
        shown = f"{name}:{path}" if isinstance(path, str) else name if path is None else path
        forms = f"'{name}:NAME.FIELDS'" if quantity.fields else f"'{name}:NAME' or '{name}:NAME.FIELD'"
        return f"found {show(shown)}; allowed: {forms}"
    return ""


def selections_of(asked: str | QuantityTable, quantity: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the tables of the parameters that name cells."""
    given = parameters_of(asked, quantity)
    return {key: given[key] for key in quantity.selections if isinstance(given.get(key), dict)}
