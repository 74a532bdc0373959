"""What people write by mistake in a suite file, and what they meant: hints in errors, nothing that counts."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from prunebench.reading.spelling import show

__all__ = ["IN_TWO_BRACKETS", "meant", "syntax_hint"]

IN_TWO_BRACKETS = ("matrix", "check", "reported", "claim")
"""Keys of a suite whose tables are written in two brackets."""

_QUOTES = "“”„‟«»‘’‚‛`´′″"
_WORD = re.compile(r"[^\W\d][\w.+/:\\-]*\(?")
_KEY = re.compile(r"""\s*([\w.-]+|"[^"]*"|'[^']*')\s*=""")
_CONSTANTS = {"true": "true", "false": "false", "yes": "true", "no": "false", "on": "true", "off": "false"}


def syntax_hint(message: str, text: str, line: int, column: int) -> str:
    """Return "; " and what to write where the parser stopped at a line and column of a text, or nothing."""
    lines = [*text.split("\n"), ""]
    whole = lines[line - 1].rstrip("\r")
    hint = _of_message(message, lines, line, column) or _of_place(
        message, whole[: column - 1], whole[column - 1 :]
    )
    return f"; {hint}" if hint else ""


def _of_message(message: str, lines: list[str], line: int, column: int) -> str:
    """Hints that the parser's own words lead to."""
    whole = lines[line - 1]
    if "Unescaped '\\'" in message or "hex value" in message or "Invalid escape" in message:
        return "a \\ begins an escape in double quotes: write / in paths, or put the text in single quotes"
    if "Illegal character '\\n'" in message or "Unterminated string" in message:
        return "the closing quote is missing"
    name = re.search(r"^\s*\[+\s*([\w-]+)", whole)
    if name and any(word in message for word in ("twice", "overwrite", "Expected ']", "mutate")):
        many = name[1] in IN_TWO_BRACKETS or whole.lstrip().startswith("[[")
        return f"write [[{name[1]}]], in two brackets, for each" if many else "each table stands there once"
    key = _KEY.match(whole)
    if "overwrite" in message and key:
        before = [n for n, other in enumerate(lines[: line - 1], 1) if _key_of(other) == key[1]]
        first = f" (first in line {before[-1]})" if before else ""
        return f"the key {key[1]} is there twice{first}: leave one out"
    return ""


def _key_of(line: str) -> str:
    key = _KEY.match(line)
    return key[1] if key else ""


def _of_place(message: str, before: str, after: str) -> str:
    """Hints that what stands at the place leads to."""
    number = re.match(r"[+-]?\.\d[\d_]*(?:[eE][+-]?\d+)?", after)
    word = _WORD.match(after)
    digits = re.search(r"[\d.]+$", before)
    if after[:1] and after[0] in _QUOTES:
        return "write straight quotes, \" or '"
    if after[:1] and after[0] in "−–—":
        return "write -, the hyphen of the keyboard"
    if after[:1] and not after[0].isascii() and unicodedata.category(after[0]) in ("Cf", "Zs"):
        return f"a sign that cannot be seen stands here (U+{ord(after[0]):04X}): write a blank"
    if after.startswith(("//", "/*", "--", ";")) and "Unclosed" not in message:
        return "a comment begins with #, and a line ends without a sign"
    if after.startswith(":") and "'='" in message:
        return "write = for :"
    if number:
        sign, digit = re.fullmatch(r"([+-]?)(.*)", number[0]).groups()  # type: ignore[union-attr]
        return f"write {sign}0{digit}: a number has a digit before its point"
    if after.startswith("%") and digits:
        return f"write {_share(digits[0])} for {digits[0]} %"
    if after.startswith(".") and digits:
        return f"write {digits[0]}.0: a number has a digit after its point"
    if after[:1].isdigit() and digits and re.fullmatch("0+", digits[0]):
        return f"write {int(re.match(r'[0-9]+', after)[0])}: a number begins with no 0"  # type: ignore[index]
    if word and "Invalid value" in message:
        return _of_word(word[0])
    if "Unclosed array" in message or ("inline table" in message and "Unclosed" in message):
        return _of_list(after, "]" if "array" in message else "}")
    if "Invalid value" in message and (hint := _of_sign(before, after)):
        return hint
    if "key part" in message or "Invalid statement" in message:
        if after.startswith("}"):
            return "leave out the comma before }"
        if not after.strip() and "{" in before:
            return "a table in braces stays on one line"
    if "'='" in message:
        return "a line is a key, = and a value"
    if "Expected newline" in message:
        if digits and (fraction := re.match(r",(\d+)", after)):
            return f"write {digits[0]}.{fraction[1]}, with a point; several values stand in brackets, [a, b]"
        if after.startswith("]") and (name := re.match(r"\s*\[([\w-]+)\]", before)):
            return f"write [[{name[1]}]], in two brackets, for each"
        if before.endswith("'") and after[:1].isalnum():
            return "put a text that holds ' in double quotes"
        if after[:1] in (",", '"', "'"):
            return "several values stand in brackets, [a, b], and a line ends without a comma"
        if before[-1:].isalnum() and after[:1].isalnum():
            return "put a text in quotes"
    return ""


