"""`prunebench.results`: a suite's results as tables, for notebooks and for every command that shows them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan import Plan
    from prunebench.report.results import Results
    from prunebench.scaling.drawing import FamilyPoints
    from prunebench.store import Store

__all__ = ["quantities_of", "results", "results_of"]


def results(
    suite: str | PathLike[str],
    store: str | PathLike[str] | None = None,
    *,
    data: str | PathLike[str] | None = None,
    seeds: int | None = None,
    limit: int | None = None,
    scorers: Sequence[str] = (),
    plugins: Sequence[str | PathLike[str]] = (),
) -> Results:
    """Return what is there of a suite, as pandas tables.

    The plan of the suite's last run is read where the suite has not changed since (no torch then); else it is
    planned. Nothing is run, nothing is written.

    Args:
        suite: the name of a shipped suite, or a file.
        store: where results are kept; None: PRUNEBENCH_STORE, else .prunebench.
        data: where data sets are; None: PRUNEBENCH_DATA, else the user's cache folder.
        seeds: as `--seeds`; limit: as `--limit`, of a smoke run; scorers: as `--scorer`; plugins: files, as
            `--plugin`.

    Raises: SuiteError; UsageError for a store that is not there; StoreError.
    """
    from pathlib import Path

    from prunebench.engine.defaults import data_root, store_root
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.inventory.frozen import newest_frozen
    from prunebench.store import Store

    opened = Store.open(
        store_root(None if store is None else str(store)), create=False, write=False, absent_ok=store is None
    )
    request = Request(
        suite=str(suite),
        store=str(opened.root),
        data=str(data_root(None if data is None else str(data))),
        plugins=tuple(str(Path(plugin).expanduser().absolute()) for plugin in plugins),
        scorers=tuple(scorers),
        seeds=seeds,
        limit=limit,
    )
    if not plugins:
        frozen = newest_frozen(str(suite), opened, seeds=seeds, limit=limit, methods=scorers)
        if frozen is not None:
            return results_of(frozen[0], opened, host=lambda: request.with_suite_plugins().host())
    session = Session.prepare(request)
    return results_of(session.plan, opened, host=lambda: session.host)


def results_of(
    plan: Plan,
    store: Store,
    *,
    snapshot: Snapshot | None = None,
    asked: Collection[str] | None = None,
    host: Callable[[], Any] | None = None,
) -> Results:
    """Return the results of a plan.

    `asked`: ids of the cells that were asked for; of the others those without a result are "unselected", and
    settings of nothing but such are left out. `snapshot` saves reading results again. `host` returns the
    host from which a quantity comes that is not built in (see `quantities_of`).
    """
    from functools import cache

    import pandas as pd

    from prunebench.analysis import courses, measures, table
    from prunebench.inventory.costs import cost_rows
    from prunebench.inventory.rows import measure_rows, of_selection, rows
    from prunebench.inventory.snapshot import Snapshot
    from prunebench.plan.uncollected import uncollected
    from prunebench.report.results import Results

    snapshot = snapshot or Snapshot(plan, store)
    with uncollected():
        shown = every = rows(plan, store, snapshot)
        costs = cost_rows(snapshot)
    suite: dict[str, Any] = dict(plan.suite)
    if asked is None:
        suite["absent"] = "not run yet"
    else:
        shown = of_selection(shown, asked)
    measured = cache(lambda: measure_rows(plan, store, snapshot, every))
    return Results(
        suite,
        table(shown),
        lambda: measures(measured()),  # many tables need neither
        pd.DataFrame(costs),
        quantities_of(plan, host),
        lambda: courses(measured()),
        laws=lambda: _laws(plan, snapshot, host),
    )


def _laws(plan: Plan, snapshot: Snapshot, host: Callable[[], Any] | None) -> list[FamilyPoints]:
    """Return the points of each family of the plan."""
    from functools import cache, partial

    from prunebench.analysis import SETTING
    from prunebench.errors import DataError, FitError
    from prunebench.host.registry import Host
    from prunebench.inventory.family import examples_of_plan, families_of, measured_points
    from prunebench.scaling.drawing import FamilyPoints

    forms = Host.builtin_forms()
    examples_of = cache(examples_of_plan(plan, partial(_examples, host or Host.load)))
    laws = []
    for family in families_of(plan):
        points, why, left = None, "", list[str]()
        try:
            measured = measured_points(plan, snapshot, family.cells, family.method, examples_of)
            points, left = measured.points, list(measured.left)
        except (FitError, DataError) as error:
            why = str(error)
        settings = list(
            dict.fromkeys(tuple(cell.labels.get(n, "") for n in SETTING) for cell in family.cells)
        )
        laws.append(FamilyPoints(family.title, settings, forms, points, why, left))
    return laws


def _examples(host: Callable[[], Any], dataset: str) -> float:
    """Return how many training examples a data set has: without torch, where a built-in one declares it."""
    from pathlib import Path

    from prunebench.engine.defaults import data_root
    from prunebench.host.registry import Host

    declared = Host.builtin_datasets().get(dataset)
    if declared is not None and declared.describe is None:
        return float(declared.train)
    return float(host().dataset(dataset).description(Path(data_root(None))).train)


def quantities_of(plan: Plan, host: Callable[[], Any] | None = None) -> Any:
    """Return what looks a quantity up by its name.

    Built-in ones come without other plugins, and without torch. For any other, and for functional forms that
    are not built in, `host` is called, once: it returns the host with the plugins that register it; None:
    those that are installed.
    """
    from functools import cache

    from prunebench.host.registry import Host

    @cache
    def loaded() -> Any:
        return Host.load() if host is None else host()

    def form(name: str) -> Any:
        builtin = Host.builtin_forms()
        return builtin[name] if name in builtin else loaded().get("forms", name)

    def quantity(name: str) -> Any:
        builtin = Host.builtin_quantities()
        mine = builtin[name] if name in builtin else loaded().get("quantities", name)
        return mine.with_forms(form)

    return quantity
