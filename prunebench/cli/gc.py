"""`prunebench gc`: what nothing in a store refers to any more, shown and removed."""

from __future__ import annotations

from typing import Any

import click

from prunebench.amounts import spelled_bytes
from prunebench.cli._options import as_json, store_option

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench gc                 # what could be removed, and how large it is
  prunebench gc --yes           # remove it
  prunebench gc --states --yes  # also weights of pruned networks that nothing has to read any more
  prunebench gc --forget quick-0123456789ab  # and what only this plan refers to

The store may be used meanwhile: what a running worker needs stays.
"""

_SAYS = {
    "artifacts": "states, scores and masks of no plan",
    "checkpoints": "checkpoints of runs that no job goes on with",
    "attempts": "failures of jobs that were done since, or are in no plan",
    "logs": "logs of jobs in no plan",
    "times": "times of jobs, but the newest",
    "runs": "how runs began that are over, but the newest",
    "pilots": "what was submitted to Slurm that nobody has wanted for a day",
    "leftovers": "what processes left that died while they wrote",
    "states": "weights of pruned networks, and scores, that no job has to read any more",
    "keeping": "word that a plan's states are kept (`run --keep-states`)",
    "plans": "plans to be forgotten",
    "records": "records and measures of no plan",
    "set-aside": "files found damaged or unusable",
    "again": "what `run --again` has kept aside",
}
_OPTION = {
    "states": "--states",
    "keeping": "--states",
    "records": "--records",
    "set-aside": "--set-aside",
    "again": "--again",
}


@click.command("gc", epilog=_EPILOG, short_help="Show or remove what nothing in a store refers to.")
@click.option("--yes", is_flag=True, help="Remove it; without this it is only shown.")
@click.option("--states", is_flag=True, help="Also weights of pruned networks (kept by run --keep-states).")
@click.option("--records", is_flag=True, help="Also records and measures of no plan: these are results.")
@click.option("--set-aside", is_flag=True, help="Also files that were found damaged.")
@click.option("--again", is_flag=True, help="Also what `run --again` has kept aside.")
@click.option(
    "--forget",
    metavar="PLAN",
    multiple=True,
    help="Also this frozen plan, by its name, and what only it refers to; repeatable.",
)
@store_option
@as_json
def command(yes: bool, forget: tuple[str, ...], as_json: bool, store: str | None, **chosen: bool) -> None:
    """Show what nothing in the store refers to any more; with --yes, remove it.

    Every frozen plan counts: what one of them refers to stays, whatever suite it is of. Records and measures,
    files set aside and what `run --again` kept are removed only where that is asked for.
    """
    from prunebench.cli._output import complain, counted, say, say_json, say_rows
    from prunebench.engine.defaults import store_root
    from prunebench.inventory.garbage import ALWAYS, find_garbage, remove
    from prunebench.store import Store

    asked = {option for option in _OPTION.values() if chosen[option.removeprefix("--").replace("-", "_")]}
    kinds = [kind for kind in _SAYS if kind in ALWAYS or _OPTION.get(kind) in asked]
    kinds += ["plans"] if forget else []
    root = store_root(store)
    if store is None and not (root / "store.json").exists():
        if as_json:
            say_json({"store": str(root), "plans": [], "garbage": [], "total": {"files": 0, "bytes": 0},
                      "working": 0, "removed": None})  # fmt: skip
        else:
            say(f"no store at {root}: nothing to remove")
        return
    opened = Store.open(root, create=False, write=yes)
    names = [name.removesuffix(".json") for name in forget]
    garbage = find_garbage(opened, forget=names)
    rows = [_row(garbage, kind, kind in kinds) for kind in _SAYS]
    files, size = garbage.count(kinds)  # type: ignore[arg-type]
    gone = remove(opened, kinds, forget=names) if yes else None  # type: ignore[arg-type]
    if as_json:
        removed = None if gone is None else dict(zip(("files", "bytes"), gone.count(gone.files), strict=True))
        total = {"files": files, "bytes": size}
        say_json({"store": str(opened.root), "plans": list(garbage.plans), "garbage": rows, "total": total,
                  "working": garbage.working, "removed": removed})  # fmt: skip
        return
    refer = "refers" if len(garbage.plans) == 1 else "refer"
    say(f"{opened.root}: {counted(len(garbage.plans), 'plan')} {refer} to what stays", "bold")
    shown = [{**row, "size": spelled_bytes(row["bytes"])} for row in rows if row["files"]]
    if shown:
        say()
        say_rows(
            shown, {"what": "what", "files": "files", "size": "size", "removed": "removed"}, as_json=False
        )
        say()
    if garbage.unknown:
        complain(
            f"{counted(garbage.unknown, 'process')} here work on what is in no plan, and may need anything: "
            "states, scores and masks stay"
        )
    if gone is None:
        if files:
            what = f"{counted(files, 'file')}, {spelled_bytes(size)}"
            say(f"could be removed: {what}; nothing was: `prunebench gc --yes` does that")
        else:
            say("there is nothing to remove" + (" without the options that are named above" if shown else ""))
        return
    files, size = gone.count(gone.files)
    say(f"removed: {counted(files, 'file')}, {spelled_bytes(size)}")


def _row(garbage: Any, kind: Any, asked: bool) -> dict[str, Any]:
    files, size = garbage.count([kind])
    return {
        "kind": kind,
        "what": _SAYS[kind],
        "files": files,
        "bytes": size,
        "removed": "with --yes" if asked else f"with {_OPTION.get(kind, '--forget')}",
    }
