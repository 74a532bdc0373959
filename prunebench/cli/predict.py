"""`prunebench predict`: what a fitted law says of a network, or which network has the fewest weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._law_asked import (
    all_members,
    check_error,
    check_known,
    check_left,
    check_scale,
    examples_of,
    numbers,
    one_member,
)
from prunebench.cli._options import as_json, data_option, plugin_options
from prunebench.cli._shares import SHARE

if TYPE_CHECKING:
    from prunebench.scaling.law import Law
    from prunebench.scaling.law.fewest import Choice
    from prunebench.scaling.law.members import Member
    from prunebench.scaling.points import Floats

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench predict law.json --depth 56 --width 0.5 --density 0.1
  prunebench predict law.json --width 0.25 --density 0.1 --density 0.01 --error-unpruned 0.09
  prunebench predict law.json --max-error 0.08       # which member, pruned how far, has the fewest weights
  prunebench predict law.json --max-error 0.08 --width 0.5 --width 1 --depth 20 --json
"""


@click.command(
    "predict", epilog=_EPILOG, short_help="Ask a fitted law for errors, or for the smallest network."
)
@click.argument("law_file", metavar="FIT")
@click.option(
    "--depth",
    metavar="L",
    type=float,
    multiple=True,
    help="The network's depth.  [default: the one of the points; with --max-error all of them]",
)
@click.option("--width", metavar="W", type=float, multiple=True, help="Its width, likewise.")
@click.option(
    "--examples",
    metavar="N",
    type=float,
    help="How many training examples.  [default: the most that the points have]",
)
@click.option(
    "--density", metavar="D", type=SHARE, multiple=True, help="The share of weights left; repeatable."
)
@click.option(
    "--error-unpruned", metavar="E", type=SHARE, help="The error of that network unpruned, a fraction."
)
@click.option(
    "--column",
    metavar="NAME=VALUE",
    multiple=True,
    help="What else the law reads of the network, such as nonzero=600; repeatable.",
)
@click.option(
    "--max-error", metavar="E", type=SHARE, help="Find the fewest weights with an error of at most E."
)
@data_option
@plugin_options
@as_json
def command(
    law_file: str,
    depth: tuple[float, ...],
    width: tuple[float, ...],
    examples: float | None,
    density: tuple[float, ...],
    error_unpruned: float | None,
    max_error: float | None,
    column: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Say what the law in FIT, a file that `prunebench fit -o` wrote, says of networks.

    With --density: the error of one member, with the interval in which 95 % of measurements are expected. The
    unpruned error of a network that was not trained comes from the law of unpruned networks in FIT.

    With --max-error: which member, pruned how far, has the fewest weights. Weights are counted exactly;
    beside that stands the analytic solution of Rosenfeld et al. 2021 (section 7), which counts depth ·
    width² · density. Members are all depths and widths of the points, or those that --depth and --width name.

    What lies outside the points that were fitted is answered, with a warning.
    """
    from dataclasses import replace

    from prunebench.cli._laws import fraction, is_file
    from prunebench.errors import UsageError

    if is_file(law_file):
        raise UsageError(
            f"{law_file} holds points; `prunebench fit {law_file} -o FIT` makes a law of them first"
        )
    if (max_error is None) == (not density):
        raise UsageError("say --density D for an error, or --max-error E for the fewest weights: one of them")
    for value in density:
        fraction(value, "--density", "the share of weights that is left")
    law = _read(law_file, options)
    for name, error in (("--error-unpruned", error_unpruned), ("--max-error", max_error)):
        if error is not None:
            check_error(error, name, law.fit.form.most)
    asked = {"depth": depth, "width": width, "examples": () if examples is None else (examples,)}
    for name, values in asked.items():
        check_scale(law, name, values)
    of_data = examples_of(law, examples)
    if max_error is not None:
        if error_unpruned is not None or column:
            option = "--column" if column else "--error-unpruned"
            raise UsageError(
                f"{option} is of one network; --max-error looks at many, each with its own: leave it out, or "
                "ask for the error of that network with --density D"
            )
        _fewest(law, law_file, max_error, all_members(law, depth, width, of_data, options), as_json)
    else:
        one = one_member(law, depth, width, of_data, error_unpruned, options)
        check_left(one, density)
        one = replace(one, extra=numbers(law, column))
        check_known(law, one, "--column {0}=N gives it")
        _errors(law, law_file, one, density, as_json)


def _read(path: str, options: dict[str, Any]) -> Law:
    from pathlib import Path

    from prunebench.cli._laws import forms_of
    from prunebench.errors import FitError, nearest_file
    from prunebench.scaling.law import forms_in, law_of

    try:
        text = Path(path).read_text("utf-8")
    except FileNotFoundError as error:
        raise FitError(f"{path}: no such file{nearest_file(Path(path))}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FitError(f"{path}: cannot be read: {error}") from error
    return law_of(text, path, forms_of(options, forms_in(text)))


def _errors(law: Law, path: str, one: Member, density: Sequence[float], as_json: bool) -> None:
    import numpy as np

    from prunebench.cli._law_text import errors_text, say_outside
    from prunebench.cli._output import deliver, say_json
    from prunebench.scaling.law.members import predicted

    at = np.array(density)
    answer = predicted(law, one, at)
    _check_possible(law, one, at, answer.error)
    outside = law.fit.outside(one.points(at))
    say_outside(law, one, at)
    rows = [
        {"density": float(d), "error": float(e), "low": float(low), "high": float(high)}
        for d, e, low, high in zip(at, answer.error, answer.low, answer.high, strict=True)
    ]
    if as_json:
        counted = [{**row, "kept": _kept(one, row["density"])} for row in rows]
        say_json(
            {"kind": "prediction", "fit": path, "network": _plain(one), "outside": outside, "rows": counted}
        )
    else:
        deliver(errors_text(law, one, rows), None)


def _kept(one: Member, density: float) -> int | None:
    """Return how many weights a member has left; None where they are not counted."""
    return None if one.prunable is None else round(density * one.prunable)


def _check_possible(law: Law, one: Member, density: Floats, error: Floats) -> None:
    """Raises: FitError for an answer that no error can be."""
    import numpy as np

    from prunebench.errors import FitError

    beyond = np.flatnonzero(~(error <= law.fit.form.most * (1 + 1e-9)))
    if len(beyond):
        row = int(beyond[0])
        raise FitError(
            f"form {law.fit.form.name!r} gives an error of {error[row]:.4g} for {one.name} at density "
            f"{density[row]:g}, beyond {law.fit.form.most:g}, the most that there can be: it says nothing of "
            "such networks"
        )


def _fewest(law: Law, path: str, most: float, members: tuple[list[Member], list[str]], as_json: bool) -> None:
    import numpy as np

    from prunebench.cli._fewest_text import fewest_text
    from prunebench.cli._law_text import say_outside
    from prunebench.cli._output import complain, deliver, say_json
    from prunebench.errors import FitError
    from prunebench.scaling.law.fewest import analytic, fewest, fewest_measured

    check_known(law, members[0][0], "--max-error needs it of every network")
    up = law.fit.parameters.get("error_up")
    if law.fit.rosenfeld and up is not None and most >= up:
        raise FitError(
            f"--max-error {most:g} is not below error_up, {up:.4g}: by this law every network, pruned "
            f"however far, is as good"
        )
    choices = fewest(law, members[0], most)
    if not choices:
        best = min(members[0], key=lambda one: one.error_unpruned)
        raise FitError(
            f"no member has an error of at most {most:g}: the least unpruned one is "
            f"{best.error_unpruned:.4g}, of {best.name}"
        )
    for why in dict.fromkeys(members[1]):
        complain(f"left out: {why}", label="Warning")
    say_outside(law, choices[0].member, np.array([choices[0].density]))
    solved = analytic(law, members[0], most) if law.fit.rosenfeld else None
    measured = fewest_measured(law, most, members[0])
    if as_json:
        say_json(
            {
                "kind": "fewest-weights",
                "fit": path,
                "max_error": most,
                "answer": _choice(choices[0]),
                "analytic": None
                if solved is None
                else {**_plain(solved[0]), "density": solved[1], "size": solved[2]},
                "measured": None if measured is None else _known(vars(measured)),
                "members": [_choice(one) for one in choices],
                "left_out": list(dict.fromkeys(members[1])),
            }
        )
    else:
        deliver(fewest_text(law, most, choices, solved, measured, len(members[0])), None)


def _plain(one: Member) -> dict[str, Any]:
    names = ("depth", "width", "examples", "prunable", "error_unpruned")
    return {**_known({name: getattr(one, name) for name in names}), "source": one.source}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON has them: null for what is not known, examples as a count."""
    known = {name: None if value != value else value for name, value in values.items()}
    examples = known.get("examples")
    if isinstance(examples, float) and examples.is_integer():
        known["examples"] = int(examples)
    return known


def _choice(one: Choice) -> dict[str, Any]:
    names = (
        "density",
        "kept",
        "kept_low",
        "kept_high",
        "size",
        "error",
        "low",
        "high",
        "outside",
        "unpruned",
    )
    return {**_plain(one.member), **{name: getattr(one, name) for name in names}}
