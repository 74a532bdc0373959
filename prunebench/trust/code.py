"""Compares the files of a submission with the code that its records were made with. None of it is imported.

A component without a version is in every key by a digest of its code. A submission says what that digest is
of apart from the code (`Grounds`); with the files that gives the digest again, or they are other code. One
with a version says nothing of its code in its keys: there the whole file is compared with the one that the
records say was loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prunebench.errors import PluginError
from prunebench.host.identity import Grounds, digest_on
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import Plan
from prunebench.store import Store, shown

__all__ = ["code_faults", "other_files"]


def _identified_by_code(plan: Plan) -> dict[str, str]:
    """Return the components of a plan that are identified by a digest of their code, and the digests."""
    return {
        label: str(identity["digest"])
        for label, identity in plan.identities.items()
        if isinstance(identity, Mapping) and "digest" in identity
    }


def code_faults(
    folder: Path, plugins: Sequence[str], grounds: Mapping[str, Grounds], plan: Plan, store: Store
) -> list[str]:
    """Return what of the files in a folder is not what was run, a line each.

    plugins: names of the files that register components; the others lie beside
    grounds: of components, by label
    """
    digests = _identified_by_code(plan)
    if not any(folder.glob("*")):
        loaded = sorted(_files_loaded(plan, store))
        return [f"its records were made with {shown(name, 80)}, which is not in it" for name in loaded]
    faults = [
        f"it speaks of the code of {shown(label, 80)}, which its plan has not"
        for label in grounds
        if label not in digests
    ]
    for label, digest in digests.items():
        if label not in grounds:
            faults.append(f"it does not say how its files give {shown(label, 80)}: pack it with `submit`")
            continue
        faults += _other_code(folder, label, digest, grounds[label])
    contents = {name: (folder / name).read_bytes() for name in plugins}
    return faults + other_files(contents, grounds, plan, store)


def other_files(
    plugins: Mapping[str, bytes], grounds: Mapping[str, Grounds], plan: Plan, store: Store
) -> list[str]:
    """Return which plugin files are not those that the records say were loaded, byte for byte, a line each.

    Those that the digest of a component without a version speaks for are left out.
    """
    rooted = {file for one in grounds.values() for file, _, _ in one.roots}
    snapshot = Snapshot(plan, store)
    records = [record for cell in plan.cells if (record := snapshot.result(cell.key)) is not None]
    faults = []
    for name in sorted(plugins.keys() - rooted):
        this = (name, hashlib.sha256(plugins[name]).hexdigest())
        other = sum(this not in _plugin_files(record.provenance) for record in records)
        if other:
            faults.append(
                f"{name} is not the file that {other} of {len(records)} records were made with (comments "
                "count too, for its components declare versions): submit that file, or make the "
                "records new with `run --again METHOD`"
            )
    return faults


def _other_code(folder: Path, label: str, digest: str, grounds: Grounds) -> Iterator[str]:
    try:
        here = digest_on(grounds, folder)
    except PluginError as error:
        yield f"{shown(label, 80)}: {shown(error)}"
        return
    if here != digest:
        yield (
            f"{shown(label, 80)}: its files are other code than what was run (their digest is {here[:12]}, "
            f"in its plan it is {shown(digest, 12)})"
        )


def _files_loaded(plan: Plan, store: Store) -> set[str]:
    """Return the names of the plugin files that were loaded for the records of a plan."""
    snapshot = Snapshot(plan, store)
    records = (snapshot.result(cell.key) for cell in plan.cells)
    return {name for record in records if record is not None for name, _ in _plugin_files(record.provenance)}


def _plugin_files(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the digest of each plugin file that was loaded for a result."""
    plugins = provenance.get("plugins")
    for one in plugins if isinstance(plugins, list) else []:
        if isinstance(one, dict) and "file" in one:
            yield str(one["file"]), str(one.get("digest"))
