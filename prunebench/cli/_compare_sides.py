"""Two stores, or two versions of a suite, for `prunebench compare A B`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunebench.errors import UsageError, nearest

if TYPE_CHECKING:
    from prunebench.inventory.differences import Side
    from prunebench.plan import Plan
    from prunebench.report.changes import Changed
    from prunebench.store import Store

__all__ = ["changed_stores", "changed_versions", "names_two_stores", "names_two_versions"]


def names_two_stores(given: Sequence[str]) -> bool:
    """True if the first two of what a user gave are folders, neither of them a suite's."""
    return len(given) >= 2 and all(Path(name).is_dir() for name in given[:2])


def names_two_versions(given: Sequence[str]) -> bool:
    """True if the second of two names a suite too: a file, or NAME@VERSION."""
    return len(given) == 2 and (given[1].endswith(".toml") or "@" in given[1])


def changed_stores(given: Sequence[str]) -> list[Changed]:
    """Return what changed from one store to another, suite by suite; `given` may name the suites after them.

    Raises: UsageError where no suite was run in both; StoreError.
    """
    first, second = (_opened(name) for name in given[:2])
    plans = [_newest(store) for store in (first, second)]
    wanted = list(given[2:])
    common = [name for name in plans[0] if name in plans[1]]
    for name in wanted:
        if name not in common:
            none = nearest(name, common, "no suite was")
            raise UsageError(f"suite '{name}' was not run in both stores{none}")
    if not common and len(plans[0]) == len(plans[1]) == 1:
        (one,), (other,) = plans[0].values(), plans[1].values()
        return [_changed(_side(given[0], one, first), _side(given[1], other, second))]
    if not common:
        said = [f"{name} has {', '.join(have) or 'none'}" for name, have in zip(given, plans, strict=False)]
        raise UsageError(f"no suite was run in both stores: {', '.join(said)}")
    return [
        _changed(_side(given[0], plans[0][name], first), _side(given[1], plans[1][name], second))
        for name in wanted or common
    ]


def changed_versions(given: Sequence[str], options: dict[str, Any]) -> list[Changed]:
    """Return what changed from one version of a suite to another; both have their results in one store.

    Raises: UsageError for a version that was not run; StoreError; SuiteError.
    """
    one, other = (_version(name, options) for name in given)
    return [_changed(one, other)]


def _opened(name: str) -> Store:
    from prunebench.store import Store

    return Store.open(name, create=False, write=False)


def _newest(store: Store) -> dict[str, Plan]:
    """Return the newest plan of every suite that was run in a store."""
    from prunebench.inventory.frozen import read_frozen
    from prunebench.store import Damaged, Missing

    newest: dict[str, Plan] = {}
    for path in reversed(store.plans()):
        if path.stem.rpartition("-")[0] in newest:
            continue
        try:
            plan = read_frozen(path, store)
        except (Missing, Damaged):
            continue
        if plan is not None:
            newest.setdefault(str(plan.suite["name"]), plan)
    return dict(sorted(newest.items()))


def _version(name: str, options: dict[str, Any]) -> Side:
    from prunebench.cli._suite_plan import suite_plan

    if "@" not in name or Path(name).exists():
        shown = suite_plan(name, options)
        return _side(name, shown.plan, shown.store)
    from prunebench.cli._options import request_of
    from prunebench.inventory.frozen import read_frozen
    from prunebench.store import Damaged, Missing

    suite, _, version = name.rpartition("@")
    store = _opened(request_of(suite, options).store)
    there: dict[str, None] = {}
    for path in reversed(store.plans(suite)):
        try:
            plan = read_frozen(path, store)
        except (Missing, Damaged):
            continue
        if plan is not None:
            if version == str(plan.suite.get("version")) or plan.suite["digest"].startswith(version):
                return _side(name, plan, store)
            there[f"{suite}@{plan.suite.get('version')}"] = None
    raise UsageError(f"{name} was not run in {store.root}{nearest(name, there, 'no version was')}")


def _side(name: str, plan: Plan, store: Store) -> Side:
    from prunebench.inventory.differences import Side

    return Side(name, plan, store)


def _changed(a: Side, b: Side) -> Changed:
    from prunebench.inventory.differences import differences
    from prunebench.report.changes import Changed

    sides = [
        {"name": side.name, **{part: side.plan.suite.get(part) for part in ("version", "digest")}}
        for side in (a, b)
    ]
    return Changed(str(b.plan.suite["name"]), sides[0], sides[1], differences(a, b))
