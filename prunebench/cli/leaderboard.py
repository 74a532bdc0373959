"""`prunebench leaderboard`: a suite's results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prunebench.cli._options import (
    as_json,
    data_option,
    planning_options,
    plugin_options,
    store_option,
    suite_argument,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench leaderboard quick
  prunebench leaderboard quick --format csv -o quick.csv
"""


@click.command("leaderboard", epilog=_EPILOG, short_help="Print a suite's results.")
@suite_argument
@click.option(
    "--format",
    "format",
    type=click.Choice(["md", "csv", "json"]),
    default=None,
    help="md for people; csv and json have every statistic, a row a method and sparsity.  [default: md]",
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), help="Write to FILE, not to standard output."
)
@planning_options
@store_option
@data_option
@plugin_options
@as_json
def command(suite: str, format: str | None, output: str | None, as_json: bool, **options: Any) -> None:
    """Print the leaderboard of SUITE: what has been run of it, with its spread over seeds.

    Reads the plan of the suite's last run where the suite has not changed since; else plans it.
    """
    from prunebench.cli._board import board
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._output import complain, visible
    from prunebench.cli._source import source
    from prunebench.errors import UsageError

    if as_json and format not in (None, "json"):
        raise UsageError(f"--json and --format {format}: give one of them")
    found = source(suite, options)
    format = "json" if as_json else format or "md"
    text = board(found.plan, found.store, format)
    say_damaged(found.store)
    if text is None:
        complain(
            f"nothing of suite {found.plan.suite['name']} has been run in {found.store.root}; "
            f"`prunebench run {suite}` does that"
        )
        if format == "md":
            return
        from prunebench.analysis import table
        from prunebench.report.leaderboard import leaderboard

        text = leaderboard(table([]), suite=found.plan.suite, format=format)
    text = visible(text)
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error
