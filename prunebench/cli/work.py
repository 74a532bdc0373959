"""`prunebench work`: one worker on a frozen plan, wherever it is started."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from prunebench.cli._options import (
    as_json,
    data_option,
    device_options,
    limits_options,
    store_option,
    which_options,
)
from prunebench.cli._streams import plain_warnings, streams, teller
from prunebench.cli._supervise import Handover, supervised
from prunebench.cli._times import Length, Moment

if TYPE_CHECKING:
    from prunebench.engine.work_plan import Asked, Served

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench work .prunebench/plans/quick-0123456789ab.json
  prunebench work quick-0123456789ab --store /shared/store --data /scratch/data
  prunebench work PLAN --time 4h          # leave at a checkpoint before that
  prunebench work PLAN --device cuda:1 -k resnet20

`prunebench run SUITE` writes the plan when it starts. Start as many workers as you like, on any machines
that share the store.
\b
Exit codes: 0 all cells are there, 1 a job failed, or cells are left (see --time, --max-jobs),
2 a mistake in what was asked, 130 interrupted, 143 told to stop.
"""


@click.command("work", epilog=_EPILOG, short_help="Work on a frozen plan, with others or alone.")
@click.argument("plan", metavar="PLAN")
@which_options
@click.option(
    "--cells",
    metavar="FILE",
    type=click.Path(),
    help="Only cells whose names, as matrix::cell, the JSON list in FILE has.",
)
@click.option(
    "--time",
    "length",
    metavar="LENGTH",
    type=Length(alone="m"),
    help="Leave at a checkpoint before this time is over: 30 (minutes), 90s, 4h, 1-12:00:00.",
)
@click.option(
    "--until",
    metavar="MOMENT",
    type=Moment(),
    help="Leave at a checkpoint before this moment: 18:00, or 2026-11-30T06:00.",
)
@click.option("--max-jobs", metavar="N", type=click.IntRange(min=1), help="Leave after N jobs.")
@click.option(
    "--since",
    metavar="MOMENT",
    type=Moment(past=True),
    help="Do not try again what has failed since then (12:00: the last noon), whoever tried it.  "
    "[default: since it began]",
)
@click.option(
    "--run",
    metavar="ID",
    help="Be part of this run, as its file in the store's runs/ is called: what has failed since it began is "
    "not tried again, whoever tried it.",
)
@store_option
@data_option
@click.option(
    "--plugin",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="A plugin file that lies elsewhere here than where the plan was made, or another one; repeatable.",
)
@device_options
@limits_options
@click.option("--keep-states", is_flag=True, help="Keep the weights of pruned networks.")
@click.option("-q", "--quiet", is_flag=True, help="No line a cell: the counts at the end only.")
@click.option("-v", "--verbose", is_flag=True, help="Also a line a job.")
@as_json
@click.pass_context
def command(ctx: click.Context, /, plan: str, as_json: bool, **options: Any) -> None:
    """Work on the cells of a frozen PLAN that are not done yet, job by job, until all are there.

    PLAN is the plan's file in a store, or its name there. The suite's file is not needed; plugins are those
    that the plan was made with. Workers and runs on one store share what is to be done, whatever machines
    they are on: nothing is computed twice while who computes it lives.
    """
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("-q and -v: give one of them")
    if options["since"] and options["run"]:
        raise click.UsageError("--since and --run: give one of them")
    began, now = time.monotonic(), datetime.now(UTC)
    ends = [options["length"], options["until"] and (options["until"] - now).total_seconds()]
    seconds = min((end for end in ends if end is not None), default=None)
    if seconds is not None and seconds <= 0:
        raise click.UsageError(f"--until: {options['until']:%Y-%m-%d %H:%M:%S} UTC is past")
    handover = supervised()
    from prunebench import stopping
    from prunebench.cli._output import complain
    from prunebench.engine.failures import WorkerLost
    from prunebench.engine.guarding.own_process import may_be_killed
    from prunebench.errors import PluginError

    if not handover.alone:
        may_be_killed()
    with plain_warnings(), streams(as_json) as stdout, stopping.listening(teller(handover)):
        try:
            asked = _asked(plan, options, run=handover.said.get("run", ""), seconds=seconds)
            served = _serve(asked, handover, began, quiet=options["quiet"], verbose=options["verbose"])
            code = served.exit_code
            if as_json:
                _say_json(served, stdout)
        except stopping.Stopped:  # before it had begun
            stopping.heard()
            complain("Interrupted.")
            code = stopping.exit_code()
        except WorkerLost as lost:
            handover.leave({lost.failed.job.key: lost.failed.message}, str(lost))
            raise
        except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
            raise PluginError(
                f"a plugin's code raised {type(error).__name__}, and ended the worker"
            ) from error
        if stopping.requested():
            handover.end_at_once(code)
    ctx.exit(code)


def _asked(plan: str, options: dict[str, Any], *, run: str, seconds: float | None) -> Asked:
    """Return what is asked; `run` is that of an earlier process of this worker, "" where there was none."""
    from prunebench.engine.defaults import data_root, store_root
    from prunebench.engine.work_plan import Asked, plan_file
    from prunebench.store import spelled_time

    given, since = options["store"], options["since"]
    return Asked(
        plan=plan_file(plan, store_root(given) if given else None, store_root()),
        data=data_root(options["data"]),
        plugins=tuple(str(Path(file).expanduser().absolute()) for file in options["plugin"]),
        device=options["device"],
        threads=options["threads"],
        kernels=options["kernels"],
        keep_states=options["keep_states"],
        job_timeout=options["job_timeout"],
        memory_limit=options["memory_limit"],
        keyword=options["keyword"],
        sparsities=tuple(options["sparsity"]),
        cells=Path(options["cells"]) if options["cells"] else None,
        seconds=seconds,
        max_jobs=options["max_jobs"],
        since=spelled_time(since) if since else options["run"] or run,
    )


def _serve(asked: Asked, handover: Handover, began: float, *, quiet: bool, verbose: bool) -> Served:
    """Work, print what is made and how it came out."""
    from prunebench.cli._output import complain, say
    from prunebench.cli._worker_lines import Lines, ending
    from prunebench.engine.work_plan import Past, serve

    past = None
    if handover.said:
        noted = {name: handover.noted.get(name, ()) for name in ("made", "begun", "told")}
        past = Past(handover.given_up, before=handover.said["before"], **noted)
    served = serve(asked, Lines(asked, handover, quiet=quiet, verbose=verbose), began=began, past=past)
    text = ending(asked, served, time.monotonic() - began)
    if served.exit_code:
        complain(text)
    else:
        say(text)
    return served


def _say_json(served: Served, stream: TextIO) -> None:
    from prunebench.cli._output import say_json

    with contextlib.redirect_stdout(stream):
        say_json({**asdict(served), "exit_code": served.exit_code})
