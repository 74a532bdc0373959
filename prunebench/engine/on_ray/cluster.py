"""A Ray cluster for a run: one that is there, or one of this machine, started and taken down."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prunebench import stopping
from prunebench.cores import usable_cores
from prunebench.engine.on_ray.values import Needs
from prunebench.errors import UsageError
from prunebench.stopping import SIGNALS

__all__ = ["checked_address", "joined"]

STORE_BYTES = 100 * 2**20
"""Size of the object store of a cluster of one's own: what jobs make goes to prunebench's store."""

REACH = 10.0
"""Seconds within which a cluster's address must answer."""


def checked_address(address: str) -> str:
    """Return the address of a cluster as --address takes it. Raises: UsageError."""
    host, _, port = address.rpartition(":")
    if address == "auto" or (host and "/" not in host and port.isdecimal() and 0 < int(port) < 65536):
        return address
    hint = ", on a machine of the cluster" if address.startswith("ray://") else ""
    raise UsageError(f"--address: found '{address}', allowed: auto, or HOST:PORT of Ray's head node{hint}")


@contextmanager
def joined(address: str | None, needs: Needs, workers: int | None) -> Iterator[None]:
    """Be a driver of the cluster at an address meanwhile; without one, of a Ray of this machine alone.

    That has room for so many `workers`, or as many as there are cores, and is gone afterwards.

    Raises: UsageError for a cluster that cannot be reached, or is of another version; Stopped.
    """
    with _quiet(), contextlib.ExitStack() as stack:
        if address:
            _reach(address)
            options: dict[str, Any] = {"address": address}
        else:
            options = stack.enter_context(_of_this_machine(needs, workers))
        with _signals_kept():
            import ray
        stack.callback(_leave, ray)
        with _elsewhere(), stopping.held(), _signals_kept():
            _start(ray, options)
        _silence()
        stopping.check()
        yield


def _start(ray: Any, options: dict[str, Any]) -> None:
    try:
        ray.init(log_to_driver=False, configure_logging=False, **options)
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        if "num_cpus" in options:
            raise UsageError(f"--engine ray: Ray does not start here: {said}") from error
        raise UsageError(
            f"--address {options['address']}: no Ray cluster can be joined there: {said} "
            "(`ray start --head` starts one; without --address one of this machine is used)"
        ) from error


def _silence() -> None:
    """Let Ray print nothing: what it says of nodes, for all drivers, would stand across the display."""
    from ray._private import worker

    worker._worker_logs_enabled = False  # `log_to_driver` is for what tasks print


def _leave(ray: Any) -> None:
    with stopping.held(), _signals_kept():
        ray.shutdown()


def _reach(address: str) -> None:
    """Make sure that something answers at a host and port: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host:  # "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH).close()
    except OSError as error:
        raise UsageError(
            f"--address {address}: nothing answers there ({error.strerror or error}); "
            f"allowed: auto, or HOST:PORT of Ray's head node"
        ) from None


@contextmanager
def _of_this_machine(needs: Needs, workers: int | None) -> Iterator[dict[str, Any]]:
    """Yield how to start a Ray of one's own; nothing of it is left afterwards, nor of those of dead runs."""
    from prunebench.engine.on_ray.clearing import cleared_afterwards, sweep

    sweep()
    if workers is None:
        cores = max(needs.cpus, usable_cores())
    else:
        cores = workers * needs.cpus
    with cleared_afterwards() as folder, _set(_secret(folder)):
        yield {
            "address": "local",
            "num_cpus": cores,
            "num_gpus": None if needs.gpus else 0,  # None: those that it finds
            "include_dashboard": False,
            "object_store_memory": STORE_BYTES,
            "_temp_dir": str(folder),
            "_node_ip_address": "127.0.0.1",
        }


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Be in no folder of the user's: Ray lets its workers import from where the driver was when it joined."""
    try:
        before: str | None = os.getcwd()
    except OSError:  # it is gone
        before = None
    os.chdir("/")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.chdir(before or "/")


def _secret(folder: Path) -> dict[str, str]:
    """Write a token that Ray's processes know each other by, so that no other user of the machine can have
    them run something; return the variables that name it. Ray would make one in the user's home.
    """
    if "RAY_AUTH_MODE" in os.environ or "ray" in sys.modules:  # it looks at these when it is imported
        return {}
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(32))
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray report nothing to its makers, warn of nothing that is no error, and be patient."""
    logging.getLogger("ray").addHandler(logging.NullHandler())  # with no handler Python prints warnings
    own = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_raylet_start_wait_time_s": "120",  # on a busy machine 30 are too few
    }
    with _set(own):
        yield


@contextmanager
def _set(own: Mapping[str, str]) -> Iterator[None]:
    """Have variables in the environment meanwhile, as far as the user has not set them."""
    added = {name: value for name, value in own.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handlers of signals: Ray puts one of its own in SIGTERM's place, which ends the process.

    A SIGTERM that comes meanwhile is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    told = False
    try:
        yield
    except SystemExit:
        told = True
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
    if told:
        signal.raise_signal(signal.SIGTERM)
        raise stopping.Stopped
