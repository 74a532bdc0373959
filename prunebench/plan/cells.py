"""Cells to jobs: where a cell becomes work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from prunebench.errors import UsageError
from prunebench.host.components import Diagnostic
from prunebench.plan.builder import Builder
from prunebench.plan.courses import course_of
from prunebench.plan.epochs import masks_by_epoch
from prunebench.plan.filters import fewest_kept, may_keep_none
from prunebench.plan.method import MethodPlanning
from prunebench.plan.params import (
    MeasureParams,
    RecordedCell,
    RecordParams,
)
from prunebench.plan.runs import dense_state
from prunebench.plan.scoring import components_of, kept_weights
from prunebench.plan.setting import Setting, setting_of
from prunebench.plan.telling_masks import what_tells
from prunebench.plan.uses import DiagnosticUse
from prunebench.suite.cell import Cell

__all__ = ["PlannedCell", "plan_cells"]


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell with what it takes. `key` is its record's; done means all its `targets` are in the store."""

    matrix: str
    name: str
    key: str
    targets: tuple[str, ...]
    labels: Mapping[str, str]
    density: str
    seed: int
    target: int
    """How many weights are asked for; how many a mask keeps is known when it is made."""
    prunable: int
    cost: float
    """Multiply-accumulates that the method would need alone, everything it descends from included."""
    parts: tuple[str, ...]
    """Names in the plan's table of identities that this cell depends on."""

    @property
    def id(self) -> str:
        """matrix::name, as pytest shows it behind the suite's file."""
        return f"{self.matrix}::{self.name}"


def plan_cells(
    builder: Builder, cells: Sequence[Cell], refuse: Callable[[Cell, UsageError | ValidationError], None]
) -> list[PlannedCell]:
    """Return the planned cells; their jobs are in `builder.jobs` then.

    `refuse` is told of each cell that cannot be planned: a form that is not built yet, a point beyond the
    schedule, a density that keeps no weight.

    Raises: DataError.
    """
    planned: list[PlannedCell] = []
    chained: dict[tuple[Any, ...], Cell] = {}
    """One cell of each chain of levels."""
    for cell in cells:
        try:
            planned.append(_plan(builder, cell))
        except (UsageError, ValidationError) as error:
            refuse(cell, error)
        else:
            if cell.form.schedule.trains_between:
                objects = id(cell.architecture), id(cell.recipe), id(cell.form)
                chained.setdefault((*objects, cell.dataset, cell.split, cell.seed), cell)
    for cell in chained.values():
        _record_passed(builder, cell)
    return planned


def _record_passed(builder: Builder, cell: Cell) -> None:
    """Add the records of what is trained to its end on the way to cells like this one, and is none."""
    setting = setting_of(builder, cell)
    method = MethodPlanning(builder, setting, cell.form, cell.recipe, cell.seed, cell.density)
    for density, *made in cell.form.schedule.passed(method):
        _record(builder, cell, setting, density, kept_weights(setting, density), made)


def _plan(builder: Builder, cell: Cell) -> PlannedCell:
    setting = setting_of(builder, cell)
    form, recipe, seed = cell.form, cell.recipe, cell.seed
    mask: str | None = None
    target = setting.network.prunable
    if form.scorer is None:
        end = dense_state(builder, setting, recipe, seed, recipe.total_steps(setting.data.examples))
    else:
        method = MethodPlanning(builder, setting, form, recipe, seed, cell.density)
        target = method.target
        end, mask = method.plan()
    record = _record(builder, cell, setting, cell.density, target, (end, mask) if mask else (end,))
    if scarce := may_keep_none(builder, setting, form, target):
        builder.may_keep_none[record] = scarce
    measures = (_measure(builder, setting, name, end, mask) for name in cell.measures)
    return PlannedCell(
        matrix=cell.matrix,
        name=cell.name,
        key=record,
        targets=(record, *(key for key in measures if key is not None)),
        labels=cell.labels,
        density=cell.density,
        seed=seed,
        target=target,
        prunable=setting.network.prunable,
        cost=builder.alone.of(record),
        parts=(
            *setting.parts,
            *components_of(builder, form, recipe),
            *(builder.part("diagnostics", name)[0] for name in cell.measures),
        ),
    )


def _record(
    builder: Builder, cell: Cell, setting: Setting, density: str, target: int, made: Sequence[str]
) -> str:
    """Add the record of an end state and its mask: of a cell, or of one like it at another density."""
    recorded = RecordedCell(
        **_described(builder, cell),
        density=density,
        target=target,
        prunable=setting.network.prunable,
        seed=cell.seed,
    )
    key = builder.add(RecordParams(cell=recorded), tuple(made))
    if (fewest := fewest_kept(builder, setting, cell.form, target)) is not None:
        builder.fewest[key] = fewest
    return key


def _described(builder: Builder, cell: Cell) -> dict[str, Any]:
    """Return what a record says of the cell, less what differs between cells of one method."""

    def make() -> dict[str, Any]:
        said: dict[str, Any] = {
            "architecture": {
                "name": cell.architecture.name,
                "parameters": dict(cell.architecture.parameters),
            },
            "dataset": cell.dataset,
            "split": cell.split,
            "recipe": cell.recipe.cell_fields(),
        }
        if cell.form.scorer is not None:
            said["form"] = cell.form.model_dump(mode="json", by_alias=True, exclude_none=True)
        return said

    objects = (cell.architecture, cell.recipe, cell.form)
    return builder.once("described", objects, (cell.dataset, cell.split), make)


def _measure(builder: Builder, setting: Setting, name: str, end: str, mask: str | None) -> str | None:
    """Add a measure's job; None where there is no mask to measure, none by epoch, or no network was scored.

    What can be measured without the end state's weights reads the mask, which is kept when the state goes.
    """
    diagnostic = builder.host.get("diagnostics", name)
    assert isinstance(diagnostic, Diagnostic)
    if diagnostic.of in ("mask", "epochs") and mask is None:
        return None
    inputs: tuple[str, ...] = (end,) if diagnostic.of == "state" else (mask or end,)
    if diagnostic.of == "scored":
        inputs = builder.once("told of", (), (mask,), lambda: what_tells(builder, setting, mask))
        if not inputs:
            return None
    course = None
    by_epoch = masks_by_epoch(builder, setting, mask) if mask and diagnostic.of == "epochs" else None
    if diagnostic.of == "epochs" and by_epoch is None:
        return None
    if diagnostic.of == "course":
        course = builder.once("course", (), (end, mask or ""), lambda: course_of(builder, setting, end, mask))
    epochs = by_epoch.epochs if by_epoch is not None else None
    params = builder.once(
        "measure",
        (setting, course),
        (name, epochs),
        lambda: MeasureParams(
            diagnostic=DiagnosticUse(name=name, identity=builder.part("diagnostics", name)[1]),
            of=diagnostic.of,
            architecture=setting.architecture,
            course=course,
            epochs=epochs,
        ),
    )
    return builder.add(params, inputs if by_epoch is None else by_epoch.inputs)
