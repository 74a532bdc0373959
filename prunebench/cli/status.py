"""`prunebench status`: how far a suite is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    reading_options,
    suite_argument,
    which_options,
)

if TYPE_CHECKING:
    from prunebench.cli._suite_plan import SuitePlan
    from prunebench.inventory.begun import Begun

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench status quick
  prunebench status quick --sparsity 95 -k "snip or synflow"
  prunebench status quick --json
  prunebench status quick --check && echo done
  prunebench status quick --watch  # while it runs, here or elsewhere
  prunebench status quick --watch --json --every 10
"""

_COLUMNS = {
    "cells": "cells",
    "done": "done",
    "diverged": "diverged",
    "failed": "failed",
    "missing": "not run",
}


@click.command("status", epilog=_EPILOG, short_help="Show how far a suite is.")
@suite_argument
@which_options
@click.option("--check", is_flag=True, help="Exit with 1 unless all these cells are done.")
@click.option("--watch", "watched", is_flag=True, help="Show it again and again until nothing is left to do.")
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="With --watch: seconds between two looks.  [default: 1 on a terminal, else 60]",
)
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    check: bool,
    watched: bool,
    every: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Show how far SUITE is: cells done, diverged, failed and not run yet, what runs now, the last failures,
    and how its checks stand (but those of fitted laws, which `check` judges).

    Reads the plan of the suite's last run where the suite has not changed since; else plans it.

    With --watch it shows what runs where, how fast, and when all will be done, whoever runs it on whatever
    machine: on a terminal in place, else a line a minute.
    """
    if every is not None and not watched:
        raise click.UsageError("--every belongs to --watch: add that")
    from prunebench.cli._damage import say_damaged, set_aside_so_far
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._failures import say_failures
    from prunebench.cli._output import counted, say, say_json, say_rows, say_smoke
    from prunebench.cli._pilots import pilots_of, say_pilots
    from prunebench.cli._suite_plan import say_added, suite_plan
    from prunebench.cli._verdicts import (
        as_counts,
        of_fitted_laws,
        say_left,
        say_standing,
        verdicts_if_any,
    )
    from prunebench.cli._watch import running_rows
    from prunebench.engine.progress.job_names import JobNames
    from prunebench.engine.progress.looks import running_of
    from prunebench.inventory.begun import last_begun
    from prunebench.inventory.rows import rows
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.smoke import limit_of

    if watched:
        from prunebench.cli._watch import watch

        done = watch(lambda: suite_plan(suite, options), every=every, as_json=as_json)
        ctx.exit(INCOMPLETE if check and not done else 0)
    shown = suite_plan(suite, options)
    plan, snapshot = shown.plan, Snapshot(shown.plan, shown.store)
    outcome = {f"{row['matrix']}::{row['cell']}": row["status"] for row in rows(plan, shown.store, snapshot)}
    matrices: dict[str, Counter[str]] = {}
    failures = []
    for cell in shown.cells:
        status = _status(snapshot.status(cell), outcome[cell.id])
        matrices.setdefault(cell.matrix, Counter()).update(("cells", status))
        if status == "failed" and (last := snapshot.failure(cell)):
            failures.append({"cell": cell.id, **asdict(last)})
    total = sum(matrices.values(), Counter[str]())
    table = [{"matrix": name, **_counts(counts)} for name, counts in matrices.items()]
    at_work = [running_of(claim, time.time()) for claim in shown.store.running(sure=True)]
    running = running_rows(at_work, shown, JobNames(plan, plan.cells))
    pilots = pilots_of(shown.store, plan.name)
    begun = last_begun(plan, shown.store)
    failures.sort(key=lambda failure: failure["time"])
    say_damaged(shown.store)
    say_smoke(plan.suite)
    say_added(shown)
    aside = set_aside_so_far(shown.store)
    chosen = {key for cell in shown.cells for key in (cell.key, *cell.targets)} if shown.selection else None
    left = of_fitted_laws(plan)
    verdicts = verdicts_if_any(plan, shown.store, suite, options, snapshot, keys=chosen, left=left)
    whole = total["done"] + total["diverged"] == total["cells"]
    code = INCOMPLETE if check and not whole else 0
    if as_json:
        say_json(
            {
                "suite": {name: plan.suite.get(name) for name in ("name", "version", "digest")},
                "limit": limit_of(plan.suite),
                "plan": plan.name,
                "frozen": shown.frozen is not None,
                "run": None if begun is None else asdict(begun),
                "cells_planned": len(plan.cells),
                "total": _counts(total),
                "matrices": table,
                "running": running,
                "pilots": pilots,
                "failures": failures,
                "checks": as_counts(verdicts),
                "checks_left": left,
                "set_aside": aside,
            }
        )
        ctx.exit(code)
    suite_name, version = plan.suite["name"], plan.suite["version"]
    say(f"suite {suite_name}, version {version} ({shown.told}): {total['done'] + total['diverged']:,} of "
        f"{total['cells']:,} cells done{shown.selection}", "bold")  # fmt: skip
    if not total["done"] + total["diverged"] + total["failed"]:
        say(_nothing_yet(begun, suite, shown))
    say()
    say_rows([*table, *([{"matrix": "in all", **_counts(total)}] if len(table) > 1 else [])],
             {"matrix": "matrix", **_COLUMNS}, as_json=False)  # fmt: skip
    if verdicts is not None:
        say()
        say_standing(verdicts, suite)
        say_left(left, suite)
    if running:
        say()
        columns = {"what": "what", "name": "worker", "pid": "pid", "since": "since"}
        rows_now = [{**row, "since": _moment(str(row["since"]))} for row in running]
        say_rows(rows_now, columns, as_json=False, title="running now:")
    say_pilots(pilots)
    if aside is not None:
        say()
        say(f"set aside as damaged or unusable: {counted(aside['files'], 'file')} in "
            f"{shown.store.root}/set-aside, {aside['made_again']:,} made again; the last: "
            f"{aside['last']['file']}: {aside['last']['reason']}")  # fmt: skip
    if failures:
        say()
        say_failures(failures)
    ctx.exit(code)


def _nothing_yet(begun: Begun | None, suite: str, shown: SuitePlan) -> str:
    """Return what to say where nothing of the selected cells is made: who began to, or that nobody did."""
    if begun is None:
        return f"nothing has been run in {shown.store.root}; `prunebench run {suite}` does that"
    where = f" on {begun.host.rpartition('-')[0] or begun.host}" if begun.host else ""
    of = "of these cells nothing" if shown.selection else "nothing"
    starting = "its workers are starting, and " if begun.starting else ""
    return f"a run began at {_moment(begun.time)}{where}: {starting}{of} is made yet"


def _moment(text: str) -> str:
    """Return a time as people here say it: of today the time of day alone; what is no time as it is."""
    from prunebench.store import time_of

    try:
        at = time_of(text).astimezone()
    except ValueError:
        return text
    return f"{at:%H:%M:%S}" if at.date() == datetime.now().astimezone().date() else f"{at:%Y-%m-%d %H:%M}"


def _status(present: str, outcome: str) -> str:
    """Return a cell's status from what is there and how its record came out."""
    if present == "done":
        return "diverged" if outcome == "diverged" else "done"
    return "failed" if present == "failed" else "missing"


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in _COLUMNS}
