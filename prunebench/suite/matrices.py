"""The matrices of a file with their axes and cells: each [[matrix]] table stands for one, or for a family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from pydantic import ValidationError

from prunebench.canonical import canonical
from prunebench.host.form import Form
from prunebench.reading.cursor import Cursor
from prunebench.reading.families import members, names_differ, tables
from prunebench.suite.axes import Axes, Choice, resolve_axes
from prunebench.suite.cell import Cell
from prunebench.suite.changes import Changes
from prunebench.suite.expand import expand_matrix
from prunebench.suite.methods import method_form, method_names
from prunebench.suite.own_methods import OwnMethods
from prunebench.suite.parameters import Components
from prunebench.suite.schema import PLACEHOLDERS, Matrix

__all__ = ["Resolved", "cells_of", "read_matrices"]


@dataclass(frozen=True)
class Resolved:
    """A matrix with its axes and its place; `bad` are the keys that are wrong, and empty in the matrix."""

    matrix: Matrix
    axes: Axes
    here: Cursor
    bad: set[str]
    own: OwnMethods
    """The suite's own methods, as the matrix sees them."""


def read_matrices(
    content: Mapping[str, Any], here: Cursor, host: Components, changes: Changes
) -> list[Resolved]:
    """Return the matrices of a file's content; notes everything that is wrong with them by themselves."""
    if content.get("matrix") == []:
        (here / "matrix").problem("is empty; allowed: at least one [[matrix]]")
    models = list(_models(content, here, changes))
    every = OwnMethods.of((matrix, bad) for matrix, _, _, bad in models)
    matrices = []
    for matrix, given, place, bad in models:
        own = every.within(matrix)
        matrices.append(Resolved(matrix, resolve_axes(matrix, given, place, host, own), place, bad, own))
    names_differ((one.here.whole, one.matrix.name) for one in matrices if "name" not in one.bad)
    _labels_differ(matrices, host)
    return matrices


def cells_of(matrices: Sequence[Resolved], host: Components, *, strict: bool) -> list[Cell]:
    """Return the cells of matrices; equal forms are one object.

    `strict` notes entries of `only` and `exclude` that match nothing.
    """
    forms: dict[bytes, Form] = {}
    return [
        cell
        for one in matrices
        for cell in expand_matrix(one.matrix, one.axes, one.here, host, forms, one.own, strict=strict)
    ]


def _models(
    content: Mapping[str, Any], here: Cursor, changes: Changes
) -> Iterator[tuple[Matrix, Mapping[str, Any], Cursor, set[str]]]:
    """Yield each matrix, the table that it was made of, its place, and its keys that are bad."""
    for place, table in tables(content, "matrix", here):
        family = list(members(table, place, content.get("sets"), "matrix"))
        if not family:  # what its `for` stands for is not known: nothing is said of its keys
            yield Matrix.model_validate(PLACEHOLDERS), table, place.aside(), set(Matrix.model_fields)
        for member in family:
            own = place.of(f"matrix '{member.get('name', '')}'", member) if "for" in table else place
            yield _model(changes.made(member), own)


def _model(table: Mapping[str, Any], here: Cursor) -> tuple[Matrix, Mapping[str, Any], Cursor, set[str]]:
    try:
        return Matrix.model_validate(table), table, here, set()
    except ValidationError as error:
        bad = here.not_valid(error, Matrix)
    good = {key: value for key, value in table.items() if key not in bad}
    return Matrix.model_validate({**PLACEHOLDERS, **good}), table, here, bad


def _labels_differ(matrices: Sequence[Resolved], host: Components) -> None:
    """Refuse one label for two things: in a table they would be one row."""
    first: dict[tuple[str, str], tuple[bytes, Cursor, int]] = {}

    def refuse(key: str, matrix: int, choice: Choice[Any], value: Any, within: str = "") -> None:
        same = canonical(value)
        known, other, where = first.setdefault((key + within, choice.label), (same, choice.here, matrix))
        if known != same and where != matrix:
            member = f" of {other.member}" if other.member else ""
            message = f"the label '{choice.label}' stands for something else in {other.path}{member}"
            choice.here.problem(f"{message}; allowed: another label, with as = …")

    registered = method_names(host)
    for i, one in enumerate(matrices):
        axes = one.axes
        for choice in axes.methods:
            item = one.matrix.methods[int(choice.here.location[-1])]
            if (
                not isinstance(item, str)
                and choice.label in registered
                and item.as_ is not None
                and (item.changes or item.method != choice.label)
            ):
                message = f"the label '{choice.label}' is a registered method's; allowed: another one"
                (choice.here / "as").problem(message)
                continue
            # parameters for all scorers of a matrix may differ between settings, which have rows of their own
            shared = one.matrix.overrides.scorer
            plain: Form | None = choice.value
            if shared:
                unshared = replace(one.own, matrix=None)
                plain = method_form(item, host, one.here.aside(), own=unshared)
            if plain is not None:
                refuse("methods", i, choice, plain.model_dump(mode="json", by_alias=True))
            whole = choice.value.model_dump(mode="json", by_alias=True)
            for setting in product(axes.architecture, axes.dataset, axes.recipe):
                refuse("methods", i, choice, whole, canonical([c.label for c in setting]).decode())
        for architecture in axes.architecture:
            call = architecture.value
            refuse("architecture", i, architecture, [call.name, call.parameters])
        for dataset in axes.dataset:
            refuse("dataset", i, dataset, dataset.value)
        for recipe in axes.recipe:
            refuse("recipe", i, recipe, recipe.value.cell_fields())
        for find in axes.find:
            refuse("find", i, find, find.value)
