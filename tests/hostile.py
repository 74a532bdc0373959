"""Names and records as somebody might send who wishes harm, for the tests of everything that shows them.

`NAMES` may stand wherever a name, a source or a reason stands. `RECORDS` are what becomes of a record's file:
each must be refused when it is read, with words for a person. `TEXTS_IN_RECORDS` are records that are whole
and say hostile things where a record is free to say what it likes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prunebench.canonical import digest

__all__ = ["NAMES", "RECORDS", "TEXTS_IN_RECORDS", "HostileRecord", "sealed"]

NAMES: Mapping[str, str] = {
    "script": "<script>document.title='owned'</script>",
    "script end": "</script><script>window.owned=1</script>",
    "image": "<img src=x onerror=\"document.title='owned'\">",
    "svg": "<svg/onload=window.owned=1>",
    "attribute": '" onmouseover="window.owned=1" x=\'',
    "single quotes": "' onfocus='window.owned=1' autofocus='",
    "comment": "<!-- --><style>*{display:none}</style><!--",
    "closing tags": "</td></tr></table></title></textarea></style>",
    "entity": "&lt;script&gt; &#x3c;b&#x3e; &amp;",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
    "vega expression": 'datum.x + \' signal("a") \\u0000',
    "prototype": "__proto__",
    "constructor": "constructor",
    "javascript link": "[click](javascript:window.owned=1)",
    "picture": "![x](https://example.invalid/pixel.png)",
    "bare link": "https://example.invalid/ www.example.invalid http://x",
    "reference": "[a]: https://example.invalid",
    "markdown": "a|b **bold** _it_ `code` ~~no~~ # head\n\n# heading\n---\n* * *",
    "markdown start": "# heading",
    "list": "- item",
    "ordered": "1. item",
    "quote": "> quote",
    "setext": "===",
    "fence": "```\ncode\n```",
    "pipes": "|||",
    "backslash": "\\| \\\\ \\",
    "formula of markdown": "$\\href{javascript:x}{y}$ $$x$$",
    "latex command": "\\input{/etc/passwd}",
    "latex write": "\\immediate\\write18{rm -rf ~} \\csname x\\endcsname",
    "latex braces": "}}}{{{ \\end{tabular}\\end{document}",
    "latex marks": "50 % of x_y ^2 ~ # & $ \\\\[1em] ^^5c",
    "csv formula": '=HYPERLINK("http://example.invalid","x")',
    "csv command": "=cmd|' /C calc'!A0",
    "csv plus": "+1+1",
    "csv minus": "-1+1",
    "csv at": "@SUM(1+1)",
    "csv tab": "\t=1+1",
    "csv return": "\r=1+1",
    "csv blank": " =1+1",
    "csv quotes": '"=1+1"',
    "csv semicolon": "snip; =1+1",
    "csv full width": "＝1+1",
    "csv rows": 'a","b"\n"=1+1","c',
    "terminal colour": "\x1b[31mred\x1b[0m",
    "terminal title": "\x1b]0;owned\x07",
    "terminal clear": "\x1b[2J\x1b[H",
    "terminal c1": "\x9b31m\x90\x9d",
    "terminal back": "snip\x08\x08\x08\x08mine",
    "terminal return": "mine\rsnip",
    "rich markup": "[bold red]x[/] [link=https://example.invalid]y[/link]",
    "right to left": "\u202e99.9\u202c snip \u2066x\u2069 \u200f\u061c",
    "hebrew": "שלום",
    "without width": "sn\u200bip\u2060\ufeff\u00ad",
    "homoglyph": "ѕnір",
    "lines": "a\u2028b\u2029c\x85d\x0b\x0c",
    "nul": "a\x00b",
    "delete": "a\x7fb",
    "surrogate": "a\ud800b\udfff",
    "bytes": "caf\udce9",
    "long": "x" * 100_000,
    "long words": "very " * 20_000,
    "piled marks": "z" + "\u0301" * 500,
    "mark first": "\u0338x",
    "tags": "\U000e0041\U000e007f",
    "private": "\ue000\U0010ffff",
    "emoji": "👩‍💻🏳️‍🌈",
    "wide": "中文方法",
    "path up": "../../../../etc/passwd",
    "path": "/etc/passwd",
    "path windows": "..\\..\\C:\\boot.ini",
    "path hidden": ".bashrc",
    "path device": "CON",
    "path home": "~/.ssh/id_rsa",
    "shell": "$(touch owned); `touch owned` | touch owned & x",
    "blank": " ",
    "many blanks": "    code",
    "nan": "NaN",
    "null": "null",
    "number": "1e999",
}
"""Texts by what they try; every one of them is a Python string, some cannot be encoded as UTF-8."""


@dataclass(frozen=True)
class HostileRecord:
    """What somebody made of a record's file, and what its refusal says (a regular expression)."""

    name: str
    content: Callable[[Mapping[str, Any]], bytes]
    said: str


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose digest and seal are made right again, as everybody can."""
    whole = copy.deepcopy(dict(document))
    whole["digest"] = digest({name: whole.get(name) for name in ("schema", "key", "result")})
    whole["seal"] = digest([whole.get(name) for name in ("schema", "key", "digest", "provenance")])
    return whole


def _with(change: Callable[[dict[str, Any]], Any]) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what changes a record, seals it again, and spells it."""

    def content(document: Mapping[str, Any]) -> bytes:
        changed = copy.deepcopy(dict(document))
        change(changed)
        return json.dumps(sealed(changed)).encode()

    return content


