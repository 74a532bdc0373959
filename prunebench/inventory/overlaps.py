"""How far a method's masks agree with others' of the same seed, where masks are in the store."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prunebench.labels import SETTING
from prunebench.plan.cells import PlannedCell
from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Store

if TYPE_CHECKING:
    import torch

__all__ = ["overlap_rows"]


def overlap_rows(plan: Plan, store: Store, method: str, others: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each of a method's cells and another method's of the same setting, density and seed.

    Setting, density, sparsity, seed, `other`; `kept` by the method; `shared`: the share of these that the
    other keeps too; `by_layers`: what that share would be if both kept weights of each layer at random, as
    many as they do. Cells whose masks are not in the store have no row.
    """
    places: dict[tuple[str, ...], dict[str, PlannedCell]] = {}
    for cell in plan.cells:
        labels = cell.labels
        if labels.get("ablations") or labels.get("method") not in (method, *others):
            continue
        place = (*(labels.get(name, "") for name in SETTING), cell.density, str(cell.seed))
        places.setdefault(place, {}).setdefault(str(labels["method"]), cell)
    rows = []
    for place, cells in places.items():
        own = _mask(plan, store, cells.get(method))
        for other in others:
            theirs = _mask(plan, store, cells.get(other)) if own is not None else None
            if own is None or theirs is None:
                continue
            row: dict[str, Any] = dict(zip(SETTING, place[:-2], strict=True))
            row |= {"density": place[-2], "sparsity": round(1 - float(place[-2]), 12), "seed": int(place[-1])}
            rows.append({**row, "other": other, **_overlap(own, theirs)})
    return rows


Mask = Mapping[str, "torch.Tensor"]


def _mask(plan: Plan, store: Store, cell: PlannedCell | None) -> Mask | None:
    """Return the mask of a cell's network, by weight; None where it is not in the store."""
    from prunebench.jobs.states import mask_from

    if cell is None or len(plan.jobs[cell.key].inputs) < 2:
        return None
    with contextlib.suppress(Missing, Damaged):
        artifact = store.read_artifact(plan.jobs[cell.key].inputs[1])
        if artifact.meta.get("mask_shapes"):
            mask = mask_from(artifact)
            return {name: mask[name] for name in mask}
    return None


def _overlap(own: Mask, other: Mask) -> dict[str, Any]:
    names = [name for name in own if name in other]
    kept = {name: int(own[name].sum()) for name in own}
    both = sum(int((own[name] & other[name]).sum()) for name in names)
    chance = sum(kept[name] * int(other[name].sum()) / own[name].numel() for name in names)
    total = sum(kept.values())
    return {"kept": total, "shared": both / total, "by_layers": chance / total} if total else {"kept": 0}
