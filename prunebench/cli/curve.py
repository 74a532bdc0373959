"""`prunebench curve`: accuracy against density of some methods, in the terminal or as a file."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from prunebench.cli._options import (
    output_option,
    reading_options,
    suite_argument,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench curve quick snip magnitude
  prunebench curve quick snip magnitude --out curve.pdf
  prunebench curve pai-lenet snip "snip + shuffle" --out curve.html
  prunebench curve find-eval-lenet chain random          # a line for each find of chain
  prunebench curve find-eval-lenet chain --find lr=0.005 --find lr=0.05 --setting lr0.05
"""


@click.command("curve", epilog=_EPILOG, short_help="Draw accuracy against density of some methods.")
@suite_argument
@click.argument("methods", metavar="METHOD…", nargs=-1, required=True)
@output_option(
    "Write a picture, by FILE's suffix: .html, .json; .svg, .pdf, .png need prunebench[report].", "--out"
)
@click.option(
    "--setting",
    metavar="NAME",
    help="The setting, or a part of its title, such as resnet20.  [default: the first]",
)
@click.option(
    "--find",
    "finds",
    metavar="LABEL",
    multiple=True,
    help="Of METHODs with several finds those found under LABEL, as lr=0.05; repeatable.  [default: all]",
)
@click.option("--dark", is_flag=True, help="For dark ground.")
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    suite: str,
    methods: tuple[str, ...],
    output: str | None,
    setting: str | None,
    finds: tuple[str, ...],
    dark: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Draw the accuracy of METHODs of SUITE against the share of weights that they keep.

    A METHOD is a row of the leaderboard: snip, or "snip + shuffle" with an ablation. One whose masks are
    found under several recipes is a line for each, or for those that --find names; "chain, find lr=0.05" is
    one alone. They are trained and evaluated under one recipe, which --setting chooses.

    Without --out a plot of characters and the numbers behind it are printed, with --json the numbers alone;
    no window opens. Means, intervals and what diverged are those of the leaderboard.

    Reads the plan of the suite's last run where the suite has not changed since, and of the last one with the
    METHODs that `run --scorer` added; else plans it. Exits with 0 when all runs are there that it shows, with
    1 when some are not.
    """
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._exit_codes import INCOMPLETE
    from prunebench.cli._suite_plan import plan_with
    from prunebench.report.figures.files import format_of
    from prunebench.tables import results_of

    format = format_of(output) if output else None
    shown = plan_with(suite, methods, options, strict=False)
    results = results_of(shown.plan, shown.store)
    say_damaged(shown.store)
    from prunebench.report.figures.notebook import curve_figure, setting_of

    made, names = curve_figure(results, methods, finds)
    if made is None:
        _print_nothing(suite, shown, as_json)
        ctx.exit(INCOMPLETE)
    chosen = setting_of(made, setting) or made.settings[0]
    if output and format:
        _write(output, format, made.spec(chosen, dark=dark))
    elif not as_json:
        _print(made, chosen, names)
    if as_json:
        _print_json(made, chosen, names)
    ctx.exit(INCOMPLETE if made.rows(chosen)["accuracy"]["absent"].any() else 0)


def _print_nothing(suite: str, shown: Any, as_json: bool) -> None:
    from prunebench.cli._output import complain, say_json

    name, root = shown.plan.suite["name"], shown.store.root
    complain(f"nothing of this in suite {name} has been run in {root}; `prunebench run {suite}` does that")
    if as_json:
        say_json({"kind": "curve", "setting": None, "rows": []})


def _write(out: str, format: str, spec: Any) -> None:
    from prunebench.cli._output import say
    from prunebench.errors import UsageError
    from prunebench.report.figures.files import picture

    content = picture(spec, format)
    try:
        Path(out).write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    say(f"{out}: {len(content):,} bytes")


def _print(made: Any, setting: str, methods: Collection[str]) -> None:
    import shutil

    from prunebench.cli._output import say
    from prunebench.report.figures.text import plot, table

    columns = shutil.get_terminal_size().columns
    say(setting)
    say(plot(made.rows(setting)["accuracy"], width=max(30, min(100, columns - 12))))
    say()
    say(table(made.rows(setting, methods)["accuracy"], width=columns))


_COLUMNS = (
    *(
        "name",
        "find",
        "density",
        "sparsity",
        "planned",
        "n",
        "mean",
        "sd",
        "low",
        "high",
        "diverged",
        "absent",
    ),
    "empty",
)


def _print_json(made: Any, setting: str, methods: Collection[str]) -> None:
    import json

    from prunebench.cli._output import say_json

    rows = made.rows(setting, methods)["accuracy"][list(_COLUMNS)]
    say_json({"kind": "curve", "setting": setting, "rows": json.loads(rows.to_json(orient="records"))})
