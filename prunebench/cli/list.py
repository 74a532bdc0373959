"""`prunebench list`: what there is of a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._kinds import Kind
from prunebench.cli._options import as_json, plugin_options

if TYPE_CHECKING:
    from prunebench.host.registry import Host

__all__ = ["command"]

_EPILOG = """\b
Kinds: scorers, methods, architectures, datasets, ablations, recipes,
       initializations, diagnostics, quantities, forms, suites, plugins
\b
Examples:
  prunebench list methods
  prunebench list scorers --plugin mine.py
  prunebench list plugins --json
"""

INPUTS = {
    "MNIST": ((1, 28, 28), 10),
    "CIFAR-10": ((3, 32, 32), 10),
    "CIFAR-100": ((3, 32, 32), 100),
    "TinyImageNet": ((3, 64, 64), 200),
    "MiniPlaces": ((3, 128, 128), 100),
    "ImageNet": ((3, 224, 224), 1000),
}
"""Inputs and classes for which an architecture's weights are counted, beside those that it was made for."""


@click.command("list", epilog=_EPILOG, short_help="List scorers, methods, data sets, suites, …")
@click.argument("kind", metavar="KIND", type=Kind(plural=True))
@plugin_options
@as_json
def command(kind: str, as_json: bool, **options: Any) -> None:
    """List what there is of a KIND: name, summary, parameters, where it comes from.

    `prunebench show KIND NAME` tells everything about one of them.
    """
    from prunebench.cli._output import problems, say_rows

    if kind == "suites":
        say_rows(
            _suites(), ["name", "version", "description"], as_json=as_json, kind=kind, shrink=["description"]
        )
        return
    from prunebench.cli._options import request_of

    host = request_of("", options).host()
    if kind == "plugins":
        rows = _plugins(host)
        columns = ["plugin", "distribution", "version", "problem"]
        say_rows(rows, columns, as_json=as_json, kind=kind, shrink=["problem"])
        return
    problems(host)
    rows = components(host, kind)
    if as_json:
        say_rows(rows, ["name", "summary", "parameters", "origin"], as_json=True, kind=kind)
        return
    own = {row["distribution"] for row in rows} == {"prunebench"}
    for row in rows:  # the distribution alone: the whole origin is for programs and `show`
        row["origin"] = " ".join(filter(None, (row["distribution"], row["version"]))) or row["plugin"]
    if kind == "architectures":
        columns = ["name", "input", "prunable", "total", "parameters", "summary"]  # numbers first
        for row in rows:
            for name in ("prunable", "total"):
                row[name] = row[name] and _Grouped(row[name])
    elif kind == "forms":
        columns = ["name", "coefficients", "summary"]
        for row in rows:
            row["coefficients"] = ", ".join(row["parameters"])
    else:
        columns = ["name", "summary", *(["parameters"] if _any(rows, "parameters") else [])]
    columns += [] if own else ["origin"]  # only where it says something
    say_rows(rows, columns, as_json=False, shrink=["summary", "parameters", "origin"])


def _any(rows: list[dict[str, Any]], name: str) -> bool:
    return any(row.get(name) for row in rows)


class _Grouped(int):
    """A count that is printed with its thousands apart."""

    def __str__(self) -> str:
        return f"{int(self):,}"


def _suites() -> list[dict[str, Any]]:
    """Return the shipped suites, from their files alone."""
    import tomllib

    from prunebench.shipped import shipped_suites

    rows = []
    for name, path in sorted(shipped_suites().items()):
        content = tomllib.loads(path.read_text("utf-8"))
        lines = str(content.get("description", "")).strip().splitlines()
        rows.append(
            {
                "name": name,
                "version": content.get("version"),
                "description": lines[0] + (" …" if len(lines) > 1 else "") if lines else "",
            }
        )
    return rows


def _plugins(host: Host) -> list[dict[str, Any]]:
    loaded = [
        {"plugin": p.plugin, "distribution": p.distribution, "version": p.version, "problem": None}
        for p in host.plugins
    ]
    failed = [
        {"plugin": p.plugin, "distribution": p.distribution, "version": p.version, "problem": p.error}
        for p in host.problems
    ]
    return loaded + failed


def components(host: Host, kind: str) -> list[dict[str, Any]]:
    """Return a row for each component of a kind; scorers are among the methods."""
    names = host.method_names() if kind == "methods" else host.names(kind)
    rows = []
    for name in names:
        component = host.method(name) if kind == "methods" else host.get(kind, name)
        home = kind if name in host.names(kind) else "scorers"
        origin = host.origin(home, name)
        row: dict[str, Any] = {
            "name": name,
            "summary": component.summary,
            "parameters": dict(getattr(component, "parameters", {})),
            "origin": str(origin),
            "distribution": origin.distribution,
            "version": origin.version,
            "plugin": origin.plugin,
        }
        if kind == "architectures":
            row |= _counted(component)
        rows.append(row)
    return rows


def _counted(architecture: Any) -> dict[str, Any]:
    """Return a row's fields about weights, for the input that the architecture was made for."""
    counts = _weights(architecture, *architecture.made_for)
    return {
        "input": _spelled(architecture.made_for),
        "prunable": counts and counts["prunable"],
        "total": counts and counts["total"],
    }


def weights_of(architecture: Any) -> dict[str, dict[str, int]]:
    """Return an architecture's numbers of prunable weights and of all parameters, by input.

    The input that it was made for comes first, then the usual ones; those that its defaults do not take are
    left out. Nothing is allocated.
    """
    inputs = {_spelled(architecture.made_for): architecture.made_for, **INPUTS}
    weights = {name: _weights(architecture, *given) for name, given in inputs.items()}
    return {name: counts for name, counts in weights.items() if counts}


def _spelled(given: tuple[tuple[int, int, int], int]) -> str:
    """Return the usual name of an input, or its shape and classes."""
    for name, usual in INPUTS.items():
        if (tuple(given[0]), given[1]) == usual:
            return name
    return f"{'×'.join(map(str, given[0]))}, {given[1]} classes"


def _weights(architecture: Any, shape: tuple[int, int, int], classes: int) -> dict[str, int] | None:
    import torch

    from prunebench.pruning.prunable import prunable_weights

    try:
        with torch.device("meta"):
            module = architecture.build(shape, classes, **architecture.parameters)
        prunable = sum(weight.numel() for weight in prunable_weights(module).values())
    except Exception:  # a network may want another input
        return None
    return {"prunable": prunable, "total": sum(parameter.numel() for parameter in module.parameters())}
