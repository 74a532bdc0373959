"""`prunebench submit`: packs a method's rows for a leaderboard, or checks what somebody has packed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prunebench.cli._options import as_json, data_option, plugin_options, request_of, store_option
from prunebench.errors import UsageError

if TYPE_CHECKING:
    from prunebench.engine.session import Session
    from prunebench.host.identity import Grounds
    from prunebench.trust.submission import Submission

__all__ = ["command"]

_EPILOG = """\b
Examples:
  prunebench submit quick mine --plugin mine.py -o mine.submission.tar.xz
  prunebench submit --check mine.submission.tar.xz --board leaderboards/quick

\b
Exit codes: 0 written, or nothing wrong with it; 2 something is, each fault told by name.
"""


@click.command("submit", epilog=_EPILOG, short_help="Pack a method's rows for a leaderboard, or check them.")
@click.argument("suite", metavar="[SUITE]", required=False)
@click.argument("methods", metavar="[METHOD]...", nargs=-1)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), help="The file.  [default: METHOD.submission.tar.xz]"
)
@click.option(
    "--source", metavar="TEXT", default="", help="Where the method is described: a paper, an address."
)
@click.option(
    "--with",
    "beside",
    metavar="FILE",
    multiple=True,
    type=click.Path(),
    help="A further file that the method's own needs beside it; repeatable.",
)
@click.option("--check", metavar="FILE", type=click.Path(), help="Check this submission; pack nothing.")
@click.option(
    "--board",
    metavar="DIR",
    type=click.Path(),
    help="The published leaderboard that it is for.  [default: that in whose submissions/ FILE lies]",
)
@click.option(
    "--unpack",
    metavar="DIR",
    type=click.Path(),
    help="With --check: write the method's files there, to be read.",
)
@store_option
@data_option
@plugin_options
@as_json
def command(
    suite: str | None,
    methods: tuple[str, ...],
    output: str | None,
    source: str,
    beside: tuple[str, ...],
    check: str | None,
    board: str | None,
    unpack: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Pack METHOD's records on SUITE, its file (--plugin) and where they were measured, for a pull request.

    METHOD is what was run: `prunebench run SUITE --plugin mine.py --scorer mine`. With --check a submission
    is checked instead: its archive, every record, and that all its cells are the suite's. Nothing of it is
    run or imported.
    """
    if check is not None:
        if suite or methods:
            raise UsageError("--check FILE checks a submission: give no SUITE and METHOD")
        _check(Path(check), None if board is None else Path(board), unpack, as_json)
        return
    if suite is None or not methods:
        raise UsageError("say what is submitted: prunebench submit SUITE METHOD; or --check FILE")
    _pack(suite, methods, output, source, beside, as_json, options)


