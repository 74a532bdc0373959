"""Jobs as tasks of a Ray that is made up: when they are cancelled, and what is said of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from prunebench.engine.on_ray import remote as module
from prunebench.engine.on_ray.nodes import Node
from prunebench.engine.on_ray.remote import SETTLED, Remote
from prunebench.engine.on_ray.values import Came, Needs, Orders, Unfit

ORDERS = Orders(run="r", request="{}", frozen="plan", since="")


class FakeRay:
    """Ray as far as tasks go: they end when they are told to."""

    def __init__(self) -> None:
        self.done: dict[str, Any] = {}
        self.cancelled: list[tuple[str, bool]] = []
        self.options: dict[str, Any] = {}

    def remote(self, **options: Any) -> Any:
        self.options = options

        class Task:
            def options(self, **_: Any) -> Task:
                return self

            def remote(self, _orders: Any, key: str, *before: str) -> str:
                return f"task {key}"

        return lambda function: Task()

    def put(self, value: Any) -> Any:
        return value

    def wait(self, tasks: Sequence[str], num_returns: int, timeout: float) -> tuple[list[str], list[str]]:
        done = [task for task in tasks if task in self.done][:num_returns]
        return done, [task for task in tasks if task not in done]

    def get(self, task: str) -> Any:
        return self.done[task]

    def cancel(self, task: str, force: bool = False, recursive: bool = True) -> None:
        self.cancelled.append((task, force))


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    import sys

    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def hands(ray: FakeRay, clock: Clock) -> Remote:
    return Remote(ORDERS, Needs(1), [Node("a", "node a", 2)], str)


def test_what_waits_for_another_job_is_not_cancelled_before_that_has_ended(
    ray: FakeRay, clock: Clock, hands: Remote
) -> None:
    """Ray's driver may abort where a task is cancelled just as what it waits for ends."""
    hands.submit("first", [])
    hands.submit("second", ["first"])
    hands.submit("other", [])
    clock.now += SETTLED
    hands.cancel(["first", "second"])
    assert ray.cancelled == [("task first", False)]
    ray.done["task first"] = Came("first", "made")
    assert hands.ended(0.1) == [Came("first", "made")]
    clock.now += SETTLED / 2
    hands.ended(0.1)
    assert len(ray.cancelled) == 1, "it may not have been taken in"
    clock.now += SETTLED / 2
    hands.ended(0.1)
    assert ray.cancelled[1:] == [("task second", False)]
    clock.now += SETTLED
    hands.ended(0.1)
    assert len(ray.cancelled) == 2, "once"


def test_what_has_ended_is_not_cancelled(ray: FakeRay, clock: Clock, hands: Remote) -> None:
    hands.submit("one", [])
    hands.cancel(["one"])
    ray.done["task one"] = Came("one", "failed")
    hands.ended(0.1)
    clock.now += SETTLED
    hands.submit("two", [])
    hands.cancel(["one"])
    hands.ended(0.1)
    assert not ray.cancelled


def test_what_runs_is_killed_at_once_and_what_waits_for_it_ends_with_it(ray: FakeRay, hands: Remote) -> None:
    hands.submit("first", [])
    hands.submit("second", ["first"])
    hands.cancel(["first", "second"], kill=True)
    assert ray.cancelled == [("task first", True)]


def test_a_new_node_counts_once_it_has_said_that_it_can_work(
    ray: FakeRay, clock: Clock, hands: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one lacks is said, and what is lost."""
    there = [Node("a", "node a", 2), Node("b", "node b", 4), Node("c", "node c", 8)]
    monkeypatch.setattr(module, "nodes_for", lambda needs: there)
    monkeypatch.setattr(module, "ask", lambda node, function, orders: f"look {node.id}")
    monkeypatch.setattr(module, "answer", lambda task, node: ray.done[task])
    assert hands.news() == []
    clock.now += module.LOOK
    assert (hands.news(), hands.slots) == ([], 2)
    ray.done |= {"look b": "", "look c": "lacks data: mnist"}
    assert hands.news() == [
        "Ray has node b now",
        "Ray has node c now, which lacks data: mnist; its jobs go elsewhere",
    ]
    assert hands.slots == 6
    del there[0]
    clock.now += module.LOOK
    assert hands.news() == ["Ray lost node a: its jobs go on elsewhere"]
    assert hands.slots == 4


def test_ray_gives_the_jobs_of_a_node_that_is_lost_or_unfit_to_others(ray: FakeRay, hands: Remote) -> None:
    """Again and again: that it then does so on a real cluster, whose node is killed, is a slow test."""
    assert hands.slots == 2
    assert ray.options["max_retries"] > 2
    assert ray.options["retry_exceptions"] == [Unfit]
