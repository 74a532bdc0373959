"""Reads LaTeX as far as tables need it: groups, environments, alignment, and the commands that are known."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["check", "grids", "tokens"]

COMMANDS = {
    *("section", "subsection", "caption", "label", "begin", "end", "toprule", "midrule", "bottomrule"),
    *("endhead", "endfoot", "centering", "small", "par", "smallskip", "footnotesize", "textsuperscript"),
    *("begingroup", "endgroup", "raggedright", "arraybackslash", "linewidth"),
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
    *("textquotedbl", "textasciigrave", "textquotesingle", "dots"),
    *("pm", "times", "cdot", "leq", "geq", "neq", "to", "infty", "alpha", "delta", "Delta", "sigma"),
}
TOKEN = re.compile(r"\\([A-Za-z]+)\*?|\\(.)|%[^\n]*|([{}$&])|([^\\{}$&%]+)", re.DOTALL)


def tokens(source: str) -> Iterator[tuple[str, str, str, str]]:
    at = 0
    while at < len(source):
        found = TOKEN.match(source, at)
        assert found, f"nothing that LaTeX reads: {source[at : at + 20]!r}"
        at = found.end()
        yield found[1] or "", found[2] or "", found[3] or "", found[4] or ""


def check(source: str) -> None:
    """Refuse what LaTeX would: groups, mathematics and environments that do not close, unknown commands."""
    depth = 0
    math = False
    for command, sign, special, text in tokens(source):
        assert not command or command in COMMANDS, f"\\{command}"
        assert not sign or sign in "{}$&#_%\\", f"\\{sign}"
        depth += (special == "{") - (special == "}")
        assert depth >= 0
        math ^= special == "$"
        assert not set(text) & set('#_^"<|'), text
    assert depth == 0
    assert not math
    stack = []
    for word, name in re.findall(r"\\(begin|end)\{(\w+)\}", source):
        if word == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack


def grids(source: str) -> list[tuple[str, list[list[str]]]]:
    """Return each tabular's columns and rows, each row split where LaTeX would split it."""
    found = []
    pattern = r"\\begin\{(tabular|longtable)\}\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}(.*?)\\end\{\1\}"
    for _, spec, body in re.findall(pattern, source, re.DOTALL):
        lines = [line.strip() for line in body.splitlines() if line.strip().endswith(r"\\")]
        rows = [re.split(r"(?<!\\)&", line.removesuffix(r"\\")) for line in lines if "caption" not in line]
        found.append((spec, [[cell.strip() for cell in row] for row in rows]))
    return found
