"""`prunebench run`: run what is not done yet, and print the leaderboard."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click

from prunebench.cli._engines import chosen_front, engine_options
from prunebench.cli._options import (
    as_json,
    device_options,
    limits_options,
    places_options,
    request_of,
    selection_options,
    suite_argument,
    workers_option,
)
from prunebench.cli._streams import plain_warnings, streams, teller
from prunebench.cli._supervise import Work, supervised
from prunebench.cli._workforce import settle, workforce_of

if TYPE_CHECKING:
    from prunebench.cli._overview import Overview
    from prunebench.engine.fronts import Front
    from prunebench.engine.on_pytest.run import Earlier, Outcome

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench run quick          # everything that is not done yet
  prunebench run quick -n auto  # on all GPUs, or all cores
  prunebench run quick -k "snip and not shuffle"
  prunebench run quick -x; prunebench run quick --lf
  prunebench run my.toml --plugin mine.py --scorer mine
  prunebench run quick --again snip
  prunebench run quick --limit 64  # a smoke run: does every cell run at all?

Stopping (Ctrl-C, SIGTERM) loses nothing: the same command goes on where it stopped.
\b
Exit codes: 0 all done, 1 a job failed (with --strict: or a check), 2 a mistake in what was asked,
3 handed over with --detach and not done yet, 130 interrupted, 143 told to stop.
"""


@click.command("run", epilog=_EPILOG, short_help="Run what is not done yet, print the leaderboard.")
@suite_argument
@selection_options
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first failed cell.")
@workers_option
@places_options
@device_options
@limits_options
@engine_options
@click.option(
    "--keep-states",
    is_flag=True,
    help="Keep the weights of pruned networks (else `export` makes them again).",
)
@click.option(
    "--again",
    metavar="METHOD",
    multiple=True,
    help="Make new what this method has made, and keep the old aside; repeatable.",
)
@click.option("-q", "--quiet", is_flag=True, help="No line a cell: the summary and the leaderboard only.")
@click.option("-v", "--verbose", is_flag=True, help="Also a line for cells that were done before.")
@click.option(
    "--strict", is_flag=True, help="Exit with 1 also where a check of these cells fails, or cannot be judged."
)
@click.option("--no-table", is_flag=True, help="Print no leaderboard at the end.")
@as_json
@click.pass_context
def command(ctx: click.Context, /, suite: str, as_json: bool, **options: Any) -> None:
    """Run the cells of SUITE that are not done yet, then print its leaderboard.

    SUITE is the name of a shipped suite (`prunebench list suites`) or a file. What is done stays in the
    store: running again does only what is new or changed.
    """
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("-q and -v: give one of them")
    if options["detach"] and options["first_failure"]:
        raise click.UsageError("-x and --detach: nobody sees the first failure; give one of them")
    front = chosen_front(ctx, options)
    work = supervised()
    from prunebench import stopping
    from prunebench.cli._output import complain
    from prunebench.engine.failures import WorkerLost
    from prunebench.engine.guarding.own_process import may_be_killed
    from prunebench.errors import PluginError

    if not work.alone:
        may_be_killed()

    with plain_warnings(), streams(as_json) as stdout, stopping.listening(teller(work)):
        try:
            report, code = _run(suite, options, as_json, work, front)
        except stopping.Stopped:
            stopping.heard()
            complain("Interrupted.")
            code = stopping.exit_code()
            work.end_at_once(code)
            ctx.exit(code)
        except WorkerLost as lost:
            work.leave({lost.failed.job.key: lost.failed.message}, str(lost))
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            raise PluginError(
                f"a plugin's code raised {type(error).__name__}{f' ({error})' if str(error) else ''}, "
                f"which is no way to end a run"
            ) from error
        if as_json:
            _say_json_to(stdout, report)
        if stopping.requested():
            work.end_at_once(code)
    ctx.exit(code)


def _say_json_to(stream: TextIO, value: Any) -> None:
    from prunebench.cli._output import say_json

    with contextlib.redirect_stdout(stream):
        say_json(value)


