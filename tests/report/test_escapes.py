"""Escapes: whatever somebody calls a thing, each format shows it as text and nothing else."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from hostile import NAMES
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prunebench.report import escapes

TEXTS = st.one_of(
    st.sampled_from(sorted(NAMES.values())),
    st.text(st.characters(), max_size=40),
    st.text("\\`*_|[]()<>&$#^~%{}=+-@'\"!:;,./ \t\r\nawx1.\x1b\u202e", max_size=24),
    st.lists(st.sampled_from(sorted(NAMES.values(), key=len)[:-2]), max_size=3).map("".join),
)
PLAIN_NAMES = ("snip", "grasp-inverted (also: grasp + invert)", "resnet-20", "d0.05", "lr=0.05", "§5, Fig. 4")


def shown(text: str) -> str:
    """Return what a reader should see of a text, blanks apart."""
    return " ".join(escapes.plain(text).split())


@pytest.mark.parametrize("text", PLAIN_NAMES)
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    """What nobody would call hostile is shown letter by letter, in every format but LaTeX's few signs."""
    for escape in (escapes.plain, escapes.markdown, escapes.html, escapes.csv_field, escapes.terminal):
        assert escape(text) == text


@given(TEXTS)
def test_plain_is_one_line_of_what_is_seen(text: str) -> None:
    """No control character, mark of direction or lone surrogate; never longer than is shown; idempotent."""
    found = escapes.plain(text)
    assert found.isprintable()
    assert len(found) <= escapes.LONGEST
    found.encode("utf-8")
    assert escapes.plain(found) == found


def test_a_pile_of_combining_marks_is_thinned() -> None:
    """Four marks stay on a letter (more climb over other lines), and none stands on what goes before."""
    assert escapes.plain("z" + "\u0301" * 500 + "é") == "z" + "\u0301" * 4 + "é"
    assert escapes.plain("\u0338x") == "x"


# -- markdown, as CommonMark with tables reads it -----------------------------------------------------------

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def cell_of(text: str) -> str:
    """Return what a markdown reader sees in a table's cell that holds an escaped text."""
    source = f"before\n\n| a | b |\n|:--|--:|\n| {escapes.markdown(text)} | 1 |\n"
    tokens = MARKDOWN.parse(source)
    inline = [token for token in tokens if token.type == "inline"]
    assert [token.content for token in inline[:3]] == ["before", "a", "b"]
    assert len(inline) == 5, "the text ended its cell or the table"
    assert inline[4].content == "1"
    kinds = {child.type for child in inline[3].children or ()}
    assert kinds <= {"text", "text_special"}, f"{kinds} are more than text"
    return "".join(child.content for child in inline[3].children or ())


@given(TEXTS)
def test_in_markdown_a_text_is_a_text(text: str) -> None:
    """A table's cell holds nothing but the text, and the text comes back."""
    assert " ".join(cell_of(text).split()) == shown(text)


@given(TEXTS)
def test_in_markdown_a_text_may_begin_a_paragraph_or_a_list_entry(text: str) -> None:
    """It starts no heading, list, quote, rule or code there."""
    paragraph = escapes.markdown(text).strip()
    kinds = [token.type for token in MARKDOWN.parse(f"{paragraph}\n")]
    assert kinds == (["paragraph_open", "inline", "paragraph_close"] if paragraph else [])
    entry = [token.type for token in MARKDOWN.parse(f"- {paragraph}\n")]
    assert [kind for kind in entry if kind.endswith("_open")].count("list_item_open") == 1


@pytest.mark.parametrize(
    "text", ["https://example.invalid", "see HTTP://x", "www.example.invalid", "$x$", "$$x$$"]
)
def test_markdown_of_github_makes_no_link_and_no_formula(text: str) -> None:
    """Its extensions look at the source: an address without a colon, a formula without a dollar are none."""
    found = escapes.markdown(text)
    assert not re.search(r"[a-z]://|www\.|\$", found, re.IGNORECASE)
    assert cell_of(text) == text


# -- HTML ----------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects what a browser's parser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")


@given(TEXTS)
def test_in_html_a_text_is_a_text(text: str) -> None:
    """In an element and in an attribute, in either kind of quotes, it comes back and adds nothing."""
    reader = Reader()
    found = escapes.html(text)
    reader.feed(f"<p title=\"{found}\" id='{found}'>{found}</p>")
    reader.close()
    plain = escapes.plain(text)
    assert reader.tags == [("p", [("title", plain), ("id", plain)])]
    assert reader.text == plain


