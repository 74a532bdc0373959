"""`prunebench compare`: methods against methods, stores against stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    format_of,
    format_option,
    output_option,
    reading_options,
    which_options,
)

if TYPE_CHECKING:
    import pandas as pd

    from prunebench.cli._suite_plan import SuitePlan
    from prunebench.report.results import Results
    from prunebench.report.versus import Pair

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench compare quick snip                          # beside its ablations and the baselines
  prunebench compare quick snip grasp                    # grasp against snip
  prunebench compare quick synflow --against snip --against random
  prunebench compare pai synflow+shuffle -k 'resnet20 or vgg16'
  prunebench compare here/ there/                        # two stores: which cells differ, and by how much
  prunebench compare .prunebench leaderboards/quick      # what you have, and what is published
  prunebench compare old.toml new.toml                   # two versions of a suite in one store
"""


@click.command("compare", epilog=_EPILOG, short_help="Compare methods, or two stores.")
@click.argument("given", metavar="SUITE METHOD... | A B", nargs=-1, required=True)
@click.option(
    "--against",
    metavar="METHOD",
    multiple=True,
    help="What the methods are compared with; repeatable.  [default: the first METHOD; of one alone its "
    "ablations and the suite's baselines]",
)
@format_option(
    "csv",
    "json",
    help="md for people; csv and json have every statistic.",
)
@output_option()
@which_options
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    given: tuple[str, ...],
    against: tuple[str, ...],
    format: str | None,
    output: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare methods of SUITE: setting by setting, range by range and sparsity by sparsity.

    Each difference is paired by seed, with its 95 % interval, p (after Holm over the pairs that are asked), a
    verdict, and where that is open the number of seeds that would decide. A METHOD is spelled with its
    ablations as snip+shuffle. Exits with 0 when all cells of these methods are there, with 1 when some are
    not.

    Two folders A and B are stores or published leaderboards (suites may be named after them), two suite
    files, or NAME@VERSION, versions of a suite in one store: which cells have the same bits, which differ and
    by how much, what changed, which only one has. Exits with 0 where nothing differs, with 1 where something
    does.
    """
    from prunebench.cli._compare_sides import names_two_stores, names_two_versions
    from prunebench.cli._output import deliver

    format = format_of(format, as_json)
    if names_two_stores(given) or names_two_versions(given):
        text, code = _sides(given, against, format, options)
    else:
        text, code = _methods(given, against, format, options)
    deliver(text, output)
    ctx.exit(code)


def _sides(
    given: Sequence[str], against: Sequence[str], format: str, options: dict[str, Any]
) -> tuple[str, int]:
    from prunebench.cli._compare_sides import changed_stores, changed_versions, names_two_stores
    from prunebench.errors import UsageError
    from prunebench.report.changes import changes

    chosen = {"--against": against, "-k": options["keyword"], "--sparsity": options["sparsity"]}
    of_one = {"--scorer": options["scorer"], "--seeds": options["seeds"], "--store": options["store"]}
    for name, value in of_one.items() if names_two_stores(given) else ():
        if value:
            raise UsageError(
                f"{name} is for one store; {given[0]} and {given[1]} are two, with their own plans"
            )
    for name, value in chosen.items():
        if value:
            raise UsageError(f"{name} is for comparing methods; {given[0]} and {given[1]} are compared whole")
    compared = changed_stores(given, options) if names_two_stores(given) else changed_versions(given, options)
    return changes(compared, format), 0 if all(one.same for one in compared) else 1


def _methods(
    given: Sequence[str], against: Sequence[str], format: str, options: dict[str, Any]
) -> tuple[str, int]:
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._suite_plan import plan_with
    from prunebench.errors import UsageError
    from prunebench.report.comparison import comparison
    from prunebench.report.versus import default_pairs, pairs_of, variant_of, versus
    from prunebench.tables import results_of

    suite, *names = given
    if not names:
        raise UsageError(f"say which methods of {suite} to compare: `prunebench compare {suite} METHOD …`")
    shown = plan_with(suite, [*names, *against], options, strict=True)
    results = results_of(shown.plan, shown.store)
    say_damaged(shown.store)
    methods = [variant_of(name, results) for name in names]
    others = [variant_of(name, results) for name in against]
    pairs = pairs_of(methods, others) if others else default_pairs(results, methods)
    if not pairs:
        raise UsageError(f"{names[0]} cannot be compared with itself")
    rows = _of_selection(versus(results, pairs), shown)
    return comparison(results, rows, pairs, format), 0 if _complete(results, pairs, shown) else INCOMPLETE


def _of_selection(rows: pd.DataFrame, shown: SuitePlan) -> pd.DataFrame:
    """Return the rows of settings, and sparsities in them, of which some cell was selected."""
    from prunebench.analysis import SETTING

    if len(shown.cells) == len(shown.plan.cells):
        return rows
    places = {(*(cell.labels.get(name, "") for name in SETTING), cell.density) for cell in shown.cells}
    settings = {place[:-1] for place in places}
    keep = [
        names in settings if at == "range" else (*names, density) in places
        for *labels, at, density in rows[[*SETTING, "at", "density"]].itertuples(index=False, name=None)
        for names in [tuple(map(str, labels))]
    ]
    return rows[keep].reset_index(drop=True)


def _complete(results: Results, pairs: Sequence[Pair], shown: SuitePlan) -> bool:
    """Say whether all selected cells of these methods have a result."""
    from prunebench.analysis import VARIANT

    wanted = {variant for pair in pairs for variant in pair}
    chosen = {cell.key for cell in shown.cells}
    cells = results.cells
    columns = [*VARIANT, "key", "status"]
    return all(
        status in ("finished", "diverged")
        for *names, key, status in cells[columns].itertuples(index=False, name=None)
        if tuple(names) in wanted and key in chosen
    )
