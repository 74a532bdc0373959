"""A suite: what a file says, validated; its cells; the same suite with more methods or other seeds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prunebench.canonical import digest
from prunebench.errors import UsageError, nearest
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.messages import from_a_file
from prunebench.suite.axes import resolve_axes
from prunebench.suite.cell import Cell
from prunebench.suite.check import Check
from prunebench.suite.expand import expand_all
from prunebench.suite.forms import method_names
from prunebench.suite.parameters import Components
from prunebench.suite.reported import Reported
from prunebench.suite.schema import MAX_SEEDS, Baselines, Leaderboard, Matrix, label_of
from prunebench.suite.validate import validate

__all__ = ["Suite", "make_suite", "with_methods", "with_seeds"]


@dataclass(frozen=True)
class Suite:
    """A suite as its file says it, and the cells that it makes with a host's components."""

    name: str
    version: str
    schema: int
    description: str
    path: Path | None
    content: Mapping[str, Any]
    """The parsed file."""
    matrices: tuple[Matrix, ...]
    cells: tuple[Cell, ...]
    """In the file's order; equal forms, recipes and calls are one object."""
    checks: tuple[Check, ...]
    reported: tuple[Reported, ...]
    baselines: Baselines
    leaderboard: Leaderboard
    digest: str
    """SHA-256 of the parsed content: comments, layout and the order of keys do not matter."""


def make_suite(content: Mapping[str, Any], file: str, path: Path | None, host: Components) -> Suite:
    """Return the suite of a parsed file; `file` is what messages call it.

    Raises: SuiteError with every problem, a line each.
    """
    read = validate(content, file, host)
    return Suite(
        name=read.table.name,
        version=read.table.version,
        schema=read.table.schema_,
        description=read.table.description,
        path=path,
        content=content,
        matrices=tuple(read.matrices),
        cells=tuple(read.cells),
        checks=tuple(read.checks),
        reported=tuple(read.reported),
        baselines=read.table.baselines,
        leaderboard=read.table.leaderboard,
        digest=digest(content),
    )


def with_methods(suite: Suite, names: Sequence[str], host: Components) -> Suite:
    """Return the suite with methods added to every matrix that does not have them.

    Raises: UsageError for an unknown name, SuiteError where the result is no valid suite.
    """
    known = method_names(host)
    for name in names:
        if name not in known:
            hint = from_a_file("method", name, known)
            raise UsageError(f"no method or scorer '{name}'{nearest(name, known)}{hint}")
    content = copy.deepcopy(dict(suite.content))
    for table, matrix in zip(content["matrix"], suite.matrices, strict=True):
        there = {label_of(item) for item in matrix.methods}
        table["methods"] = [*table["methods"], *(n for n in dict.fromkeys(names) if n not in there)]
    return make_suite(content, str(suite.path or suite.name), suite.path, host)


def with_seeds(suite: Suite, n: int, host: Components) -> Suite:
    """Return the suite with the seeds 0 … n−1 in every matrix.

    Entries of `only` and `exclude` that name other seeds then match nothing, which is no error here.

    Raises: UsageError for n below 1, SuiteError where a matrix has no cells then.
    """
    if not 1 <= n <= MAX_SEEDS:
        raise UsageError(f"found {n} seeds; allowed: a number from 1 to {MAX_SEEDS}")
    content = copy.deepcopy(dict(suite.content))
    for table in content["matrix"]:
        table["seeds"] = n
    here = Cursor(Problems(str(suite.path or suite.name), content))
    matrices = tuple(m.model_copy(update={"seeds": list(range(n))}) for m in suite.matrices)
    places = [here.at("matrix", i) for i in range(len(matrices))]
    tables = zip(matrices, content["matrix"], places, strict=True)
    resolved = [(m, resolve_axes(m, table, place, host), place) for m, table, place in tables]
    cells = tuple(expand_all(resolved, host, strict=False))
    here.problems.raise_all()
    return replace(suite, content=content, matrices=matrices, cells=cells, digest=digest(content))
