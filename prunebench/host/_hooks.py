"""What a plugin may register: its hooks are checked, then called, then what they return is checked."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pluggy

from prunebench.errors import nearest
from prunebench.host import functional, hookspecs
from prunebench.host.components import KINDS, Component, Dataset, FunctionalForm, Quantity
from prunebench.host.datasets import EXAMPLES
from prunebench.host.form import Form
from prunebench.host.hookspecs import PROJECT
from prunebench.training.recipe import Recipe
from prunebench.training.tasks import TASKS

__all__ = ["HOOKS", "Refused", "collect", "new_manager"]

HOOKS: dict[str, type[Component]] = {f"{PROJECT}_{kind}": component for kind, component in KINDS.items()}
"""Every hook and what it returns a list of."""

_AXES = ("sparsity", "score_at")  # as prunebench.checks.axes: neither of these packages imports the other
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


class Refused(Exception):
    """A plugin that was imported and registers something that is not allowed; the text says what."""


def new_manager() -> pluggy.PluginManager:
    """Return a plugin manager that knows the hooks and no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def collect(manager: pluggy.PluginManager, plugin: object, name: str) -> list[Component]:
    """Register a plugin and return its components, checked; it stays registered only if all are right.

    Raises: Refused, or what a hook of the plugin raises.
    """
    _check_spelling(manager, plugin)
    try:
        manager.register(plugin, name)
    except ValueError as error:
        raise Refused(f"the same object is a plugin already ({error})") from error
    except pluggy.PluginValidationError as error:
        raise Refused(f"a hook takes other arguments than it may: {' '.join(str(error).split())}") from error
    try:
        components: list[Component] = []
        for hook, kind in HOOKS.items():
            for implementation in getattr(manager.hook, hook).get_hookimpls():
                if implementation.plugin is plugin:  # called by itself: pluggy's own call drops a None
                    components += _checked(hook, kind, implementation.function())
        _check_twice(components)
    except BaseException:
        manager.unregister(plugin)
        raise
    return components


def _check_spelling(manager: pluggy.PluginManager, plugin: object) -> None:
    """Refuse hooks that would never be called: misspelt ones, and ones without the decorator."""
    for name in dir(plugin):
        member = getattr(plugin, name, None)
        if not inspect.isroutine(member):
            continue
        marked = manager.parse_hookimpl_opts(plugin, name)
        if marked is None:
            if name in HOOKS:
                raise Refused(f"{name} is not marked as a hook: put @{PROJECT}.hookimpl above it")
            if name.startswith(f"{PROJECT}_"):
                raise Refused(f"{name} is no hook{nearest(name, HOOKS)}")
            continue
        hook = marked.get("specname") or name
        if hook not in HOOKS:
            raise Refused(f"{hook} is no hook{nearest(hook, HOOKS)}")
        if marked.get("wrapper") or marked.get("hookwrapper"):
            raise Refused(f"{hook} wraps other plugins' hooks: return components of your own instead")


def _checked(hook: str, kind: type[Component], answer: object) -> list[Component]:
    """Check what one hook returned."""
    wanted = f"a list of prunebench.{kind.__name__} is wanted"
    if not isinstance(answer, list | tuple):
        raise Refused(f"{hook} returned {_a(answer)}: {wanted}")
    for item in answer:
        if not isinstance(item, kind):
            raise Refused(f"{hook} returned a list with {_a(item)} in it: {wanted}")
        name: object = item.name
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(
                f"{hook} returned a {kind.kind} named {name!r}: a name is letters, digits, '-', '_' and '.', "
                "and starts with a letter or digit"
            )
        for fault in _faults(item):
            raise Refused(f"{kind.kind} {name!r}: {fault}")
    return list(answer)


def _a(value: object) -> str:
    if value is None:
        return "None (is a `return` missing?)"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    return f"a value of type {type(value).__name__}"


