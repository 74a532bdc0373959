"""Why a cell has to run: in words, from what changed since the last frozen plan (imports no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from prunebench.plan.cells import PlannedCell
from prunebench.plan.plan import Plan

__all__ = ["Earlier", "changes", "reason"]


class Earlier:
    """Earlier plans of a suite, newest first: read one by one, only as far back as somebody asks."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self._coming = iter(plans)
        self._read: list[Plan] = []

    def having(self, cell: str) -> Plan | None:
        """Return the newest earlier plan with this cell: the last one may have been of others."""
        for plan in self._read:
            if cell in plan.by_id:
                return plan
        for plan in self._coming:
            self._read.append(replace(plan, jobs={}, costs={}))
            if cell in self._read[-1].by_id:
                return self._read[-1]
        return None


def reason(cell: PlannedCell, plan: Plan, previous: Plan | None) -> str:
    """Return why a cell that is not done has to run: what changed, or that it was never finished.

    Examples: "scorer snip changed: 1f3a → 9c02"; "scorer mine: identity rule changed", where digests were
    taken of something else when the previous plan was made.
    """
    before = previous.by_id.get(cell.id) if previous else None
    if previous is None or before is None or before.key == cell.key:
        return "not run yet"
    changed = changes(cell, plan, previous)
    return "; ".join(changed) if changed else "the cell's definition changed"


def changes(cell: PlannedCell, plan: Plan, previous: Plan) -> list[str]:
    """Return what this cell depends on and what of it is another than in the previous plan."""
    changed = []
    for label in cell.parts:
        now, was = plan.identities.get(label), previous.identities.get(label)
        if was is not None and now is not None and now != was:
            if "digest" in was and "digest" in now and was.get("rule", 1) != now.get("rule", 1):
                changed.append(f"{label}: identity rule changed")
            else:
                changed.append(f"{label} changed: {_short(was)} → {_short(now)}")
    return changed


def _short(identity: Mapping[str, Any]) -> str:
    if "version" in identity:
        depends = "".join(f" {name} {version}" for name, version in identity.get("depends", {}).items())
        return f"version {identity['version']}{depends}"
    value = next((identity[name] for name in ("digest", "fingerprint", "values") if name in identity), "?")
    return str(value)[:8]
