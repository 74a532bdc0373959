"""Methods to fully resolved forms: scorers' defaults written out, other methods' names looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from prunebench.canonical import canonical
from prunebench.errors import UsageError, nearest
from prunebench.host.borrowed import clash, donor, no_counts, regrowth_call
from prunebench.host.components import Scorer
from prunebench.host.form import Form, Like, Regrowth, ScorerCall
from prunebench.host.told import misfits, takes
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.spelling import show
from prunebench.suite.own_methods import OwnMethods
from prunebench.suite.parameters import Components, filled
from prunebench.suite.schedule_values import check_schedule
from prunebench.suite.schema import MethodTable

__all__ = ["DENSE", "changed_form", "fill_scorer", "intern", "method_form", "method_names", "shared_keys"]

DENSE = Form()
"""The unpruned network."""


def _built(key: str) -> str:
    """Return the values of a field that some methods may not have yet, less those."""
    return {"unit": "'weight' or 'filter'", "regrowth": "'none' or {scorer = …, every = n}"}[key]


_DEVICES = ("cpu", "cuda")


def method_names(host: Components) -> set[str]:
    """Return what can stand for a method: the registered ones, and every scorer."""
    return {*host.names("methods"), *host.names("scorers")}


def intern(form: Form, forms: dict[bytes, Form]) -> Form:
    """Return the one object that stands for all forms equal to this one (planning compares by identity)."""
    key = canonical(form.model_dump(mode="json", by_alias=True))
    return forms.setdefault(key, form)


def method_form(
    item: str | MethodTable,
    host: Components,
    here: Cursor,
    shared: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    own: OwnMethods | None = None,
) -> Form | None:
    """Return the resolved form of an entry of `methods`; None where there were problems.

    `shared`: parameters for its scorer, as far as that has them and the entry gives none of its own. `more`:
    changes that the axes of the matrix make to it, which a form that it is like has too where that is said
    in changes to it. `own`: the suite's own methods, whose layers' counts it may take by their labels.
    """
    more = more or {}
    if isinstance(item, str):
        if item not in method_names(host):
            here.unknown(item, "method", method_names(host))
            return None
        base = host.method(item).form
        return changed_form(base, more, host, here, shared)
    if item.method is not None and item.method not in method_names(host):
        (here / "method").unknown(item.method, "method", method_names(host))
        return None
    if item.as_ is None and (item.changes or item.method is None):
        (here / "as").problem("is missing: another form than a registered method's needs a label of its own")
    base = DENSE if item.method is None else host.method(item.method).form
    changes = _written_out(item.changes, item.as_, base.unit, host, here, own or OwnMethods())
    if changes is None:
        return None
    form = changed_form(base, {**changes, **more}, host, here, shared)
    if form is not None and form.scorer is None and (item.method is None or item.changes):
        (here / "scorer").problem("is missing: a whole form needs a scorer")
        return None
    return form


def _written_out(
    changes: Mapping[str, Any],
    label: str | None,
    unit: Any,
    host: Components,
    here: Cursor,
    own: OwnMethods,
) -> Mapping[str, Any] | None:
    """Return changes to a form, where the label of an own method whose counts it takes stands as its form.

    `label` is the form's own, if it has one, and `unit` what it removes without the changes. None where there
    were problems, which are noted here or are those of the other method.
    """
    unit = changes.get("unit", unit)
    allocation = changes.get("allocation")
    if not isinstance(allocation, Mapping) or allocation.keys() != {"like"}:
        return changes
    like, here = allocation["like"], here.at("allocation", "like")
    if isinstance(like, Mapping):
        inner = _written_out(like, label, unit, host, here, own)
        return None if inner is None else {**changes, "allocation": {"like": inner}}
    known = method_names(host)
    if not isinstance(like, str) or like in known:
        return changes
    if like not in own.entries:
        if own.whole:
            here.unknown(like, "method", [*known, *(own.entries.keys() - {label})])
        return None
    if circle := own.circle(like if label is None else label):
        if label in circle:
            way = f"'{label}' would take its own counts ({' → '.join(circle)})"
            here.problem(f"found {show(like)}, by which {way}; allowed: another method")
        return None
    form = _form_of(own.entries[like], host, here.aside(), own)
    if form is not None and (reason := no_counts(form, unit)):
        here.problem(f"found {show(like)}, which {reason}")
        return None
    return None if form is None else {**changes, "allocation": {"like": _whole(form)}}


def _form_of(entry: MethodTable, host: Components, here: Cursor, own: OwnMethods) -> Form | None:
    """Return the form of a suite's own method, as the axes of a matrix make it where they are told."""
    plain = method_form(entry, host, here, own.shared(entry), None, replace(own, placed=None))
    return plain if plain is None or own.placed is None else own.placed(entry, plain)


