"""GPUs and the workers of pytest-xdist: each gets its slot before it looks for one, and is replaced in it.

A worker that cannot use its GPU any more has written its attempt down; it tells the controller so and ends.
The controller starts another with the same slot, and hands the item out again.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import pytest

from prunebench.cores import usable_cores
from prunebench.engine.devices.device import check_device, resolve_device, start_device
from prunebench.engine.devices.gpus import gpus_here
from prunebench.engine.devices.slots import Slot, workforce
from prunebench.engine.failures import WorkerLost
from prunebench.engine.on_pytest.suites import Notice, request_for, suites_of
from prunebench.errors import PrunebenchError
from prunebench.process import EXIT_REPLACE

__all__ = [
    "LEFT",
    "DeviceLost",
    "LostWorkers",
    "give_slots",
    "leaving",
    "slots_of_suites",
    "start_or_leave",
    "workers_of_suites",
]

IN_A_ROW = 5
"""So many workers may lose their GPU one after another, with no cell done meanwhile."""


class DeviceLost(Notice):
    """A worker cannot use its GPU any more: what it tells the controller, with its own id as the node's."""


LEFT = pytest.StashKey[WorkerLost]()
"""Why a session without workers ended: its process cannot use its GPU any more."""


def start_or_leave(device: str) -> None:
    """In a worker: try its device, and end where that does not work, as any worker that cannot start."""
    try:
        start_device(resolve_device(device))
    except PrunebenchError as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(1)  # an exception here would be an error of the whole session, also of workers on other GPUs


@contextlib.contextmanager
def leaving(config: pytest.Config) -> Iterator[None]:
    """End this process, or session, where a worker finds within that it can use its GPU no more."""
    try:
        yield
    except WorkerLost as lost:
        _leave(config, lost)


def _leave(config: pytest.Config, lost: WorkerLost) -> NoReturn:
    """Nothing is left to be cleaned up: the attempt is written and the claim given back."""
    if not hasattr(config, "workerinput"):
        config.stash[LEFT] = lost
        pytest.exit(str(lost), returncode=1)
    worker = config.workerinput["workerid"]
    text = f"{worker}: {lost}; another takes its place"
    message = warnings.WarningMessage(DeviceLost(text), DeviceLost, __file__, 1)
    kwargs = {"warning_message": message, "when": "runtest", "nodeid": worker, "location": None}
    config.hook.pytest_warning_recorded.call_historic(kwargs=kwargs)
    sys.stderr.flush()
    os._exit(EXIT_REPLACE)  # Python's own goodbye would wait for the GPU


class LostWorkers:
    """In the controller: which workers have ended for their GPU's sake. A plugin of the session."""

    NAME = "prunebench-lost-workers"

    def __init__(self) -> None:
        self._lost: set[str] = set()
        self._in_a_row = 0

    @classmethod
    def of(cls, config: pytest.Config) -> LostWorkers:
        """Return the session's; it is registered when it is first asked for."""
        plugin = config.pluginmanager.getplugin(cls.NAME)
        if isinstance(plugin, cls):
            return plugin
        own = cls()
        config.pluginmanager.register(own, cls.NAME)
        return own

    @pytest.hookimpl
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Remember a worker that is about to end; end the run where one after another does."""
        if not isinstance(warning_message.message, DeviceLost) or nodeid in self._lost:
            return
        self._lost.add(nodeid)
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            pytest.exit(
                f"{IN_A_ROW} workers in a row could not use their GPU any more, the last: "
                f"{warning_message.message}",
                returncode=1,
            )

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Once a cell is done the GPUs are not all broken."""
        if report.when == "call" and report.passed:
            self._in_a_row = 0

    def takes_up(self, crashitem: str, report: Any, scheduler: Any) -> bool:
        """Hand an item out again whose worker ended for its GPU's sake; False where it ended otherwise."""
        if report.node.gateway.id not in self._lost:
            return False
        try:
            scheduler.mark_test_pending(crashitem)
        except (NotImplementedError, AttributeError):  # not every distribution can: it stays failed
            return False
        report.outcome = "rerun"
        return True


def slots_of_suites(config: pytest.Config, workers: int) -> Sequence[Slot]:
    """Return a slot for each worker that pytest was asked for, where its suites run on GPUs; else none.

    Raises: UsageError for more workers than slots.
    """
    for path in suites_of(config):
        device = request_for(config, path).device
        if device != "cpu":
            check_device(device)
            return workforce(str(workers), device, gpus_here, cores=lambda: workers).slots
    return ()


def workers_of_suites(config: pytest.Config) -> int | None:
    """Return how many workers there is room for where suites are run; None leaves it to pytest-xdist.

    That counts the cores of the machine, whatever a scheduler or a container leaves of them, and no GPUs.
    """
    if config.option.numprocesses != "auto" or os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    with contextlib.suppress(PrunebenchError):  # what is wrong is said where the suite is read
        if suites := suites_of(config):
            request = request_for(config, suites[0])
            cores = max(1, usable_cores() // request.threads)
            return workforce("auto", request.device, gpus_here, cores=lambda: cores).workers
    return None


def give_slots(specs: Sequence[Any], environments: Sequence[Mapping[str, str]]) -> None:
    """Give pytest-xdist's workers their variables, which execnet sets first of all in them.

    A worker's replacement is made by the same specification. Workers that the user starts elsewhere (ssh), or
    has given a list of GPUs, are left alone.
    """
    for spec, environment in zip(specs, environments, strict=False):
        if spec.popen and not spec.env.keys() & environment.keys():
            spec.env.update(environment)
