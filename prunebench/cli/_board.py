"""The leaderboard of a plan, for `run` and `leaderboard`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prunebench.checks.outcomes import Verdicts
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan import Plan, PlannedCell
    from prunebench.store import Store

__all__ = ["board"]


def board(
    plan: Plan,
    store: Store,
    format: str,
    *,
    asked: Collection[str] | None = None,
    sparsities: Sequence[float] = (),
    chosen: Iterable[PlannedCell] | None = None,
    tables: Sequence[str] = (),
    snapshot: Snapshot | None = None,
    against: str | None = None,
    verdicts: Verdicts | None = None,
) -> str | None:
    """Return a plan's leaderboard, or None where nothing of it has been run.

    `asked`: ids of the cells that were asked for. Of the others those that have no result are "unselected",
    not missing, and settings of nothing but such are left out; None: the whole plan, as far as it has been
    run. `sparsities`: the columns shown, where not the suite's own; `chosen`: the rows shown are those of
    these cells, and say what they say of the whole plan; `tables`: these alone. `snapshot` saves
    reading records again. `verdicts`: what became of the suite's checks, where that is known already, or is
    said elsewhere (no verdicts). `against` is the method that differences are to.

    Raises: UsageError for a method that the suite does not have.
    """
    from prunebench.report.leaderboard import leaderboard
    from prunebench.tables import results_of

    results = results_of(plan, store, snapshot=snapshot, asked=asked)
    if not results.cells["status"].isin(_RESULTS).any():
        return None
    if against is not None:
        from prunebench.report.versus import variant_of

        results.suite = {**results.suite, "against": variant_of(against, results)}
    if chosen is not None:
        results.choose((dict(cell.labels), str(cell.density)) for cell in chosen)
    if verdicts is not None:
        results.verdicts = verdicts
    if sparsities:
        results.suite = {**results.suite, "sparsities": list(sparsities)}
    return leaderboard(results, format, tables=tables)


_RESULTS = ("finished", "diverged")
