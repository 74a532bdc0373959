"""Values for the parameters of components and recipes: known, of the right kind, spelled one way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from prunebench.errors import nearest
from prunebench.reading.cursor import Cursor
from prunebench.reading.messages import kinds_differ, translate
from prunebench.reading.slips import meant
from prunebench.reading.spelling import show
from prunebench.reading.tables import POINTS
from prunebench.training.recipe import Recipe

__all__ = ["Components", "changed_recipe", "filled", "found_recipe"]


class Components(Protocol):
    """What suites ask of the host."""

    def get(self, kind: str, name: str) -> Any:
        """Return the component of that kind and name."""

    def names(self, kind: str) -> Any:
        """Return the names of that kind."""

    def dataset(self, spelled: str) -> Any:
        """Return the data set of that name and those parameters; its name is the canonical spelling."""

    def method(self, name: str) -> Any:
        """Return the method of that name; a scorer is a method too."""

    def ablated(self, form: Any, name: str) -> Any:
        """Return the form that the ablation of that name makes of a form."""


def filled(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    who: str,
    here: Cursor,
    *,
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """Return all parameters: the defaults with what is given, numbers of the defaults' own type.

    `also` names what is allowed besides, and is looked at elsewhere.

    So 1 and 1.0 for a parameter whose default is 10.0 are one value, and one key.
    """
    values = {key: _like(default, default) for key, default in defaults.items()}
    for key, value in given.items():
        if key not in defaults:
            (here / key).problem(f"is no parameter of {who}{nearest(key, [*defaults, *also])}")
            continue
        default = defaults[key]
        kind = kinds_differ(value, default)
        if kind:
            told = f"found {show(value)}; allowed: {kind} (the default is {show(default)})"
            (here / key).problem(told + meant(value, kind))
        else:
            values[key] = _like(value, default)
    return values


def _like(value: Any, default: Any) -> Any:
    if isinstance(default, float) and isinstance(value, int):
        return float(value)
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, float):
        return int(value)
    if isinstance(value, list | tuple):
        example = default[0] if isinstance(default, list | tuple) and default else None
        same = all(kinds_differ(v, example) is None for v in value)
        return [_like(v, example) if same else v for v in value]
    return value


_SETTING = ("architecture", "dataset", "split")
"""What a cell has beside its recipe, and one network with another has in common."""

_AS_THE_RECIPE = ("recompute", "evaluate")
"""What changes nothing of how a network trains: a network of its own would be the same once more."""

_WHOLE = ("recipe", "name")
"""What would name another recipe."""

_ALSO = {"learning_rate": "lr", "learningrate": "lr", "rate": "lr", "steps": "epochs", "milestones": "drops"}
"""What parts of a recipe are called elsewhere."""


def changed_recipe(
    recipe: Recipe,
    changes: Mapping[str, Any],
    here: Cursor,
    host: Components,
    not_allowed: Collection[str] = (),
) -> Recipe | None:
    """Return a recipe with the changes at `here`, validated anew; None where there were problems.

    `not_allowed` are fields that the caller refuses, which are not listed for one that is misspelt.
    """
    before = here.noted
    known = {}
    for key, value in changes.items():
        if key == "limit":
            (here / key).problem(
                "is not a suite's to say: `prunebench run SUITE --limit N` makes a smoke run"
            )
        elif key in Recipe.model_fields:
            known[key] = value
        else:
            allowed = Recipe.model_fields.keys() - {"limit", *not_allowed}
            hint = nearest(_ALSO.get(key.replace("-", "_").lower(), key), allowed)
            (here / key).problem(f"is no part of a recipe{hint}")
    try:
        changed = recipe.changed(known)
    except ValidationError as error:
        _not_valid(error, known, here)
        return None
    values = changed.model_dump(mode="json")
    for key, value in known.items():
        kind = _kinds_differ(value, values[key])
        if kind:
            (here / key).problem(f"found {show(value)}; allowed: {kind}{meant(value, kind)}")
    if "init" in known and changed.init not in host.names("initializations"):
        (here / "init").unknown(changed.init, "initialization", host.names("initializations"))
    return changed if here.noted == before else None


def found_recipe(
    recipe: Recipe, find: Mapping[str, Any], here: Cursor, host: Components, network: Collection[str] = ()
) -> Recipe | None:
    """Return the recipe with the changes of a `find` at `here`; None where there were problems.

    `network` are parameters of the architectures, which no `find` can change: a mask fits one network.
    """
    before = here.noted
    for key in find:
        if key in _WHOLE:
            (here / key).problem(
                "another recipe cannot be named whole: a find changes single fields of the recipe; allowed: "
                "such changes, as in {lr = 0.02}"
            )
        elif key in _SETTING or (key in network and key not in Recipe.model_fields):
            what = key if key in _SETTING else f"{key} is the architecture's, and"
            (here / key).problem(
                f"cannot be changed by find: {what} is that of the network that is evaluated, which the mask "
                "has to fit; allowed: changes to the recipe"
            )
        elif key in _AS_THE_RECIPE:
            (here / key).problem("is no change of find; allowed in the recipe, which find goes by")
    trained = None if here.noted > before else changed_recipe(recipe, find, here, host, _AS_THE_RECIPE)
    if trained is None:
        return None
    last = {"drops": trained.drops[-1] if trained.drops else 0, "warmup": trained.warmup}
    for key, epoch in last.items():
        if key in find and epoch > trained.epochs:
            (here / key).problem(
                f"goes to epoch {epoch:g}, beyond the schedule under find ({trained.epochs:g} epochs)"
            )
    return trained if here.noted == before else None


def _not_valid(error: ValidationError, known: Mapping[str, Any], here: Cursor) -> None:
    """Translate, one line a key: an union of spellings has several errors and is one problem."""
    seen = set()
    for one in error.errors(include_url=False):
        key = str(one["loc"][0]) if one["loc"] else ""
        if key in seen:
            continue
        seen.add(key)
        if key == "rewind" or (key == "" and "rewind" in str(one["msg"])):
            allowed = POINTS.replace("'rewind', ", "")
            (here / "rewind").problem(f"found {show(known.get('rewind'))}; allowed: {allowed}")
        else:
            place = here / key if key else here
            place.problem(translate(one, Recipe, tuple(one["loc"])))


def _kinds_differ(given: Any, value: Any) -> str | None:
    if isinstance(given, list) and isinstance(value, list):
        wrong = (kinds_differ(g, v) for g, v in zip(given, value, strict=False))
        return next((f"a list, each {kind}" for kind in wrong if kind), None)
    if isinstance(value, dict):
        return None
    return kinds_differ(given, value)
