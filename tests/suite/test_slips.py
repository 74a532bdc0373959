"""What people write by mistake in a suite file: the error says what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import SuiteError, nearest
from prunebench.suite.load import read_content

SYNTAX: list[tuple[str, str, str]] = [
    # the text, line:column, how the hint begins
    ("x = .95", "1:5", "write 0.95: a number has a digit before its point"),
    ("x = [0.5,\n  .95]", "2:3", "write 0.95: a number"),
    ("x = -.5e-3", "1:5", "write -0.5e-3: a number"),
    ("x = [1., 2]", "1:7", "write 1.0: a number has a digit after its point"),
    ("x = [0.5, 95%]", "1:13", "write 0.95 for 95 %"),
    ("x = 99.5%", "1:9", "write 0.995 for 99.5 %"),
    ("x = 0,5", "1:6", "write 0.5, with a point"),
    ("seeds = 05", "1:10", "write 5: a number begins with no 0"),
    ("methods = [snip, grasp]", "1:12", 'write "snip", in quotes'),
    ('methods = ["snip", pai/x]', "1:20", 'write "pai/x", in quotes'),
    ("x = digits-mlp", "1:5", 'write "digits-mlp", in quotes'),
    ("x = 3conv", "1:6", "put a text in quotes"),
    ("x = True", "1:5", "write true, in small letters"),
    ("x = yes", "1:5", "write true,"),
    ("x = [None]", "1:6", "there is no such value: leave the key out"),
    ("x = null", "1:5", "there is no such value"),
    ("x = “snip”", "1:5", "write straight quotes"),
    ("x = [‘a’]", "1:6", "write straight quotes"),
    ("x = −0.5", "1:5", "write -, the hyphen"),
    ("x =\u00a00.5", "1:4", "a sign that cannot be seen stands here (U+00A0)"),
    ("\u200bx = 0.5", "1:1", "a sign that cannot be seen stands here (U+200B)"),
    ('m = ["snip" "grasp"]', "1:13", "a comma is missing before this"),
    ('m = [\n  "snip"\n  "grasp"\n]', "3:3", "a comma is missing before this"),
    ('m = ["snip"\ns = [0.5]', "2:1", "a comma, or the closing ] before this, is missing"),
    ('m = ["snip"', "1:12", "the closing ] is missing"),
    ("m = [0.5,, 0.9]", "1:10", "leave out one comma"),
    ('name: "x"', "1:5", "write = for :"),
    ('x = {"name": "a"}', "1:12", "write = for :"),
    ('name == "x"', "1:7", "write one ="),
    ("name =\nx = 1", "1:7", "the value after = is missing"),
    ('path = "C:\\data"', "1:13", "a \\ begins an escape in double quotes: write / in paths"),
    ('path = "C:\\Users\\me"', "1:13", "a \\ begins an escape in double quotes"),
    ("path = C:\\data", "1:8", "write 'C:\\data', in single quotes"),
    ("a = 1\nb = 2\na = 3", "3:6", "the key a is there twice (first in line 1)"),
    ("[matrix]\nn = 1\n[matrix]\nn = 2", "3:8", "write [[matrix]], in two brackets, for each"),
    ("[[matrix]]\nn = 1\n[matrix]\nn = 2", "3:8", "write [[matrix]]"),
    ("[[matrix]\nn = 1", "1:9", "write [[matrix]]"),
    ("[matrix]]\nn = 1", "1:9", "write [[matrix]]"),
    ('x = "a\ny = 1', "1:7", "the closing quote is missing"),
    ("x = 'it's'", "1:9", "put a text that holds ' in double quotes"),
    ("x = 1, 2", "1:6", "several values stand in brackets, [a, b]"),
    ('x = "a" "b"', "1:9", "several values stand in brackets"),
    ("x = 1;", "1:6", "a comment begins with #, and a line ends without a sign"),
    ("// mine\nx = 1", "1:1", "a comment begins with #"),
    ("x = {a = 1, }", "1:13", "leave out the comma before }"),
    ("x = {a = 1,\n b = 2}", "1:12", "a table in braces stays on one line"),
    ("x = (0.5, 0.9)", "1:5", "write a list in brackets"),
    ("x = range(3)", "1:5", "nothing is computed here"),
    ("- snip", "1:3", "a line is a key, = and a value"),
]


@pytest.mark.parametrize(("text", "place", "hint"), SYNTAX, ids=[text for text, *_ in SYNTAX])
def test_a_slip_of_syntax_has_its_place_and_what_to_write(
    text: str, place: str, hint: str, tmp_path: Path
) -> None:
    """File, line, column, the parser's words, and the hint after them."""
    path = tmp_path / "s.toml"
    for ends in ("\n", "\r\n"):
        path.write_bytes(text.replace("\n", ends).encode())
        with pytest.raises(SuiteError) as caught:
            read_content(path)
        said = str(caught.value)
        assert said.startswith(f"{path}:{place}: not TOML: ")
        assert f"; {hint}" in said


