"""`prunebench export`: a finished cell's weights and mask as a file."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import click

from prunebench.cli._options import (
    as_json,
    data_option,
    device_options,
    plugin_options,
    request_of,
    store_option,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench plan quick --cells                   lists cells and their keys
  prunebench export 3f9a01c2 -o pruned.safetensors
  prunebench export main::lenet-300-100-digits-snip-d0.1-s0 --suite quick
\b
Reading the file:
  from safetensors.torch import load_file
  tensors = load_file("pruned.safetensors")
  masks = {k[5:]: v for k, v in tensors.items() if k.startswith("mask.")}
  model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("mask.")})
"""


@click.command("export", epilog=_EPILOG, short_help="Write a cell's weights and mask to a file.")
@click.argument("key", metavar="KEY")
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), help="The file.  [default: the cell's name]"
)
@click.option("--suite", metavar="SUITE", help="The suite whose matrix::cell KEY is.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["safetensors", "pt"]),
    default="safetensors",
    show_default=True,
    help="safetensors; or pt, a dict of state_dict and mask for torch.load.",
)
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@store_option
@data_option
@plugin_options
@device_options
@as_json
def command(
    key: str,
    output: str | None,
    suite: str | None,
    format: str,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the weights and the mask of a finished cell to a file.

    KEY is a record's key, its first six or more characters, or matrix::cell with --suite. Weights of
    pruned networks are not kept after a run (unless with --keep-states): they are made again, which is said.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._output import complain, counted, problems, say, say_json
    from prunebench.engine.export import JobFailed, export, find_cell
    from prunebench.engine.frozen import suite_name
    from prunebench.errors import DataError, SuiteError, UsageError
    from prunebench.store import Store

    request = request_of(suite or "", options)
    store = Store.open(request.store, create=False, write=False, mend=True)
    try:
        found = find_cell(store, key, suite_name(suite) if suite else None)
    finally:
        say_damaged(store)
    suffix = ".pt" if format == "pt" else ".safetensors"
    path = Path(output) if output else Path(re.sub(r"[^\w.+-]+", "_", found.cell.name) + suffix)
    if path.exists() and not force:
        raise UsageError(f"{path} exists: give another name with -o FILE, or --force to replace it")
    with contextlib.suppress(SuiteError):  # the suite may have gone, its results have not
        request = request.with_suite_plugins() if suite else request
    host = request.host()
    problems(host)
    if not store.has_artifact(found.state):
        complain(f"the weights of {found.cell.id} were not kept: they are made again")
    try:
        done = export(found, store, request, host, path, format=format, force=force)  # type: ignore[arg-type]
    except JobFailed as error:
        if isinstance(error.__cause__, DataError):
            raise error.__cause__ from error
        complain(str(error), label="Error")
        raise click.exceptions.Exit(1) from error
    if not done.agrees:
        complain(
            "made again, the weights came out with other bits than the record's (another machine?)",
            label="Warning",
        )
    test = found.record.result["test"]
    numerics = found.record.provenance.get("numerics")
    about = {
        "file": str(path),
        "format": format,
        "key": found.cell.key,
        "cell": found.cell.id,
        "suite": {name: found.plan.suite.get(name) for name in ("name", "version", "digest")},
        "kept": found.cell.kept,
        "prunable": found.cell.prunable,
        "correct": test["correct"],
        "examples": test["examples"],
        "numerics": numerics,
        "jobs_made_again": done.made_again,
        "agrees_with_record": done.agrees,
    }
    if as_json:
        say_json(about)
        return
    accuracy = 100 * test["correct"] / test["examples"]
    say(
        f"{path}: {found.cell.id} of suite {found.plan.suite['name']} {found.plan.suite['version']}, "
        f"record {found.cell.key[:12]}, {found.cell.kept:,} of {found.cell.prunable:,} weights kept, "
        f"{accuracy:.2f} %, {numerics}"
        + (f"; {counted(done.made_again, 'job')} made again" if done.made_again else "")
    )
