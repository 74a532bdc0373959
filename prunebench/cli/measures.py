"""`prunebench measures`: what diagnostics found, beside the leaderboard."""

from __future__ import annotations

from typing import Any

import click

from prunebench.cli._options import (
    format_of,
    format_option,
    output_option,
    reading_options,
    suite_argument,
    which_options,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench measures pai-lenet
  prunebench measures pai-lenet -m effective-density --field effective --ratio shuffle
  prunebench measures pai-lenet -k synflow --sparsity 98.2
  prunebench measures pai-lenet -m layer-sparsity --field 'layers.*' --format csv -o layers.csv
"""

_PARTS = ("layers.", "at_least.")
"""Places of numbers layer by layer and percent by percent: shown where they are asked for."""


@click.command("measures", epilog=_EPILOG, short_help="Print what was measured beside the accuracy.")
@suite_argument
@click.option("-m", "--measure", metavar="NAME", multiple=True, help="Only this measure; repeatable.")
@click.option(
    "--field",
    metavar="GLOB",
    multiple=True,
    help="Only numbers at this place in a measure's value, as 'relative.sparse' or 'layers.*'; repeatable.  "
    "[default: all; for people without those of single layers]",
)
@click.option(
    "--ratio",
    metavar="ABLATION",
    help="Numbers under this ablation over those of the unmodified method, seed by seed.",
)
@click.option("--per-seed", is_flag=True, help="A row a seed, not their mean and spread.")
@format_option(
    "csv",
    "json",
    "latex",
    "terminal",
    help="md, latex and terminal for people; csv and json have every statistic.",
)
@output_option()
@which_options
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    measure: tuple[str, ...],
    field: tuple[str, ...],
    ratio: str | None,
    per_seed: bool,
    format: str | None,
    output: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Print what diagnostics measured of SUITE's cells: layer sparsities, effective densities, FLOPs, ….

    Which are measured says `measures = […]` in the suite. Reads the plan of the suite's last run where the
    suite has not changed since; else plans it. Exits with 0 when all of them are there, with 1 when some are
    not.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._output import SCHEMA, complain, deliver, say_smoke
    from prunebench.cli._suite_plan import suite_plan
    from prunebench.errors import UsageError
    from prunebench.inventory.rows import measure_rows

    shown = suite_plan(suite, options)
    name = shown.plan.suite["name"]
    chosen = {cell.id for cell in shown.cells}
    every = measure_rows(shown.plan, shown.store)
    say_damaged(shown.store)
    say_smoke(shown.plan.suite)
    rows = [row for row in every if f"{row['matrix']}::{row['cell']}" in chosen]
    if not rows:
        what = "the selected cells measure" if every else f"suite {name} measures"
        raise UsageError(f"{what} nothing; `measures = […]` in a matrix does")
    format = format_of(format, as_json)
    if not any(row["status"] in ("finished", "diverged") for row in rows):
        complain(f"nothing of suite {name} has been measured in {shown.store.root}; "
                 f"`prunebench run {suite}` does that")  # fmt: skip
    from prunebench.report.measures import measures_text

    frame = _selected(rows, measure, field, everything=format in ("csv", "json"))
    suite_is = {part: shown.plan.suite.get(part) for part in ("name", "version", "digest")}
    title = _title(shown.plan.suite, ratio)
    text = measures_text(
        _table(frame, ratio, per_seed), format, title=title, about={"schema": SCHEMA, "suite": suite_is}
    )
    deliver(text, output)
    wanted = [row for row in rows if not measure or row["measure"] in measure]
    ctx.exit(0 if all(row["status"] in ("finished", "diverged") for row in wanted) else INCOMPLETE)


def _selected(
    rows: list[dict[str, Any]], names: tuple[str, ...], fields: tuple[str, ...], *, everything: bool
) -> Any:
    """Return the table of measures of these names, with the numbers at these places."""
    from fnmatch import fnmatchcase

    from prunebench.analysis import measures
    from prunebench.errors import UsageError, nearest

    known = dict.fromkeys(row["measure"] for row in rows)
    for name in names:
        if name not in known:
            raise UsageError(f"the suite does not measure '{name}'{nearest(name, known)}")
    frame = measures([row for row in rows if not names or row["measure"] in names])
    places = dict.fromkeys(frame["field"])
    if fields and any(places):
        wanted = {place for place in places for field in fields if fnmatchcase(place, field)}
        if not wanted:
            raise UsageError(f"no number is at '{fields[0]}'{nearest(fields[0], places)}")
    else:
        wanted = {place for place in places if everything or not place.startswith(_PARTS)}
    return frame[frame["field"].isin(wanted)]


def _table(frame: Any, ratio: str | None, per_seed: bool) -> Any:
    from prunebench.analysis import ratios, summarize_measures

    if ratio is not None:
        frame = ratios(frame, ratio)
    return frame if per_seed else summarize_measures(frame)


def _title(suite: Any, ratio: str | None) -> str:
    what = f"measures, {ratio} over unmodified" if ratio else "measures"
    return f"{suite['name']} (version {suite.get('version')}): {what}"
