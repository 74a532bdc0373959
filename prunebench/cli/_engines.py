"""`--engine`, and the options that belong to one engine alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from prunebench.cli._ray_options import RAY_OPTIONS
from prunebench.cli._slurm_options import SLURM_OPTIONS
from prunebench.engine.fronts import ENGINES, front_of
from prunebench.errors import UsageError

if TYPE_CHECKING:
    from prunebench.engine.fronts import Front

__all__ = ["OPTIONS", "chosen_front", "engine_options"]

F = TypeVar("F", bound=Callable[..., Any])

_SHARED = ("workers", "device", "threads", "gpus_per_worker", "workers_per_gpu")
"""The options that every engine is told."""

OPTIONS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "slurm": SLURM_OPTIONS,
    "ray": RAY_OPTIONS,
}
"""The options of each engine that only it takes, in the order of the help."""


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=engine.does)
        for name, engine in ENGINES.items()
        if name.startswith(incomplete)
    ]


def engine_options(function: F) -> F:
    """--engine, and what only one of the engines takes."""
    for option in reversed(list(dict.fromkeys(option for options in OPTIONS.values() for option in options))):
        function = option(function)
    return click.option(
        "--engine",
        metavar="NAME",
        default="local",
        show_default=True,
        shell_complete=_complete,
        help="Where cells are made: " + ", ".join(f"{name} ({e.does})" for name, e in ENGINES.items()) + ".",
    )(function)


def chosen_front(ctx: click.Context, options: Mapping[str, Any]) -> Front | None:
    """Return the front that --engine names, with its options; None where cells are made here.

    Raises: UsageError for an engine that there is not or that lacks its extra, for values that it does not
    take, and for an option of another engine.
    """
    engine: str = options["engine"]
    own = [str(parameter.name) for parameter in _parameters(engine)]
    front = front_of(engine, {name: options[name] for name in (*own, *_SHARED) if name in options})
    for name, (flag, engines) in _belonging().items():
        if engine not in engines and ctx.get_parameter_source(name) not in (None, ParameterSource.DEFAULT):
            raise UsageError(
                f"{flag} belongs to --engine {' or '.join(engines)}, and the engine is {engine}: "
                f"add --engine {engines[0]}, or leave {flag} out"
            )
    return front


def _belonging() -> dict[str, tuple[str, list[str]]]:
    """Return, for each option that only some engines take, how a user spells it, and which these are."""
    belonging: dict[str, tuple[str, list[str]]] = {}
    for engine in OPTIONS:
        for parameter in _parameters(engine):
            belonging.setdefault(str(parameter.name), (parameter.opts[0], []))[1].append(engine)
    return belonging


def _parameters(engine: str) -> list[click.Parameter]:
    """Return the options that belong to an engine."""

    def none() -> None: ...

    for option in reversed(OPTIONS.get(engine, ())):
        option(none)
    parameters: list[click.Parameter] = getattr(none, "__click_params__", [])
    return parameters[::-1]
