"""`prunebench validate`: whether a suite can be run, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import (
    as_json,
    data_option,
    planning_options,
    plugin_options,
    request_of,
    suite_argument,
)

if TYPE_CHECKING:
    from prunebench.engine.session import Session

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench validate my-suite.toml
  prunebench validate my-suite.toml --plugin mine.py --json
  prunebench validate quick --scorer mine --plugin mine.py

\b
Exit codes: 0 valid, 2 not.
"""


@click.command("validate", epilog=_EPILOG, short_help="Check a suite without running it.")
@suite_argument
@planning_options
@data_option
@plugin_options
@as_json
@click.pass_context
def command(ctx: click.Context, /, suite: str, as_json: bool, **options: Any) -> None:
    """Say whether SUITE can be run: its file, its plugins, every cell of it, its checks and claims.

    All that is wrong is told at once, with its place in the file; names in a table that is itself refused are
    looked up once it is mended. Nothing is trained, written or downloaded;
    data sets that are not there are named, and make no suite invalid.
    """
    from prunebench.cli._exit_codes import USAGE
    from prunebench.cli._output import complain, problems, say, say_json
    from prunebench.engine.session import Session
    from prunebench.errors import PrunebenchError

    try:
        session = Session.prepare(request_of(suite, options))
    except PrunebenchError as error:
        if not as_json:
            raise
        say_json({"suite": {"name": suite}, "valid": False, "problems": str(error).splitlines()})
        ctx.exit(USAGE)
    contents = _contents(session)
    if as_json:
        say_json(contents)
        return
    problems(session.host)
    name, version = contents["suite"]["name"], contents["suite"]["version"]
    say(f"suite {name}, version {version}: valid", "bold")
    say(_counts(contents))
    for what in contents["warnings"]:
        complain(what, label="Warning")
    for what in contents["missing_data"].values():
        complain(what, label="Missing data")


def _contents(session: Session) -> dict[str, Any]:
    """Return what there is in a valid suite."""
    from prunebench.cli._verdicts import claims_without_checks

    plan = session.plan
    return {
        "limit": plan.suite.get("limit"),
        "suite": {name: plan.suite.get(name) for name in ("name", "version", "digest")},
        "valid": True,
        "problems": [],
        "warnings": list(claims_without_checks(plan.suite).values()),
        "matrices": len({cell.matrix for cell in plan.cells}),
        "cells": len(plan.cells),
        "jobs": len(plan.jobs),
        "checks": len(plan.suite.get("checks", ())),
        "claims": len(plan.suite.get("claims", ())),
        "reported": len(plan.suite.get("reported", ())),
        "missing_data": dict(plan.missing_data),
    }


def _counts(contents: dict[str, Any]) -> str:
    from prunebench.cli._output import counted

    matrices = "1 matrix" if contents["matrices"] == 1 else f"{contents['matrices']:,} matrices"
    parts = [f"{counted(contents['cells'], 'cell')} in {matrices}, {counted(contents['jobs'], 'job')}"]
    nouns = {"checks": "check", "claims": "claim", "reported": "reported number"}
    parts += [counted(contents[key], noun) for key, noun in nouns.items() if contents[key]]
    return "; ".join(parts)
