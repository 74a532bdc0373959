"""Writes a page's content as HTML: one file with its own scripts and styles, and nothing that is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from prunebench._version import __version__
from prunebench.report.escapes import plain
from prunebench.report.figures import Figure
from prunebench.report.figures.law.told import Told
from prunebench.report.page.columns import deflated
from prunebench.report.page.content import Content
from prunebench.report.page.finds import FindsPart
from prunebench.report.page.listed import Listed
from prunebench.report.page.policy import policy
from prunebench.report.page.words import claims_words, facts, provenance, remarks

__all__ = ["render"]


class Section(NamedTuple):
    """A part of the page: its name in links, its heading, the figures in it."""

    id: str
    title: str
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()
    """Sentences above the figures."""
    laws: Sequence[Told] = ()
    """Scaling laws above the figures."""
    finds: Sequence[FindsPart] = ()
    """Tables of finds above the figures."""
    tables: Sequence[Listed] = ()
    """Tables below the figures."""


_FINDS = ("find-", "ratios-by-epoch", "distance-by-epoch", "mediation")
"""Beginnings of the ids of figures of finds."""

_FIGURES: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("finds", "Finds", _FINDS),
    ("smaller", "Smaller networks", ("smaller",)),
    ("across", "Across settings", ("across", "profiles")),
    ("ablations", "Ablations", ("ablations",)),
    ("pruning-time", "Pruning time", ("pruning-time",)),
    ("layers", "Layers", ("layers",)),
    ("neurons", "Neurons", ("neurons",)),
    ("weights", "Weights over training", ("weights",)),
    ("effective", "Effective parameters", ("effective",)),
    ("reported", "Beside reported numbers", ("extreme",)),
    ("baselines", "Baselines", ("baselines",)),
    ("cost", "Cost", ("cost",)),
    ("laws", "Scaling laws", ("law",)),
)
"""Sections of figures in the page's order, with the beginnings of the ids of the figures in them."""


def render(content: Content) -> str:
    """Return the page of a suite's results.

    The same content gives the same bytes. Names and texts of others are escaped; what runs in the page is
    its own two scripts, by their hashes.
    """
    suite = content.results.suite
    early, style, script = _text("early.js"), _text("page.css"), _script()
    vega = _text("vega.js")
    page = _environment().get_template("page.html")
    text: str = page.render(
        content=content,
        title=plain(str((suite.get("leaderboard") or {}).get("title") or content.results.name)),
        name=plain(content.results.name),
        version=plain(str(suite.get("version", ""))),
        about="",
        facts=facts(content),
        remarks=remarks(content),
        claims={"words": claims_words(content)},
        provenance=provenance(content),
        commands=_lines(content.commands),
        sections=_sections(content),
        prunebench=__version__,
        licenses=_lines(_text("vega.licenses.txt")),
        policy=policy([early, vega, script], [style]),
        early=_verbatim(early),
        style=_verbatim(style),
        vega=_verbatim(vega),
        script=_verbatim(script),
        data=_verbatim(deflated(content.plain())),
    )
    return text


def _sections(content: Content) -> list[Section]:
    """Return the sections that have something in them, in the order in which a reader wants them."""
    left = {figure.id: figure for figure in content.figures}
    sections = []
    for name, title, beginnings in _FIGURES:
        mine = [figure for id, figure in left.items() if id.startswith(beginnings)]
        for figure in mine:
            del left[figure.id]
        notes, told = (content.missing_laws, content.laws) if name == "laws" else ([], [])
        finds = content.finds if name == "finds" else []
        tables = [table for table in content.tables if table.id == name]
        if mine or notes or told or finds:
            sections.append(Section(name, title, mine, notes, told, finds, tables))
    first = [Section("answer", "The answer", list(left.values()))]
    if content.claims is not None:
        first.append(Section("claims", "Claims"))
    leading = {"finds"} if content.finds else set()  # what such a study is about
    leading |= {"laws"} if content.single and content.laws else set()  # nothing is compared
    first = [*(section for section in sections if section.id in leading), *first]
    sections = [section for section in sections if section.id not in leading]
    placed = {table.id for section in sections for table in section.tables}
    rest = [table for table in content.tables if table.id not in placed]
    last = [Section("tables", "Tables", tables=rest)] if rest else []
    return [*first, *sections, *last, Section("provenance", "Provenance")]


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("prunebench.report.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalized(value: Any) -> Any:
    """Return what a template puts in: whoever a text is of, nothing in it acts; escaping is jinja's."""
    return plain(value) if type(value) is str else value


def _lines(text: str) -> Any:
    """Return a text of several lines, escaped."""
    from markupsafe import Markup, escape

    return Markup("\n").join(escape(plain(line)) for line in text.split("\n"))


def _verbatim(text: str) -> Any:
    """Return a text of prunebench's own that stands in the page as it is."""
    from markupsafe import Markup

    return Markup(text)


@cache
def _text(name: str) -> str:
    return files("prunebench.report.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    """Return the page's own script: the files of js/ by their names, in one scope of their own."""
    found = sorted(files("prunebench.report.page").joinpath("js").iterdir(), key=lambda each: each.name)
    parts = [each.read_text(encoding="utf-8") for each in found if each.name.endswith(".js")]
    return "\n".join(['(async () => {\n"use strict";', *parts, "})();\n"])