def _run(
    suite: str, options: dict[str, Any], as_json: bool, work: Work, front: Front | None
) -> tuple[dict[str, Any], int]:
    from prunebench.cli._damage import say_damaged, say_made_again
    from prunebench.cli._ending import summary
    from prunebench.cli._output import complain, problems, say
    from prunebench.cli._overview import Overview
    from prunebench.engine.devices.together import check_devices
    from prunebench.engine.on_pytest.run import Outcome, run_cells
    from prunebench.engine.session import Session, slots_of
    from prunebench.errors import StoreError
    from prunebench.store import Store, now_text

    since = now_text()
    session = Session.prepare(request_of(suite, options))
    if not work.said:
        problems(session.host)
    overview = Overview.of(
        session,
        keyword=options["keyword"],
        last_failed=options["lf"],
        workforce=workforce_of(options, session.request, front),
        again=() if work.said else options["again"],  # one that died has kept aside what was there
        mend=True,
    )
    if overview.done == len(overview.cells) and not work.said:
        count = len(overview.cells)
        whole = "all" if count == len(session.plan.cells) else "selected"
        say(f"{'the cell is' if count == 1 else f'{whole} {count:,} cells are'} done: nothing to do")
        with contextlib.suppress(StoreError):  # a store for reading only will do
            session.freeze(Store.open(session.request.store))
        outcome = Outcome(0, 0, [], [cell.id for cell in overview.cells], {})
        told = _told(overview, outcome, 0.0, suite, options, as_json)  # reads what was not selected too
        say_damaged(overview.store)
        return told
    shared = settle(overview, options)
    if not work.said:
        overview.say_heading(missing=False)
        if shared:
            say(shared)
    to_do = [cell for cell in overview.cells if overview.statuses[cell.id] != "done"]
    workforce = overview.workforce
    check_devices(session.plan, to_do, workforce.device or session.request.device, workforce.each)
    session.ready(to_do, here=front is None)
    store = Store.open(session.request.store)
    began = float(work.said.get("began", time.monotonic()))
    overview.keep_aside(store)
    earlier = _earlier(overview, work)
    store.sweep()
    session.freeze(store)
    if not work.said:
        say()
    outcome = run_cells(
        session,
        store,
        cells=overview.cells,
        first_failure=options["first_failure"],
        workers=workforce.workers if options["workers"] or workforce.slots else None,
        slots=slots_of(session, workforce, to_do),
        quiet=options["quiet"],
        verbose=options["verbose"] and not work.said,
        earlier=earlier,
        on_start=lambda since: work.say(since=since),
        on_failure=lambda cell, error: work.note("failed", [cell, error]),
        on_told=lambda cell: work.note("told", cell),
        on_job=partial(work.note, "begun"),
        front=front,
        seen=overview.snapshot,
    )
    seconds = time.monotonic() - began
    say()
    say_made_again(overview.store, since)
    if outcome.detached:
        say(outcome.detached)
        return _told(overview, outcome, seconds, suite, {**options, "strict": False}, as_json)
    text = summary(overview, outcome, seconds)
    if outcome.exit_code:
        complain(text)
    else:
        say(text)
    return _told(overview, outcome, seconds, suite, options, as_json)


def _told(
    overview: Overview,
    outcome: Outcome,
    seconds: float,
    suite: str,
    options: Mapping[str, Any],
    as_json: bool,
) -> tuple[dict[str, Any], int]:
    """Print or return what is there now, and return the exit code.

    With --strict, checks count that fail, and those that cannot be judged.
    """
    from prunebench.cli._ending import failing, judged, report
    from prunebench.cli._exit_codes import FAILED

    # after an interrupt nobody waits for a table, and where cells are made elsewhere there is none yet
    ended = outcome.exit_code in (0, FAILED) and not outcome.detached
    verdicts = judged(overview, suite, options) if ended else None
    if options["strict"] and not outcome.exit_code and failing(overview, verdicts):
        outcome = dataclasses.replace(outcome, exit_code=FAILED)
    table = ended and not options["no_table"]
    told = report(overview, outcome, seconds, as_json=as_json, table=table, suite=suite, verdicts=verdicts)
    return told, outcome.exit_code


def _earlier(overview: Overview, work: Work) -> Earlier | None:
    """Return what a process of this run that died said of its start; say it for the next one."""
    from prunebench.engine.on_pytest.run import Earlier

    if work.said:
        said = work.said
        return Earlier(
            before=frozenset(said["before"]),
            jobs=int(said["jobs"]),
            given_up=work.given_up,
            since=said.get("since", ""),
            failed=dict(work.noted.get("failed", [])),
            told=work.noted.get("told", ()),
        )
    before = [cell.id for cell in overview.cells if overview.statuses[cell.id] == "done"]
    jobs = len(overview.remaining)
    work.say(store=overview.session.request.store, before=before, jobs=jobs, began=time.monotonic())
    return None
