"""`prunebench run`: run what is not done yet, and print the leaderboard."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

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
from prunebench.cli._supervise import Handover, supervised
from prunebench.cli._workforce import fork_workers, settle, workforce_of

if TYPE_CHECKING:
    from prunebench.cli._overview import Overview
    from prunebench.engine.fronts import Front
    from prunebench.engine.on_pytest.preforked import Preforked
    from prunebench.engine.on_pytest.run import Earlier, Outcome
    from prunebench.plan import PlannedCell

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
    handover = supervised(display=True)
    from prunebench import stopping
    from prunebench.engine.failures import WorkerLost
    from prunebench.engine.guarding.own_process import may_be_killed
    from prunebench.errors import PluginError

    if not handover.alone:
        may_be_killed()
    try:
        with stopping.listening(teller(handover)):
            forked = nullcontext() if handover.alone else fork_workers(options, front)
            stopping.check()
    except stopping.Stopped:
        _end_interrupted(ctx, handover)
    with (
        forked as preforked,
        plain_warnings(),
        streams(as_json) as stdout,
        stopping.listening(teller(handover)),
    ):
        try:
            report, code = _run(suite, options, as_json, handover, front, preforked)
        except stopping.Stopped:
            _end_interrupted(ctx, handover)
        except WorkerLost as lost:
            handover.leave({lost.failed.job.key: lost.failed.message}, str(lost))
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            raise PluginError(
                f"a plugin's code raised {type(error).__name__}{f' ({error})' if str(error) else ''}, "
                f"which is no way to end a run"
            ) from error
        if as_json:
            _say_json_to(stdout, report)
        if stopping.requested():
            handover.end_at_once(code)
    ctx.exit(code)


def _end_interrupted(ctx: click.Context, handover: Handover) -> NoReturn:
    from prunebench import stopping
    from prunebench.cli._output import complain

    stopping.heard()
    complain("Interrupted.")
    code = stopping.exit_code()
    handover.end_at_once(code)
    ctx.exit(code)


def _say_json_to(stream: TextIO, value: Any) -> None:
    from prunebench.cli._output import say_json

    with contextlib.redirect_stdout(stream):
        say_json(value)


def _run(
    suite: str,
    options: dict[str, Any],
    as_json: bool,
    handover: Handover,
    front: Front | None,
    preforked: Preforked | None,
) -> tuple[dict[str, Any], int]:
    """Run what is to do; return what --json prints, and the exit code."""
    run = _Run.of(suite, options, as_json, handover, front)
    run.check_device()
    if run.all_there:
        return run.nothing_to_do()
    run.say_heading()
    run.check()
    return run.say_ending(run.make(preforked))


@dataclasses.dataclass
class _Run:
    """One call of the command: what was asked for, and what there is of it."""

    suite: str
    options: dict[str, Any]
    as_json: bool
    handover: Handover
    """What a process of this call that died has said."""
    front: Front | None
    overview: Overview
    since: str
    """When this process began to look."""
    began: float
    """When the first process of this call began to run cells, by time.monotonic()."""

    @classmethod
    def of(
        cls, suite: str, options: dict[str, Any], as_json: bool, handover: Handover, front: Front | None
    ) -> _Run:
        """Plan, select, and look at the store; nothing is changed. Raises: PrunebenchError."""
        from prunebench.cli._output import problems
        from prunebench.cli._overview import Overview
        from prunebench.engine.session import Session
        from prunebench.store import now_text

        since = now_text()
        session = Session.prepare(request_of(suite, options))
        if not handover.said:
            problems(session.host)
        overview = Overview.of(
            session,
            keyword=options["keyword"],
            last_failed=options["lf"],
            workforce=workforce_of(options, session.request, front),
            again=() if handover.said else options["again"],  # one that died has kept aside what was there
        )
        began = float(handover.said.get("began", time.monotonic()))
        return cls(suite, options, as_json, handover, front, overview, since, began)

    @property
    def all_there(self) -> bool:
        """True if nothing is to do, and no process of this call has run anything."""
        return self.overview.done == len(self.overview.cells) and not self.handover.said

    @property
    def to_do(self) -> list[PlannedCell]:
        """The selected cells that are not done."""
        return [cell for cell in self.overview.cells if self.overview.statuses[cell.id] != "done"]

    def check_device(self) -> None:
        """Refuse a device that this machine does not have, whatever there is to do. Raises: UsageError."""
        from prunebench.engine.devices.device import check_device

        if self.front is None:
            check_device(self.overview.session.request.device)

    def nothing_to_do(self) -> tuple[dict[str, Any], int]:
        """Say that all is there, and print it."""
        from prunebench.cli._damage import say_damaged
        from prunebench.cli._output import say
        from prunebench.engine.on_pytest.run import Outcome
        from prunebench.errors import StoreError
        from prunebench.store import Store

        overview, session = self.overview, self.overview.session
        count = len(overview.cells)
        whole = "all" if count == len(session.plan.cells) else "selected"
        say(f"{'the cell is' if count == 1 else f'{whole} {count:,} cells are'} done: nothing to do")
        for line in overview.kernels():
            say(line)
        overview.store.mend()
        with contextlib.suppress(StoreError):  # a store for reading only will do
            session.freeze(Store.open(session.request.store))
        outcome = Outcome(0, 0, [], [cell.id for cell in overview.cells], {})
        told = self._told(outcome, 0.0)  # reads what was not selected too
        say_damaged(overview.store)
        return told

    # -- before anything is changed ------------------------------------------------------------------------

    def say_heading(self) -> None:
        """Say what there is, what is to do, what that takes, and of which cells only scores tell whether they
        can be."""
        from prunebench.cli._output import say
        from prunebench.cli._warnings import say_scarce
        from prunebench.inventory.scarce import scarce_filters

        shared = settle(self.overview, self.options)
        if not self.handover.said:
            self.overview.say_heading(missing=False)
            if shared:
                say(shared)
            say_scarce(scarce_filters(self.overview.snapshot, self.overview.cells))
            say()

    def check(self) -> None:
        """Refuse what can be refused before workers are started: devices, store, what somebody works on.

        Then data are downloaded that are missing. Raises: PrunebenchError.
        """
        from prunebench.engine.devices.together import check_devices
        from prunebench.store import Store

        session, to_do = self.overview.session, self.to_do
        workforce = self.overview.workforce
        check_devices(session.plan, to_do, workforce.device or session.request.device, workforce.each)
        self.overview.refuse_running()
        Store.check(session.request.store)
        session.ready(to_do, here=self.front is None)

    # -- running -------------------------------------------------------------------------------------------

    def make(self, preforked: Preforked | None) -> Outcome:
        """Run the cells; return how that came out. Raises: PrunebenchError."""
        from prunebench.engine.on_pytest.run import run_cells
        from prunebench.engine.session import slots_of
        from prunebench.store import Store

        overview, options, handover = self.overview, self.options, self.handover
        session, workforce = overview.session, overview.workforce
        return run_cells(
            session,
            Store(Path(session.request.store), write=True),  # which `_begin` makes, if there is none
            cells=overview.cells,
            first_failure=options["first_failure"],
            workers=workforce.workers if options["workers"] or workforce.slots else None,
            slots=slots_of(session, workforce, self.to_do),
            quiet=options["quiet"],
            verbose=options["verbose"] and not handover.said,
            earlier=_earlier(handover),
            on_begin=self._begin,
            on_start=lambda since: handover.say(since=since),
            on_failure=lambda cell, error: handover.note("failed", [cell, error]),
            on_told=lambda cell: handover.note("told", cell),
            on_job=partial(handover.note, "begun"),
            front=self.front,
            seen=overview.snapshot,
            preforked=preforked,
        )

    def _begin(self, tell: Callable[[str], object]) -> None:
        """Change the store, now that workers can work: make it, and keep aside what is to be made again.

        What the next process has to know, should this one die, is said then.
        """
        from prunebench.store import Store

        overview = self.overview
        store = Store.open(overview.session.request.store)
        overview.keep_aside(store, tell)
        overview.store.mend()
        if not self.handover.said:
            self.handover.say(
                store=str(store.root),
                before=[cell.id for cell in overview.cells if overview.statuses[cell.id] == "done"],
                jobs=len(overview.remaining),
                began=self.began,
            )
        store.sweep()

    # -- what came of it -----------------------------------------------------------------------------------

    def say_ending(self, outcome: Outcome) -> tuple[dict[str, Any], int]:
        """Say how the run came out, and print the leaderboard."""
        from prunebench.cli._damage import say_made_again
        from prunebench.cli._ending import summary
        from prunebench.cli._output import complain, say

        seconds = time.monotonic() - self.began
        say()
        say_made_again(self.overview.store, self.since)
        if outcome.detached:
            say(outcome.detached)
        else:
            (complain if outcome.exit_code else say)(summary(self.overview, outcome, seconds))
        return self._told(outcome, seconds)

    def _told(self, outcome: Outcome, seconds: float) -> tuple[dict[str, Any], int]:
        """Print or return what is there now, and return the exit code.

        With --strict, checks count that fail, and those that cannot be judged.
        """
        from prunebench.cli._ending import failing, judged, report
        from prunebench.cli._exit_codes import FAILED

        overview, suite, options = self.overview, self.suite, self.options
        # after an interrupt nobody waits for a table, and where cells are made elsewhere there is none yet
        ended = outcome.exit_code in (0, FAILED) and not outcome.detached
        verdicts = judged(overview, suite, options) if ended else None
        if options["strict"] and ended and not outcome.exit_code and failing(overview, verdicts):
            outcome = dataclasses.replace(outcome, exit_code=FAILED)
        told = report(
            overview,
            outcome,
            seconds,
            as_json=self.as_json,
            table=ended and not options["no_table"],
            suite=suite,
            verdicts=verdicts,
        )
        return told, outcome.exit_code


def _earlier(handover: Handover) -> Earlier | None:
    """Return what a process of this call that died has said of its start; None where this is the first."""
    from prunebench.engine.on_pytest.run import Earlier

    said = handover.said
    if not said:
        return None
    return Earlier(
        before=frozenset(said["before"]),
        jobs=int(said["jobs"]),
        given_up=handover.given_up,
        since=said.get("since", ""),
        failed=dict(handover.noted.get("failed", [])),
        told=handover.noted.get("told", ()),
    )
