"""Packs the records that a published table is made from, and makes the tables from what is packed.

    python leaderboards/make.py pack quick --store DIR    records of a suite → quick.records.tar.xz here
    python leaderboards/make.py tables                    every *.records.tar.xz here → its table

A pack is a store with nothing in it but a suite's plan, its records and its measures, byte for byte as they
were committed; the same store gives the same pack.
"""

from __future__ import annotations

import argparse
import io
import lzma
import re
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from prunebench.cli._board import board
from prunebench.engine.session import Request, Session
from prunebench.errors import StoreError, UsageError
from prunebench.inventory.frozen import freeze, newest_frozen, read_frozen
from prunebench.inventory.snapshot import Snapshot
from prunebench.store import Store

__all__ = ["ENDING", "HERE", "pack", "table_of", "unpack"]

HERE = Path(__file__).parent
ENDING = ".records.tar.xz"

_MEMBER = re.compile(
    r"store\.json|plans/[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.json|(?:records|measures)/[0-9a-f]{2}/[0-9a-f]{64}\.json"
)
_LARGEST = 256 << 20
"""Bytes that a pack may have unpacked: far above any suite's, far below any memory's."""


def pack(suite: str, store: Store, output: Path, *, data: str) -> int:
    """Write the plan, records and measures of a suite to `output`, and return the number of records.

    The plan is the store's own where that is up to date, else it is made anew; `data` is the data root that
    this needs. Records and measures are verified, and copied as they are.

    Raises: UsageError where a cell has no record, naming the first ones; StoreError; SuiteError.
    """
    found = newest_frozen(suite, store)
    if found is None:
        plan = Session.prepare(Request(suite=suite, store=str(store.root), data=data)).plan
    else:
        plan = found[0]
    snapshot = Snapshot(plan, store)
    absent = [cell.id for cell in plan.cells if not snapshot.recorded(cell)]
    if absent:
        raise UsageError(f"{len(absent)} cells of {suite} have no record in {store.root}: {absent[0]}, …")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Store.open(folder)
        freeze(plan, fresh)
        files = {
            path.relative_to(folder).as_posix(): path for path in [*fresh.plans(), Path(folder, "store.json")]
        }
        for key in sorted({key for cell in plan.cells for key in cell.targets}):
            if not snapshot.have(key):  # a measure that has not been taken
                continue
            part = "records" if plan.jobs[key].kind == "record" else "measures"
            name = f"{part}/{key[:2]}/{key}.json"
            files[name] = store.root / name
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in sorted(files):
                member = tarfile.TarInfo(name)
                inside = files[name].read_bytes()
                member.size = len(inside)
                archive.addfile(member, io.BytesIO(inside))
    output.write_bytes(lzma.compress(content.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    return sum(name.startswith("records/") for name in files)


def unpack(packed: Path, folder: Path) -> Store:
    """Unpack a pack into an empty folder and return it as a store.

    A pack is other people's input: nothing but plain files with a store's names is written, none twice, and
    none outside `folder`; it is unpacked in memory, up to a limit. Raises: StoreError for anything else.
    """
    try:
        decompressor = lzma.LZMADecompressor(memlimit=_LARGEST)
        content = decompressor.decompress(packed.read_bytes(), max_length=_LARGEST)
        if not decompressor.eof:
            raise StoreError(f"{packed}: cut short, or larger than any pack")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                target = folder / member.name
                if not member.isreg() or not _MEMBER.fullmatch(member.name) or target.exists():
                    raise StoreError(f"{packed}: {member.name!r:.120} is no file of a pack")
                inside = archive.extractfile(member)
                assert inside is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(inside.read())
    except (tarfile.TarError, lzma.LZMAError) as error:
        raise StoreError(f"{packed}: not a pack ({error})") from error
    return Store.open(folder, create=False, write=False)


def table_of(packed: Path) -> str:
    """Return the table that a pack's records give, as markdown. Raises: StoreError."""
    with tempfile.TemporaryDirectory() as folder:
        store = unpack(packed, Path(folder))
        paths = store.plans()
        plan = read_frozen(paths[0], store) if len(paths) == 1 else None
        if plan is None:
            raise StoreError(f"{packed}: it has not one plan that this version reads; pack the suite again")
        text = board(plan, store, "md")
        if text is None:
            raise StoreError(f"{packed}: no record")
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="pack a suite's records, and make its table")
    packing.add_argument("suite")
    packing.add_argument("--store", required=True)
    packing.add_argument("--data", default="data", help="data root, where the suite has to be planned anew")
    commands.add_parser("tables", help="make every table from its pack")
    given = parser.parse_args(arguments)
    try:
        if given.command == "pack":
            store = Store.open(given.store, create=False, write=False)
            output = HERE / f"{Path(given.suite).stem}{ENDING}"
            count = pack(given.suite, store, output, data=given.data)
            print(f"{output}: {count} records, {output.stat().st_size:,} bytes")
            packs = [output]
        else:
            packs = sorted(HERE.glob(f"*{ENDING}"))
        for packed in packs:
            table = packed.with_name(packed.name.removesuffix(ENDING) + ".md")
            table.write_text(table_of(packed), encoding="utf-8")
            print(table)
    except (StoreError, UsageError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