def _pack(
    suite: str,
    methods: tuple[str, ...],
    output: str | None,
    source: str,
    beside: tuple[str, ...],
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from prunebench.cli._output import problems, say, say_json
    from prunebench.engine.session import Session
    from prunebench.store import Store, replace
    from prunebench.trust.submission import ENDING, submission

    session = Session.prepare(request_of(suite, {**options, "scorer": methods}))
    problems(session.host)
    store = Store.open(session.request.store, create=False, write=False, mend=True)
    files = _files([*session.request.plugins, *beside])
    grounds = _grounds(session, methods, files)
    plugins = {Path(name).name: files[Path(name).name] for name in session.request.plugins}
    others = {name: content for name, content in files.items() if name not in plugins}
    content = submission(session.plan, store, methods, plugins, others, grounds=grounds, source=source)
    path = Path(output or f"{methods[0]}{ENDING}")
    if not path.name.endswith(ENDING):
        raise UsageError(f"{path}: a submission's file ends in {ENDING}")
    replace(path, content)
    count = sum(cell.labels.get("method") in methods for cell in session.plan.cells)
    if as_json:
        say_json({"file": str(path), "cells": count, "files": sorted(files), "bytes": len(content)})
    else:
        own = ", ".join(sorted(files)) or "no file of its own"
        say(f"{path}: {count:,} records, {own}, {len(content):,} bytes")


def _files(paths: list[str]) -> dict[str, bytes]:
    """Return files by their names. Raises: UsageError for one that cannot be read, or two of one name."""
    files: dict[str, bytes] = {}
    for path in map(Path, paths):
        if path.name in files:
            raise UsageError(f"two files are called {path.name}: rename one")
        try:
            files[path.name] = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    return files


def _grounds(session: Session, methods: tuple[str, ...], files: dict[str, bytes]) -> dict[str, Grounds]:
    """Make sure that the files alone are the method: whoever reruns it has nothing else.

    Return what the digests of its components are of, apart from the files.

    Raises: UsageError where they are another method, or none that can be loaded.
    """
    import tempfile
    from dataclasses import replace

    from prunebench.errors import PrunebenchError

    grounds: dict[str, Grounds] = {}
    if not files:
        return grounds
    named = ", ".join(sorted(files))
    cells = [cell for cell in session.plan.cells if cell.labels.get("method") in methods]
    labels = {part for cell in cells for part in cell.parts}
    with tempfile.TemporaryDirectory(prefix="prunebench-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        plugins = tuple(str(Path(folder) / Path(path).name) for path in session.request.plugins)
        try:
            host = replace(session.request, plugins=plugins).host()
            for label in sorted(labels):
                kind, _, name = label.partition(" ")
                if kind in ("recipe", "data"):
                    continue
                if host.identity(kind, name) != session.plan.identities[label]:
                    raise UsageError(
                        f"{label} is another with these files alone ({named}): name what it needs beside "
                        "them with --with FILE"
                    )
                if (one := host.grounds(kind, name)) is not None:
                    grounds[label] = one
        except UsageError:
            raise
        except PrunebenchError as error:
            raise UsageError(
                f"these files alone ({named}) cannot be loaded: {error}; name what they need beside them "
                "with --with FILE"
            ) from error
    return grounds


def _check(path: Path, board: Path | None, unpack: str | None, as_json: bool) -> None:
    import shutil
    import tempfile

    from prunebench.cli._output import say_json
    from prunebench.trust.admission import admission_faults
    from prunebench.trust.folder import SUBMISSIONS, without
    from prunebench.trust.packs import refused
    from prunebench.trust.submission import read_submission

    if board is None:
        if path.absolute().parent.name != SUBMISSIONS:
            raise UsageError(f"{path} lies in no {SUBMISSIONS}/ of a leaderboard: say which with --board DIR")
        board = path.absolute().parent.parent
    with tempfile.TemporaryDirectory(prefix="prunebench-") as scratch:
        one = read_submission(path, Path(scratch))
        with without(board, path) as published:
            faults = admission_faults(one.plan, published.plan)
            if faults:
                raise refused(path, faults)
        if unpack is not None:
            Path(unpack).mkdir(parents=True, exist_ok=True)
            for name, file in one.files.items():
                if (Path(unpack) / name).exists():
                    raise UsageError(f"{Path(unpack) / name} is there already")
                shutil.copyfile(file, Path(unpack) / name)
        described = _described(path, one)
    if as_json:
        say_json(described)
    else:
        _tell(described, str(board))


def _described(path: Path, one: Submission) -> dict[str, Any]:
    from prunebench.trust.reruns import rows_of

    return {
        "file": str(path),
        "suite": {name: str(one.plan.suite[name]) for name in ("name", "version")},
        "methods": list(one.methods),
        "files": sorted(one.files),
        "plugins": list(one.plugins),
        "source": one.source,
        "cells": len(one.plan.cells),
        "rows": [row.name for row in rows_of(one.plan).values()],
        "environment": dict(one.environment),
    }


def _tell(described: dict[str, Any], board: str) -> None:
    from prunebench.cli._output import counted, say

    say(f"{described['file']}: nothing wrong with it", "bold")
    say(
        f"{', '.join(described['methods'])} on suite {described['suite']['name']} "
        f"{described['suite']['version']}: {counted(described['cells'], 'cell')}"
    )
    say(f"its code: {', '.join(described['files']) or 'an installed plugin'}; read it before anybody runs it")
    say("Its rows are claims. To run one again:")
    folder = "method/" if described["files"] else ""
    plugins = "".join(f" --plugin {folder}{name}" for name in described["plugins"])
    if folder:
        say(f"  prunebench submit --check {described['file']} --board {board} --unpack {folder}")
    say(f"  prunebench verify '{described['rows'][0]}' --from {described['file']}{plugins}")
