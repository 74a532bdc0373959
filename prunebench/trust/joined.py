"""Several packs as one: what a leaderboard's own records and others' rows are together."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prunebench.plan import Plan
from prunebench.store import Store
from prunebench.trust.packs import Pack

__all__ = ["joined_plan", "joined_store"]


def joined_plan(plans: Sequence[Plan]) -> Plan:
    """Return one plan of all cells: the suite's words are the first one's, cells in their order.

    What was planned for two of them stands once, by its key.
    """
    first = plans[0]
    return replace(
        first,
        cells=[cell for plan in plans for cell in plan.cells],
        jobs={key: job for plan in reversed(plans) for key, job in plan.jobs.items()}
        if len(plans) > 1
        else first.jobs,
        costs={key: cost for plan in reversed(plans) for key, cost in plan.costs.items()},
        identities={label: one for plan in reversed(plans) for label, one in plan.identities.items()},
    )


def joined_store(packs: Sequence[Pack], folder: Path) -> Store:
    """Put the records and measures of packs into one new store; the first of a key stays."""
    store = Store.open(folder)
    for pack in packs:
        for part in ("records", "measures"):
            for file in sorted((pack.store.root / part).glob("??/*.json")):
                target = folder / file.relative_to(pack.store.root)
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
    return store
