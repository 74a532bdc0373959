"""`prunebench show`: everything about one component or suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._kinds import Kind
from prunebench.cli._options import as_json, plugin_options

if TYPE_CHECKING:
    from prunebench.host.registry import Host
    from prunebench.training.recipe import Recipe

__all__ = ["command"]

_EPILOG = """\b
Kinds: scorer, method, architecture, dataset, ablation, recipe,
       initialization, diagnostic, quantity, form, suite, plugin (or the plural of each)
\b
Examples:
  prunebench show method synflow
  prunebench show recipe pai-lenet --json
  prunebench show suite quick
"""


@click.command("show", epilog=_EPILOG, short_help="Show everything about one of them.")
@click.argument("kind", metavar="KIND", type=Kind(plural=False))
@click.argument("name", metavar="NAME")
@plugin_options
@as_json
def command(kind: str, name: str, as_json: bool, **options: Any) -> None:
    """Show everything about the KIND called NAME: documentation, parameters, identity, origin, its fields."""
    from prunebench.cli._options import request_of
    from prunebench.cli._output import problems, say, say_json

    request = request_of(name if kind == "suites" else "", options)
    host = (request.with_suite_plugins() if kind == "suites" else request).host()
    if kind == "plugins":
        shown = _plugin(host, name)
    elif kind == "suites":
        problems(host)
        shown = _suite(host, name)
    else:
        problems(host)
        shown = _component(host, kind, name)
    if as_json:
        say_json(shown)
        return
    say(f"{shown['kind']} {shown['name']}", "bold")
    for key, value in (_in_short(shown) if kind == "suites" else shown).items():
        if key in ("kind", "name") or value in (None, "", {}, []):
            continue
        if key == "documentation":
            say()
            for line in str(value).splitlines():
                say(_clean(line))
        else:
            say()
            _block(key, value)


def _in_short(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is of a suite with a line a method, of what differs from an ordinary one.

    The whole is in JSON; sparsities are as tables print them.
    """
    from prunebench.host.form import Form
    from prunebench.percent import percent_labels

    ordinary = Form(scorer=None).model_dump(mode="json", by_alias=True, exclude_none=True)
    short: dict[str, Any] = {}
    methods: dict[str, str] = {}
    for key, value in shown.items():
        if key.startswith("method "):
            form = {name: part for name, part in value.items() if part != ordinary.get(name)}
            call = dict(form.pop("scorer", {}))
            name = call.pop("name", "")
            more = {**call.pop("parameters", {}), **call}
            more = {p: v for p, v in more.items() if v not in (None, {}) and (p, v) != ("device", "cpu")}
            scorer = f"{name} {_spell(more)}" if more else name
            methods[key.removeprefix("method ")] = ", ".join(
                [f"scorer {scorer}", *(f"{field} = {_spell(part)}" for field, part in form.items())]
            )
        elif key.startswith("matrix "):
            labels = percent_labels(value["sparsity"]).values()
            short[key] = {**value, "sparsity": ", ".join(f"{label} %" for label in labels)}
        else:
            if methods and "methods" not in short:
                short["methods"] = methods
            short[key] = value
    return short


def _block(key: str, value: Any) -> None:
    from prunebench.cli._output import say, say_rows

    if isinstance(value, Mapping):
        say(f"{key}:")
        width = max(len(str(name)) for name in value)
        for name, item in value.items():
            _wrapped(f"  {_clean(str(name)):<{width}}  ", _spell(item))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        say(f"{key}:")
        say_rows(value, list(dict.fromkeys(name for row in value for name in row)), as_json=False)
    else:
        _wrapped(f"{key}: ", _spell(value))


def _wrapped(before: str, text: str) -> None:
    """Print a value behind its name; on a terminal in lines that fit, below each other."""
    import shutil
    import sys
    import textwrap

    from prunebench.cli._output import say

    columns = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or len(before) + 24 > columns:
        say(before + text)
        return
    lines = textwrap.wrap(text, columns - len(before), break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines or [""]):
        say((before if number == 0 else " " * len(before)) + line)


def _clean(text: str) -> str:
    from prunebench.report.escapes import terminal as printable

    return printable(text)


