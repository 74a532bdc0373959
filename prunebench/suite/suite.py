"""A suite: what a file says, validated; its cells; the same suite with more methods or other seeds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunebench.canonical import digest
from prunebench.errors import UsageError, nearest
from prunebench.host.form import Form
from prunebench.suite.axes import method_label, resolve_axes
from prunebench.suite.cell import Cell
from prunebench.suite.check import Check
from prunebench.suite.expand import expand_matrix
from prunebench.suite.forms import method_names
from prunebench.suite.parameters import Components
from prunebench.suite.problems import Problems, from_a_file
from prunebench.suite.reported import Reported
from prunebench.suite.schema import MAX_SEEDS, Baselines, Leaderboard, Matrix
from prunebench.suite.validate import validate

__all__ = ["Suite", "expand", "make_suite", "with_methods", "with_seeds"]


@dataclass(frozen=True)
class Suite:
    """A suite as its file says it; names are looked up again, and cells made, by `expand`."""

    name: str
    version: str
    schema: int
    description: str
    path: Path | None
    content: Mapping[str, Any]
    """The parsed file."""
    matrices: tuple[Matrix, ...]
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
    table, matrices, checks, reported = validate(content, file, host)
    return Suite(
        name=table.name,
        version=table.version,
        schema=table.schema_,
        description=table.description,
        path=path,
        content=content,
        matrices=tuple(matrices),
        checks=tuple(checks),
        reported=tuple(reported),
        baselines=table.baselines,
        leaderboard=table.leaderboard,
        digest=digest(content),
    )


def expand(suite: Suite, host: Components) -> list[Cell]:
    """Return the cells of a suite in the file's order; equal forms, recipes and calls are one object.

    Raises: SuiteError where a matrix has no cells, or a name is no longer there.
    """
    problems = Problems(str(suite.path or suite.name), suite.content)
    forms: dict[bytes, Form] = {}
    cells: list[Cell] = []
    for index, matrix in enumerate(suite.matrices):
        axes = resolve_axes(matrix, index, host, problems)
        cells += expand_matrix(matrix, axes, index, host, problems, forms, strict=False)
    problems.raise_all()
    return cells


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
        there = {method_label(item) for item in matrix.methods}
        table["methods"] = [*table["methods"], *(n for n in dict.fromkeys(names) if n not in there)]
    return make_suite(content, str(suite.path or suite.name), suite.path, host)


def with_seeds(suite: Suite, n: int) -> Suite:
    """Return the suite with the seeds 0 … n−1 in every matrix.

    Entries of `only` and `exclude` that name other seeds then match nothing, which is no error here.

    Raises: UsageError for n below 1.
    """
    if not 1 <= n <= MAX_SEEDS:
        raise UsageError(f"found {n} seeds; allowed: a number from 1 to {MAX_SEEDS}")
    content = copy.deepcopy(dict(suite.content))
    for table in content["matrix"]:
        table["seeds"] = n
    matrices = tuple(m.model_copy(update={"seeds": list(range(n))}) for m in suite.matrices)
    return Suite(**{**vars(suite), "content": content, "matrices": matrices, "digest": digest(content)})
