"""Jobs as Ray tasks: handed over, waited for, cancelled. What Ray says of their ends becomes plain values."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from prunebench.engine.on_ray.nodes import Node, answer, ask, nodes_for
from prunebench.engine.on_ray.tasks import make, problem_here
from prunebench.engine.on_ray.values import Came, Needs, Orders, Unfit
from prunebench.errors import UsageError

__all__ = ["RETRIES", "Remote"]

RETRIES = 8
"""How often Ray gives a job to another process after one, or its node, has died. (A job that two processes of
one machine died of fails as soon as a third looks at it.)"""

SETTLED = 0.5
"""Seconds after its last prerequisite has ended before a task is cancelled: Ray may abort this process where
it is just then taking in that what the task waits for has ended (seen in 2.60)."""

LOOK = 10.0
"""Seconds between two looks at which nodes there are."""


class Remote:
    """The tasks of a run that Ray holds, by the keys of their jobs."""

    def __init__(
        self,
        orders: Orders,
        needs: Needs,
        nodes: Sequence[Node],
        name: Callable[[str], str],
        on_gpu: Container[str] = (),
        task: Callable[..., Came] = make,
    ) -> None:
        """`name` says how a job is called in Ray's dashboard; jobs `on_gpu` take a GPU where others take
        none; `task` is what runs on a node.
        """
        import ray

        self._ray, self._needs, self._name, self._on_gpu = ray, needs, name, on_gpu
        self._orders = orders
        self._nodes = {node.id: node for node in nodes}
        """Those that can work."""
        self._seen = set(self._nodes)
        self._asked: dict[Any, Node] = {}
        """New ones, by the task that looks at them."""
        self._looked = time.monotonic()
        self._reference = [ray.put(orders)]
        self._tasks: dict[str, Any] = {}
        self._keys: dict[Any, str] = {}
        self._waits: dict[str, set[str]] = {}
        """For each job, its prerequisites that have not ended."""
        self._free: dict[str, float] = {}
        """The jobs that wait for nothing but room, or run, and since when, by time.monotonic()."""
        self._unwanted: dict[str, None] = {}
        """Jobs to cancel as soon as that is safe."""
        self._task = ray.remote(
            max_calls=0,  # else Ray starts a process for every job that uses a GPU; none of its own uses one
            num_cpus=needs.cpus,
            num_gpus=needs.of_gpu,
            max_retries=RETRIES,
            retry_exceptions=[Unfit],
        )(task)

    @property
    def slots(self) -> int:
        """How many jobs the cluster has room for."""
        return sum(node.slots for node in self._nodes.values())

    def submit(self, key: str, before: Iterable[str]) -> None:
        """Hand a job over, which waits for those of `before`, handed over earlier."""
        before = list(before)
        prerequisites = [self._tasks[one] for one in before]
        options = {"name": self._name(key)} | ({"num_gpus": 1} if key in self._on_gpu else {})
        task = self._task.options(**options).remote(self._reference, key, *prerequisites)
        self._tasks[key], self._keys[task], self._waits[key] = task, key, set(before)
        if not before:
            self._free[key] = time.monotonic()

    def ended(self, seconds: float) -> list[Came]:
        """Return what came of the jobs that have ended, after so many seconds at most."""
        tasks = list(self._keys)
        if not tasks:
            return []
        if self._unwanted:
            self._cancel_unwanted()
            seconds = min(seconds, SETTLED / 2)
        done, _ = self._ray.wait(tasks, num_returns=1, timeout=seconds)
        if done:
            done, _ = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)
        return [self._came(task) for task in done]

    def cancel(self, keys: Iterable[str], *, kill: bool = False) -> None:
        """Let jobs end: those that run, at a checkpoint, and others when what they wait for has; with `kill`,
        those that run at once, with their processes.
        """
        if not kill:
            self._unwanted.update(dict.fromkeys(keys))
            self._cancel_unwanted()
            return
        for key in keys:
            if key in self._free:
                self._ray.cancel(self._tasks[key], force=True, recursive=False)

    def _cancel_unwanted(self) -> None:
        """Cancel what has waited for nothing for a moment. What waits is told by its prerequisites' ends."""
        now = time.monotonic()
        for key in [key for key in self._unwanted if now - self._free.get(key, now) >= SETTLED]:
            del self._unwanted[key]
            self._ray.cancel(self._tasks[key], recursive=False)

    def news(self) -> list[str]:
        """Look now and then at which nodes there are; return what is to be said of new ones and lost ones.

        A new one counts once it has looked at what those that were there before the run looked at, and can
        work. Until then Ray gives it jobs all the same, and those that it cannot do to others.
        """
        said = [self._told(task) for task in self._answered()]
        if time.monotonic() - self._looked < LOOK:
            return said
        now, self._looked = {node.id: node for node in nodes_for(self._needs)}, time.monotonic()
        lost = [node for id, node in self._nodes.items() if id not in now]
        self._nodes = {id: node for id, node in self._nodes.items() if id in now}
        for id in [id for id in now if id not in self._seen]:
            self._asked[ask(now[id], problem_here, self._orders)] = now[id]
        self._seen |= now.keys()
        return said + [f"Ray lost {node.name}: its jobs go on elsewhere" for node in lost]

    def _answered(self) -> list[Any]:
        """Return the tasks of new nodes that have answered."""
        asked = list(self._asked)
        return self._ray.wait(asked, num_returns=len(asked), timeout=0)[0] if asked else []

    def _told(self, task: Any) -> str:
        """Take in what a new node answers; return what is said of it."""
        node = self._asked.pop(task)
        try:
            problem = answer(task, node)
        except UsageError as error:
            problem = f"cannot be asked: {str(error).rpartition(': ')[2]}"
        if problem:
            return f"Ray has {node.name} now, which {problem}; its jobs go elsewhere"
        self._nodes[node.id] = node
        return f"Ray has {node.name} now"

    def _came(self, task: Any) -> Came:
        key = self._keys.pop(task)
        del self._tasks[key], self._waits[key]
        self._free.pop(key, None)
        self._unwanted.pop(key, None)
        for other, waits in self._waits.items():
            if key in waits:
                waits.discard(key)
                if not waits:
                    self._free[other] = time.monotonic()
        try:
            came: Came = self._ray.get(task)
        except Exception as error:
            return _explained(key, error)
        return came


def _explained(key: str, error: Exception) -> Came:
    """Return what came of a job whose task ended with an exception: none is the job's own failure."""
    from ray import exceptions

    if isinstance(error, exceptions.TaskCancelledError):
        return Came(key, "cancelled")
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, Unfit):
        return Came(key, "unfit", message=str(cause))
    if isinstance(error, exceptions.OutOfMemoryError):
        message = "its node ran out of memory, and Ray ended it; fewer jobs at once need less"
    elif isinstance(error, exceptions.NodeDiedError):
        message = f"the nodes that it was on died, {RETRIES + 1} times"
    elif isinstance(error, exceptions.WorkerCrashedError):
        message = f"the processes that it was in died, {RETRIES + 1} times (killed, or out of memory)"
    else:
        said = " ".join(str(cause).split()) or type(cause).__name__
        message = f"Ray could not run it: {said}"
    return Came(key, "lost", message=message)
