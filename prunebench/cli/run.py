"""`prunebench run`: run what is not done yet, and print the leaderboard."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    as_json,
    data_option,
    device_options,
    number_of_workers,
    plugin_options,
    request_of,
    selection_options,
    store_option,
    suite_argument,
    workers_option,
)

if TYPE_CHECKING:
    from prunebench.cli._overview import Overview
    from prunebench.engine.run import Outcome

__all__ = ["command"]

TERMINATED = 128 + signal.SIGTERM

_EPILOG = """\b
Examples:
  prunebench run quick          # everything that is not done yet
  prunebench run quick -n auto  # on all cores
  prunebench run quick -k "snip and not shuffle"
  prunebench run quick -x; prunebench run quick --lf
  prunebench run my.toml --plugin mine.py --scorer mine

Stopping (Ctrl-C, SIGTERM) loses nothing: the same command goes on where it stopped.
\b
Exit codes: 0 all done, 1 a job failed, 2 a mistake in what was asked, 130 interrupted, 143 told to stop.
"""


@click.command("run", epilog=_EPILOG, short_help="Run what is not done yet, print the leaderboard.")
@suite_argument
@selection_options
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first failed cell.")
@workers_option
@store_option
@data_option
@plugin_options
@device_options
@click.option(
    "--keep-states",
    is_flag=True,
    help="Keep the weights of pruned networks (else `export` makes them again).",
)
@click.option("-q", "--quiet", is_flag=True, help="No line a cell: the summary and the leaderboard only.")
@click.option("-v", "--verbose", is_flag=True, help="Also a line for cells that were done before.")
@as_json
@click.pass_context
def command(ctx: click.Context, /, suite: str, as_json: bool, **options: Any) -> None:
    """Run the cells of SUITE that are not done yet, then print its leaderboard.

    SUITE is the name of a shipped suite (`prunebench list suites`) or a file. What is done stays in the
    store: running again does only what is new or changed.
    """
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("-q and -v: give one of them")
    with contextlib.ExitStack() as stack:
        if as_json:  # standard output is for the JSON alone
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        report, code = _run(suite, options, as_json)
    if as_json:
        from prunebench.cli._output import say_json

        say_json(report)
    ctx.exit(code)


def _run(suite: str, options: dict[str, Any], as_json: bool) -> tuple[dict[str, Any], int]:
    from prunebench.cli._output import complain, problems, say
    from prunebench.cli._overview import Overview
    from prunebench.engine.run import Outcome, run_cells
    from prunebench.engine.session import Session
    from prunebench.errors import StoreError
    from prunebench.store import Store

    session = Session.prepare(request_of(suite, options))
    problems(session.host)
    with contextlib.suppress(StoreError):  # no store yet, or one for reading only
        session.set_damaged_aside(Store.open(session.request.store, create=False))
    overview = Overview.of(
        session,
        keyword=options["keyword"],
        last_failed=options["lf"],
        workers=number_of_workers(options["workers"]),
    )
    if overview.done == len(overview.cells):
        count = len(overview.cells)
        whole = "all" if count == len(session.plan.cells) else "selected"
        say(f"{'the cell is' if count == 1 else f'{whole} {count:,} cells are'} done: nothing to do")
        with contextlib.suppress(StoreError):  # a store for reading only will do
            session.freeze(Store.open(session.request.store))
        outcome = Outcome(0, 0, [], [cell.id for cell in overview.cells], {})
        return _report(overview, outcome, 0.0, as_json), 0
    overview.say_heading(missing=False)
    session.ready([cell for cell in overview.cells if overview.statuses[cell.id] != "done"])
    store = Store.open(session.request.store)
    store.sweep()
    session.freeze(store)
    began = time.monotonic()
    say()
    with _told_to_stop() as told:
        outcome = run_cells(
            session,
            store,
            keyword=options["keyword"],
            first_failure=options["first_failure"],
            last_failed=options["lf"],
            workers=options["workers"],
            quiet=options["quiet"],
            verbose=options["verbose"],
        )
    if told:
        outcome = replace(outcome, exit_code=TERMINATED)
    seconds = time.monotonic() - began
    say()
    text = _summary(overview, outcome, seconds)
    if outcome.exit_code:
        complain(text)
    else:
        say(text)
    return _report(overview, outcome, seconds, as_json), outcome.exit_code


@contextlib.contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """Let SIGTERM, as from a cluster's scheduler, end a run as Ctrl-C does; yield the signals that came."""
    told: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def stop(number: int, frame: object) -> None:
        told.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _summary(overview: Overview, outcome: Outcome, seconds: float) -> str:
    """Return the paragraph that says how a run came out and how to go on."""
    from prunebench.cli._failures import brief
    from prunebench.cli._output import counted, duration
    from prunebench.engine.local import cause_of
    from prunebench.engine.run import INTERRUPTED

    store = overview.session.request.store
    parts = [f"{counted(len(outcome.made), 'cell')} made now", f"{len(outcome.before):,} done before"]
    if outcome.failed:
        parts.append(f"{len(outcome.failed):,} failed")
    left = len(overview.cells) - len(outcome.made) - len(outcome.before) - len(outcome.failed)
    if left > 0:
        parts.append(f"{left:,} not reached")
    text = f"{', '.join(parts)}; {counted(outcome.jobs, 'job')} in {duration(seconds)}. Logs: {store}/logs."
    if outcome.exit_code in (INTERRUPTED, TERMINATED):
        text = f"Interrupted: {text} The same command goes on where this stopped."
    elif outcome.failed:
        causes: dict[str, list[str]] = {}
        for error in outcome.failed.values():
            causes.setdefault(cause_of(error), []).append(error)
        lines = []
        for errors in list(causes.values())[:10]:
            first, *rest = brief(errors[0])
            lines += [f"  {counted(len(errors), 'cell')}: {first}", *(f"  {line}" for line in rest)]
        lines += [f"  and {len(causes) - 10} more errors"] if len(causes) > 10 else []
        again = "The same command with --lf tries those that failed again; `prunebench plan`"
        text = "\n".join([text, *lines, f"{again} with the same options lists them."])
    return text


def _report(overview: Overview, outcome: Outcome, seconds: float, as_json: bool) -> dict[str, Any]:
    """Print the leaderboard, or return all as plain values."""
    from prunebench.cli._board import board
    from prunebench.cli._output import say

    asked = {cell.id for cell in overview.cells}
    if not as_json:
        text = board(overview.session.plan, overview.store, "md", asked=asked)
        if text:
            say()
            say(text.rstrip("\n"))
        return {}
    import json

    text = board(overview.session.plan, overview.store, "json", asked=asked)
    return {
        "exit_code": outcome.exit_code,
        "made": list(outcome.made),
        "before": list(outcome.before),
        "failed": dict(outcome.failed),
        "jobs": outcome.jobs,
        "seconds": round(seconds, 3),
        "leaderboard": json.loads(text) if text else None,
    }
