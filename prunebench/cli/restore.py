"""`prunebench restore`: what `run --again` kept aside, listed or put back."""

from __future__ import annotations

from typing import Any

import click

from prunebench.cli._options import as_json, data_option, store_option

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench restore                            # what is kept aside in the store here
  prunebench restore 20260131T120000.000000Z-snip

\b
To look at it, read it as the store that it is:
  prunebench leaderboard quick --store .prunebench/again/20260131T120000.000000Z-snip
"""


@click.command("restore", epilog=_EPILOG, short_help="List or put back what `run --again` kept aside.")
@click.argument("name", metavar="[NAME]", required=False)
@store_option
@data_option
@as_json
def command(name: str | None, as_json: bool, **options: Any) -> None:
    """Put back the results that `run --again` kept aside under NAME; without a NAME, list what there is.

    The results that were made in their place are kept aside in their turn, so that nothing is lost.
    """
    from prunebench.cli._output import counted, say, say_json, say_rows
    from prunebench.engine.defaults import store_root
    from prunebench.errors import UsageError, nearest
    from prunebench.inventory.again import kept_aside, put_back
    from prunebench.store import Store

    store = Store.open(store_root(options["store"]), create=False, write=name is not None)
    kept = {one.name: one for one in kept_aside(store)}
    if name is None:
        rows = [
            {
                "name": one.name,
                "suite": one.suite,
                "methods": ", ".join(one.methods),
                "records": one.records,
                "folder": str(one.folder),
            }
            for one in kept.values()
        ]
        if as_json:
            say_json({"kept_aside": rows})
        elif rows:
            say_rows(rows, ["name", "suite", "methods", "records"], as_json=False)
        else:
            say(f"nothing is kept aside in {store.root}")
        return
    if name not in kept:
        raise UsageError(f"nothing is kept aside as '{name}'{nearest(name, kept)}")
    files, newer = put_back(store, kept[name])
    if as_json:
        say_json({"restored": name, "files": files, "folder": None if newer is None else str(newer)})
        return
    say(f"{counted(files, 'file')} of {', '.join(kept[name].methods)} put back into {store.root}")
    if newer is not None:
        say(f"what was there in their place is kept aside in {newer}")
