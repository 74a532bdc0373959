"""`prunebench status`: how far a suite is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from prunebench.cli._options import (
    reading_options,
    suite_argument,
    which_options,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench status quick
  prunebench status quick --sparsity 95 -k "snip or synflow"
  prunebench status quick --json
  prunebench status quick --check && echo done
  watch prunebench status quick  # while it runs elsewhere
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
@reading_options
@click.pass_context
def command(ctx: click.Context, /, suite: str, check: bool, as_json: bool, **options: Any) -> None:
    """Show how far SUITE is: cells done, diverged, failed and not run yet, what runs now, the last failures,
    and how its checks stand.

    Reads the plan of the suite's last run where the suite has not changed since; else plans it.
    """
    from prunebench.cli._damage import say_damaged, set_aside_so_far
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._failures import say_failures
    from prunebench.cli._output import counted, say, say_json, say_rows, say_smoke
    from prunebench.cli._pilots import pilots_of, say_pilots
    from prunebench.cli._suite_plan import say_added, suite_plan
    from prunebench.cli._verdicts import as_counts, say_standing, verdicts_if_any
    from prunebench.inventory.rows import rows
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.smoke import limit_of

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
    running = [_claim(claim, plan.jobs) for claim in shown.store.running()]
    pilots = pilots_of(shown.store, plan.name)
    failures.sort(key=lambda failure: failure["time"])
    say_damaged(shown.store)
    say_smoke(plan.suite)
    say_added(shown)
    aside = set_aside_so_far(shown.store)
    chosen = {key for cell in shown.cells for key in (cell.key, *cell.targets)} if shown.selection else None
    verdicts = verdicts_if_any(plan, shown.store, suite, options, snapshot, keys=chosen)
    whole = total["done"] + total["diverged"] == total["cells"]
    code = INCOMPLETE if check and not whole else 0
    if as_json:
        say_json(
            {
                "suite": {name: plan.suite.get(name) for name in ("name", "version", "digest")},
                "limit": limit_of(plan.suite),
                "plan": plan.name,
                "frozen": shown.frozen is not None,
                "cells_planned": len(plan.cells),
                "total": _counts(total),
                "matrices": table,
                "running": running,
                "pilots": pilots,
                "failures": failures,
                "checks": as_counts(verdicts),
                "set_aside": aside,
            }
        )
        ctx.exit(code)
    suite_name, version = plan.suite["name"], plan.suite["version"]
    say(f"suite {suite_name}, version {version} ({shown.told}): {total['done'] + total['diverged']:,} of "
        f"{total['cells']:,} cells done{shown.selection}", "bold")  # fmt: skip
    if not shown.frozen and not total["done"] + total["diverged"] + total["failed"]:
        say(f"nothing has been run in {shown.store.root}; `prunebench run {suite}` does that")
    say()
    say_rows([*table, *([{"matrix": "in all", **_counts(total)}] if len(table) > 1 else [])],
             {"matrix": "matrix", **_COLUMNS}, as_json=False)  # fmt: skip
    if verdicts is not None:
        say()
        say_standing(verdicts, suite)
    if running:
        say()
        say_rows(running, ["job", "what", "host", "pid", "since"], as_json=False, title="running now:")
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


def _status(present: str, outcome: str) -> str:
    """Return a cell's status from what is there and how its record came out."""
    if present == "done":
        return "diverged" if outcome == "diverged" else "done"
    return "failed" if present == "failed" else "missing"


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in _COLUMNS}


def _claim(claim: Mapping[str, Any], jobs: Mapping[str, Any]) -> dict[str, Any]:
    from prunebench.plan.params import TrainParams

    job = jobs.get(claim["key"])
    what = "of another plan"
    if job is not None:
        what = f"{job.kind} to step {job.params.step}" if isinstance(job.params, TrainParams) else job.kind
    return {
        "job": str(claim["key"])[:12],
        "what": what,
        "host": claim["host"],
        "pid": claim["pid"],
        "since": claim["time"],
    }
