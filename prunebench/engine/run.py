"""Runs a suite's cells through pytest, so that -k, -x, --lf and -n mean what they mean there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from prunebench.engine.reporter import RunPlugin
from prunebench.engine.select import none_matches
from prunebench.engine.session import Session
from prunebench.errors import UsageError
from prunebench.store import Store

__all__ = ["Outcome", "run_cells"]

INTERRUPTED = 130


@dataclass(frozen=True)
class Outcome:
    """How a run came out: cells made now, found done, failed (with the error), and the exit code."""

    exit_code: int
    jobs: int
    made: Sequence[str]
    before: Sequence[str]
    failed: dict[str, str]


def run_cells(
    session: Session,
    store: Store,
    *,
    keyword: str | None = None,
    first_failure: bool = False,
    last_failed: bool = False,
    workers: str | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> Outcome:
    """Run the selected cells of a frozen plan in this process, or on `workers` processes.

    Raises: UsageError where the selection matches no cell.
    """
    assert session.path is not None
    here = Path(__file__).parent
    args = [
        str(session.path),
        "--rootdir", str(session.path.parent),
        "--confcutdir", str(session.path.parent),  # else -k matches the names of all folders above
        "-c", str(here / "pytest.ini"),
        "--noconftest",
        "-o", f"cache_dir={store.root / 'pytest-cache'}",
        "--prunebench-request", session.request.to_json(),
        "-p", "prunebench",  # by its entry point, where autoloading is switched off too
        "-p", "no:warnings",
    ]  # fmt: skip
    if keyword:
        args += ["-k", keyword]
    if first_failure:
        args += ["-x"]
    if last_failed:
        args += ["--lf"]
    if workers:
        args += ["-n", workers, "--dist", "load", "--maxschedchunk", "1", "--max-worker-restart", "1000"]
    plugin = RunPlugin(quiet=quiet, verbose=verbose)
    code = int(pytest.main(args, plugins=[plugin]))
    reporter = plugin.reporter
    if reporter is None:
        raise UsageError(f"the selection was refused by pytest (exit code {code}): see above")
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise UsageError(none_matches(keyword or "", session.plan.cells))
    if reporter.interrupted:
        code = INTERRUPTED
    elif reporter.failed:
        code = int(pytest.ExitCode.TESTS_FAILED)
    elif code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        code = 2
    return Outcome(code, reporter.jobs, reporter.made, reporter.before, reporter.failed)
