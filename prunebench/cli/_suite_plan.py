"""The plan that `status`, `leaderboard` and `measures` are about: the last run's, or else a new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prunebench.cli._options import request_of
from prunebench.engine.selection import select
from prunebench.plan import Plan, PlannedCell
from prunebench.store import Store

__all__ = ["SuitePlan", "plan_with", "say_added", "suite_plan"]

_PLANNING = ("plugin", "no_plugins", "load")


class SuitePlan(NamedTuple):
    """A plan, the cells of it that were selected, where it came from, and the store to read."""

    plan: Plan
    cells: Sequence[PlannedCell]
    store: Store
    frozen: Path | None
    """The last run's plan; None where it was made just now."""

    @property
    def selection(self) -> str:
        """What to add to a number of cells where some were selected; else nothing."""
        few = len(self.cells) < len(self.plan.cells)
        return f", selected of {len(self.plan.cells):,}" if few else ""

    @property
    def told(self) -> str:
        """Where the plan came from, in words."""
        if self.frozen:
            return "as last run"
        if any(damaged.file.startswith("plans/") for damaged in self.store.damaged):
            return "planned anew: the last run's plan is damaged"
        return "planned now: not run in this store yet as it stands"


def suite_plan(suite: str, options: dict[str, Any]) -> SuitePlan:
    """Return the newest frozen plan of the suite as it stands, or plan it.

    The frozen plan is taken where the suite's content is the same, with the methods and seeds that were asked
    for, and no option says that plugins are to be looked at. -k and --sparsity select cells of it.
    """
    from prunebench.inventory.frozen import newest_frozen
    from prunebench.suite.load import suite_path

    request = request_of(suite, options)
    store = Store.open(request.store, create=False, write=False, absent_ok=True)
    if not any(options.get(name) for name in _PLANNING):
        frozen = newest_frozen(
            suite,
            store,
            seeds=options.get("seeds"),
            limit=options.get("limit"),
            methods=options.get("scorer", ()),
        )
        if frozen is not None:
            return SuitePlan(frozen[0], _chosen(frozen[0], suite_path(suite), options), store, frozen[1])
    from prunebench.cli._damage import say_damaged
    from prunebench.cli._output import problems
    from prunebench.engine.session import Session
    from prunebench.errors import PrunebenchError

    try:
        session = Session.prepare(request)
    except PrunebenchError:
        say_damaged(store)  # a damaged plan may be why it has to be planned
        raise
    problems(session.host)
    last = (path for path in store.plans(session.plan.suite["name"]) if path.stem == session.plan.name)
    cells = _chosen(session.plan, session.path, options)
    return SuitePlan(session.plan, cells, store, next(last, None))


def plan_with(suite: str, methods: Sequence[str], options: dict[str, Any], *, strict: bool) -> SuitePlan:
    """Return the suite's plan with the methods added that are named and are not its own.

    They are named as tables name them: "snip+shuffle", "chain, find lr=0.05".

    Unless `strict`, that is done where a run had them: else what is said of them is said of the suite itself.
    """
    from prunebench.inventory.frozen import newest_frozen
    from prunebench.suite.changes import lacking
    from prunebench.suite.load import read_content, suite_path

    names = dict.fromkeys(name.partition(", find ")[0].partition("+")[0].strip() for name in methods)
    added = lacking(read_content(suite_path(suite)), (*options["scorer"], *names))
    if not (strict or any(options.get(name) for name in _PLANNING)):
        store = Store.open(request_of(suite, options).store, create=False, write=False, absent_ok=True)
        ran = newest_frozen(
            suite, store, seeds=options.get("seeds"), limit=options.get("limit"), methods=added
        )
        added = options["scorer"] if ran is None else added
    return suite_plan(suite, {**options, "scorer": added})


def say_added(shown: SuitePlan) -> None:
    """Say on standard error which methods the newest other run of the suite had besides those shown."""
    from prunebench.cli._output import complain
    from prunebench.inventory.frozen import previous_plans

    ours = {cell.labels["method"] for cell in shown.plan.cells}
    other = next(previous_plans(shown.store, shown.plan), None)
    theirs = {cell.labels["method"] for cell in other.cells} if other else set()
    if ours < theirs:
        added = sorted(theirs - ours)
        asked = " ".join(f"--scorer {name}" for name in added)
        complain(f"this suite has been run with {', '.join(added)} too: {asked} shows that", label="Note")


def _chosen(plan: Plan, path: Path | None, options: dict[str, Any]) -> Sequence[PlannedCell]:
    return select(plan, path, keyword=options.get("keyword"), sparsities=options.get("sparsity", ()))
