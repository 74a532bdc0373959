"""Two stores, or two versions of a suite, for `prunebench compare A B`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from prunebench.errors import UsageError, nearest, nearest_file
from prunebench.shipped import shipped_suites
from prunebench.smoke import limit_of
from prunebench.smoke import version as smoke_version

if TYPE_CHECKING:
    from prunebench.inventory.differences import Side
    from prunebench.plan import Plan
    from prunebench.report.changes import Changed
    from prunebench.store import Store

__all__ = ["changed_stores", "changed_versions", "names_two_stores", "names_two_versions"]


def names_two_stores(given: Sequence[str]) -> bool:
    """True if the first two of what a user gave are folders.

    Raises: UsageError where one of the two is a folder, and what the other is there is not.
    """
    folders = [Path(name).is_dir() for name in given[:2]]
    if len(folders) == 2 and folders[0] != folders[1]:
        folder, other = (given[0], given[1]) if folders[0] else (given[1], given[0])
        if given[0] not in shipped_suites() and Path(other).suffix != ".toml":
            there = "is a file, and none" if Path(other).exists() else "no such folder"
            near = nearest_file(Path(other))
            raise UsageError(f"{folder} is a folder, so a store; {other}: {there}{near}")
    return len(folders) == 2 and all(folders)


def names_two_versions(given: Sequence[str]) -> bool:
    """True if the second of two names a suite too: a file, or NAME@VERSION."""
    return len(given) == 2 and (given[1].endswith(".toml") or "@" in given[1])


def changed_stores(given: Sequence[str], options: Mapping[str, Any]) -> list[Changed]:
    """Return what changed from one store to another, suite by suite; `given` may name the suites after them.

    Either may be a published leaderboard, of which the records are compared. With --limit they are the smoke
    runs with this limit.

    Raises: UsageError where no suite was run in both; StoreError.
    """
    with contextlib.ExitStack() as unpacked:
        first, second = (_opened(name, options["limit"], unpacked) for name in given[:2])
        return _changed_suites(given, (first, second), options)


def _changed_suites(
    given: Sequence[str], sides: tuple[_Opened, _Opened], options: Mapping[str, Any]
) -> list[Changed]:
    (first, ours), (second, theirs) = sides
    plans = [ours, theirs]
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
        smoke = any(limit_of(plan.suite) for store in (first, second) for plan in _readable(store))
        hint = "; smoke runs are compared with --limit N" if smoke and options["limit"] is None else ""
        raise UsageError(f"no suite was run in both stores: {', '.join(said)}{hint}")
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


class _Opened(NamedTuple):
    """A store, and the newest plan of every suite in it."""

    store: Store
    plans: Mapping[str, Plan]


def _opened(name: str, limit: int | None, unpacked: contextlib.ExitStack) -> _Opened:
    """Return the store that an argument names; of a published leaderboard its records, unpacked meanwhile."""
    from prunebench.store import Store
    from prunebench.trust.folder import is_published, opened

    if is_published(Path(name)):
        published = unpacked.enter_context(opened(Path(name)))
        plans = {str(published.plan.suite["name"]): published.plan} if limit is None else {}
        return _Opened(published.store, plans)
    store = Store.open(name, create=False, write=False, option="")
    return _Opened(store, _newest(store, limit))


def _readable(store: Store, suite: str | None = None) -> Iterator[Plan]:
    """Yield the plans in a store that can be read, the newest first: all, or only a suite's."""
    from prunebench.inventory.frozen import read_frozen
    from prunebench.store import Damaged, Missing

    for path in reversed(store.plans(suite)):
        try:
            plan = read_frozen(path, store)
        except (Missing, Damaged):
            continue
        if plan is not None:
            yield plan


def _newest(store: Store, limit: int | None) -> dict[str, Plan]:
    """Return the newest plan of every suite in a store: of no smoke run, or of one with this limit."""
    newest: dict[str, Plan] = {}
    for plan in _readable(store):
        if limit_of(plan.suite) == limit:
            newest.setdefault(str(plan.suite["name"]), plan)
    return dict(sorted(newest.items()))


def _version(name: str, options: dict[str, Any]) -> Side:
    from prunebench.cli._suite_plan import suite_plan

    if "@" not in name or Path(name).exists():
        shown = suite_plan(name, options)
        return _side(name, shown.plan, shown.store)
    from prunebench.cli._options import request_of
    from prunebench.store import Store

    suite, _, version = name.rpartition("@")
    store = Store.open(request_of(suite, options).store, create=False, write=False)
    plans = [plan for plan in _readable(store, suite) if limit_of(plan.suite) == options["limit"]]
    there = {
        f"{suite}@{_version_of(plan)}": plan for plan in reversed(plans)
    }  # the newest of a version stays
    plan = there.get(name) or _by_digest(name, version, plans)
    if plan is None:
        raise UsageError(f"{name} was not run in {store.root}{nearest(name, there, 'no version was')}")
    return _side(name, plan, store)


def _version_of(plan: Plan) -> str:
    """Return a suite's own version, of which a smoke run has a longer one."""
    version, limit = str(plan.suite["version"]), limit_of(plan.suite)
    return version if limit is None else version.removesuffix(smoke_version("", limit))


_DIGITS = 7
"""A digest is told by so many digits at least: what is shorter is meant as a version."""


def _by_digest(name: str, digits: str, plans: Sequence[Plan]) -> Plan | None:
    """Return the newest plan whose suite's digest begins so. Raises: UsageError where several suites' do."""
    if len(digits) < _DIGITS:
        return None
    meant = {str(p.suite["digest"]): p for p in reversed(plans) if p.suite["digest"].startswith(digits)}
    if len(meant) > 1:
        raise UsageError(f"{name} may be {' or '.join(digest[:16] for digest in meant)}: give more digits")
    return next(iter(meant.values()), None)


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
