"""Options that commands share, and the request that they amount to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from prunebench.amounts import parse_bytes
from prunebench.cli._times import Length
from prunebench.errors import UsageError
from prunebench.training.kernels import KERNELS

if TYPE_CHECKING:
    from prunebench.engine.request import Request

__all__ = [
    "Size",
    "as_json",
    "data_option",
    "device_options",
    "format_of",
    "format_option",
    "host_of",
    "keyword_option",
    "limits_options",
    "output_option",
    "places_options",
    "planning_options",
    "plugin_options",
    "reading_options",
    "request_of",
    "selection_options",
    "store_option",
    "suite_argument",
    "which_options",
    "workers_option",
]

F = TypeVar("F", bound=Callable[..., Any])


def _complete_suite(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete shipped suites by name, other suites as files; imports no torch."""
    from prunebench.shipped import shipped_suites

    names = [CompletionItem(name, help="shipped") for name in shipped_suites() if name.startswith(incomplete)]
    folder, _, start = incomplete.rpartition("/")
    try:
        paths = sorted(Path(folder or ("/" if incomplete.startswith("/") else ".")).iterdir())
    except OSError:
        paths = []
    prefix = incomplete[: len(incomplete) - len(start)]
    for path in paths:
        if path.name.startswith(start) and (
            path.suffix == ".toml" or (path.is_dir() and path.name[0] != ".")
        ):
            names.append(CompletionItem(prefix + path.name + ("/" if path.is_dir() else "")))
    return names


def suite_argument(function: F) -> F:
    """SUITE: the name of a shipped suite, or a file."""
    return click.argument("suite", metavar="SUITE", shell_complete=_complete_suite)(function)


def store_option(function: F) -> F:
    """--store."""
    return click.option(
        "--store",
        metavar="DIR",
        type=click.Path(),
        help="Where results are kept.  [default: PRUNEBENCH_STORE, else .prunebench]",
    )(function)


def data_option(function: F) -> F:
    """--data."""
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(),
        help="Where data sets are.  [default: PRUNEBENCH_DATA, else the user's cache folder]",
    )(function)


def plugin_options(function: F) -> F:
    """--plugin, --no-plugins, --load."""
    for option in (
        click.option(
            "--load", metavar="NAME", multiple=True, help="Load only this third-party plugin; repeatable."
        ),
        click.option("--no-plugins", is_flag=True, help="Load no third-party plugins."),
        click.option(
            "--plugin",
            metavar="FILE",
            multiple=True,
            type=click.Path(),
            help="Load a plugin from a Python file; repeatable.",
        ),
    ):
        function = option(function)
    return function


def places_options(function: F) -> F:
    """--store, --data, and the plugins: where everything is."""
    return store_option(data_option(plugin_options(function)))


def reading_options(function: F) -> F:
    """What every command takes that shows what is there of a suite: which plan, where it all is, --json."""
    return planning_options(places_options(as_json(function)))


def format_option(*formats: str, help: str) -> Callable[[F], F]:
    """--format, of which md is the first; with `as_json` see `format_of`."""
    choice = click.Choice(["md", *formats], case_sensitive=False)
    return click.option("--format", "format", type=choice, default=None, help=f"{help}  [default: md]")


def format_of(format: str | None, as_json: bool) -> str:
    """Return the format that --format and --json ask for. Raises: UsageError where they differ."""
    if as_json and format not in (None, "json"):
        raise UsageError(f"--json and --format {format}: give one of them")
    return "json" if as_json else format or "md"


def output_option(help: str = "Write to FILE, not to standard output.", *names: str) -> Callable[[F], F]:
    """-o, --output, and perhaps other names."""
    return click.option("-o", "--output", *names, "output", metavar="FILE", type=click.Path(), help=help)


def planning_options(function: F) -> F:
    """--scorer, --seeds, --limit: what is planned."""
    for option in (
        click.option(
            "--limit",
            metavar="N",
            type=click.IntRange(min=1),
            help="A smoke run: train and evaluate on N examples at most.",
        ),
        click.option("--seeds", metavar="N", type=click.IntRange(min=1), help="N seeds: 0 to N-1."),
        click.option(
            "--scorer",
            metavar="NAME",
            multiple=True,
            help="Add this method or scorer to every matrix; repeatable.",
        ),
    ):
        function = option(function)
    return function


def keyword_option(function: F) -> F:
    """-k: which of the planned cells."""
    return click.option(
        "-k", "keyword", metavar="EXPR", help="Only cells that match, as 'snip and not shuffle'."
    )(function)


def which_options(function: F) -> F:
    """-k, --sparsity: which of the planned cells."""
    sparsity = click.option(
        "--sparsity",
        metavar="S",
        multiple=True,
        help="Only cells of this sparsity, as tables print it: 98.6, '95 %', or 0.95; repeatable.",
    )
    return keyword_option(sparsity(function))


