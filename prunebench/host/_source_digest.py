"""A digest of source code that sees what it does and not how it is laid out (standard library only).

It runs under any supported Python, by itself too: `python _source_digest.py FILE` prints a file's digest.
`ast.dump` is not used: its text is not the same under every Python. A tree is written as class names and
fields, sorted, less positions, docstrings and what the parser adds for its own use; text in f-strings, which
some versions cut up differently, is joined first.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Tree", "digest_of_text", "digest_of_tree"]

_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def digest_of_text(source: str | bytes) -> str:
    """Return the SHA-256 of what `source` does, in hexadecimal.

    Raises: SyntaxError where this Python cannot read it.
    """
    return digest_of_tree(ast.parse(source))


def digest_of_tree(tree: ast.AST) -> str:
    """Return the SHA-256 of what a parsed piece of source does, in hexadecimal."""
    hashed = hashlib.sha256()
    for token in _tokens(tree):
        hashed.update(b"%d:" % len(token))
        hashed.update(token)
    return hashed.hexdigest()


class _Mark(bytes):
    """A token that is ready, among nodes and values still to be written."""


def _tokens(tree: ast.AST) -> Iterator[bytes]:
    """Write a tree as tokens, with a stack of its own: a long sum is deeper than Python's recursion limit."""
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, _Mark):
            yield item
        elif isinstance(item, ast.Constant):
            yield from (b"Constant", *_constant(getattr(item, "value", "")))
        elif isinstance(item, ast.AST):
            yield b"(" + type(item).__name__.encode()
            stack.append(_Mark(b")"))
            for name, value in sorted(_fields(item), reverse=True):
                stack += [value, _Mark(name.encode())]
        elif isinstance(item, list):
            yield b"["
            stack += [_Mark(b"]"), *reversed(item)]
        else:
            yield from _constant(item)


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield the fields that say something: empty ones say nothing, and newer Pythons have more of them."""
    for name in node._fields:
        value = getattr(node, name, None)
        if name in _SKIPPED:
            continue
        if isinstance(node, ast.JoinedStr):
            value = _joined(value or [])
        elif name == "format_spec" and isinstance(value, ast.JoinedStr) and not _joined(value.values):
            continue
        elif isinstance(value, list):
            value = [item for item in value if not _says_nothing(item)]
        if value is not None and value != []:
            yield name, value


def _says_nothing(statement: Any) -> bool:
    """Docstrings, other bare constants and `pass`."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Join neighbouring texts of an f-string and leave empty ones out (Python 3.12.0 adds them)."""
    joined: list[ast.expr] = []
    for value in values:
        text = getattr(value, "value", "") if isinstance(value, ast.Constant) else None
        if text == "":
            continue
        before = joined[-1] if joined else None
        if isinstance(text, str) and isinstance(before, ast.Constant):
            joined[-1] = ast.Constant(f"{before.value!s}{text}")
        else:
            joined.append(value)
    return joined


def _constant(value: Any) -> tuple[bytes, bytes]:
    """Return a constant's type and spelling: 1, 1.0, True and "1" are four things."""
    kind = type(value).__name__.encode()
    if isinstance(value, str):
        return kind, value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return kind, value
    if isinstance(value, int):
        return kind, hex(value).encode()  # decimals of very long integers are refused
    return kind, repr(value).encode()


@dataclass(frozen=True)
class Tree:
    """The modules whose source belongs to a plugin: those of one package, or all beside a plugin file.

    `folder` holds the modules. With `package`, it is that package's own folder and names start with the
    package's; without, names are looked up in the folder itself.
    """

    folder: Path
    package: str | None = None

    def find(self, name: str) -> Path | None:
        """Return the file of the module of this dotted name, or None where it is not in the tree."""
        parts = name.split(".")
        if parts[0] == "prunebench" or not all(parts):
            return None
        if self.package is not None:
            if parts[0] != self.package:
                return None
            parts = parts[1:]
        base = self.folder.joinpath(*parts)
        candidates = [base / "__init__.py"] + ([base.with_name(f"{base.name}.py")] if parts else [])
        return next((path for path in candidates if path.is_file()), None)

    def name_of(self, path: Path) -> str:
        """Return the dotted name of a file of the tree."""
        parts = list(path.relative_to(self.folder).with_suffix("").parts)
        if parts and parts[-1] == "__init__":
            parts.pop()
        return ".".join([self.package, *parts] if self.package else parts)


if __name__ == "__main__":
    print(digest_of_text(Path(sys.argv[1]).read_bytes()))
