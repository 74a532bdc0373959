"""`prunebench judge`: what kind of method is this?"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from prunebench.cli._options import (
    as_json,
    device_options,
    output_option,
    places_options,
    suite_argument,
    which_options,
    workers_option,
)
from prunebench.cli._supervise import supervised

if TYPE_CHECKING:
    from prunebench.engine.request import Request
    from prunebench.host.registry import Host
    from prunebench.plan import Plan
    from prunebench.report.portrait import Portrait

__all__ = ["command"]

SEEDS = 5

_EPILOG = """\b
Examples:
  prunebench judge quick --scorer snip
  prunebench judge quick --plugin mine.py --scorer mine -n 2
  prunebench judge pai-lenet --scorer synflow --sparsity 86.6 --no-run   # what is there of it
"""


@click.command("judge", epilog=_EPILOG, short_help="Find out what kind of method a scorer is.")
@suite_argument
@click.option("--scorer", metavar="NAME", required=True, help="The scorer or method that is judged.")
@click.option(
    "--seeds",
    metavar="N",
    type=click.IntRange(min=1),
    default=SEEDS,
    show_default=True,
    help="N seeds: 0 to N-1.",
)
@click.option("--no-run", is_flag=True, help="Run nothing: answer from what is there, and list what is not.")
@click.option("-q", "--quiet", is_flag=True, help="No line a cell.")
@output_option("Write the page to FILE.")
@which_options
@workers_option
@places_options
@device_options
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    scorer: str,
    no_run: bool,
    quiet: bool,
    output: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Ask what kind of method NAME is, with the networks, data and sparsities of SUITE.

    Is it above random pruning? Does it matter which weights it keeps (shuffle), their initial values
    (reinit), the order of its scores (invert)? Does another scoring batch change it? Does it disconnect
    weights or empty layers? How near does it come to magnitude pruning after training, and to lottery-ticket
    rewinding?

    What that takes is run, unless it is there already: the cells are those of a suite that is written into
    the store (judged/NAME.toml). With `quick` it is a few minutes and no download. Exits with 0 when every
    answer has its cells, with 1 when some are not there.
    """
    work = None if no_run else supervised(display=True)
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._output import deliver
    from prunebench.report.portrayed import portrayed

    judged = _judged(suite, scorer, options)
    if not no_run:
        code = _run(ctx, judged, quiet, options)
        if code not in (0, 1):
            if work is not None:
                work.end_at_once(code)
            ctx.exit(code)
    portrait = _portrait(judged, scorer)
    deliver(portrayed(portrait, "json" if as_json else "md"), output)
    code = INCOMPLETE if portrait.missing else 0
    if work is not None:
        work.end_at_once(code)
    ctx.exit(code)


class _Judged(NamedTuple):
    """The suite that asks, its plan, and where its file is or would be."""

    plan: Plan
    request: Request
    path: Path
    text: str


def _judged(suite: str, scorer: str, options: dict[str, Any]) -> _Judged:
    """Make the suite that asks, and plan it; writes nothing.

    Raises: UsageError for a scorer that is not there; SuiteError; PluginError; DataError.
    """
    from dataclasses import replace

    from prunebench.cli._options import request_of
    from prunebench.cli._output import problems
    from prunebench.engine.selection import select
    from prunebench.suite.changes import lacking
    from prunebench.suite.judging import judging, spelled
    from prunebench.suite.load import read_content, suite_path

    added = lacking(read_content(suite_path(suite)), [scorer])
    request = request_of(suite, {**options, "scorer": added}).with_suite_plugins()
    host = request.host()
    problems(host)
    base = request.read_suite(host)
    shown: Any = base  # its cells have what is selected by, too
    cells: Any = select(shown, base.path, keyword=options["keyword"], sparsities=options["sparsity"])
    content = judging(replace(base, cells=tuple(cells)), scorer, plugins=request.plugins)
    path = Path(request.store) / "judged" / f"{content['name']}.toml"
    content, plan = _planned(content, path, host, Path(request.data))
    return _Judged(plan, replace(request, scorers=(), seeds=None, sparsities=()), path, spelled(content))


def _planned(content: dict[str, Any], path: Path, host: Host, data: Path) -> tuple[dict[str, Any], Plan]:
    """Return the suite's content without the ablations that this method cannot have, and its plan."""
    from prunebench.cli._output import complain, first_line
    from prunebench.errors import SuiteError
    from prunebench.plan.make import make_plan
    from prunebench.suite.suite import make_suite

    def plan(matrices: list[Any]) -> Plan:
        return make_plan(make_suite({**content, "matrix": matrices}, path.name, path, host), host, data)

    matrices = content["matrix"]
    try:
        return content, plan(matrices)
    except SuiteError as error:
        if all(one["name"].startswith("asked-") for one in matrices):
            raise
        whole = error
    needed = [one for one in matrices if one["name"].startswith("asked-")]
    refused: set[str] = set()
    for one in matrices:
        kind = one["name"].rpartition("-")[0]
        if one in needed or kind in refused:
            continue
        try:
            plan([*needed, one])
        except SuiteError as error:
            refused.add(kind)
            complain(f"{kind} is not asked: {first_line(str(error))}")
    kept = [one for one in matrices if one["name"].rpartition("-")[0] not in refused]
    if len(kept) == len(matrices):
        raise whole
    return {**content, "matrix": kept}, plan(kept)


def _run(ctx: click.Context, judged: _Judged, quiet: bool, options: dict[str, Any]) -> int:
    """Write the suite's file and run it, what is said of that on standard error; return the exit code."""
    from prunebench.cli._streams import lasting_stderr
    from prunebench.cli.run import command as run
    from prunebench.store import Store, replace

    Store.open(judged.request.store)
    judged.path.parent.mkdir(exist_ok=True)
    if not judged.path.exists() or judged.path.read_text("utf-8") != judged.text:
        replace(judged.path, judged.text.encode())
    places = ("store", "data", "no_plugins", "load")
    workers = ("device", "threads", "kernels", "workers", "workers_per_gpu", "gpus_per_worker")
    shared = {name: options[name] for name in (*places, *workers)}
    with lasting_stderr() as stream, contextlib.redirect_stdout(stream):
        try:
            ctx.invoke(run, suite=str(judged.path), quiet=quiet, no_table=True, **shared)
        except click.exceptions.Exit as done:
            return done.exit_code
    return 0


def _portrait(judged: _Judged, scorer: str) -> Portrait:
    """Return what is known of the method, by the store as it is now."""
    import pandas as pd

    from prunebench.inventory.overlaps import overlap_rows
    from prunebench.report.portrait import OTHER_BATCH, Portrait
    from prunebench.store import Store
    from prunebench.tables import results_of

    plan, store = judged.plan, Store.open(judged.request.store, create=False, write=False, absent_ok=True)
    results = results_of(plan, store)
    others = [f"{scorer}-{OTHER_BATCH}", results.baselines.after_training, results.baselines.random]
    rows = overlap_rows(plan, store, scorer, [name for name in others if name != scorer])
    return Portrait(results, scorer, pd.DataFrame(rows))
