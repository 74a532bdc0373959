"""Suite and host to plan: one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prunebench.host.components import Dataset
from prunebench.plan.plan import Plan
from prunebench.plan.planner import Planner
from prunebench.suite.cell import Cell

if TYPE_CHECKING:
    from prunebench.host.registry import Host
    from prunebench.suite import Suite

__all__ = ["make_plan", "plan_cells"]


def make_plan(suite: Suite, host: Host, data_root: Path) -> Plan:
    """Return the plan of a suite: its cells, their jobs, their costs; reads no data but fingerprints.

    Raises: SuiteError for a cell that cannot be planned, DataError.
    """
    from prunebench.suite import expand

    cells = expand(suite, host)
    described = {
        "name": suite.name,
        "version": suite.version,
        "digest": suite.digest,
        "baselines": suite.baselines.model_dump(),
        "leaderboard": suite.leaderboard.model_dump(mode="json"),
        "margins": {
            name: cast(Dataset, host.get("datasets", name)).margin
            for name in sorted({c.dataset for c in cells})
        },
    }
    return plan_cells(described, cells, host, data_root)


def plan_cells(suite: Mapping[str, Any], cells: Sequence[Cell], host: Host, data_root: Path) -> Plan:
    """Return the plan of cells that are already expanded."""
    planner = Planner(host, data_root)
    planned = planner.plan(cells)
    return Plan(suite, planned, planner.jobs, planner.costs, planner.identities, planner.missing_data)
