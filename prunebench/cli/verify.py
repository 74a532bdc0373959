"""`prunebench verify`: runs a claimed row again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import as_json, data_option, device_options, plugin_options, request_of
from prunebench.numbers import spelled

if TYPE_CHECKING:
    from prunebench.engine.request import Request
    from prunebench.trust.reruns import Verified
    from prunebench.trust.verify import Claim, Rerun

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench verify methods::digits-mlp-digits-snip-d0.05 --from leaderboards/quick
  prunebench verify methods::digits-mlp-digits-snip-d0.05 --from leaderboards/quick --seeds 10
  prunebench verify main::lenet-300-100-mnist-mine-d0.1 --from mine.submission.tar.xz --plugin mine.py

\b
Exit codes: 0 the rerun agrees, 1 it differs or decides nothing, 2 a mistake in what was asked.
"""


@click.command("verify", epilog=_EPILOG, short_help="Run a claimed row again.")
@click.argument("row", metavar="ROW")
@click.option(
    "--from",
    "source",
    metavar="PATH",
    type=click.Path(),
    help="Where it is claimed: a published leaderboard, a submission, or a store.  [default: the store]",
)
@click.option(
    "--seeds",
    metavar="N",
    type=click.IntRange(min=1),
    help="N seeds: the row's, then more.  [default: its own]",
)
@click.option(
    "--suite", metavar="SUITE", help="The row's suite, where a store has several, or for more seeds."
)
@click.option(
    "--store",
    metavar="DIR",
    type=click.Path(),
    help="Where rerun results are kept, in a store of each claim's own: a new folder, or one that verify has "
    "made.  [default: .prunebench-reruns]",
)
@click.option(
    "--add", is_flag=True, help="Keep the rerun in the published leaderboard, and make its tables again."
)
@data_option
@plugin_options
@device_options
@as_json
@click.pass_context
def command(
    ctx: click.Context,
    /,
    row: str,
    source: str | None,
    seeds: int | None,
    suite: str | None,
    store: str | None,
    add: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Run ROW again, and say whether it lies in the claimed seeds' 95 % prediction interval.

    ROW is a cell's name without its seed, as methods::digits-mlp-digits-snip-d0.05 (`prunebench plan SUITE
    --cells` lists cells), or the beginning of a record's key. What it needs is trained from the start, in a
    store of this claim's own, where nothing counts that verify has not made.

    A method that comes with a submission is never imported from there: read its file, then give it with
    --plugin.
    """
    from prunebench.cli._exit_codes import FAILED
    from prunebench.cli._output import say_json
    from prunebench.engine.defaults import store_root
    from prunebench.errors import UsageError
    from prunebench.trust.verify import claim_of

    where = Path(source) if source else store_root()
    into = Path(store or ".prunebench-reruns").expanduser().absolute()
    with claim_of(where, row, suite) as claim:
        if add and claim.published is None:
            raise UsageError(f"--add keeps a rerun in a published leaderboard; {where} is none")
        request = request_of(suite or str(claim.plan.suite["name"]), {**options, "store": str(into)})
        done = _run(ctx, claim, into, request, seeds)
        kept = _keep(claim, done) if add else []
    if as_json:
        ran = {"made": done.made, "kept": done.kept, "set_aside": done.set_aside}
        say_json({**_plain(done.verified), "jobs": ran, "changed": kept})
    else:
        _tell(done, kept)
    if done.verified.outcome != "agrees":
        ctx.exit(FAILED)


def _run(ctx: click.Context, claim: Claim, into: Path, request: Request, seeds: int | None) -> Rerun:
    """Run the row; a failed job ends the command with its words."""
    from prunebench.cli._exit_codes import FAILED
    from prunebench.cli._output import complain, counted
    from prunebench.engine.failures import JobFailed
    from prunebench.errors import DataError
    from prunebench.trust.verify import rerun

    number = counted(seeds or len(claim.row.cells), "seed")
    complain(f"{claim.row.name}: running {number} again, in {into}")
    try:
        return rerun(claim, into, request, seeds=seeds)
    except JobFailed as error:
        if isinstance(error.__cause__, DataError):
            raise error.__cause__ from error
        complain(str(error), label="Error")
        ctx.exit(FAILED)


def _keep(claim: Claim, done: Rerun) -> list[str]:
    """Add a rerun to the leaderboard that its row stands in; return the files that changed."""
    from prunebench.store import replace
    from prunebench.trust.folder import RERUNS, add_reruns
    from prunebench.trust.making import remake

    assert claim.published is not None
    folder = claim.published.folder
    replace(folder / RERUNS, add_reruns(claim.published, done.plan, done.store))
    return [RERUNS, *remake(folder)]


def _tell(done: Rerun, kept: list[str]) -> None:
    from prunebench.cli._output import counted, say
    from prunebench.trust.making import outcome_words

    one = done.verified
    earlier = f"; {counted(done.kept, 'output')} kept of an earlier verify of this claim" if done.kept else ""
    foreign = (
        f"; {counted(done.set_aside, 'file')} set aside, which no verify had made" if done.set_aside else ""
    )
    say(f"{counted(done.made, 'job')} run{earlier}{foreign}")
    say(f"{one.row.name}: {outcome_words(one)}", "bold")
    say(f"claimed: {_numbers(one.claimed)}")
    say(f"rerun:   {_numbers(one.rerun)}")
    if one.prediction is not None:
        at, n, m = one.prediction, one.prediction.n, one.prediction.runs
        seeds = ", ".join(map(str, one.judged))
        say(
            f"mean of seeds {seeds}: {_percent(one.mean)}; 95 % prediction interval of {n} claimed seeds for "
            f"the mean of {m}: {_percent(max(at.low, 0))} to {_percent(min(at.high, 100))}"
        )
    for name in kept:
        say(f"written: {name}")


def _numbers(accuracies: Mapping[int, float]) -> str:
    return ", ".join(f"{_percent(value)} (seed {seed})" for seed, value in accuracies.items()) or "nothing"


def _percent(accuracy: float) -> str:
    return f"{spelled(accuracy, 'points')} %"


def _plain(one: Verified) -> dict[str, Any]:
    at = one.prediction
    return {
        "row": one.row.name,
        "outcome": one.outcome,
        "reason": one.reason,
        "claimed": [{"seed": seed, "accuracy": value} for seed, value in one.claimed.items()],
        "rerun": [{"seed": seed, "accuracy": value} for seed, value in one.rerun.items()],
        "mean": one.mean if one.rerun else None,
        "judged": list(one.judged),
        "low": at.low if at else None,
        "high": at.high if at else None,
        "same_bits": list(one.same_bits),
        "other_bits": list(one.other_bits),
        "diverged": one.diverged,
        "numerics": list(one.numerics),
    }
