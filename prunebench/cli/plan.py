"""`prunebench plan`: what a suite takes, before it runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from prunebench.cli._engines import chosen_front, engine_options
from prunebench.cli._options import (
    Size,
    as_json,
    device_options,
    places_options,
    request_of,
    selection_options,
    suite_argument,
    workers_option,
)

__all__ = ["command"]

FEW = 40
"""Cells are listed one by one up to this number, in groups above it."""

_EPILOG = """\b
Examples:
  prunebench plan quick                  # the quick suite against the store here
  prunebench plan quick -k snip --cells  # every cell of SNIP, with its key
  prunebench plan quick -n 4             # the time with four workers
  prunebench plan pai --engine slurm --workers 64 --gres gpu:a100:1
  prunebench plan quick --scorer mine --plugin mine.py
  prunebench plan pai --gpu-memory 80GiB # what does not fit, and what to set
  prunebench plan quick --freeze         # write the plan into the store, for `prunebench work`
"""


@click.command("plan", epilog=_EPILOG, short_help="Show what a suite takes: cells, jobs, cost.")
@suite_argument
@selection_options
@workers_option
@engine_options
@places_options
@device_options
@click.option(
    "--again", metavar="METHOD", multiple=True, help="As if `run --again METHOD` were to follow; repeatable."
)
@click.option(
    "--gpu-memory",
    metavar="SIZE",
    type=Size(),
    help="Say which cells do not fit a GPU of this size, as 80GiB.  [default: with --device cuda, its own]",
)
@click.option("--cells", "all_cells", is_flag=True, help=f"List every cell, also above {FEW}.")
@click.option(
    "--freeze",
    is_flag=True,
    help="Write the plan into the store, as `run` does at its start, for `prunebench work`.",
)
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    as_json: bool,
    all_cells: bool,
    gpu_memory: int | None,
    freeze: bool,
    **options: Any,
) -> None:
    """Show what SUITE takes: cells, jobs, what is done, what is not and why, the estimated cost.

    SUITE is the name of a shipped suite (`prunebench list suites`) or a file. Nothing is written or
    downloaded, unless with --freeze, which also downloads data that are missing. "Why" compares with the
    suite's last run in this store. What would take hours to score on the CPU is said, and, where the size of
    a GPU is known, what does not fit its memory; with what to set.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._failures import say_failures
    from prunebench.cli._output import problems, say, say_json, say_rows
    from prunebench.cli._overview import Overview
    from prunebench.cli._warnings import Warnings
    from prunebench.cli._workforce import settle, workforce_of
    from prunebench.engine.session import Session
    from prunebench.store import Store

    front = chosen_front(ctx, options)
    session = Session.prepare(request_of(suite, options))
    problems(session.host)
    if freeze:
        session.ready(here=False)
    overview = Overview.of(
        session,
        keyword=options["keyword"],
        last_failed=options["lf"],
        workforce=workforce_of(options, session.request, front),
        again=options["again"],
    )
    frozen = str(session.freeze(Store.open(session.request.store))) if freeze else None
    shared = settle(overview, options)
    each = options["workers_per_gpu"]
    warnings = Warnings.of(
        overview, gpu_memory, sharing=overview.workforce.shared_by if each == "auto" else int(each)
    )
    if as_json:
        say_json({**overview.as_dict(), **warnings.as_dict(), "frozen_at": frozen})
        say_damaged(overview.store)
        return
    overview.say_heading()
    if frozen:
        say(f"written: {frozen}")
    if shared:
        say(shared)
    warnings.say()
    say_damaged(overview.store)
    say()
    say_rows(overview.jobs, {"kind": "jobs", "jobs": "in all", "to_do": "to do"}, as_json=False)
    say()
    one_by_one = all_cells or len(overview.cells) <= FEW
    if one_by_one:
        columns = ["cell", "key", "status", "why"]
        say_rows(_cells(overview), columns, as_json=False, shrink=["why"])
    else:
        columns = ["matrix", "method", "cells", "done", "to do", "why"]
        say_rows(_groups(overview), columns, as_json=False, shrink=["why"])
        say(f"(grouped; --cells lists all {len(overview.cells):,} cells)")
    if overview.failures:
        say()
        say_failures([{"cell": cell, **asdict(failure)} for cell, failure in overview.failures.items()])


def _cells(overview: Any) -> list[dict[str, Any]]:
    return [
        {
            "cell": cell.id,
            "key": cell.key[:12],
            "status": overview.statuses[cell.id],
            "why": overview.reasons.get(cell.id, ""),
        }
        for cell in overview.cells
    ]


def _groups(overview: Any) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    whys: dict[tuple[str, str], dict[str, None]] = {}
    for cell in overview.cells:
        ablations = cell.labels.get("ablations", "")
        method = cell.labels.get("method", "") + (f" + {ablations.replace('+', ' + ')}" if ablations else "")
        group = (cell.matrix, method)
        row = groups.setdefault(
            group, {"matrix": cell.matrix, "method": method, "cells": 0, "done": 0, "to do": 0}
        )
        row["cells"] += 1
        row["done" if overview.statuses[cell.id] == "done" else "to do"] += 1
        if why := overview.reasons.get(cell.id):
            whys.setdefault(group, {})[why] = None
    for group, row in groups.items():
        reasons = list(whys.get(group, {}))
        row["why"] = "; ".join(reasons[:2]) + (f"; and {len(reasons) - 2} more" if len(reasons) > 2 else "")
    return list(groups.values())
