"""`prunebench leaderboard`: a suite's results."""

from __future__ import annotations

from typing import Any

import click

from prunebench.cli._options import (
    format_of,
    format_option,
    keyword_option,
    output_option,
    reading_options,
)
from prunebench.cli._published import suite_or_folder

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench leaderboard quick
  prunebench leaderboard quick --sparsity 95
  prunebench leaderboard quick -k 'snip or random'  # these methods alone
  prunebench leaderboard quick --against snip
  prunebench leaderboard quick --format csv -o quick.csv
  prunebench leaderboard --from leaderboards/ --check  # published ones, made again byte for byte
  prunebench leaderboard quick --format latex --table accuracy -o quick.tex
"""


@click.command("leaderboard", epilog=_EPILOG, short_help="Print a suite's results.")
@format_option(
    "csv",
    "json",
    "latex",
    "terminal",
    help="md, latex (booktabs) and terminal (as wide as this one) for people; csv and json have every "
    "statistic, a row a method and sparsity.",
)
@click.option(
    "--table",
    "tables",
    metavar="NAME",
    multiple=True,
    help="Write this table alone, without the sentences beside it: accuracy, ranges, cost, reported, claims, "
    "checks or overall; repeatable. csv has one at a time, json all of them.",
)
@output_option()
@keyword_option
@click.option(
    "--sparsity",
    metavar="S",
    multiple=True,
    help="Show only this column of the tables, as they print it: 98.6 or '95 %'; repeatable. Ranges and "
    "places count all.",
)
@click.option(
    "--against",
    metavar="METHOD",
    help="The method that differences are to.  [default: the suite's magnitude after training]",
)
@reading_options
@click.pass_context
@suite_or_folder
def command(
    ctx: click.Context,
    /,
    suite: str,
    format: str | None,
    tables: tuple[str, ...],
    output: str | None,
    against: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Print the leaderboard of SUITE: what has been run of it, with its spread over seeds.

    Reads the plan of the suite's last run where the suite has not changed since; else plans it. Exits with 0
    when all cells are there that it shows, with 1 when some are not.

    -k chooses what is shown: the methods, settings and sparsities of the cells that match. What a row says it
    says of all of its seeds, and differences, ranges and places are those of the whole suite.

    --from DIR makes what is published in DIR again, from the records there: every record is verified, and
    refused by name where it is not one of the suite's. Nothing that a record names is imported.
    """
    from prunebench.checks.outcomes import Verdicts
    from prunebench.cli._board import board
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._output import complain, deliver, say_smoke
    from prunebench.cli._suite_plan import say_added, suite_plan
    from prunebench.cli._verdicts import say_standing, verdicts_if_any
    from prunebench.engine.sparsities import sparsity_of
    from prunebench.errors import UsageError
    from prunebench.inventory.snapshot import Snapshot

    format = format_of(format, as_json)
    if options["sparsity"] and format in ("csv", "json"):
        raise UsageError(f"--sparsity chooses columns of tables; {format} has every sparsity in rows")
    shown = suite_plan(suite, options)
    some = len(shown.cells) < len(shown.plan.cells) and bool(options["keyword"])
    columns = sorted({sparsity_of(cell) for cell in shown.cells}) if options["sparsity"] or some else ()
    keys = {key for cell in shown.cells for key in cell.targets} if some else None
    snapshot = Snapshot(shown.plan, shown.store)
    verdicts = verdicts_if_any(shown.plan, shown.store, suite, options, snapshot, keys=keys)
    text = board(
        shown.plan,
        shown.store,
        format,
        sparsities=columns,
        chosen=shown.cells if some else None,
        tables=tables,
        snapshot=snapshot,
        verdicts=verdicts or Verdicts(),
        against=against,
    )
    code = 0 if all(snapshot.recorded(cell) for cell in shown.cells) else INCOMPLETE
    say_damaged(shown.store)
    say_smoke(shown.plan.suite)
    say_added(shown)
    if text is None:
        complain(
            f"nothing of suite {shown.plan.suite['name']} has been run in {shown.store.root}; "
            f"`prunebench run {suite}` does that"
        )
        if format not in ("csv", "json"):
            ctx.exit(code)
        from prunebench.report.leaderboard import leaderboard
        from prunebench.report.results import Results

        text = leaderboard(Results(shown.plan.suite), format, tables=tables)
    deliver(text, output)
    if format == "md":
        say_standing(verdicts, suite, err=True)
    ctx.exit(code)
