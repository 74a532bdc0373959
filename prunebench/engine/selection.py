"""Which cells --sparsity, --lf and -k select, as pytest does, before anything runs (imports no torch)."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prunebench.engine.on_pytest.private import Matcher, compiled_keyword
from prunebench.engine.sparsities import of_sparsity
from prunebench.errors import StoreError, UsageError, closest, readable
from prunebench.plan.cells import PlannedCell
from prunebench.plan.plan import Plan
from prunebench.smoke import limit_of
from prunebench.store import replace

__all__ = ["node_name", "select", "select_named", "write_last_failed"]


def node_name(path: Path) -> str:
    """Return a suite file's name as ids of pytest's nodes begin: what these give a meaning to is replaced."""
    return readable(path.name).replace("::", "..").translate(str.maketrans("[]", "()"))


def select(
    plan: Plan,
    path: Path | None,
    *,
    keyword: str | None = None,
    last_failed: bool = False,
    store: Path | None = None,
    sparsities: Sequence[str] = (),
) -> Sequence[PlannedCell]:
    """Return the cells of a plan that are of these sparsities, an expression matches, and failed last time.

    `path` is the suite's file, `store` the store's folder. An expression is pytest's: names with and, or, not
    and brackets; a name matches a part of the matrix's or the cell's name or of a label, whatever its case;
    d0.262144 also the density that the cell's name has with fewer digits.
    Of `sparsities` see `of_sparsity`; only with `last_failed` it matters what failed.

    Raises: UsageError for an expression that is none, or that matches no cell.
    """
    file = path.name if path else ""
    cells = of_sparsity(plan.cells, sparsities)
    if last_failed and store is not None:
        failed = _failed_last_time(store)
        noted_as = _noted_as(path, limit_of(plan.suite)) if path else ""
        cells = [cell for cell in cells if f"{noted_as}::{cell.id}" in failed] or cells
    if not keyword:
        return cells
    selects = _compiled(keyword)
    selected = [cell for cell in cells if selects(_matches(cell, file))]
    if not selected:
        raise UsageError(none_matches(keyword, cells, file))
    return selected


def select_named(names: Sequence[Sequence[str]], keyword: str, what: str) -> list[int]:
    """Return the places at which an expression matches one of the names, as -k does with cells.

    Raises: UsageError for an expression that is none, or that matches nothing; `what` these are called.
    """
    selects = _compiled(keyword)
    places = [place for place, own in enumerate(names) if selects(_Matches(own))]
    if not places:
        raise UsageError(f"-k '{keyword}' matches none of {len(names):,} {what}")
    return places


def _compiled(keyword: str) -> Callable[[Matcher], bool]:
    try:
        return compiled_keyword(keyword)
    except ValueError as error:
        raise UsageError(
            f"-k '{keyword}': not an expression ({error}); allowed: names with and, or, not and brackets"
        ) from error


def none_matches(keyword: str, cells: Sequence[PlannedCell], file: str = "") -> str:
    """Return what is said of an expression that matches no cell: which of its names is in none of them."""
    number = re.fullmatch(r"s?(\d*\.?\d+)", keyword.strip())
    hint = f"; for a sparsity: --sparsity {number[1]}" if number else ""
    if not number:
        matches = [_matches(cell, file) for cell in cells]
        for word in re.findall(r"[^\s()]+", keyword):
            if word in ("and", "or", "not") or any(one(word) for one in matches):
                continue
            labels = {value for cell in cells for value in cell.labels.values() if value}
            near = _density(word, cells) or closest(word, labels | {cell.matrix for cell in cells})
            hint = f"; none has '{word}'" + (f" (did you mean '{near}'?)" if near else "")
            break
    return (
        f"-k '{keyword}' matches none of {len(cells):,} cells{hint}; "
        "`prunebench plan SUITE --cells` lists them"
    )


def _density(word: str, cells: Sequence[PlannedCell]) -> str:
    """Return the density nearest to one that no cell has, as names of cells have it; "" for other words."""
    number = re.fullmatch(r"d(0?\.\d+)", word.lower())
    parts = {part for cell in cells for part in cell.name.split("-") if re.fullmatch(r"d0?\.\d+", part)}
    if not number or not float(number[1]):
        return ""
    wanted = math.log(float(number[1]))
    return min(sorted(parts), key=lambda part: abs(math.log(float(part[1:])) - wanted), default="")


def _names(cell: PlannedCell, file: str) -> list[str]:
    return [file, cell.matrix, cell.name, *(value for value in cell.labels.values() if value)]


def _matches(cell: PlannedCell, file: str) -> _Matches:
    return _Matches(_names(cell, file), f"d{cell.density}")


class _Matches:
    """Says if a name of the expression is part of any of these names, as pytest's -k asks of an item.

    `exact` has to be the name as a whole: parts of a long number would be in many.
    """

    def __init__(self, names: Iterable[str], exact: str = "") -> None:
        self._names = [name.lower() for name in names]
        self._exact = exact

    def __call__(self, name: str, /, **parameters: str | int | bool | None) -> bool:
        if parameters:
            raise UsageError(f"-k: {name}(…) has parameters; allowed: names with and, or, not and brackets")
        wanted = name.lower()
        return wanted == self._exact or any(wanted in one for one in self._names)


def write_last_failed(
    store: Path, path: Path, *, failed: Iterable[str], passed: Iterable[str], limit: int | None = None
) -> None:
    """Note which cells of a suite's file failed, and which have passed since; others stay as noted.

    With a `limit` they are those of a smoke run, which are others.
    """
    name = _noted_as(path, limit)
    noted = _failed_last_time(store) - {f"{name}::{cell}" for cell in passed}
    noted |= {f"{name}::{cell}" for cell in failed}
    content = json.dumps(dict.fromkeys(sorted(noted), True)).encode()
    file = _last_failed(store)
    with contextlib.suppress(OSError, StoreError):  # --lf takes all cells then
        if file.exists() or noted:
            replace(file, content)


def _noted_as(path: Path, limit: int | None) -> str:
    return node_name(path) if limit is None else f"{node_name(path)} with limit {limit}"


def _last_failed(store: Path) -> Path:
    return store / "pytest-cache" / "v" / "cache" / "lastfailed"


def _failed_last_time(store: Path) -> set[str]:
    path = _last_failed(store)
    try:
        noted = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return set()
    return set(noted) if isinstance(noted, dict) else set()
