"""Somebody else's text made harmless, for each format that tables, figures and pages are written in.

Names, sources, reasons and error messages come from suites, plugins and records, which are other people's.
Every writer passes them through the function of its format; what prunebench itself says needs none. What a
text looks like stays as far as it can: each function leaves ordinary names as they are.
"""

from __future__ import annotations

import hashlib
import html as _html
import json
import re
import unicodedata
from itertools import zip_longest
from typing import Any

from prunebench.errors import readable

__all__ = ["LONGEST", "csv_field", "file_name", "html", "json_text", "latex", "markdown", "plain", "terminal"]

LONGEST = 2000
"""So many characters of a text are shown; of a longer one the first ones and an ellipsis. JSON has all."""

_COMBINING = ("Mn", "Me")
_MARKS = 4
"""So many combining marks may stand on one letter: more would climb over the lines above."""


def plain(text: str) -> str:
    """Return `text` on one line of characters that are seen: the base of every other escape but JSON's.

    What a terminal, an editor or a browser would act upon becomes a space: control characters, line ends,
    marks of writing direction, characters without width, unassigned ones. Bytes of names that are not UTF-8
    are spelled out. Letters that are written from right to left stay, and move what stands beside them on
    the line: a page isolates them (the element `bdi`).

    >>> plain("a\\x1b[31mb\\nc\\u202ed\\udce9")
    'a [31mb c d\\\\xe9'
    """
    shown = readable(text[: LONGEST + 1])
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(c if c.isprintable() else " " for c in shown)
        shown = _thinned(shown)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _thinned(text: str) -> str:
    """Return a text without piles of combining marks, or one that would stand on what goes before."""
    kept: list[str] = []
    run = _MARKS
    for c in text:
        run = run + 1 if unicodedata.category(c) in _COMBINING else 0
        if run <= _MARKS:
            kept.append(c)
    return "".join(kept)


def terminal(text: str) -> str:
    """Return a text that no terminal obeys; rich is handed it as `Text`, which reads no markup.

    >>> terminal("snip\\x1b]0;title\\x07")
    'snip ]0;title '
    """
    return plain(text)


_AT_START = re.compile(r"^(\s*)(?:([-+=#:])|(\d{1,9})([.)])(?=\s|$))")
_LINK = re.compile(r"(?<=[A-Za-z])(:)(?=//)|(?<=www)(\.)", re.IGNORECASE)


def markdown(text: str) -> str:
    """Return a text that stays itself in markdown, in a table's cell too: no markup, HTML, link or formula.

    GitHub's and pandoc's dialects are meant. Underscores inside words are left, as both leave them.

    >>> print(markdown("a|b *c* <i> snake_case _d_"))
    a\\|b \\*c\\* &lt;i&gt; snake_case \\_d\\_
    >>> print(markdown("# x"), markdown("http://x"), markdown("$y$"))
    \\# x http&#58;//x &#36;y&#36;
    """
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")
    shown = _LINK.sub(lambda m: "&#58;" if m[1] else "&#46;", shown)
    shown = re.sub(r"([\\`*|\[\]~])", r"\\\1", shown)
    shown = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", shown)
    return _AT_START.sub(lambda m: rf"{m[1]}\{m[2]}" if m[2] else rf"{m[1]}{m[3]}\{m[4]}", shown)


def html(text: str) -> str:
    """Return a text for the content of an element or a quoted attribute; not for scripts, styles or links.

    >>> html("<script>'\\"&")
    '&lt;script&gt;&#x27;&quot;&amp;'
    """
    return _html.escape(plain(text), quote=True)


_LATEX = {
    "\\": r"\textbackslash{}",
    **{c: rf"\{c}" for c in "{}$&#_%"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "[": "{[}",  # after \\ it would be an option
    "]": "{]}",
    "*": "{*}",
    "\u2013": "--",
    "\u2014": "---",
    "\u2212": "$-$",
    "\u2026": r"\dots{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "α": r"$\alpha$",
    "δ": r"$\delta$",
    "Δ": r"$\Delta$",
    "σ": r"$\sigma$",
}
_ENCODED = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ")
"""Letters beyond ASCII that pdfLaTeX has in its T1 encoding."""


def latex(text: str) -> str:
    """Return a text that LaTeX sets as it stands, in a table's cell too: no command, no mathematics.

    For pdfLaTeX of 2020 or later with the encoding T1. A character that it does not have
    stands as its number, U+4E2D.

    >>> print(latex("100 % of_me \\\\input{x} 中"))
    100 \\% of\\_me \\textbackslash{}input\\{x\\} {[}U+4E2D{]}
    """
    return "".join(map(_as_latex, _unligated(plain(text))))


def _unligated(text: str) -> list[str]:
    """Return a text's characters, with an empty group where two would be drawn as one: --, ,, ?`."""
    parts: list[str] = []
    for c, following in zip_longest(text, text[1:]):
        parts.append(c)
        if (c in "-," and following == c) or (c in "?!" and following == "`"):
            parts.append("{}")
    return parts


def _as_latex(part: str) -> str:
    if part == "{}" or (part.isascii() and part not in _LATEX) or part in _ENCODED:
        return part
    return _LATEX.get(part) or f"{{[}}U+{ord(part):04X}{{]}}"


_FORMULA = re.compile(r"(^|;)([\s\"']*)(?=[=+\-@\uff0b\uff0d\uff1d\uff20])")


def csv_field(text: str) -> str:
    """Return a text for a field of CSV that no spreadsheet takes for a formula.

    An apostrophe goes before = + - @ (their full-width forms too) at the start, and after a semicolon, where
    some countries' spreadsheets begin a new field. Numbers are no texts and are written as they are; quoting
    is the writer's.

    >>> csv_field("=1+1"), csv_field("-x"), csv_field("snip; =1"), csv_field("a-b")
    ("'=1+1", "'-x", "snip; '=1", 'a-b')
    """
    return _FORMULA.sub(r"\1\2'", plain(text))


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Return a value as JSON whose texts come back as they were, in characters that can be seen.

    What `plain` would not show stands as its number (\\\\u202e), so that the file can be printed and edited.

    Raises: ValueError for NaN and infinities, which JSON does not have.

    >>> print(json_text({"é": "\\u202e"}, indent=None))
    {"é": "\\u202e"}
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(c if c.isprintable() or c == "\n" else _numbered(c) for c in text)


def _numbered(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_HASHED = re.compile(r"-[0-9a-f]{8}$")


def file_name(text: str) -> str:
    """Return a name for a file of a folder: no path, nothing hidden, no device, at most 100 characters.

    Texts that are such names already, in small letters, stay as they are; others end in eight digits of their
    hash, so that two texts never share a file, also where capitals are not told apart.

    >>> file_name("resnet20-ablations"), file_name("../../etc/passwd")
    ('resnet20-ablations', 'etc-passwd-3754d6cb')
    """
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:80].strip("-.")
    taken = _RESERVED.fullmatch(name) or _HASHED.search(name)
    if name == text and name and not taken:
        return name
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name}-{mark}" if name and not _RESERVED.fullmatch(name) else f"x-{mark}"
