"""What a task of Ray does on a node: has one job of a run made, by a process beside it (imports no torch)."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field, replace
from typing import Any

from prunebench import stopping
from prunebench.engine.on_ray.maker import Died, Maker
from prunebench.engine.on_ray.values import Asked, Came, Orders, Unfit

__all__ = ["make", "problem_here"]

PATIENCE = 2.0
"""Seconds that an unfit node holds a task, so that it does not take all of them while others work."""

STARTS = 4
"""So many processes may die of a job here, one after another, before it is given up. (One that two of them
died of has failed as soon as a third looks at it: these are those that die before they look.)"""


PER_GPU = 8
"""About so many processes of a node may be warm for one of its GPUs: each has a context there, half a GB,
until it has had nothing to do for a minute. Where GPUs are shared each process of Ray's keeps fewer."""


@dataclass
class _Process:
    """What this process of Ray's has."""

    orders: Orders | None = None
    run: str = ""
    makers: dict[str, Maker] = field(default_factory=dict)
    """The processes beside this one, by the GPUs that each is bound to, the last used last. Ray pairs its
    processes with GPUs as they come: one that was given another does not lose what it has for the first."""
    slots: int = 0
    """How many jobs of the run this node has room for."""
    share: int = 1
    """How many jobs of the run share a GPU."""


_process = _Process()


def make(orders: list[Any], key: str, *before: Came) -> Came:
    """Make one job, unless one of those before it has failed: then that is what came of this one too.

    `orders` is a list with a reference to `Orders`: as an argument of its own it were fetched for each task.

    Raises: Unfit where this node cannot; KeyboardInterrupt where the task was cancelled.
    """
    for one in before:
        if one.how == "failed":
            return replace(one, key=key, seconds=0.0)
    with stopping.listening(), stopping.held():
        try:
            came = _made(_orders(orders[0]), key)
            if came.how == "cancelled":  # what has ended all the same is told
                stopping.check()
        except stopping.Stopped:
            stopping.heard()
            _end_if_terminated()
            raise
    if came.how == "unfit":
        time.sleep(PATIENCE)
        raise Unfit(came.message)
    return came


def problem_here(orders: Orders) -> str:
    """Return why this node cannot work for a run: plugins, components, data, torch; "" where it can."""
    try:
        problem: str = _maker("").ask(Asked(orders))
    except Died as died:
        return f"cannot start: the process that was to look {died}"
    return problem


def _made(orders: Orders, key: str) -> Came:
    """Have a job made, by another process where one has died of it."""
    gpus, how = _gpus(), ""
    ended: dict[int, int] = {}
    for _ in range(STARTS):
        maker = _maker(gpus, max(1, PER_GPU // _process.share))
        try:
            came: Came = maker.ask(Asked(orders, key, _process.slots, ended))
        except Died as died:
            how, ended = str(died), {died.pid: died.code}
            continue
        if came.last:
            maker.close()
        return came
    return Came(key, "lost", message=f"{STARTS} processes died of it, one after another; the last {how}")


def _maker(gpus: str, most: int = PER_GPU) -> Maker:
    """Return the process that makes jobs for this one, bound to these GPUs: started where there is none.

    A job that takes none may run where a GPU is: it uses none. At most so many are kept.
    """
    makers = _process.makers
    for ended in [bound for bound, one in makers.items() if not one.lives]:
        makers.pop(ended).close()
    bound = gpus if gpus or not makers else next(reversed(makers))
    there = makers.pop(bound, None)
    while there is None and len(makers) >= most:
        makers.pop(next(iter(makers))).close()
    makers[bound] = there = there or Maker(bound)
    return there


def _gpus() -> str:
    """Return the words of the GPUs that Ray gave to this task, as CUDA_VISIBLE_DEVICES has them.

    Ray has no order of several: one set of GPUs is spelled in one way.
    """
    import ray

    words = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    return ",".join(sorted(map(str, words), key=lambda word: (len(word), word)))


def _orders(reference: Any) -> Orders:
    """Return the orders of the run, fetched where this is the first of its tasks here."""
    import ray

    if isinstance(reference, Orders):
        return reference
    run = reference.hex()
    if _process.orders is None or _process.run != run:
        _process.orders, _process.run = ray.get(reference), run
        _process.slots, _process.share = _slots(_process.orders), _process.orders.needs.share
    return _process.orders


def _slots(orders: Orders) -> int:
    """Return how many jobs of the run may run at once on this node: they share its memory."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    resources = [one["Resources"] for one in ray.nodes() if one["NodeID"] == here]
    return max(1, orders.needs.slots(resources[0] if resources else {}))


def _end_if_terminated() -> None:
    """Where the node goes down, end with it: Ray gives the job to another. Not where it was cancelled."""
    if stopping.exit_code() == 128 + signal.SIGTERM:
        os._exit(stopping.exit_code())
