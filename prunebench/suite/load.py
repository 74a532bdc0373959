"""Suite files: found by name or path, read, parsed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from prunebench.errors import SuiteError, nearest, nearest_file
from prunebench.reading.slips import syntax_hint
from prunebench.reading.spelling import at, show
from prunebench.shipped import shipped_folder, shipped_suites
from prunebench.suite.parameters import Components
from prunebench.suite.suite import Suite, make_suite

__all__ = ["load_suite", "plugin_files", "read_content", "suite_path"]


def suite_path(name_or_path: str | Path) -> Path:
    """Return the file of a suite: a path (it ends in .toml, or is a file), or a shipped suite's name.

    Raises: SuiteError for a file that is not there, or an unknown name.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        if path.is_dir():
            raise SuiteError(f"{name_or_path}: is a folder; a suite is a TOML file")
        if not path.exists():
            raise SuiteError(f"{name_or_path}: no such file{nearest_file(path)}")
        return path
    shipped = shipped_suites()
    name = str(name_or_path)
    if name not in shipped:
        if path.is_dir():
            raise SuiteError(f"{name}: is a folder; {_folder_of(path)}")
        if path.name != name:
            raise SuiteError(f"{name}: no such file{nearest_file(path.with_suffix('.toml'))}")
        file = path.with_suffix(".toml") if path.name else path
        own = f": '{file}'" if file.is_file() else ""
        raise SuiteError(
            f"no shipped suite '{name}'{nearest(name, shipped)} (in {shipped_folder() or 'no folder'}); "
            f"a suite of your own is given as a path that ends in .toml{own}"
        )
    return shipped[name]


def _folder_of(path: Path) -> str:
    """Return what is asked for where a suite is, and a folder was given."""
    if (path / "records.tar.xz").is_file():
        return "a published leaderboard is given with --from, as in `prunebench leaderboard --from`"
    if (path / "plans").is_dir() or (path / "records").is_dir():
        return "a store is given with --store; SUITE is the name of a shipped suite, or a TOML file"
    return "SUITE is the name of a shipped suite, or a TOML file"


def read_content(path: Path) -> dict[str, Any]:
    """Return the parsed TOML of a file.

    Raises: SuiteError for a file that cannot be read, is not UTF-8 or not TOML, with line and column.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(raw[: error.start].decode("utf-8", "replace"))
        raise SuiteError(
            f"{path}:{line}:{column}: not UTF-8: byte 0x{raw[error.start]:02x}; save the file as UTF-8"
        ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line, column = _toml_error(str(error), text)
        hint = syntax_hint(message, text, line, column)
        raise SuiteError(f"{path}:{line}:{column}: not TOML: {message}{hint}") from None
    except RecursionError:
        raise SuiteError(f"{path}: not TOML: nested too deeply") from None


def _position(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what follows a text."""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _toml_error(message: str, text: str) -> tuple[str, int, int]:
    """Split tomllib's message into text, line and column; the end of the document has them too."""
    place = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if place:
        return message[: place.start()], int(place[1]), int(place[2])
    line, column = _position(text)
    return message.removesuffix(" (at end of document)") + " (the file ends here)", line, column


def plugin_files(name_or_path: str | Path) -> list[Path]:
    """Return the plugin files that a suite names; relative paths are from the folder of the suite's file.

    Names of the wrong kind are left out: validation says what is wrong with them, with all else.

    Raises: SuiteError for a file that is not there or no Python file, or a suite that cannot be parsed.
    """
    path = suite_path(name_or_path)
    named = read_content(path).get("plugins", [])
    files = []
    for index, name in enumerate(named if isinstance(named, list) else []):
        if not isinstance(name, str):
            continue
        file = (path.parent / name).resolve()
        where = f"{path}: {at('plugins', index)}: found {show(name)}"
        if not file.is_file():
            raise SuiteError(f"{where}; there is no file {file} (paths are from the suite's folder)")
        if file.suffix != ".py":
            raise SuiteError(f"{where}; allowed: Python files, with names that end in .py")
        files.append(file)
    return files


def load_suite(name_or_path: str | Path, host: Components) -> Suite:
    """Return a suite by a shipped name or by path, validated against what the host has.

    The host is loaded before, with the plugin files that the suite names: see `plugin_files`.

    Raises: SuiteError with every problem of the file, a line each: file, key path, what was found, what is
    allowed, the nearest name.
    """
    path = suite_path(name_or_path)
    return make_suite(read_content(path), str(path), path, host)
