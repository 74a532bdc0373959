"""Does a file system keep its word? What every commit rests on is tried once before any work."""

from __future__ import annotations

from pathlib import Path

from prunebench.errors import StoreError
from prunebench.store._commit import commit, listing, reading, replace, temporary, writing

__all__ = ["check_safe"]

_PARTS = frozenset(
    (
        *("artifacts", "records", "measures", "attempts", "plans", "claims", "logs", "times"),
        *("set-aside", "again", "pytest-cache", "pilots", "runs"),
    )
)
"""What a store's folder holds."""


def check_safe(root: Path, option: str, *, new: bool) -> None:
    """Commit, commit again and replace a hidden file in a store's folder, and look at what is there then.

    `option` says how a user gives another store; a `new` one is to be made there.

    Raises: StoreError where the folder cannot be written, or, for a new store, holds other things; and where
    a second commit of a name is not refused, or what is written is not what is read.
    """
    if new:
        _refuse_other_folder(root)
    probe = temporary(root / "probe")
    try:
        wrong = _wrong(probe)
    finally:
        with writing(probe):
            probe.unlink(missing_ok=True)
    if wrong:
        raise StoreError(
            f"the store {root} is on a file system that cannot commit safely: {wrong}. Results could be lost "
            f"there; give another store{option}, on a local disk or NFS, say"
        )


def _wrong(probe: Path) -> str:
    """Return what a file system does that it must not, in words; "" where all is well."""
    if not commit(probe, [b"first\n"]):
        return "a name that nobody has used is taken"
    if commit(probe, [b"second\n"]):
        return "a file that is there is replaced by another of its name, where that should be refused"
    with reading(probe):
        if probe.read_bytes() != b"first\n":
            return "a file that was written reads differently"
    replace(probe, b"third\n")
    with reading(probe):
        return "" if probe.read_bytes() == b"third\n" else "a file cannot be replaced by another"


def _refuse_other_folder(root: Path) -> None:
    """Refuse to make a store among other people's files: only an empty folder, or what is left of a store."""
    others = [n for n in listing(root) if n not in _PARTS and not n.startswith((".", "store.json"))]
    if others:
        raise StoreError(
            f"{root} is no store, and it is not empty ({', '.join(sorted(others)[:3])}"
            f"{', …' if len(others) > 3 else ''}): give an empty or a new folder with --store DIR"
        )