def _counts(**numbers: Any) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what sets numbers of the test and of the last point of the curve."""

    def change(document: dict[str, Any]) -> None:
        document["result"]["test"].update(numbers)
        document["result"]["curve"][-1].update(numbers)

    return _with(change)


def _spelled(name: str, number: str) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what spells one number of the test in its own way, as no JSON writer would."""

    def content(document: Mapping[str, Any]) -> bytes:
        changed = copy.deepcopy(dict(document))
        changed["result"]["test"][name] = "@@"
        return json.dumps(changed).replace('"@@"', number).encode()

    return content


def _nested(levels: int, pair: tuple[bytes, bytes] = (b"[", b"]")) -> Callable[[Mapping[str, Any]], bytes]:
    return lambda document: b'{"schema": 2, "result": ' + pair[0] * levels + b"1" + pair[1] * levels + b"}"


def _twice(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).replace('"correct":', '"correct": 1, "correct":', 1).encode()


RECORDS = (
    HostileRecord("nothing", lambda _: b"", "not JSON"),
    HostileRecord("cut short", lambda document: json.dumps(document).encode()[:-40], "not JSON"),
    HostileRecord("another encoding", lambda document: json.dumps(document).encode("utf-16"), "not JSON"),
    HostileRecord("a list", lambda _: b"[]", "not a JSON object"),
    HostileRecord("NaN", _spelled("loss", "NaN"), "not JSON"),
    HostileRecord("infinity", _spelled("loss", "Infinity"), "not JSON"),
    HostileRecord("a number that overflows", _spelled("loss", "1e999"), "not JSON|finite"),
    HostileRecord(
        "a number of a million digits", _spelled("correct", "9" * 1_000_000), "not JSON|valid|less"
    ),
    HostileRecord("more correct than there are", _counts(correct=10_001), "10001 correct of 10000 examples"),
    HostileRecord("less than none", _counts(correct=-1), "correct: .*greater than or equal to 0"),
    HostileRecord("no examples", _counts(correct=0, examples=0), "examples: .*greater than or equal to 1"),
    HostileRecord("half an example", _counts(correct=9999.5), "correct: .*integer"),
    HostileRecord("yes", _counts(correct=True), "correct: .*integer"),
    HostileRecord("a text for a number", _counts(correct="9999"), "correct: .*integer"),
    HostileRecord("beyond whole numbers", _counts(examples=2**53), "examples: .*less than or equal to"),
    HostileRecord(
        "more kept than there is", _with(lambda r: r["result"]["mask"].update(kept=10**9)), "kept of|weights"
    ),
    HostileRecord(
        "only the test edited", _with(lambda r: r["result"]["test"].update(correct=9999)), "its curve ends"
    ),
    HostileRecord(
        "digest not made again",
        lambda document: json.dumps({**document, "result": {**document["result"], "state": None}}).encode(),
        "its result has digest",
    ),
    HostileRecord(
        "provenance edited",
        lambda document: json.dumps({**document, "provenance": {"suite": {}}}).encode(),
        "provenance was altered",
    ),
    HostileRecord("another key", _with(lambda r: r.update(key="0" * 64)), "it says that it is"),
    HostileRecord("an unknown field", _with(lambda r: r["result"].update(rank=1)), "rank"),
    HostileRecord("a field of Python's", _with(lambda r: r["result"].update(__class__="x")), "__class__"),
    HostileRecord("a key twice", _twice, "twice"),
    HostileRecord("deep lists", _nested(100_000), "not JSON|levels deep"),
    HostileRecord("lists beyond the bound", _nested(40), "levels deep"),
    HostileRecord("deep tables", _nested(5000, (b'{"a":', b"}")), "not JSON|levels deep"),
    HostileRecord(
        "a text beyond the bound",
        _with(lambda r: r["provenance"].update(commit="x" * 30_000)),
        "a text of 30,000 characters",
    ),
)
"""What a record of schema 2 that finished may become. Each is refused by `prunebench.store` when it is read."""


def _written(text: str) -> Callable[[dict[str, Any]], None]:
    """Return what writes a text wherever a record may say what it likes and a table or page shows it.

    As a layer without a weight (footnotes name those), as numerics class, software and suite.
    """

    def change(document: dict[str, Any]) -> None:
        mask = document["result"].get("mask")
        if mask:
            mask["layers"].insert(0, {"name": text, "kept": 0, "prunable": 0})
        document["provenance"] |= {
            "numerics": text,
            "software": {"prunebench": text, text: text},
            "hardware": {"machine": text, "device": text},
        }

    return change


TEXTS_IN_RECORDS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    name: _written(text[:900])
    for name, text in NAMES.items()
    if text.encode("utf-8", "replace").decode() == text  # JSON's texts are UTF-8
}
"""Changes that leave a record whole (once it is `sealed`), by the name of the text that they write into it."""
