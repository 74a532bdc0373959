"""A suite: what a file says, validated; its cells; the same with more methods, other seeds, or limited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prunebench.baselines import Baselines
from prunebench.canonical import digest
from prunebench.checks.claims import Claim
from prunebench.checks.grammar import Check
from prunebench.checks.reported import Reported
from prunebench.errors import UsageError, nearest
from prunebench.reading.cursor import Cursor, Problems
from prunebench.reading.messages import from_a_file
from prunebench.suite.cell import Cell
from prunebench.suite.changes import Changes
from prunebench.suite.matrices import cells_of, read_matrices
from prunebench.suite.methods import method_names
from prunebench.suite.parameters import Components
from prunebench.suite.schema import MAX_SEEDS, Leaderboard, Matrix
from prunebench.suite.validate import validate

__all__ = ["Suite", "make_suite", "with_limit", "with_methods", "with_seeds"]


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
    changes: Changes
    """What was asked for beyond it."""
    matrices: tuple[Matrix, ...]
    cells: tuple[Cell, ...]
    """In the file's order; equal forms, recipes and calls are one object."""
    checks: tuple[Check, ...]
    """Families filled in; those that reported numbers make come last."""
    claims: tuple[Claim, ...]
    reported: tuple[Reported, ...]
    baselines: Baselines
    leaderboard: Leaderboard
    digest: str
    """SHA-256 of the content with its changes: comments, layout and the order of keys do not matter."""

    @property
    def file(self) -> str:
        """What messages call it."""
        return str(self.path or self.name)


def make_suite(
    content: Mapping[str, Any],
    file: str,
    path: Path | None,
    host: Components,
    changes: Changes | None = None,
) -> Suite:
    """Return the suite of a parsed file; `file` is what messages call it.

    Raises: SuiteError with every problem, a line each.
    """
    changes = changes or Changes()
    read = validate(content, file, host, changes)
    return Suite(
        name=read.table.name,
        version=read.table.version,
        schema=read.table.schema_,
        description=read.table.description,
        path=path,
        content=content,
        changes=changes,
        matrices=tuple(read.matrices),
        cells=tuple(read.cells),
        checks=tuple(check for _, check in read.checks.checks),
        claims=tuple(read.checks.claims),
        reported=tuple(one for _, one in read.checks.reported),
        baselines=read.table.baselines,
        leaderboard=read.table.leaderboard,
        digest=digest(changes.content(content)),
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
    methods = tuple(dict.fromkeys([*suite.changes.methods, *names]))
    changes = replace(suite.changes, methods=methods)
    return make_suite(suite.content, suite.file, suite.path, host, changes)


def with_seeds(suite: Suite, n: int, host: Components) -> Suite:
    """Return the suite with the seeds 0 … n−1 in every matrix.

    Entries of `only` and `exclude` that name other seeds then match nothing, which is no error here.

    Raises: UsageError for n below 1, SuiteError where a matrix has no cells then.
    """
    if not 1 <= n <= MAX_SEEDS:
        raise UsageError(f"found {n} seeds; allowed: a number from 1 to {MAX_SEEDS}")
    changes = replace(suite.changes, seeds=n)
    here = Cursor(Problems(suite.file, suite.content))
    matrices = read_matrices(suite.content, here, host, changes)
    cells = cells_of(matrices, host, strict=False)
    here.problems.raise_all()
    return replace(
        suite,
        changes=changes,
        matrices=tuple(one.matrix for one in matrices),
        cells=tuple(cells),
        digest=digest(changes.content(suite.content)),
    )


def with_limit(suite: Suite, n: int) -> Suite:
    """Return the suite as a smoke run: trained on `n` examples at most, and evaluated on `n` at most.

    Every cell says so, in its recipe, which is in its key, and in the name of its data set: nothing of a
    smoke run can be taken for a result, or stand in one table with any.

    Raises: UsageError for n below 1.
    """
    if n < 1:
        raise UsageError(f"found a limit of {n}; allowed: a number of at least 1")
    changes = replace(suite.changes, limit=n)
    recipes: dict[int, Any] = {}
    labels: dict[int, Mapping[str, str]] = {}
    cells = []
    for cell in suite.cells:  # what cells share stays one object: planning goes by that
        if id(cell.recipe) not in recipes:
            recipes[id(cell.recipe)] = cell.recipe.changed({"limit": n})
        if id(cell.labels) not in labels:
            labels[id(cell.labels)] = {**cell.labels, "dataset": limited_label(cell.labels["dataset"], n)}
        cells.append(replace(cell, recipe=recipes[id(cell.recipe)], labels=labels[id(cell.labels)]))
    return replace(suite, changes=changes, cells=tuple(cells), digest=digest(changes.content(suite.content)))


def limited_label(label: str, n: int) -> str:
    """Return what a data set is called of which so many examples are used.

    >>> limited_label("mnist", 64), limited_label("image-folder[root=flowers]", 64)
    ('mnist[limit=64]', 'image-folder[root=flowers,limit=64]')
    """
    start = f"{label[:-1]}," if label.endswith("]") else f"{label}["
    return f"{start}limit={n}]"
