"""`prunebench export`: a finished cell's weights and mask as a file."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from prunebench.cli._options import (
    as_json,
    device_options,
    places_options,
    request_of,
    which_options,
)
from prunebench.numbers import spelled
from prunebench.percent import accuracy
from prunebench.training.kernels import kernels_in

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench plan quick --cells  # lists cells and their keys
  prunebench export methods::digits-mlp-digits-snip-d0.05-s0 --suite quick
  prunebench export --suite quick -k "methods and mlp and snip and s0" --sparsity 95 --mask
\b
Reading the file:
  from safetensors.torch import load_file
  tensors = load_file("pruned.safetensors")
  masks = {k[5:]: v for k, v in tensors.items() if k.startswith("mask.")}
  model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("mask.")})
"""


@click.command("export", epilog=_EPILOG, short_help="Write a cell's weights and mask to a file.")
@click.argument("key", metavar="[KEY]", required=False)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), help="The file.  [default: the cell's name]"
)
@click.option("--suite", metavar="SUITE", help="The suite whose matrix::cell KEY is, or of which -k selects.")
@which_options
@click.option(
    "--mask", "mask_only", is_flag=True, help="The mask alone, as it is in the store: trains nothing."
)
@click.option(
    "--format",
    "format",
    type=click.Choice(["safetensors", "pt"], case_sensitive=False),
    default="safetensors",
    show_default=True,
    help="safetensors; or pt, a dict of state_dict and mask for torch.load.",
)
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@places_options
@device_options
@as_json
def command(
    key: str | None,
    output: str | None,
    suite: str | None,
    keyword: str | None,
    sparsity: tuple[str, ...],
    mask_only: bool,
    format: str,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the weights and the mask of a finished cell to a file, or its mask alone.

    KEY is a record's key, its first six or more characters, or matrix::cell with --suite; or -k and
    --sparsity select one cell of SUITE. Weights of pruned networks are not kept after a run (unless with
    --keep-states): they are made again, which is said. Masks are kept: --mask trains nothing.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._output import complain, counted, problems, say, say_json, say_smoke
    from prunebench.engine.failures import JobFailed
    from prunebench.engine.remake import weights
    from prunebench.engine.selection import select
    from prunebench.engine.session import Session
    from prunebench.errors import DataError, SuiteError
    from prunebench.inventory.export import check_output, export, export_mask
    from prunebench.inventory.finished import find_cell, find_selected
    from prunebench.inventory.frozen import suite_name
    from prunebench.store import Store

    _check_choice(key, suite, keyword, sparsity)
    if output is not None:
        check_output(Path(output), force)
    request = request_of(suite or "", options)
    store = Store.open(request.store, create=False, write=False, mend=True)
    try:
        if key is not None:
            finished = find_cell(store, key, suite_name(suite) if suite else None)
        else:
            finished = find_selected(
                store,
                suite_name(str(suite)),
                lambda plan: select(plan, None, keyword=keyword, sparsities=sparsity),
            )
    finally:
        say_damaged(store)
    numerics = finished.record.provenance.get("numerics")
    if click.get_current_context().get_parameter_source("kernels") is ParameterSource.DEFAULT:
        request = replace(request, kernels=kernels_in(str(numerics or "")))  # those that made the record
    say_smoke(finished.record.result["cell"].get("recipe") or {})  # a key may be a smoke run's
    suffix = f"{'.mask' if mask_only else ''}.{'pt' if format == 'pt' else 'safetensors'}"
    path = Path(output) if output else Path(re.sub(r"[^\w.+-]+", "_", finished.cell.name) + suffix)
    check_output(path, force)
    kind: Any = format
    made_again, agrees = 0, True
    try:
        if mask_only:
            export_mask(finished, store, path, format=kind, force=force)
        else:
            with contextlib.suppress(SuiteError):  # the suite may have gone, its results have not
                request = request.with_suite_plugins() if suite else request
            host = request.host()
            problems(host)
            if not store.has_artifact(finished.state):
                complain(f"the weights of {finished.cell.id} were not kept: they are made again")
            made = weights(Session(request, host, finished.plan, None, finished.path), store, finished)
            made_again = made.made_again
            agrees = export(finished, made.network, made.state, path, format=kind, force=force)
    except JobFailed as error:
        if isinstance(error.__cause__, DataError):
            raise error.__cause__ from error
        complain(str(error), label="Error")
        raise click.exceptions.Exit(1) from error
    if not agrees:
        complain(
            "made again, the weights came out with other bits than the record's (another machine?)",
            label="Warning",
        )
    cell, suite_is, record = finished.cell, finished.plan.suite, finished.record
    test = record.result.get("test") or {"correct": None, "examples": None}
    kept = (record.result.get("mask") or {}).get("kept", cell.target)
    if as_json:
        weights_and_mask = ["weights", *(["mask"] if "mask" in record.result else [])]
        say_json(
            {
                "file": str(path),
                "format": format,
                "key": cell.key,
                "cell": cell.id,
                "suite": {name: suite_is.get(name) for name in ("name", "version", "digest")},
                "kept": kept,
                "prunable": cell.prunable,
                "correct": test["correct"],
                "examples": test["examples"],
                "numerics": numerics,
                "parts": ["mask"] if mask_only else weights_and_mask,
                "jobs_made_again": made_again,
                "agrees_with_record": agrees,
            }
        )
        return
    came_out = f"{spelled(accuracy(test), 'points')} %" if test["examples"] else "diverged"
    say(
        f"{path}: {cell.id} of suite {suite_is['name']} {suite_is['version']}, record {cell.key[:12]}, "
        f"{kept:,} of {cell.prunable:,} weights kept, {came_out}, {numerics}"
        + (f"; {counted(made_again, 'job')} made again" if made_again else "")
    )


def _check_choice(key: str | None, suite: str | None, keyword: str | None, sparsity: tuple[str, ...]) -> None:
    """Refuse what does not say which cell. Raises: UsageError."""
    from prunebench.errors import UsageError

    chosen = keyword is not None or bool(sparsity)
    if key is not None and chosen:
        raise UsageError("KEY, or -k and --sparsity: give one of them")
    if key is None and not (suite and chosen):
        raise UsageError("say which cell: KEY, or --suite SUITE with -k EXPR and --sparsity S")