def _spell(value: Any) -> str:
    """Return a value as a suite file would spell it, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        items = (f"{_clean(str(k))} = {_spell(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_spell(item) for item in value) + "]"
    return _clean(str(value))


def _component(host: Host, kind: str, name: str) -> dict[str, Any]:
    from prunebench.cli.list import weights_of
    from prunebench.suite.methods import fill_scorer

    component: Any = host.method(name) if kind == "methods" else host.get(kind, name)
    home = kind if name in host.names(kind) else "scorers"
    shown: dict[str, Any] = {
        "kind": component.kind,
        "name": name,
        "documentation": component.documentation,
        "origin": str(host.origin(home, name)),
    }
    if kind not in ("recipes", "methods", "ablations"):
        shown["identity"] = dict(host.identity(kind, name))
    shown["parameters"] = dict(getattr(component, "parameters", {}))
    if kind == "recipes":
        shown["fields"] = component.recipe.model_dump(mode="json", exclude_none=True)
        shown["inferred"] = list(component.inferred)
    elif kind == "methods":
        shown["form"] = fill_scorer(component.form, host).model_dump(mode="json", by_alias=True)
        if unbuilt := component.form.unbuilt():
            shown["not built yet"] = unbuilt
    elif kind == "architectures":
        if component.preset:
            shown["preset of"] = {"name": component.preset[0], **component.preset[1]}
        shown["weights"] = weights_of(component)
    elif kind == "scorers":
        needs = {"needs": component.needs, "mode": component.mode, "precision": component.precision}
        if component.needs == "batch":
            needs["batch"] = component.batch.model_dump(exclude_none=True)
        shown["scoring"] = needs
    elif kind == "datasets":
        names = ("shape", "classes", "train", "test", "mean", "std", "margin")
        shown["fields"] = {field: getattr(component, field) for field in names}
        shown["fields"]["can be downloaded"] = component.download is not None
    elif kind == "diagnostics":
        shown["measures"] = {"of": component.of}
    elif kind == "quantities":
        shown["needs"] = list(component.required)
        shown["judged by"] = component.inference
    elif kind == "forms":
        shown["columns"] = list(component.columns)
        shown["bounds"] = {c.name: f"{c.low:g} to {c.high:g}" for c in component.coefficients}
    return shown


def _plugin(host: Host, name: str) -> dict[str, Any]:
    from prunebench.cli._kinds import COMPONENTS
    from prunebench.errors import UsageError, nearest

    for origin in host.plugins:
        if name in (origin.plugin, str(origin)):
            registers = {
                kind: [n for n in host.names(kind) if host.origin(kind, n) == origin] for kind in COMPONENTS
            }
            return {
                "kind": "plugin",
                "name": origin.plugin,
                "origin": str(origin),
                "registers": {kind: names for kind, names in registers.items() if names},
            }
    for problem in host.problems:
        if name == problem.plugin:
            return {
                "kind": "plugin",
                "name": name,
                "distribution": problem.distribution,
                "version": problem.version,
                "problem": problem.error,
                "documentation": problem.traceback,
            }
    known = [origin.plugin for origin in host.plugins] + [problem.plugin for problem in host.problems]
    raise UsageError(f"there is no plugin '{name}'{nearest(name, known)}")


def _recipe(host: Host, label: str, recipe: Recipe) -> dict[str, Any]:
    """Return the fields of a suite's recipe, and which of them its source does not state."""
    fields = recipe.model_dump(mode="json", exclude_none=True)
    if label not in host.names("recipes"):
        return fields
    named = host.get("recipes", label)
    inferred = [name for name in named.inferred if getattr(recipe, name) == getattr(named.recipe, name)]
    return {**fields, "inferred": inferred} if inferred else fields


def _suite(host: Host, name: str) -> dict[str, Any]:
    from collections import Counter

    from prunebench.suite import load_suite

    suite = load_suite(name, host)
    cells = suite.cells
    matrices: dict[str, dict[str, Any]] = {}
    for cell in cells:
        shown = matrices.setdefault(cell.matrix, {"cells": 0, "axes": {}})
        shown["cells"] += 1
        ablations = cell.labels.get("ablations") or "none"
        values = {
            **{
                axis: cell.labels.get(axis, "")
                for axis in ("architecture", "dataset", "recipe", "find", "score_at")
            },
            "method": cell.labels.get("method", ""),
            "ablations": ablations,
            "sparsity": cell.sparsity,
            "seed": cell.seed,
            "split": cell.split,
            "measures": ", ".join(cell.measures),
        }
        for axis, value in values.items():
            if value != "":
                shown["axes"].setdefault(axis, Counter())[value] += 1
    shown = {
        "kind": "suite",
        "name": suite.name,
        "version": suite.version,
        "documentation": suite.description,
        "file": str(suite.path) if suite.path else None,
        "plugins": list(suite.content.get("plugins", [])),
        "digest": suite.digest,
        "cells": len(cells),
    }
    for matrix, about in matrices.items():
        axes = {axis: sorted(v) if axis == "sparsity" else list(v) for axis, v in about["axes"].items()}
        shown[f"matrix {matrix}"] = {"cells": about["cells"], **axes}
    recipes = {cell.labels.get("recipe", ""): cell.recipe for cell in cells}
    for label, recipe in recipes.items():
        shown[f"recipe {label}"] = _recipe(host, label, recipe)
    forms = {
        cell.labels.get("method", ""): cell.form
        for cell in cells
        if not cell.labels.get("ablations") and cell.form.scorer is not None
    }
    for label, form in forms.items():
        shown[f"method {label}"] = form.model_dump(mode="json", by_alias=True, exclude_none=True)
    shown["checks"] = [check.name for check in suite.checks]
    shown["baselines"] = suite.baselines.model_dump()
    shown["leaderboard"] = suite.leaderboard.model_dump(mode="json", exclude_none=True)
    return shown
