"""`prunebench leaderboard --from`: tables, data and page of published leaderboards, made again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from prunebench.cli._options import suite_argument
from prunebench.errors import StoreError, UsageError

__all__ = ["suite_or_folder"]

F = TypeVar("F", bound=Callable[..., Any])


def suite_or_folder(function: F) -> F:
    """SUITE, or --from DIR, of which everything is made again: then `function` is not called."""

    @functools.wraps(function)
    def either(
        ctx: click.Context, /, suite: str | None, source: str | None, check: bool, **options: Any
    ) -> Any:
        if source is None:
            if suite is None or check:
                raise UsageError(
                    "--check goes with --from DIR" if check else "say which SUITE, or --from DIR"
                )
            return function(ctx, suite=suite, **options)
        if suite is not None:
            raise UsageError(f"SUITE ({suite}), or --from DIR: give one of them")
        if options.get("keyword"):
            raise UsageError("-k goes with SUITE; what is published is made again whole")
        if options.get("format") or options.get("as_json"):
            return _print(Path(source), "json" if options.get("as_json") else options["format"], options)
        return _remake(ctx, Path(source), check)

    whole: Any = either
    for option in (
        click.option(
            "--check", is_flag=True, help="With --from: write nothing, exit with 1 where a file differs."
        ),
        click.option(
            "--from",
            "source",
            metavar="DIR",
            type=click.Path(),
            help="Make the tables, data and page of a published leaderboard again, from its records; or of "
            "each in a folder of such. With --format print a table instead.",
        ),
    ):
        whole = option(whole)
    whole = suite_argument(whole)
    whole.__click_params__[-1].required = False
    return whole  # type: ignore[no-any-return]


def _remake(ctx: click.Context, source: Path, check: bool) -> None:
    from prunebench.cli._exit_codes import FAILED
    from prunebench.cli._output import complain, say
    from prunebench.trust.making import remake

    differ = False
    for folder in _boards(source):
        changed = remake(folder, check=check)
        if check:
            _check_suite(folder)
        differ = differ or bool(changed)
        if changed and check:
            complain(f"{folder}: not what its records give: {', '.join(changed)}")
        else:
            say(f"{folder}: {', '.join(changed) or 'as it was, to the byte'}")
    if check and differ:
        ctx.exit(FAILED)


def _check_suite(folder: Path) -> None:
    """Refuse a leaderboard with cells that its suite has not, where that suite is here in the same version.

    Raises: StoreError, naming the cells.
    """
    from prunebench.cli._options import request_of
    from prunebench.engine.session import Session
    from prunebench.errors import SuiteError
    from prunebench.trust.admission import suite_faults
    from prunebench.trust.folder import RECORDS, opened
    from prunebench.trust.packs import refused

    with opened(folder) as published:
        plan = published.own.plan
    try:
        here = Session.prepare(request_of(str(plan.suite["name"]), {"no_plugins": True})).plan
    except SuiteError:
        return
    if here.suite["version"] == plan.suite["version"] and (faults := suite_faults(plan, here)):
        raise refused(folder / RECORDS, faults)


def _boards(source: Path) -> list[Path]:
    """Return a published leaderboard's folder, or those of which a folder has several."""
    from prunebench.trust.folder import is_published

    if is_published(source):
        return [source]
    folders = sorted(path for path in source.glob("*") if path.is_dir() and is_published(path))
    if not folders:
        raise StoreError(
            f"{source}: no published leaderboard: no records.tar.xz is there, nor in a folder of it"
        )
    return folders


def _print(source: Path, format: str, options: dict[str, Any]) -> None:
    from prunebench.cli._output import deliver
    from prunebench.report.leaderboard import leaderboard
    from prunebench.trust.folder import opened

    with opened(source) as published:
        deliver(leaderboard(published.results(), format), options.get("output"))
