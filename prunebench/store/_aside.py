"""What was set aside, by whomever: read from the notes that lie beside it."""

from __future__ import annotations

from typing import BinaryIO

from prunebench.store._bounds import parse_json, shown
from prunebench.store._commit import listing
from prunebench.store._errors import Damaged, Flaw, Missing
from prunebench.store._folder import Folder, SetAside

__all__ = ["aside_since"]

_NOTE = ".note.json"


def aside_since(folder: Folder, since: str) -> list[SetAside]:
    """Return what was set aside since a moment, oldest first; notes that cannot be read are left out."""
    aside = folder.root / "set-aside"
    notes = []
    for name in sorted(listing(aside)):
        if name.startswith(".") or not name.endswith(_NOTE) or name < since:
            continue
        try:
            file, reason = folder.read(aside / name, _said, largest=100_000)
        except (Missing, Damaged):
            continue
        notes.append(SetAside(file, reason, aside / name.removesuffix(_NOTE)))
    return notes


def _said(file: BinaryIO) -> tuple[str, str]:
    said = parse_json(file.read())
    path, reason = said.get("file"), said.get("reason")
    if not isinstance(path, str) or not isinstance(reason, str):
        raise Flaw("no note of what was set aside")
    return shown(path), shown(reason)
