"""The nodes of a cluster: which can work, and whether each of them sees the store and runs the same code."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prunebench import stopping
from prunebench.engine.on_ray import probe
from prunebench.engine.on_ray.tasks import problem_here
from prunebench.engine.on_ray.values import Needs, Orders
from prunebench.errors import UsageError
from prunebench.store import writing

__all__ = ["Node", "answer", "ask", "checked", "nodes_for", "problems_of"]

LONGEST = 600.0
"""Seconds that nodes may take to answer: they import torch and look through the data, on slow disks too."""

SHOWN = 10
"""Nodes that a message names at most."""


@dataclass(frozen=True)
class Node:
    """A node of the cluster that is large enough for a job of the run."""

    id: str
    name: str
    slots: int
    """How many jobs it runs at once."""


def nodes_for(needs: Needs) -> list[Node]:
    """Return the living nodes of the cluster that are large enough for a job."""
    import ray

    nodes = []
    for one in ray.nodes():
        if one["Alive"] and (slots := needs.slots(one["Resources"])):
            name = f"{one['NodeManagerHostname']} ({one['NodeManagerAddress']}, node {one['NodeID'][:8]})"
            nodes.append(Node(one["NodeID"], name, slots))
    return nodes


def checked(nodes: Sequence[Node], store: Path, orders: Orders) -> Orders:
    """Make sure that all nodes can work for a run; return its orders with the versions that all of them have.

    Raises: UsageError that names every node that cannot, and why.
    """
    problems, versions = problems_of(nodes, store, orders)
    if problems:
        lines = [f"  {node.name} {problems[node.id]}" for node in nodes if node.id in problems]
        more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        count = f"{len(lines)} of {len(nodes)} nodes" if len(nodes) > 1 else "the node"
        raise UsageError(
            "\n".join([f"--engine ray: {count} of the cluster cannot work:", *lines[:SHOWN], *more])
        )
    return replace(orders, versions=versions)


def problems_of(
    nodes: Sequence[Node], store: Path, orders: Orders
) -> tuple[dict[str, str], Mapping[str, str]]:
    """Return why nodes cannot work for a run, by their id, and the versions of those that can.

    Each reads a file that is written here, and writes one that is read here. Where `orders` name no versions
    yet, they are to be the driver's; but torch may be built for GPUs there, and not where the driver is.
    """
    with _questions(nodes, store) as questions:
        answers = _asked(nodes, _by_value(probe.look_around), questions)
        problems = {
            id: wrong for id, told in answers.items() if (wrong := _wrong(told, store, questions[id]))
        }
    wanted = orders.versions or probe.versions_here()
    builds: dict[str, str] = {}
    for id in [id for id in answers if id not in problems]:
        builds[id] = answers[id]["versions"].get("torch", "")
        if wrong := _differing(wanted, answers[id]["versions"], exactly=bool(orders.versions)):
            problems[id] = wrong
    if len(set(builds.values())) > 1 and not problems:
        problems = {id: f"has torch {build}; all must have the same build" for id, build in builds.items()}
    fit = [node for node in nodes if node.id not in problems]
    if fit:
        versions = {**wanted, "torch": builds[fit[0].id]}
        asked = {node.id: replace(orders, versions=versions) for node in fit}
        told = _asked(fit, problem_here, asked)
        return problems | {id: wrong for id, wrong in told.items() if wrong}, versions
    return problems, wanted


def _differing(wanted: Mapping[str, str], here: Mapping[str, str], *, exactly: bool) -> str:
    """Return in which versions a node differs; "" where it does not."""

    def plain(version: str | None) -> str | None:
        return version if exactly else (version or "").partition("+")[0]  # what follows names the build

    return ", ".join(
        f"has {name} {here[name]}, the driver {version}" if name in here else f"has no {name}"
        for name, version in wanted.items()
        if plain(here.get(name)) != plain(version)
    )


@contextmanager
def _questions(nodes: Sequence[Node], store: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Write a file into the store; yield what to ask each node, by its id; remove all files afterwards."""
    token = secrets.token_hex(8)
    question = store / f".ray-{token}"
    asked = {
        node.id: {
            "store": str(store),
            "question": question.name,
            "content": token,
            "answer": f"{question.name}-{number}",
        }
        for number, node in enumerate(nodes)
    }
    with writing(question):
        question.write_text(token, "utf-8")
    try:
        yield asked
    finally:
        for path in (question, *(store / one["answer"] for one in asked.values())):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _wrong(told: Mapping[str, Any], store: Path, asked: Mapping[str, str]) -> str:
    """Return what is wrong with a node's answer; "" where nothing is."""
    if told["store"]:
        return f"{told['store']}: {store} must be one folder on all nodes (--store DIR names another)"
    until = time.monotonic() + probe.MOMENT
    while True:  # another machine's file may take a moment to show
        with contextlib.suppress(OSError):
            if (store / asked["answer"]).read_text("utf-8") == asked["content"]:
                return ""
        if time.monotonic() > until:
            return f"writes to another {store} than the driver's: it must be one folder on all nodes"
        time.sleep(0.1)


def _by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is sent as source: a node without prunebench can answer too."""
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(probe)
    return function


def _asked(
    nodes: Sequence[Node], function: Callable[[Any], Any], questions: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a function says on each node, by the node's id. Raises: UsageError, Stopped."""
    import ray

    asked = {ask(node, function, questions[node.id]): node for node in nodes}
    waiting, until = list(asked), time.monotonic() + LONGEST
    while waiting:
        with stopping.held():  # Ray's own code is not to be interrupted
            _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=0.2)
        stopping.check()
        if waiting and time.monotonic() > until:
            names = ", ".join(asked[one].name for one in waiting[:SHOWN])
            raise UsageError(f"--engine ray: no answer from {names} within {LONGEST:.0f} s")
    return {node.id: answer(ref, node) for ref, node in asked.items()}


def ask(node: Node, function: Callable[[Any], Any], question: Any) -> Any:
    """Have a function called on a node; return what `answer` takes."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    options = {
        "num_cpus": 0,
        "max_retries": 1,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False),
        "name": f"look at {node.name}",
    }
    return ray.remote(function).options(**options).remote(question)


def answer(reference: Any, node: Node) -> Any:
    """Return what a node answers, once it has. Raises: UsageError where it cannot be asked."""
    import ray

    try:
        return ray.get(reference)
    except Exception as error:
        cause = getattr(error, "cause", None) or error
        last = str(cause).strip().splitlines()[-1:] or [type(cause).__name__]
        raise UsageError(f"--engine ray: {node.name} cannot be asked: {last[0]}") from error