def _whole(form: Form) -> dict[str, Any]:
    """Return every field of a form, those too that are left out of keys."""
    return {"unit": "weight", **form.model_dump(mode="json", by_alias=True)}


def shared_keys(scorer: Scorer) -> set[str]:
    """Return what a scorer takes of `overrides.scorer`: its parameters, and a device where it reads a batch.

    What reads no data takes seconds on the CPU, and would be another cell on a GPU.
    """
    return {*scorer.parameters, *(["device"] if scorer.needs == "batch" else [])}


def _with_shared(
    base: Form, changes: Mapping[str, Any], shared: Mapping[str, Any], host: Components
) -> Mapping[str, Any]:
    """Return changes to a form, and with them those of the shared parameters that its scorer has."""
    given = changes.get("scorer", {})
    own = {"name": given} if isinstance(given, str) else given
    if not shared or not isinstance(own, dict):
        return changes
    name: Any = own.get("name", base.scorer.name if base.scorer is not None else None)
    if name not in host.names("scorers"):
        return changes
    takes = shared_keys(host.get("scorers", name))
    taken = {key: value for key, value in shared.items() if key in takes}
    return {**changes, "scorer": {**taken, **own}} if taken else changes


def changed_form(
    base: Form,
    changes: Mapping[str, Any],
    host: Components,
    here: Cursor,
    shared: Mapping[str, Any] | None = None,
) -> Form | None:
    """Return `base` with changes, resolved; None where there were problems.

    `shared` are parameters for every scorer that has them: the form's own, and that of a form it is like.
    """
    changes = _with_shared(base, changes, shared or {}, host)
    before = here.noted
    known = {key: value for key, value in changes.items() if key in Form.model_fields}
    for key in changes.keys() - known.keys():
        allowed = [*Form.model_fields, "method", "as"]
        (here / key).problem(f"is no key of a method{nearest(key, allowed)}")
    scorer = known.get("scorer")
    if isinstance(scorer, dict) and "name" not in scorer and base.scorer is not None:
        known["scorer"] = {**base.scorer.model_dump(), **scorer}  # further parameters of the same scorer
    if "schedule" in known:
        check_schedule(known["schedule"], here / "schedule")
    for key, value in known.items():
        if key not in ("scorer", "schedule", "find") and _holds_wrong_kind(value):
            (here / key).problem(f"found {show(value)}; allowed: {takes(key)}")
    if here.noted > before:
        return None
    try:
        form = base.changed(**known)
    except ValidationError as error:
        for location, said in misfits(error, known):
            here.at(*location).problem(said)
        return None
    form = _resolved(form, host, here, shared)
    unbuilt = form.unbuilt()
    if unbuilt:
        key = unbuilt.split(" = ")[0]
        told = f"{unbuilt} is understood, but not built yet; allowed: {_built(key)}"
        here.spelled(key).problem(told)
    return None if here.noted > before else form


def _holds_wrong_kind(value: Any) -> bool:
    """True if a value holds true, false or a number in quotes, which no field of a form takes.

    (The form itself converts them; a suite says what it means.) Changes to a recipe and to another form are
    looked at for themselves.
    """
    if isinstance(value, dict):
        return any(_holds_wrong_kind(v) for k, v in value.items() if k not in ("except", "like"))
    if isinstance(value, list):
        return any(map(_holds_wrong_kind, value))
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, bool)


