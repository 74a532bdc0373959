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
       initializations, diagnostics, suites, plugins
\b
Examples:
  prunebench list methods
  prunebench list scorers --plugin mine.py
  prunebench list plugins --json
"""

SHAPES = {"MNIST": (1, 28, 28), "CIFAR-10": (3, 32, 32)}
"""Inputs for which an architecture's weights are counted, with ten classes."""


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
        say_rows(_suites(), ["name", "version", "description"], as_json=as_json, shrink="description")
        return
    from prunebench.cli._options import request_of

    host = request_of("", options).host()
    if kind == "plugins":
        rows = _plugins(host)
        say_rows(rows, ["plugin", "distribution", "version", "problem"], as_json=as_json)
        return
    problems(host)
    rows = components(host, kind)
    columns = [
        name for name in ("name", "summary", "parameters", *_weights(kind), "origin") if _any(rows, name)
    ]
    if as_json:
        say_rows(rows, ["name", "summary", "parameters", *_weights(kind), "origin"], as_json=True)
        return
    for row in rows:  # the distribution alone: the whole origin is for programs and `show`
        row["origin"] = " ".join(filter(None, (row["distribution"], row["version"]))) or row["plugin"]
    say_rows(rows, columns, as_json=False, shrink="summary")


def _any(rows: list[dict[str, Any]], name: str) -> bool:
    return name in ("name", "summary", "origin") or any(row.get(name) for row in rows)


def _weights(kind: str) -> list[str]:
    return [f"prunable, {name}" for name in SHAPES] if kind == "architectures" else []


def _suites() -> list[dict[str, Any]]:
    """Return the shipped suites, from their files alone."""
    import tomllib

    from prunebench.suite import shipped_suites

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
            row |= {
                f"prunable, {data}": counts and counts["prunable"]
                for data, counts in weights_of(component).items()
            }
        rows.append(row)
    return rows


def weights_of(architecture: Any) -> dict[str, dict[str, int] | None]:
    """Return an architecture's numbers of prunable weights and of all parameters.

    For usual inputs; None where its defaults do not take such an input. Nothing is allocated.
    """
    import torch

    from prunebench.pruning.prunable import prunable_weights

    found: dict[str, dict[str, int] | None] = {}
    for name, shape in SHAPES.items():
        try:
            with torch.device("meta"):
                module = architecture.build(shape, 10, **architecture.parameters)
            prunable = sum(weight.numel() for weight in prunable_weights(module).values())
        except Exception:  # a network may want another input
            found[name] = None
        else:
            total = sum(parameter.numel() for parameter in module.parameters())
            found[name] = {"prunable": prunable, "total": total}
    return found