def selection_options(function: F) -> F:
    """-k, --sparsity, --lf, and what is planned: which cells."""
    function = planning_options(function)
    function = click.option(
        "--lf", is_flag=True, help="Only the cells that failed last time (all, if none did)."
    )(function)
    return which_options(function)


if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:  # not generic before click 8.5
    _Text = click.ParamType


class _Device(_Text):
    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from prunebench.engine.devices.device import parse_device

        return parse_device(str(value))


if TYPE_CHECKING:
    _Bytes = click.ParamType[int]
else:
    _Bytes = click.ParamType

SMALL, FORGOTTEN = 64 << 20, ", as a number alone is bytes"
"""No GPU has fewer bytes of memory: a unit was forgotten."""


class Size(_Bytes):
    """The memory of a GPU in bytes, as 80GiB or "24 GB"."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes that a text means."""
        if isinstance(value, int):
            return value
        return parse_bytes(str(value), param.opts[0] if param else "a size", least=SMALL, because=FORGOTTEN)


def device_options(function: F) -> F:
    """--device, --threads, --kernels."""
    for option in (
        click.option(
            "--kernels",
            metavar="KIND",
            type=click.Choice(KERNELS),
            default="dense",
            show_default=True,
            help="dense; or sparse: on a CPU linear layers of few weights compute with these alone. Quicker, "
            "of other bits: a numerics class.",
        ),
        click.option(
            "--threads",
            metavar="N",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Threads a job.",
        ),
        click.option(
            "--device",
            metavar="D",
            type=_Device(),
            default="auto",
            show_default=True,
            help="cpu, cuda or cuda:N; auto: a GPU where there is one.",
        ),
    ):
        function = option(function)
    return function


def limits_options(function: F) -> F:
    """--job-timeout, --memory-limit."""
    for option in (
        click.option(
            "--memory-limit",
            metavar="SIZE",
            type=_Memory(),
            default="auto",
            show_default=True,
            help="Memory that a worker may take: 8GiB; auto: its share, once all runs out; none.",
        ),
        click.option(
            "--job-timeout",
            metavar="TIME",
            type=Length(alone="s"),
            help="A job that shows no sign of life for so long has failed: seconds, or 30m, 2h.",
        ),
    ):
        function = option(function)
    return function


class _Memory(_Text):
    name = "memory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from prunebench.engine.guarding.limits import parse_memory

        return value if isinstance(value, int) else parse_memory(str(value), "--memory-limit")


class _Workers(_Text):
    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if text != "auto" and not (text.isdecimal() and int(text) >= 1):
            self.fail(f"found '{text}', allowed: a number of at least 1, or auto", param, ctx)
        return text


def workers_option(function: F) -> F:
    """-n, --workers-per-gpu, --gpus-per-worker."""
    for option in (
        click.option(
            "--gpus-per-worker",
            metavar="K",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="GPUs of each process, for recipes with devices = K.",
        ),
        click.option(
            "--workers-per-gpu",
            metavar="N",
            type=_Workers(),
            default="1",
            show_default=True,
            help="Processes that share a GPU, or auto: as many as it has room for and use of.",
        ),
        click.option(
            "-n",
            "--workers",
            "workers",
            metavar="N",
            type=_Workers(),
            help="Work with N processes, or auto: one a GPU, or one a core where none is used.",
        ),
    ):
        function = option(function)
    return function


def as_json(function: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


def host_of(suite: str, options: Mapping[str, Any]) -> Callable[[], Any]:
    """Return what loads the plugins that a command asks for, with those that the suite names."""
    return lambda: request_of(suite, dict(options)).with_suite_plugins().host()


def request_of(suite: str, options: dict[str, Any]) -> Request:
    """Return the request that the shared options amount to; what a command lacks keeps its default."""
    from prunebench.engine.defaults import data_root, store_root
    from prunebench.engine.request import Request

    if options.get("no_plugins") and options.get("load"):
        raise UsageError("--no-plugins loads no third-party plugins, --load names some: give one of them")
    return Request(
        suite=suite,
        store=str(store_root(options.get("store"))),
        data=str(data_root(options.get("data"))),
        plugins=tuple(str(Path(p).expanduser().absolute()) for p in options.get("plugin", ())),
        third_party=not options.get("no_plugins", False),
        load=tuple(options["load"]) if options.get("load") else None,
        scorers=tuple(options.get("scorer", ())),
        seeds=options.get("seeds"),
        limit=options.get("limit"),
        sparsities=tuple(options.get("sparsity", ())),
        device=_device(options),
        threads=options.get("threads", 1),
        kernels=options.get("kernels", "dense"),
        keep_states=options.get("keep_states", False),
        job_timeout=options.get("job_timeout"),
        memory_limit=options.get("memory_limit", "auto"),
    )


def _device(options: Mapping[str, Any]) -> str:
    """Return the device to work on; where cells are made elsewhere, "auto" is for whoever makes them."""
    from prunebench.engine.devices.device import resolve_device

    device = str(options.get("device", "cpu"))
    return device if options.get("engine", "local") != "local" else resolve_device(device)
