"""`prunebench publish`: a suite's records and all that is made of them, as a folder for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from prunebench.cli._options import (
    places_options,
    planning_options,
    suite_argument,
)

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench publish quick --to leaderboards/quick
  prunebench publish pai-lenet-test --store results/ --to leaderboards/pai-lenet-test
"""


@click.command("publish", epilog=_EPILOG, short_help="Write a leaderboard for others, records and all.")
@suite_argument
@click.option("--to", "folder", metavar="DIR", required=True, type=click.Path(), help="The folder to write.")
@click.option("--partial", is_flag=True, help="Also where cells have not been run.")
@planning_options
@places_options
def command(suite: str, folder: str, partial: bool, **options: Any) -> None:
    """Write SUITE's records to DIR, with the tables, checks and page that they give.

    `prunebench leaderboard --from DIR` makes those again from the records, byte for byte. Of where a result
    was made only an allow-list is written: no paths, hosts or users. Submissions and reruns that lie in DIR
    stay.
    """
    from prunebench.cli._options import request_of
    from prunebench.cli._output import complain, problems, say
    from prunebench.engine.session import Session
    from prunebench.store import Store
    from prunebench.trust.making import publish

    session = Session.prepare(request_of(suite, options))
    problems(session.host)
    store = Store.open(session.request.store, create=False, write=False, mend=True)
    for what in session.plan.missing_data.values():
        complain(what, label="Missing data")
    changed = publish(session.plan, store, Path(folder), partial=partial)
    say(f"{folder}: {', '.join(changed)}")