def _of_sign(before: str, after: str) -> str:
    if after.startswith("="):
        return "write one ="
    if after.startswith("("):
        return "write a list in brackets, [a, b]"
    if after.startswith(","):
        return "leave out one comma"
    if after.strip():
        return ""
    return "the closing ] is missing" if "[" in before else "the value after = is missing"


def _of_word(word: str) -> str:
    if word.endswith("("):
        return "nothing is computed here: write the values, [a, b]"
    if word.lower() in ("none", "null", "nil"):
        return "there is no such value: leave the key out"
    if word.lower() in ("true", "false"):
        return f"write {word.lower()}, in small letters"
    if word.lower() in _CONSTANTS:
        return f'write {_CONSTANTS[word.lower()]}, or "{word}" in quotes'
    if "\\" in word:
        return f"write '{word}', in single quotes"
    return f'write "{word}", in quotes'


def _of_list(after: str, closing: str) -> str:
    if not after.strip():
        return (
            f"the closing {closing} is missing" if closing == "]" else "a table in braces stays on one line"
        )
    if _KEY.match(after) or after.startswith("["):
        return f"a comma, or the closing {closing} before this, is missing"
    return "a comma is missing before this"


def _share(percent: str) -> str:
    try:
        return f"{float(percent) / 100:.12g}"
    except ValueError:
        return "a share of 1"


def meant(value: Any, wanted: str) -> str:
    """Return "; write …" where it is plain what a value of the wrong kind stands for, or nothing.

    >>> meant("95%", "a number from 0 up to 1"), meant(95, "a number from 0 up to, but not including, 1")
    ('; write 0.95', '; write 0.95 for 95 %')
    >>> meant("snip, grasp", "a list"), meant("True", "true or false"), meant("x", "a number")
    ("; write ['snip', 'grasp']", '; write true', '')
    """
    text = _meant(value, wanted)
    return f"; write {text}" if text else ""


def _meant(value: Any, wanted: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if "number" in wanted and (text or isinstance(value, float) or not re.search(r"\ba list\b", wanted)):
        return _meant_number(value, text, wanted)
    if re.search(r"\ba list\b", wanted) and not isinstance(value, list | bool):
        of_numbers = "sparsities" in wanted
        parts: list[Any] = [value] if not text else [part.strip() for part in text.split(",")]
        if of_numbers and text:
            parts = [_number(part) for part in parts]
        unclear = None in parts or "number" in wanted or (of_numbers and isinstance(value, dict))
        return "" if unclear else show(parts)
    if wanted.startswith("true or false"):
        if isinstance(value, int):
            return {1: "true", 0: "false"}.get(value, "")
        return _CONSTANTS.get(text.lower(), "")
    if wanted.startswith("a text") and isinstance(value, int | float) and not isinstance(value, bool):
        return show(str(value))
    return ""


def _meant_number(value: Any, text: str, wanted: str) -> str:
    share = re.search(r"\b(up to|below|at most)\b.*\b1$", wanted)
    if isinstance(value, float | int) and not isinstance(value, bool):
        if share and 1 < value <= 100:
            return f"{value / 100:.12g} for {value:g} %"
        whole = "whole" in wanted and isinstance(value, float) and value.is_integer()
        return f"{int(value)}" if whole else ""
    number = _number(text)
    if number is None or ("whole" in wanted and number != int(number)):
        return ""
    if share and not text.endswith("%") and 1 < number <= 100:
        number /= 100
    return f"{number:.12g}"


def _number(text: str) -> float | None:
    """Return the number that a text says, a percentage as a share."""
    plain = text.strip().removesuffix("%").strip()
    if not re.fullmatch(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?", plain):
        return None
    number = float(plain)
    return number / 100 if text.strip().endswith("%") else int(number) if number.is_integer() else number
