"""A session of pytest for cells, which nothing of the user's own pytest reaches: no variables, settings,
conftests or plugins.

The suite is passed by option: as an argument, `[` and `::` in its path would mean something to pytest.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from prunebench.engine.on_pytest.run_plugin import RunPlugin
from prunebench.engine.session import Session
from prunebench.process import is_here

if TYPE_CHECKING:
    from prunebench.engine.on_pytest.preforked import Preforked

__all__ = ["run_pytest"]

_WITHOUT = ("cacheprovider", "warnings", "threadexception", "unraisableexception")
"""Plugins of pytest's own that are left out."""


def run_pytest(
    session: Session,
    plugin: RunPlugin,
    *,
    workers: int | None,
    first_failure: bool,
    preforked: Preforked | None = None,
) -> int:
    """Run a suite's cells through pytest, in this process or on so many workers; return its exit code.

    preforked: workers that are there already, to be taken first
    """
    args = _arguments(session, workers=workers, first_failure=first_failure)
    with (
        _surroundings(),
        plugin.hearing_workers(),
        contextlib.nullcontext() if preforked is None else preforked.at_hand(workers or 0),
    ):
        return int(pytest.main(args, plugins=[plugin]))


def _arguments(session: Session, *, workers: int | None, first_failure: bool) -> list[str]:
    request = replace(session.request, suite=str(session.path))
    args = [
        *("-c", str(Path(__file__).parent / "pytest.ini")),
        "--noconftest",
        "--assert=plain",
        "--capture=no",  # what a job prints goes to its log
        f"--prunebench-request={request.to_json()}",
        *("-p", "prunebench.engine.on_pytest.plugin", "-p", "xdist.plugin"),
    ]
    for name in _WITHOUT:
        args += ["-p", f"no:{name}"]
    if first_failure:
        args += ["-x"]
    if workers:
        args += ["-n", str(workers), "--dist", "load", "--maxschedchunk", "1"]
        args += ["--max-worker-restart", "100000"]  # how often a worker is replaced is for our plugin to say
    return args


@contextlib.contextmanager
def _surroundings() -> Iterator[None]:
    """Keep the user's pytest variables and working directory out of pytest, its workers and theirs."""
    environment, path = dict(os.environ), list(sys.path)
    for name in environment:
        if name.startswith("PYTEST_") or name == "PYTHONWARNINGS":
            del os.environ[name]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["PYTHONSAFEPATH"] = "1"  # no '' on the path of python -c, which is how workers start
    named = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if "PYTHONPATH" in environment:  # an empty entry, as in ":/my/plugins", means the working directory
        os.environ["PYTHONPATH"] = os.pathsep.join(named)
    if any(map(is_here, path)):
        kept = {*named, *_installed_paths()}
        sys.path[:] = [entry for entry in path if entry in kept or not is_here(entry)]
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)


def _installed_paths() -> list[str]:
    """Return sys.path as Python has it in no folder: an editable install may lie in the working directory."""
    command = [sys.executable, "-P", "-c", "import json, sys; print(json.dumps(sys.path))"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        return [str(entry) for entry in json.loads(told)]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
