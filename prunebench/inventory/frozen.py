"""Frozen plans: written, read and found, without planning, plugins or torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from prunebench.canonical import digest
from prunebench.inventory.making import Making
from prunebench.plan.frozen import frozen, thawed
from prunebench.plan.plan import Plan
from prunebench.plan.uncollected import uncollected
from prunebench.smoke import limit_of
from prunebench.store import Damaged, Missing, Store
from prunebench.suite.changes import Changes
from prunebench.suite.load import read_content, suite_path

__all__ = ["freeze", "newest_frozen", "previous_plans", "read_frozen", "suite_name"]


def suite_name(name_or_path: str) -> str:
    """Return a suite's name, which its frozen plans are filed under: its file's, else the text itself."""
    try:
        content = read_content(suite_path(name_or_path))
    except Exception:  # a suite that is no longer there may still have plans in a store
        return name_or_path
    return str(content.get("name", name_or_path))


def newest_frozen(
    name_or_path: str,
    store: Store,
    *,
    seeds: int | None = None,
    limit: int | None = None,
    methods: Sequence[str] = (),
) -> tuple[Plan, Path] | None:
    """Return the newest frozen plan of a suite whose content is the file's, and its path, or None.

    `seeds` and `methods`: those that the file's were changed to, and that were added to them, for the run. A
    plan that is damaged is set aside; `store.damaged` says so.

    Raises: SuiteError for a suite that is not there or cannot be parsed; StoreError.
    """
    content = read_content(suite_path(name_or_path))
    try:
        wanted = digest(Changes(tuple(dict.fromkeys(methods)), seeds, limit).content(content))
    except (TypeError, ValueError):
        return None  # no suite: planning says what is wrong with it
    for path in reversed(store.plans(str(content.get("name")))):
        try:
            plan = read_frozen(path, store, mentions=wanted)
        except (Missing, Damaged):
            continue
        if plan is not None and plan.suite.get("digest") == wanted and "classes" in plan.suite:
            return plan, path
    return None


def freeze(plan: Plan, store: Store, making: Making | None = None) -> Path:
    """Write a plan to the store's plans and return its path.

    With what it was made with `prunebench work` can read it; that names files of this machine, so what is
    published has none of it.
    """
    content = frozen(plan)
    if making is not None:
        content["making"] = making.to_text()
    return store.write_plan(plan.name, orjson.dumps(content))


def read_frozen(
    path: Path, store: Store, *, unsealed: bool = False, mentions: str | None = None, whole: bool = False
) -> Plan | None:
    """Read a frozen plan of `store`, its checksum verified.

    None for one of another format: such a plan is made anew. With `unsealed`, plans of format 1 are read too,
    which have no checksum: to explain what changed, never to make a table of. None as well where the text
    `mentions` is nowhere in it. What jobs are asked is looked at when it is first wanted; of a plan that
    somebody else has written at once, the `whole` of it.

    Raises: Missing; Damaged, once the file has been set aside; StoreError where it cannot be read.
    """

    def parse(content: bytes) -> Plan | None:
        if mentions is not None and mentions.encode() not in content:
            return None
        return thawed(orjson.loads(content), whole=whole or unsealed)

    with uncollected():
        return store.read_plan(path, parse, unsealed=unsealed)


def previous_plans(store: Store, plan: Plan) -> Iterator[Plan]:
    """Yield the frozen plans of this suite that are others than `plan`, the newest first; for words only.

    A smoke run's are left out where `plan` is none, and others where it is one.
    """
    for path in reversed(store.plans(str(plan.suite["name"]))):
        if path.stem != plan.name:
            try:
                previous = read_frozen(path, store, unsealed=True)
            except (Missing, Damaged):
                continue
            if previous is not None and limit_of(previous.suite) == limit_of(plan.suite):
                yield previous
