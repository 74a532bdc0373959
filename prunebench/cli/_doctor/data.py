"""Data sets: where they are looked for, which are there, whether they are those that plans were made with."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prunebench.cli._doctor import Finding
from prunebench.errors import PrunebenchError, UsageError
from prunebench.inventory.frozen import read_frozen
from prunebench.plan.facts import fingerprint
from prunebench.store import Damaged, Missing, Store

if TYPE_CHECKING:
    from prunebench.host.registry import Host

__all__ = ["findings"]


def findings(host: Host, root: Path, store: Store | None, needed: Collection[str]) -> Iterator[Finding]:
    """Yield what of each data set is there, and what a suite that needs some of them (by name) lacks."""
    if not root.is_dir():
        yield Finding(
            "data",
            "note",
            f"the data root {root} is not there",
            "it is made when something is downloaded to it",
        )
    elif not os.access(root, os.W_OK):
        yield Finding("data", "note", f"the data root {root} cannot be written: nothing is downloaded to it")
    else:
        yield Finding("data", "ok", f"the data root is {root}")
    planned = _planned(store)
    for name in dict.fromkeys([*host.names("dataset"), *needed, *planned]):
        try:
            dataset = host.dataset(name)
            lacking = dataset.missing(root) if dataset.missing is not None else None
            now = None if lacking else fingerprint(dataset, root)
        except UsageError as error:  # a name alone is none of its data sets: it wants parameters
            if name in needed:
                yield Finding("data", "bad", f"{name}: {error}")
            continue
        except PrunebenchError as error:
            yield Finding("data", "bad" if name in needed else "warning", f"{name}: {error}")
            continue
        if lacking:
            first, _, how = lacking.removeprefix(f"data set '{name}': ").partition("; ")
            wrong = name in needed and dataset.download is None
            yield Finding("data", "bad" if wrong else "note", f"{name} is not there: {first}", how)
        elif any(now != then for then in planned.get(name, ())):
            yield Finding(
                "data", "warning", f"{name} is another one ({now[:8] if now else '?'}) than some plan of the "
                "store was made with", "its cells count as new: put the old files back, or run again",
            )  # fmt: skip
        else:
            yield Finding("data", "ok", f"{name} ({now[:8] if now else 'in the package'})")


def _planned(store: Store | None) -> dict[str, set[str]]:
    """Return the fingerprints of the data sets that the newest plan of each suite was made with."""
    planned: dict[str, set[str]] = {}
    newest = {path.stem.rpartition("-")[0]: path for path in (store.plans() if store else ())}
    for path in newest.values():
        try:
            plan = read_frozen(path, store) if store else None
        except (Missing, Damaged):
            continue
        for label, identity in plan.identities.items() if plan else ():
            kind, _, name = label.partition(" ")
            if kind == "data" and (then := identity.get("fingerprint")) and len(str(then)) >= 32:
                planned.setdefault(name, set()).add(str(then))
    return planned
