"""`prunebench predict`: what a fitted law says of a network, or which network has the fewest weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

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
            _error(error, name, law.fit.form.most)
    asked = {"depth": depth, "width": width, "examples": () if examples is None else (examples,)}
    for name, values in asked.items():
        _scale(law, name, values)
    of_data = _examples(law, examples)
    if max_error is not None:
        if error_unpruned is not None or column:
            option = "--column" if column else "--error-unpruned"
            raise UsageError(
                f"{option} is of one network; --max-error looks at many, each with its own: leave it out, or "
                "ask for the error of that network with --density D"
            )
        _fewest(law, law_file, max_error, _members(law, depth, width, of_data, options), as_json)
    else:
        one = _member(law, depth, width, of_data, error_unpruned, options)
        _some_are_left(one, density)
        one = replace(one, extra=_numbers(law, column))
        _knows(law, one, "--column {0}=N gives it")
        _errors(law, law_file, one, density, as_json)


_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in ("density", "depth", "width", "examples", "error_unpruned")
}
"""What is said of a network by an option of its own, and so not by --column."""


def _numbers(law: Law, given: Sequence[str]) -> dict[str, float]:
    """Return the columns that --column gives. Raises: UsageError for one that the law does not read."""
    from prunebench.cli._laws import assigned
    from prunebench.errors import UsageError, nearest

    values = {}
    for name, text in assigned(given, "--column").items():
        if name in _OPTIONS:
            raise UsageError(f"--column: {name} has an option of its own: {_OPTIONS[name]} {text}")
        if name not in law.fit.form.columns:
            raise UsageError(f"--column: the law does not read '{name}'{nearest(name, law.fit.form.columns)}")
        try:
            values[name] = float(text)
        except ValueError:
            raise UsageError(f"--column: {name} is '{text}'; allowed: a number above 0") from None
        _positive(f"--column {name}", [values[name]])
    return values


def _error(value: float, option: str, most: float) -> None:
    """Raises: UsageError for what is no error, of a law whose errors are at most `most`."""
    from prunebench.cli._laws import fraction

    if most == 1:
        fraction(value, option, "an error as a fraction", one=option == "--error-unpruned")
    else:
        _positive(option, [value])


def _scale(law: Law, name: str, values: Sequence[float]) -> None:
    """Raises: UsageError for what is no depth, width or number of examples, or where the law knows none."""
    import numpy as np

    from prunebench.errors import UsageError

    _positive(f"--{name}", values)
    if values and np.isnan(law.points.column(name)).all():
        raise UsageError(f"--{name}: the points of this law have no {name}; leave it out")


def _positive(name: str, values: Sequence[float]) -> None:
    from prunebench.errors import UsageError

    for value in values:
        if not 0 < value < float("inf"):
            raise UsageError(f"{name}: found {value:g}; allowed: a number above 0")


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


def _examples(law: Law, given: float | None) -> float:
    import numpy as np

    known = law.points.examples[~np.isnan(law.points.examples)]
    if given is not None:
        return given
    return float(known.max()) if len(known) else float("nan")


def _member(
    law: Law,
    depth: Sequence[float],
    width: Sequence[float],
    examples: float,
    error: float | None,
    options: Any,
) -> Member:
    """Return the one network that is asked about. Raises: UsageError where several could be meant."""
    from prunebench.cli._laws import counter
    from prunebench.errors import UsageError
    from prunebench.scaling.law.members import distinct, member

    values = []
    for name, given in (("depth", depth), ("width", width)):
        there = distinct(given or law.points.column(name))
        if len(there) > 1:
            listed = ", ".join(f"{one:g}" for one in there)
            why = "several are given" if given else f"the points have {listed}"
            raise UsageError(f"--{name}: say the network's {name}, one; {why}")
        values.append(there[0])
    return member(law, values[0], values[1], examples, counter(law, options), error)


def _knows(law: Law, one: Member, way: str) -> None:
    """Raises: FitError for a column that a law reads and nobody knows of a network; `way` says what helps."""
    import numpy as np

    from prunebench.errors import FitError
    from prunebench.scaling.form import columns_read

    points = one.points(np.ones(1))
    for name in columns_read(law.fit.form, law.fit.fixed):
        known = name in points.names() and not np.isnan(points.column(name)).any()
        if not known and name not in ("depth", "width", "examples", "error_unpruned"):
            reads = f"form {law.fit.form.name!r} reads {name}"
            raise FitError(f"{reads}, which is not known of {one.name}; {way.format(name)}")


def _some_are_left(one: Member, density: Sequence[float]) -> None:
    """Raises: UsageError for a density at which no weight of a member is left."""
    from prunebench.errors import UsageError

    for value in density:
        if one.prunable is not None and value * one.prunable < 0.5:
            least = f"{1 / one.prunable:.3g} and above"
            raise UsageError(
                f"--density {value:g} leaves none of the {one.prunable:,} weights; allowed: {least}"
            )


def _members(
    law: Law, depth: Sequence[float], width: Sequence[float], examples: float, options: Any
) -> tuple[list[Member], list[str]]:
    """Return the members among which the smallest is sought, and why others cannot be looked at."""
    from prunebench.cli._laws import counter
    from prunebench.errors import FitError
    from prunebench.scaling.law.members import distinct, member

    count, members, without = counter(law, options), [], []
    for one in distinct(depth or law.points.depth):
        for other in distinct(width or law.points.width):
            try:
                members.append(member(law, one, other, examples, count))
            except FitError as error:
                without.append(str(error))
    if not members:
        raise FitError(without[0])
    return members, without


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
    from prunebench.scaling.law.fewest import analytic, fewest, fewest_measured, is_rosenfeld

    _knows(law, members[0][0], "--max-error needs it of every network")
    up = law.fit.parameters.get("error_up")
    if is_rosenfeld(law) and up is not None and most >= up:
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
    solved = analytic(law, members[0], most) if is_rosenfeld(law) else None
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