def _faults(component: Component) -> Iterator[str]:
    """Yield what is wrong with a component's fields, as far as this shows without running it."""
    hints = _hints(type(component))  # type: ignore[arg-type]  # it is the class that is hashed
    for field in dataclasses.fields(component):
        value, hint = getattr(component, field.name), hints[field.name]
        if get_origin(hint) is Literal and value not in get_args(hint):
            yield f"{field.name} = {value!r}{nearest(str(value), map(str, get_args(hint)))}"
        elif hint is str and not isinstance(value, str):
            yield f"{field.name} must be a string, found {value!r}"
        elif isinstance(hint, type) and issubclass(hint, Form | Recipe) and not isinstance(value, hint):
            yield f"{field.name} must be a prunebench.{hint.__name__}, found {_a(value)}"
    if not callable(component.source):
        yield f"a function is wanted, found {_a(component.source)}"
    version = getattr(component, "version", None)
    if version is not None and (not isinstance(version, str) or not version):
        yield f"version must be a string that is not empty, found {version!r}"
    depends = getattr(component, "depends", ())
    if not isinstance(depends, tuple | list) or not all(isinstance(name, str) for name in depends):
        yield f"depends must be a tuple of distributions' names, found {depends!r}"
    yield from _preset_faults(getattr(component, "preset", None))
    if isinstance(component, Dataset):
        yield from _dataset_faults(component)
    if isinstance(component, Quantity) and callable(component.function):
        yield from _quantity_faults(component)
    if isinstance(component, FunctionalForm):
        yield from functional.faults(component)


@cache
def _hints(kind: type[Component]) -> dict[str, Any]:
    """Return the types of a kind's fields; torch is not imported for those that it only names."""
    stand_in = SimpleNamespace(Tensor=Any, Module=Any)
    return get_type_hints(kind, localns={"torch": stand_in, "nn": stand_in, "Path": Path, "Product": Any})


def _preset_faults(preset: object) -> Iterator[str]:
    if preset is None:
        return
    match preset:
        case (str(), Mapping()):
            return
        case _:
            yield f"preset must be (name of an architecture, its parameters), found {preset!r}"


def _dataset_faults(dataset: Dataset) -> Iterator[str]:
    if isinstance(dataset.task, str) and dataset.task not in TASKS:
        yield f"task = {dataset.task!r}{nearest(dataset.task, TASKS)}"
    shape = dataset.shape
    if not (
        isinstance(shape, tuple) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)
    ):
        yield f"shape must be (channels, height, width), found {shape!r}"
        return
    for name in ("mean", "std"):
        values = getattr(dataset, name)
        if values is not None and (not isinstance(values, tuple) or len(values) != shape[0]):
            yield f"{name} must have one number for each of the {shape[0]} channels, found {values!r}"
    if (dataset.mean is None) != (dataset.std is None):
        yield "mean and std are given both or neither"
    if EXAMPLES in dataset.parameters or dataset.examples is not None:
        yield f"'{EXAMPLES}' is every data set's: prunebench draws a part of the training examples itself"
    if dataset.stream and dataset.fingerprint is None:
        yield "a data set that streams needs a fingerprint: its tensors cannot be hashed"


def _quantity_faults(quantity: Quantity) -> Iterator[str]:
    parameters = {*quantity.parameters, *quantity.required}
    none = "is no keyword-only parameter of the function"
    if quantity.axis not in ("", *_AXES, *parameters):
        hint = nearest(quantity.axis, {*_AXES, *parameters})
        yield f"axis = {quantity.axis!r} {none}, nor what a curve can be read along{hint}"
    for key in ("field", "fields"):
        if (name := getattr(quantity, key)) and name not in parameters:
            yield f"{key} = {name!r} {none}{nearest(name, parameters)}"
    if quantity.field and quantity.fields:
        yield "field and fields are both given; allowed: one of them"
    selections: Any = quantity.selections
    if not isinstance(selections, tuple | list):
        yield f"selections must be a tuple of parameters' names, found {selections!r}"
    else:
        for name in selections:
            if name not in parameters:
                hint = nearest(name, parameters) if isinstance(name, str) else ""
                yield f"selections has {name!r}, which {none}{hint}"
    if quantity.points not in (True, False):
        yield f"points must be True or False, found {quantity.points!r}"
    tests: Any = quantity.tests
    if tests is not None and quantity.inference != "curve":
        yield f"tests are of mean curves: inference must be 'curve', found {quantity.inference!r}"
    elif tests is not None and not callable(tests):
        yield f"tests must be a function, found {tests!r}"


def _check_twice(components: list[Component]) -> None:
    seen: set[tuple[str, str]] = set()
    for component in components:
        key = (component.kind, component.name)
        if key in seen:
            raise Refused(f"it registers the {component.kind} {component.name!r} twice")
        seen.add(key)
