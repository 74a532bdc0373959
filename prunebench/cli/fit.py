"""`prunebench fit`: fit a law of the error to measured points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import output_option, reading_options, which_options

if TYPE_CHECKING:
    from prunebench.scaling.studies import Asked

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench fit scaling-lenet -o law.json      # what has been run of a suite
  prunebench fit points.csv --fix error_up=0.9
  prunebench fit points.csv --form rosenfeld-width --column error=1-accuracy
  prunebench fit points.csv --figures figures   # error against density, residuals, contours, …
  prunebench fit scaling-lenet --method imp -k 'not w2' --json
  prunebench fit scaling-lenet --form rosenfeld-width --form frantar --form jin   # which law holds?
  prunebench fit scaling-lenet --each-network --partial
  prunebench fit scaling-lenet --extrapolate-from width=0.0625:0.25   # judged on all that are larger
  prunebench fit t5.csv --form frantar --loss huber-log --column nonzero=nonzero_millions
"""


@click.command("fit", epilog=_EPILOG, short_help="Fit a scaling law to measured errors.")
@click.argument("given", metavar="SUITE|FILE.csv")
@click.option(
    "--form",
    "forms_named",
    metavar="NAME",
    multiple=True,
    help="The functional form; `prunebench list forms` has them all. Of several the first is told and kept, "
    "and all are set side by side.  [default: Rosenfeld's law of what varies in the points]",
)
@click.option("--fix", metavar="NAME=VALUE", multiple=True, help="Give this coefficient; repeatable.")
@click.option(
    "--loss",
    type=click.Choice(["relative-squares", "huber-log"]),
    default="relative-squares",
    show_default=True,
    help="What is least: squares of the relative error, or Huber's function of the log (delta 1e-3).",
)
@click.option(
    "--starts", metavar="N", type=click.IntRange(min=1), default=50, show_default=True, help="Searches."
)
@click.option(
    "--bootstrap",
    metavar="N",
    type=click.IntRange(min=100),
    help="Intervals from N fits to networks drawn again too; 1000 is usual.",
)
@click.option(
    "--left-out",
    is_flag=True,
    help="Predict each network by a fit to all others, beside interpolation between them.",
)
@click.option("--each-network", is_flag=True, help="Fit each network alone too.")
@click.option(
    "--partial",
    is_flag=True,
    help="Fit the networks that differ in width, depth or data alone too.",
)
@click.option(
    "--extrapolate-from",
    metavar="SCALE=LOW:HIGH",
    multiple=True,
    help="Fit these networks alone too, and judge that on all larger ones: width=0.125:0.25; repeatable.",
)
@click.option(
    "--points-needed",
    is_flag=True,
    help="How many networks, or points, suffice: how much fits to random parts differ.",
)
@click.option(
    "--against-unpruned",
    is_flag=True,
    help="Compare the form of pruned networks with that of unpruned ones on each network.",
)
@click.option(
    "--unpruned",
    metavar="NAME",
    help="The form of the error of unpruned networks, which `predict` needs for those that were not trained; "
    "or none.  [default: unpruned, or unpruned-size where the networks are few]",
)
@click.option("--method", metavar="NAME", help="Of a suite: the method, as imp or 'snip + shuffle'.")
@click.option(
    "--column",
    metavar="NAME=COLUMN",
    multiple=True,
    help="Of a file: the column that holds NAME, or 1-COLUMN; repeatable.",
)
@click.option(
    "--architecture", metavar="NAME", help="Of a file: whose members the networks are, to count weights."
)
@click.option("--dataset", metavar="NAME", help="Of a file: the data set, with --architecture.")
@output_option("Write the fit as JSON for `predict`.")
@click.option(
    "--figures",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write figures of the fit into DIR: SVG and PDF with prunebench[report], else HTML; CSV of each.",
)
@which_options
@reading_options
def command(
    given: str, forms_named: tuple[str, ...], output: str | None, as_json: bool, **options: Any
) -> None:
    """Fit a law of the error to the records of SUITE, or to the points of FILE.csv.

    A file has a line a point: `density` (the share of prunable weights left) and `error` (top-1 on the test
    set, a fraction), and of `error_unpruned` (or a row at density 1), `depth`, `width`, `subsample` (training
    examples), `seed`, `prunable` (weights that can be pruned) those that there are. Coefficients are told
    with standard errors and 95 % intervals, the fit with the mean and standard deviation of its relative
    error, and with what the points do not determine. Prints the numbers; changes nothing but FILE of -o and
    DIR of --figures.
    """
    from prunebench.cli._law_made import fixed_by, law_of_points, where_from
    from prunebench.cli._laws import form_of, forms_of, is_file
    from prunebench.cli._output import deliver, say, say_json
    from prunebench.scaling.studies import compared as side_by_side
    from prunebench.scaling.studies import compared_plain, studies
    from prunebench.scaling.studies.beside import beside

    suite = "" if is_file(given) else given
    forms = forms_of(options, forms_named, suite)
    named = [form_of(forms, name) for name in dict.fromkeys(forms_named)]
    fixed = fixed_by(options["fix"])
    asked = _asked(options)
    law = law_of_points(given, named, forms, fixed, options)
    compared = beside(law.fit, law.points, left_out=options["left_out"])
    more = studies(law.fit, law.points, forms, asked)
    search = {"loss": options["loss"], "starts": options["starts"]}
    others = (
        side_by_side(named, law.points, forms, where_from(given, law.points), fixed=fixed, **search)
        if len(named) > 1
        else []
    )
    if output:
        import json

        deliver(json.dumps(law.plain(), indent=1, ensure_ascii=False) + "\n", output)
    if options["figures"]:
        from prunebench.cli._law_figures import write_figures

        for line in write_figures(options["figures"], law, forms):
            say(line, err=True)
    if as_json:
        plain = {name: value for name, value in law.plain().items() if name != "schema"}
        forms_plain = {"forms": compared_plain(others)} if others else {}
        say_json({**plain, "beside": {**compared.plain(), **more.plain(), **forms_plain}})
    elif output != "-":
        from prunebench.cli._law_studies import compared_text, studies_text
        from prunebench.cli._law_text import fit_text

        told = [compared_text(others) if others else "", studies_text(more)]
        parts = [fit_text(law, compared, written=output), *(f"{part}\n" for part in told if part)]
        deliver("\n".join(parts), None)


def _asked(options: Mapping[str, Any]) -> Asked:
    """Return which studies are to be made. Raises: UsageError for networks that cannot be."""
    from prunebench.cli._laws import assigned
    from prunebench.errors import UsageError, nearest
    from prunebench.scaling.points.columns import SCALES
    from prunebench.scaling.studies import Asked

    small = {}
    option = "--extrapolate-from"
    for name, text in assigned(options["extrapolate_from"], option, "SCALE=LOW:HIGH").items():
        if name not in SCALES:
            raise UsageError(f"{option}: networks do not differ in '{name}'{nearest(name, SCALES)}")
        try:
            low, high = (float(end) for end in (text if ":" in text else f"{text}:{text}").split(":"))
        except ValueError:
            low, high = 0.0, 0.0
        if 0 < high < low < float("inf"):
            raise UsageError(f"{option}: {name} is '{text}'; the lower end goes first: {high:g}:{low:g}")
        if not 0 < low <= high < float("inf"):
            raise UsageError(f"{option}: {name} is '{text}'; allowed: a number above 0, or LOW:HIGH")
        small[name] = (low, high)
    flags = ("each_network", "partial", "points_needed", "against_unpruned")
    return Asked(**{name: bool(options[name]) for name in flags}, small=small or None)
