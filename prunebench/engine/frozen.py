"""The frozen plan of a suite as its file stands now: found without planning, plugins or torch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from prunebench.canonical import digest
from prunebench.engine.session import read_frozen
from prunebench.plan.plan import Plan
from prunebench.store import Damaged, Missing, Store
from prunebench.suite.load import read_content, suite_path

__all__ = ["newest_frozen", "suite_name"]


def suite_name(name_or_path: str) -> str:
    """Return a suite's name, which its frozen plans are filed under: its file's, else the text itself."""
    try:
        content = read_content(suite_path(name_or_path))
    except Exception:  # a suite that is no longer there may still have plans in a store
        return name_or_path
    return str(content.get("name", name_or_path))


def newest_frozen(name_or_path: str, store: Store, *, seeds: int | None = None) -> tuple[Plan, Path] | None:
    """Return the newest frozen plan of a suite whose content is the file's, and its path, or None.

    A plan that is damaged is set aside; `store.damaged` says so.

    Raises: SuiteError for a suite that is not there or cannot be parsed; StoreError.
    """
    content = read_content(suite_path(name_or_path))
    try:
        wanted = _digest(content, seeds)
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


def _digest(content: dict[str, Any], seeds: int | None) -> str:
    """Return the digest that a suite of this content has (see `prunebench.suite.Suite.digest`)."""
    if seeds is not None:
        content = copy.deepcopy(content)
        for table in content.get("matrix", ()):
            table["seeds"] = seeds
    return digest(content)
