"""What commands print: text that is good on a terminal and in a log, colour only where it is welcome."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prunebench import smoke
from prunebench.errors import UsageError, readable
from prunebench.numbers import counted

if TYPE_CHECKING:
    from prunebench.host.registry import Host

__all__ = [
    "amount",
    "between",
    "complain",
    "counted",
    "deliver",
    "duration",
    "first_line",
    "problems",
    "say",
    "say_json",
    "say_rows",
    "say_smoke",
    "visible",
]


def say(text: str = "", style: str | None = None, *, err: bool = False) -> None:
    """Print a text; in a rich style where the stream is a terminal and NO_COLOR is not set."""
    stream = sys.stderr if err else sys.stdout
    text = visible(readable(text))
    if style is None or not stream.isatty():
        click.echo(text, err=err)
        return
    from rich.console import Console

    Console(file=stream).print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def visible(text: str) -> str:
    """Return a text with all that a terminal would act upon, and half characters, spelled out.

    Names and messages come from records, plans and plugins too. In JSON the spelling is JSON's own.

    >>> visible("two\\nlines, \\x1b[31mred")
    'two\\nlines, \\\\u001b[31mred'
    """
    return _ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_ACTS = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
    "|\\r(?!\\n)"
)
"""Control characters but line ends and tabs, marks that turn the direction of a text, lone surrogates."""


def say_smoke(suite: Mapping[str, Any]) -> None:
    """Say on standard error, beside whatever is shown of it, that a plan's suite is a smoke run."""
    if note := smoke.note(suite):
        complain(note, label="Warning")


def complain(text: str, *, label: str | None = None) -> None:
    """Print a message to standard error."""
    say(f"{label}: {text}" if label else text, "bold red" if label else "yellow", err=True)


def deliver(text: str, output: str | None) -> None:
    """Print a text that ends in a newline, or write it to a file.

    Raises: UsageError where the file cannot be written.
    """
    text = visible(text)
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error


SCHEMA = 1
"""The version of what commands print as JSON (docs/outputs.md): new keys leave it, other changes raise it."""


def say_json(value: Mapping[str, Any]) -> None:
    """Print a value as JSON, with the version of its schema."""
    whole = {"schema": SCHEMA, **value}
    click.echo(_json_text(json.dumps(whole, indent=2, ensure_ascii=False, default=_plain)))


def _json_text(text: str) -> str:
    """Return JSON with names that are not UTF-8 as `readable` spells them, their backslashes doubled."""
    return visible(readable(text, backslash="\\\\"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def say_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str] | Mapping[str, str],
    *,
    as_json: bool,
    kind: str = "",
    title: str | None = None,
    shrink: Sequence[str] = (),
) -> None:
    """Print a listing, as a table or as JSON (with what `kind` it is of).

    On a terminal the columns `shrink` are shortened to what fits.
    """
    from prunebench.report.listing import render, spelled

    text = render(rows, columns=columns, as_json=as_json, title=title)
    if rows and not as_json and sys.stdout.isatty():
        for name, least in zip(shrink, _LEAST, strict=False):
            wide = max(map(len, text.splitlines())) - shutil.get_terminal_size().columns
            if wide <= 0:
                break
            shown = [spelled(row.get(name)) for row in rows]
            room = max(least, max(map(len, shown)) - wide)
            rows = [{**row, name: _shortened(one, room)} for row, one in zip(rows, shown, strict=True)]
            text = render(rows, columns=columns, as_json=as_json, title=title)
    if as_json:
        say_json({"kind": kind, "rows": json.loads(text)})
    else:
        click.echo(visible(text))


_LEAST = (20, 12, 12)
"""Characters that are left of the first, second and third column that is shortened."""


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def problems(host: Host) -> None:
    """Say on standard error which plugins of others were not loaded, and why, and which loaded slowly."""
    for problem in host.problems:
        origin = f" ({problem.distribution} {problem.version})" if problem.distribution else ""
        complain(f"plugin {problem.plugin}{origin} is left out: {first_line(problem.error)}", label="Warning")
    for slow, seconds in host.slow:
        complain(f"plugin {slow} took {seconds:.1f} s to import", label="Warning")


def first_line(text: str) -> str:
    """Return the first line of other people's text, printable."""
    from prunebench.report.escapes import terminal as printable

    lines = str(text).strip().splitlines()
    return printable(lines[0]) if lines else ""


def duration(seconds: float) -> str:
    """Return a time with the precision that an estimate deserves.

    >>> duration(0.4), duration(42.4), duration(400), duration(9000), duration(200000), duration(1e11)
    ('less than a second', '42 s', '6 min 40 s', '2 h 30 min', '2 d 7 h', '3,169 years')
    """
    if seconds < 1:
        return "less than a second"
    if seconds >= 2 * 31_557_600:
        return f"{seconds / 31_557_600:,.0f} years"
    whole = round(seconds)
    for big, small, size, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            rest = (whole % size) // part
            return f"{whole // size} {big} {rest} {small}" if rest else f"{whole // size} {big}"
    return f"{whole} s"


def between(low: float, high: float) -> str:
    """Return a time that is only known to lie between two, in the unit that fits the longer.

    >>> between(0.2, 0.7), between(20, 90), between(70, 260), between(100, 110), between(3000, 9000)
    ('less than a second', '20–90 s', '1–4 min', '100–110 s', '50–150 min')
    """
    for unit, size, least in (("d", 86400, 3), ("h", 3600, 3), ("min", 60, 2), ("s", 1, 1)):
        if high >= least * size or unit == "s":
            first, last = max(1, round(low / size)), max(1, round(high / size))
            break
    if high < 1 or high >= 2 * 31_557_600:
        return duration(high)
    return f"{last} {unit}" if first == last else f"{first}–{last} {unit}"


def amount(macs: float) -> str:
    """Return multiply-accumulates in a readable unit.

    >>> amount(0), amount(1.5e9), amount(2e16), amount(2.03e21)
    ('0 MAC', '1.5 GMAC', '20 PMAC', '2,030 EMAC')
    """
    if macs >= 1e21:
        return f"{macs / 1e18:,.0f} EMAC"
    for unit, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if macs >= size:
            return f"{macs / size:.3g} {unit}MAC"
    return f"{macs:.3g} MAC"
