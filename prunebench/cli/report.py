"""`prunebench report`: a suite's results as a page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    keyword_option,
    places_options,
    planning_options,
    suite_argument,
)

if TYPE_CHECKING:
    from prunebench.cli._suite_plan import SuitePlan

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench report quick --out quick-report    # then open quick-report/index.html
  prunebench report quick --out quick-report --watch  # while it runs elsewhere
  prunebench report quick --out snip -k 'snip or random or none'  # of these methods alone
"""


@click.command("report", epilog=_EPILOG, short_help="Write a suite's results as a page.")
@suite_argument
@click.option(
    "-o", "--out", metavar="DIR", required=True, type=click.Path(file_okay=False), help="The folder to write."
)
@click.option(
    "--watch",
    is_flag=True,
    help="Write the page again whenever there is more, until all runs are there; Ctrl-C ends it.",
)
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="How often --watch looks.",
)
@click.option("--files/--no-files", default=True, help="Figures as files, too.  [default: --files]")
@keyword_option
@planning_options
@places_options
@click.pass_context
def command(
    ctx: click.Context, /, suite: str, out: str, watch: bool, every: int, files: bool, **options: Any
) -> None:
    """Write a page about SUITE: the answer, claims, figures, tables, and where all of it comes from.

    DIR/index.html opens in any browser, from the file system, without a server and without network. Figures
    lie beside it as SVG and PDF where prunebench[report] is installed. The same records give the same page.

    -k chooses what is shown: the methods, settings and sparsities of the cells that match, and the checks
    that these have a part in. What a row says it says of all of its seeds, and differences, ranges and places
    are those of the whole suite.

    Reads the plan of the suite's last run where the suite has not changed since; else plans it. Exits with 0
    when all runs are there that it shows, with 1 when some are not.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._suite_plan import suite_plan

    folder = Path(out)
    said: tuple[int, int] | None = None
    while True:
        shown = suite_plan(suite, options)
        there, whole = _counts(shown)
        last = not watch or there == whole
        if (there, whole) != said or last:
            _write(folder, suite, shown, options, follow=None if last else every, files=files and last)
            said = there, whole
        if last:
            break
        time.sleep(every)
    say_damaged(shown.store)
    ctx.exit(0 if there == whole else INCOMPLETE)


def _counts(shown: SuitePlan) -> tuple[int, int]:
    """Return how many of the cells that are shown have their record, and how many there are."""
    from prunebench.inventory.snapshot import Snapshot

    snapshot = Snapshot(shown.plan, shown.store)
    return sum(snapshot.listed(cell.key) for cell in shown.cells), len(shown.cells)


def _write(
    folder: Path,
    suite: str,
    shown: SuitePlan,
    options: Mapping[str, Any],
    *,
    follow: int | None,
    files: bool,
) -> None:
    """Write the page, and figures as files where they are wanted; say what was written."""
    from prunebench.checks.outcomes import Verdicts
    from prunebench.cli._output import say
    from prunebench.cli._verdicts import verdicts_if_any
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.report.figures.files import MISSING, can_convert
    from prunebench.report.page import PAGE, Content, about_records, figure_files, render, write
    from prunebench.tables import results_of

    snapshot = Snapshot(shown.plan, shown.store)
    results = results_of(shown.plan, shown.store, snapshot=snapshot)
    if len(shown.cells) < len(shown.plan.cells):
        results.choose((dict(cell.labels), str(cell.density)) for cell in shown.cells)
        keys = {key for cell in shown.cells for key in cell.targets}
        results.verdicts = (
            verdicts_if_any(shown.plan, shown.store, suite, options, snapshot, keys=keys) or Verdicts()
        )
    records = (snapshot.result(cell.key) for cell in shown.cells)
    about = about_records(record.provenance for record in records if record is not None)
    called = Path(suite).name if suite.endswith(".toml") else suite  # a page names no folder of its maker
    content = Content(results, suite=called, about=about, follow=follow, files=files and can_convert())
    write(folder, PAGE, render(content))
    made = [write(folder, name, file) for name, file in figure_files(content)] if content.files else []
    there = sum(snapshot.recorded(cell) for cell in shown.cells)
    more = f", {len(made):,} files of figures" if made else ""
    say(f"{folder / PAGE}: {there:,} of {len(shown.cells):,} runs{shown.selection}{more}")
    if files and not can_convert():
        say(MISSING, err=True)
