"""Why a cell has to run: in words, from what changed since the last frozen plan (imports no torch)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunebench.plan.plan import Plan
from prunebench.plan.planner import PlannedCell

__all__ = ["changes", "reason"]


def reason(cell: PlannedCell, plan: Plan, previous: Plan | None) -> str:
    """Return why a cell that is not done has to run: what changed, or that it was never finished.

    Example: "scorer snip changed: 1f3a → 9c02".
    """
    before = previous.by_id.get(cell.id) if previous else None
    if previous is None or before is None or before.key == cell.key:
        return "not run yet"
    found = changes(cell, plan, previous)
    return "; ".join(found) if found else "the cell's definition changed"


def changes(cell: PlannedCell, plan: Plan, previous: Plan) -> list[str]:
    """Return what this cell depends on and what of it is another than in the previous plan."""
    found = []
    for label in cell.parts:
        now, was = plan.identities.get(label), previous.identities.get(label)
        if was is not None and now is not None and now != was:
            old, new = _short(was), _short(now)
            found.append(f"{label} changed: {old} → {new}")
    return found


def _short(identity: Mapping[str, Any]) -> str:
    if "version" in identity:
        depends = "".join(f" {name} {version}" for name, version in identity.get("depends", {}).items())
        return f"version {identity['version']}{depends}"
    value = next((identity[name] for name in ("digest", "fingerprint", "values") if name in identity), "?")
    return str(value)[:8]
