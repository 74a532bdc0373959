"""The suite that asks what kind of method something is, made from another suite's settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prunebench.errors import UsageError
from prunebench.suite.cell import Cell
from prunebench.suite.schema import Matrix, label_of
from prunebench.suite.suite import Suite

__all__ = ["ABLATIONS", "MEASURES", "OTHER_BATCH", "POINTS", "judging", "spelled"]

ABLATIONS = ("shuffle", "reinit", "invert")
"""What is done to the method's masks and networks to see what matters of them."""

MEASURES = ("layer-sparsity", "neuron-sparsity", "effective-density", "disconnected", "training-flops")
"""What is measured of every mask."""

OTHER_BATCH = "other-batch"
"""The end of the name of the method that scores on another batch."""

POINTS = 4
"""Sparsities of a setting at most: of a longer grid so many, spread over it."""


def judging(suite: Suite, method: str, *, plugins: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of the suite that judges a method in the settings of a suite that has it.

    In each setting (those with find changes or a pruning step of their own are left out) the method stands
    beside the suite's baselines and lottery-ticket rewinding, with each ablation, and, where its scorer reads
    data, with another scoring batch. Every matrix but those of the first kind is optional: some methods have
    no mask to shuffle.

    Raises: UsageError where no setting is left, or for a method that prunes nothing.
    """
    matrices = []
    for number, cells in enumerate(_settings(suite, method)):
        if cells[0].form.scorer is None:
            raise UsageError(f"{method} prunes nothing: there is nothing to judge")
        shared = _shared(suite, cells)
        entry = _entry(suite, cells[0].matrix, method)
        others = [suite.baselines.random, suite.baselines.after_training, "ltr"]
        beside = [_entry(suite, None, name) for name in dict.fromkeys(others) if name != method]
        matrices.append(
            {"name": f"asked-{number}", **shared, "methods": [*beside, entry], "measures": list(MEASURES)}
        )
        for ablation in ABLATIONS:
            name, more = f"{ablation}-{number}", {"ablations": [[ablation]], "dense": False}
            matrices.append({"name": name, **shared, "methods": [entry], **more, "measures": list(MEASURES)})
        if (batch := cells[0].form.scorer.batch) is not None:
            other = {**batch.model_dump(exclude_none=True), "draw": 1}
            matrices.append(
                {
                    "name": f"batch-{number}",
                    **shared,
                    "methods": [_rescored(entry, method, other)],
                    "dense": False,
                }
            )
    if not matrices:
        raise UsageError(f"suite {suite.name} prunes {method} in no setting without find changes")
    return {
        "schema": 1,
        "name": f"{suite.name}-judges-{method}",
        "version": suite.version,
        "description": f"What kind of method is {method}? Made of suite {suite.name} by `prunebench judge`.",
        **({"plugins": list(plugins)} if plugins else {}),
        "baselines": suite.baselines.model_dump(by_alias=True),
        **({} if suite.leaderboard.margin is None else {"leaderboard": {"margin": suite.leaderboard.margin}}),
        "matrix": matrices,
    }


def _settings(suite: Suite, method: str) -> Iterator[list[Cell]]:
    """Yield the cells of the unmodified method, setting by setting."""
    settings: dict[tuple[str, ...], list[Cell]] = {}
    for cell in suite.cells:
        labels = cell.labels
        if labels["method"] == method and not _changed(cell):
            place = tuple(labels[name] for name in ("architecture", "dataset", "recipe", "split"))
            settings.setdefault(place, []).append(cell)
    yield from settings.values()


def _shared(suite: Suite, cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the keys of a matrix that say its setting, sparsities and seeds."""
    first = cells[0]
    matrix = _matrix(suite, first.matrix)
    grid = sorted({float(cell.density) for cell in cells}, reverse=True)
    if len(grid) > POINTS:
        grid = [grid[round((i + 1) * len(grid) / POINTS) - 1] for i in range(POINTS)]
    overrides = matrix.overrides.model_dump(mode="json", exclude_defaults=True)
    return {
        **{
            axis: next(_plain(item) for item in getattr(matrix, axis) if label_of(item) == first.labels[axis])
            for axis in ("architecture", "dataset", "recipe")
        },
        "split": matrix.split,
        "densities": grid,
        "seeds": sorted({cell.seed for cell in cells}),
        **({"overrides": overrides} if overrides else {}),
    }


def _matrix(suite: Suite, name: str) -> Matrix:
    return next(matrix for matrix in suite.matrices if matrix.name == name)


def _entry(suite: Suite, matrix: str | None, method: str) -> Any:
    """Return how the suite spells a method: that of a matrix, else the first one; else its name."""
    matrices = [one for one in suite.matrices if matrix in (None, one.name)]
    entries = (item for one in matrices for item in one.methods if label_of(item) == method)
    return next((_alone(suite, _plain(item), method) for item in entries), method)


def _alone(suite: Suite, entry: Any, method: str) -> Any:
    """Return a method's entry with the form whose counts it takes, which the suite may tell by a label."""
    if isinstance(entry, str) or not isinstance(entry.get("allocation"), Mapping):
        return entry
    forms = (cell.form for cell in suite.cells if cell.labels["method"] == method and not _changed(cell))
    form = next(forms, None)
    return (
        entry
        if form is None
        else {**entry, "allocation": _said(form.model_dump(by_alias=True)["allocation"])}
    )


def _changed(cell: Cell) -> bool:
    return any(cell.labels[axis] for axis in ("ablations", "find", "score_at"))


def _said(value: Any) -> Any:
    """Return a value without what says nothing: TOML has no None."""
    if isinstance(value, Mapping):
        return {key: _said(item) for key, item in value.items() if item is not None}
    return [_said(item) for item in value] if isinstance(value, list | tuple) else value


def _plain(item: Any) -> Any:
    return item if isinstance(item, str) else item.model_dump(mode="json", by_alias=True, exclude_none=True)


def _rescored(entry: Any, method: str, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the method's entry with another scoring batch, under a name of its own."""
    table = {"method": entry} if isinstance(entry, str) else dict(entry)
    scorer = table.get("scorer")
    own = {"name": scorer} if isinstance(scorer, str) else dict(scorer or {})
    return {**table, "as": f"{method}-{OTHER_BATCH}", "scorer": {**own, "batch": dict(batch)}}


def spelled(content: Mapping[str, Any]) -> str:
    """Return the content of a suite as TOML: a key a line, tables of its own for what is a list of tables."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in content.items() if not _tables(value)]
    for key, tables in content.items():
        if _tables(tables):
            for table in tables:
                lines += ["", f"[[{_key(key)}]]", *(f"{_key(k)} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