@pytest.mark.parametrize(
    "text", ['x =\t"a"\n\ty = 1', "\ufeffx = 1", "x = 'C:\\data'", "x = 1 # “quoted”, .5"]
)
def test_what_only_looks_like_a_slip_is_read(text: str, tmp_path: Path) -> None:
    """Tabs, a byte-order mark, backslashes between single quotes, anything in a comment."""
    path = tmp_path / "s.toml"
    path.write_text(text, "utf-8")
    assert "x" in read_content(path)


VALUES: list[tuple[str, str, str]] = [
    # key and value of a matrix, the end of its message
    ("sparsities", "[0.8, 95]", "sparsities[1]: found 95; allowed: a number from 0 up to, but not including, 1; "
     "write 0.95 for 95 %"),
    ("sparsities", "[99.5]", "write 0.995 for 99.5 %"),
    ("sparsities", '["95%"]', "write 0.95"),
    ("sparsities", '["0.5", 0.9]', "write 0.5"),
    ("sparsities", "0.9", "write [0.9]"),
    ("sparsities", '"0.5, 0.9"', "write [0.5, 0.9]"),
    ("sparsities", '"half"', "or {keep = 0.8, count = 18}"),
    ("densities", "[5]", "write 0.05 for 5 %"),
    ("methods", '"snip"', "write ['snip']"),
    ("methods", '"snip, grasp"', "write ['snip', 'grasp']"),
    ("methods", '["SNIP"]', "found 'SNIP', which is no method; did you mean 'snip'?"),
    ("architecture", '"ResNet20"', "did you mean 'resnet20'?"),
    ("ablations", '"shuffle"', "write ['shuffle']"),
    ("measures", '["layer_sparsity"]', "did you mean 'layer-sparsity'?"),
    ("seeds", '"5"', "write 5"),
    ("seeds", "3.0", "write 3"),
    ("dense", '"False"', "write false"),
    ("dense", "0", "write false"),
    ("split", '"Test"', "did you mean 'test'?"),
    ("sparsity", "[0.5]", "did you mean 'sparsities'?"),
    ("method", '["snip"]', "did you mean 'methods'?"),
    ("seed", "3", "did you mean 'seeds'?"),
    ("model", '"mlp"', "did you mean 'architecture'?"),
    ("Name", '"x"', "did you mean 'name'?"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "message"), VALUES)
def test_a_slip_of_a_value_says_what_to_write(
    key: str, value: str, message: str, suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """Where it is plain what was meant; the value is still refused."""
    found = problems(suite(**{key: value}))
    assert any(message in line for line in found), found


@pytest.mark.parametrize("key", ["matrix", "check", "reported"])
def test_one_table_where_several_may_stand_is_said_so(key: str, problems: Callable[[str], list[str]]) -> None:
    """[matrix] for [[matrix]] is TOML, and one table."""
    head = 'schema = 1\nname = "s"\nversion = "1"\n'
    found = problems(f'{head}[{key}]\nname = "m"\n')
    assert f"s.toml: {key}: is one table; write [[{key}]], in two brackets, for each" in found


def test_a_key_of_a_matrix_above_the_first_matrix_is_said_so(problems: Callable[[str], list[str]]) -> None:
    """A key belongs to the last table before it."""
    found = problems('schema = 1\nname = "s"\nversion = "1"\nmethods = ["snip"]\nmatrix = []\n')
    assert "s.toml: methods: is no key of the file; it stands below a line [[matrix]]" in found


@pytest.mark.parametrize("name", ["SNIP", "Snip", " snip", "snip "])
def test_capitals_and_blanks_do_not_hide_the_nearest_name(name: str) -> None:
    """Every message about a name has the same way of finding it."""
    assert nearest(name, ["snip", "grasp"]).startswith("; did you mean 'snip'?")


def test_underscores_are_near_hyphens() -> None:
    """Names have hyphens."""
    assert "'magnitude-after-training'" in nearest(
        "Magnitude_After_Training", ["magnitude-after-training", "x"]
    )
    assert nearest("zzz", ["snip"]) == "; allowed: snip"


def test_hints_are_no_part_of_what_is_right(suite: Callable[..., str], load: Callable[[str], Any]) -> None:
    """A suite without slips loads as ever."""
    assert load(suite()).matrices[0].name == "main"


def test_recomputed_activations_are_no_change_of_find(
    suite: Callable[..., str], problems: Callable[[str], list[str]]
) -> None:
    """They change no result, and would be in the form of a cell."""
    assert problems(suite(methods='["snip"]', find="[{recompute = true}]")) == [
        "s.toml: matrix[0].find[0].recompute: is no change of find; allowed in the recipe, which find goes by"
    ]