# -- LaTeX ---------------------------------------------------------------------------------------------------

COMMANDS = {
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
    *("textquotedbl", "textasciigrave", "textquotesingle", "dots"),
    *("pm", "times", "cdot", "leq", "geq", "neq", "to", "infty", "alpha", "delta", "Delta", "sigma"),
}
TOKEN = re.compile(r"\\([A-Za-z]+)|\\([{}$&#_%])|(.)", re.DOTALL)


@given(TEXTS)
def test_in_latex_a_text_has_no_command_of_its_own(text: str) -> None:
    """Only known commands and escaped signs; braces and dollars balance; nothing beyond T1's letters."""
    found = escapes.latex(text)
    depth = dollars = 0
    for command, sign, other in TOKEN.findall(found):
        assert not command or command in COMMANDS
        assert other not in ("\\", "&", "#", "_", "%", "^", "~", "<", ">", "|", '"')
        depth += (other == "{") - (other == "}")
        dollars += other == "$"
        assert depth in (0, 1)
        assert sign or command or ord(other) < 256
    assert depth == 0
    assert dollars % 2 == 0


def test_latex_spells_what_it_cannot_set() -> None:
    """Each sign stands for itself, ligatures are undone, and letters beyond T1 are their numbers."""
    assert escapes.latex("a_b & 5 %") == r"a\_b \& 5 \%"
    assert escapes.latex("--x, ?`") == r"-{}-x, ?{}\textasciigrave{}"
    assert escapes.latex("é − ±1 中") == "é $-$ $\\pm$1 {[}U+4E2D{]}"
    assert escapes.latex("\\end{document}") == r"\textbackslash{}end\{document\}"


# -- CSV -----------------------------------------------------------------------------------------------------

FORMULAS = tuple("=+-@\t\r＝＋－＠")


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_in_csv_a_text_is_one_field_and_no_formula(texts: list[str]) -> None:
    """Read with commas it is one field that begins as no formula; nor does one begin after a semicolon."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([escapes.csv_field(text) for text in texts])
    assert out.getvalue().count("\n") == 1
    (row,) = csv.reader(io.StringIO(out.getvalue()))
    assert len(row) == len(texts)
    for field, text in zip(row, texts, strict=True):
        assert field.replace("'", "") == escapes.plain(text).replace("'", "")
        for part in field.split(";"):
            assert not part.strip(" \"'")[:1] or not part.lstrip(' "').startswith(FORMULAS)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("csv ")])
def test_each_formula_is_disarmed(name: str) -> None:
    """Every known way to begin one has an apostrophe before it, or no longer begins with it."""
    found = escapes.csv_field(NAMES[name])
    assert not found.lstrip(' "').startswith(FORMULAS)


# -- terminal ------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_a_terminal_is_not_commanded(text: str) -> None:
    """No escape sequence, no line of its own, and rich reads no markup in it."""
    found = escapes.terminal(text)
    assert found.isprintable()
    table = Table("a", "b")
    table.add_row(Text(found[:60]), "1")
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(table)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in printed


# -- JSON ----------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_json_gives_a_text_back_and_can_be_printed(text: str) -> None:
    """What is read is what was written, to the last surrogate; the file's own characters are all seen."""
    found = escapes.json_text({"name": text, text: 1})
    expected = {"name": text}
    expected[text] = 1  # type: ignore[assignment]
    assert json.loads(found) == expected
    assert all(line.isprintable() for line in found.split("\n"))
    found.encode("utf-8")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_has_no_numbers_that_json_lacks(value: float) -> None:
    """NaN and infinities are refused rather than written as no reader reads them."""
    with pytest.raises(ValueError, match="Out of range"):
        escapes.json_text({"a": value})


# -- names of files ------------------------------------------------------------------------------------------


@given(TEXTS)
def test_a_file_name_stays_in_its_folder(text: str) -> None:
    """No separator, no dot at the start, no device, nothing longer than file systems take; idempotent or hashed."""
    found = escapes.file_name(text)
    assert re.fullmatch(r"[a-z0-9_][a-z0-9._-]{0,99}", found)
    assert not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", found)


@given(TEXTS, TEXTS)
def test_two_texts_have_two_files(one: str, other: str) -> None:
    """Also where capitals are not told apart."""
    assert (escapes.file_name(one) == escapes.file_name(other)) == (one == other)


def test_good_file_names_stay() -> None:
    """What is a file's name already is kept."""
    assert escapes.file_name("resnet20-ablations") == "resnet20-ablations"
    assert escapes.file_name("fig_4.svg") == "fig_4.svg"
