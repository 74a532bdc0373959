"""`prunebench fit`: fit a law of the error to measured points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import output_option, reading_options, which_options

if TYPE_CHECKING:
    from prunebench.scaling.form import Form
    from prunebench.scaling.law import Law

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench fit points.csv --form rosenfeld
  prunebench fit points.csv --fix error_up=0.9 -o law.json
  prunebench fit scaling-lenet --form rosenfeld-width -o law.json   # what has been run of a suite
  prunebench fit points.csv --figures figures   # error against density, residuals, contours, …
  prunebench fit scaling-lenet --method imp -k 'not w2' --json
  prunebench fit t5.csv --form frantar --loss huber-log --column nonzero=nonzero_millions
"""


@click.command("fit", epilog=_EPILOG, short_help="Fit a scaling law to measured errors.")
@click.argument("given", metavar="SUITE|FILE.csv")
@click.option(
    "--form",
    metavar="NAME",
    default="rosenfeld",
    show_default=True,
    help="The functional form; `prunebench list forms` has them all.",
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
    help="Of a file: the column that holds NAME; repeatable.",
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
def command(given: str, form: str, output: str | None, as_json: bool, **options: Any) -> None:
    """Fit a law of the error to the records of SUITE, or to the points of FILE.csv.

    A file has a line a point: `density` (the share of prunable weights left) and `error` (top-1 on the test
    set, a fraction), and of `error_unpruned` (or a row at density 1), `depth`, `width`, `subsample` (training
    examples), `seed`, `prunable` (weights that can be pruned) those that there are. Coefficients are told
    with standard errors and 95 % intervals, the fit with the mean and standard deviation of its relative
    error, and with what the points do not determine. Prints the numbers; changes nothing but FILE of -o and
    DIR of --figures.
    """
    from prunebench.cli._laws import assigned, form_of, forms_of, is_file
    from prunebench.cli._output import deliver, say, say_json
    from prunebench.scaling.beside import beside

    suite = "" if is_file(given) else given
    forms = forms_of(options, form, suite)
    fixed = _fixed(assigned(options["fix"], "--fix"))
    law = _law(given, form_of(forms, form), forms, fixed, options)
    compared = beside(law.fit, law.points, left_out=options["left_out"])
    if output:
        import json

        deliver(json.dumps(law.plain(), indent=1, ensure_ascii=False) + "\n", output)
    if options["figures"]:
        from prunebench.cli._law_figures import write_figures

        for line in write_figures(options["figures"], law, forms):
            say(line, err=True)
    if as_json:
        plain = {name: value for name, value in law.plain().items() if name != "schema"}
        say_json({**plain, "beside": compared.plain()})
    elif output != "-":
        from prunebench.cli._law_text import fit_text

        deliver(fit_text(law, compared, written=output), None)


def _fixed(given: Mapping[str, str]) -> dict[str, float]:
    from prunebench.errors import UsageError

    values = {}
    for name, text in given.items():
        try:
            values[name] = float(text)
        except ValueError:
            raise UsageError(f"--fix: {name} is '{text}'; allowed: a number") from None
    return values


def _law(given: str, form: Form, forms: Mapping[str, Form], fixed: dict[str, float], options: Any) -> Law:
    from prunebench.cli._laws import source_of
    from prunebench.scaling.fit import fit
    from prunebench.scaling.law import Law, unpruned_fit, with_size
    from prunebench.scaling.resampling import bootstrap

    names = _unpruned_names(options["unpruned"], forms)
    source = source_of(given, form, options)
    search = {"loss": options["loss"], "starts": options["starts"]}
    made = fit(form, source.points, fixed=fixed, **search)
    if options["bootstrap"]:
        made = bootstrap(made, source.points, resamples=options["bootstrap"])
    points, proxy = with_size(source.points)
    unpruned, said = None, list(source.said)
    if "error_unpruned" in form.columns and names:
        unpruned, why = unpruned_fit(points, forms, names)
        said += [f"no law of unpruned networks: {why}"] if why else []
    return Law(made, points, unpruned, source.family, source.about, proxy, said)


def _unpruned_names(name: str | None, forms: Mapping[str, Form]) -> Sequence[str]:
    from prunebench.cli._laws import form_of
    from prunebench.scaling.law import UNPRUNED

    if name is None:
        return UNPRUNED
    return () if name == "none" else (form_of(forms, name, "--unpruned").name,)