def _resolved(form: Form, host: Components, here: Cursor, shared: Mapping[str, Any] | None = None) -> Form:
    changes: dict[str, Any] = {}
    if form.scorer is not None:
        scorer = _filled_scorer(form.scorer, host, here)
        _refuse_unit(form, host, here)
        if scorer != form.scorer:
            changes["scorer"] = scorer
    if isinstance(form.regrowth, Regrowth):
        grown = _filled_regrowth(form, host, here)
        if grown != form.regrowth.scorer:
            changes["regrowth"] = {**form.regrowth.model_dump(), "scorer": grown}
    if isinstance(form.allocation, Like):
        other = _donor(form, form.allocation, host, here, shared)
        if other is not None:
            changes["allocation"] = {"like": other.model_dump(mode="json", by_alias=True)}
    return form.changed(**changes) if changes else form


def _refuse_unit(form: Form, host: Components, here: Cursor) -> None:
    """Note that a form removes single weights by a scorer that gives one score a filter."""
    name = form.scorer.name if form.scorer is not None else ""
    if form.whole_filters or name not in host.names("scorers"):
        return
    if host.get("scorers", name).gives == "filters":
        (here / "scorer").problem(f"'{name}' gives one score a filter; allowed: with unit = 'filter'")


def _filled_scorer(call: ScorerCall, host: Components, here: Cursor) -> ScorerCall:
    """Return the call with all parameters, and the scoring batch where the scorer needs one."""
    if call.name not in host.names("scorers"):
        (here / "scorer").unknown(call.name, "scorer", host.names("scorers"))
        return call
    component = host.get("scorers", call.name)
    if call.device not in _DEVICES:
        allowed = " or ".join(f"'{d}'" for d in _DEVICES)
        here.at("scorer", "device").problem(f"found {show(call.device)}; allowed: {allowed}")
    batch = call.batch
    if component.needs == "batch":
        batch = batch or component.batch
    elif batch is not None:
        here.at("scorer", "batch").problem(f"is given, but scorer '{call.name}' reads no data")
    parameters = filled(
        call.parameters,
        component.parameters,
        f"scorer '{call.name}'",
        here / "scorer",
    )
    return call.model_copy(update={"parameters": parameters, "batch": batch})


def _filled_regrowth(form: Form, host: Components, here: Cursor) -> ScorerCall:
    """Return the call that scores removed weights, with all parameters: on the same network and batch."""
    here = here / "regrowth"
    call = regrowth_call(form)
    filled = _filled_scorer(call, host, here)
    names = host.names("scorers")
    if form.scorer is None or form.scorer.name not in names or call.name not in names:
        return filled
    own, other = host.get("scorers", form.scorer.name), host.get("scorers", call.name)
    why = clash(own, other)
    if why:
        (here / "scorer").problem(why)
    if call.batch is not None:
        here.at("scorer", "batch").problem(
            "is given, but removed weights are scored on the scorer's own batch"
        )
    return filled.model_copy(update={"batch": None, "device": form.scorer.device})


def _donor(
    form: Form,
    allocation: Like,
    host: Components,
    here: Cursor,
    shared: Mapping[str, Any] | None,
) -> Form | None:
    """Return the form whose mask says how many weights each layer keeps."""
    here, like = here.at("allocation", "like"), allocation.like
    if isinstance(like, str) and like not in method_names(host):
        here.unknown(like, "method", method_names(host))
        return None
    base, changes = donor(form, allocation, host)
    other = changed_form(base, changes, host, here, shared)
    if other is not None and other.scorer is None:
        here.problem(f"found {show(like)}, which prunes nothing")
        return None
    if other is not None and (reason := no_counts(other, form.unit)):
        here.problem(f"found {show(like)}, which {reason}")
        return None
    # what is done to the evaluated network does not touch the mask's layers
    return other.changed(alter=()) if other is not None and other.alter else other


def fill_scorer(form: Form, host: Components) -> Form:
    """Return a form with its scorer's parameters and batch, and the method that it is like, written out.

    Raises: UsageError for unknown names and parameters.
    """
    here = Cursor(Problems())
    form = _resolved(form, host, here)
    for line in here.problems.lines:
        raise UsageError(line)
    return form
