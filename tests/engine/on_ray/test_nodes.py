"""What nodes are asked before they get work, and what is said of those that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.on_ray import nodes as module
from prunebench.engine.on_ray import probe
from prunebench.engine.on_ray.nodes import Node, checked, nodes_for, problems_of
from prunebench.engine.on_ray.values import Needs, Orders
from prunebench.errors import UsageError

ORDERS = Orders(run="r", request="{}", frozen="plan", since="")
VERSIONS = {"prunebench": "1.0", "torch": "2.9.1+cu128"}


@dataclass
class Machine:
    """A node as it answers: where it has the store, what it runs, what else is wrong with it."""

    store: Path
    versions: dict[str, str]
    problem: str = ""


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Ask some machines, in this process, and return what `problems_of` makes of it."""
    monkeypatch.setattr(probe, "MOMENT", 0.02)
    monkeypatch.setattr(probe, "PAUSE", 0.01)

    def asked(*machines: Machine, orders: Orders = ORDERS, driver: dict[str, str] = VERSIONS) -> Any:
        those = {f"id{number}": machine for number, machine in enumerate(machines)}
        some = [Node(name, f"node {name}", 1) for name in those]

        def answers(nodes: list[Node], function: Any, questions: dict[str, Any]) -> dict[str, Any]:
            if function is module.problem_here:
                return {node.id: those[node.id].problem for node in nodes}
            told = {}
            for node in nodes:
                machine = those[node.id]
                question = {**questions[node.id], "store": str(machine.store)}
                told[node.id] = {**probe.look_around(question), "versions": machine.versions}
            return told

        monkeypatch.setattr(module, "_asked", answers)
        monkeypatch.setattr(probe, "versions_here", lambda: driver)
        return some, orders

    return asked


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def test_nodes_that_see_the_store_and_run_the_same_can_work(ask: Any, store: Path) -> None:
    """Nothing is left in the store. The driver's torch may lack CUDA: it computes nothing."""
    some, orders = ask(
        Machine(store, VERSIONS), Machine(store, VERSIONS), driver={**VERSIONS, "torch": "2.9.1+cpu"}
    )
    assert checked(some, store, orders).versions == VERSIONS
    assert not list(store.iterdir())


def test_a_node_without_the_store_is_named(ask: Any, store: Path, tmp_path: Path) -> None:
    some, orders = ask(Machine(store, VERSIONS), Machine(tmp_path / "elsewhere", VERSIONS))
    with pytest.raises(UsageError) as caught:
        checked(some, store, orders)
    first, second = str(caught.value).splitlines()
    assert first == "--engine ray: 1 of 2 nodes of the cluster cannot work:"
    assert second.startswith(f"  node id1 has no such folder: {store} must be one folder on all nodes")


def test_a_node_with_another_folder_of_that_name_is_named(ask: Any, store: Path, tmp_path: Path) -> None:
    """Its own disk, where the others have a shared one."""
    (tmp_path / "own").mkdir()
    some, orders = ask(Machine(tmp_path / "own", VERSIONS))
    problems, _ = problems_of(some, store, orders)
    assert "does not see what the driver writes there (No such file or directory)" in problems["id0"]


def test_a_node_that_writes_elsewhere_is_named(
    ask: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees what the driver writes, as in a copy or through a layer, and its own files stay there."""
    some, orders = ask(Machine(store, VERSIONS))
    real = probe.look_around

    def layered(asked: dict[str, str]) -> Any:
        told = real(asked)
        (store / asked["answer"]).unlink()
        return told

    monkeypatch.setattr(probe, "look_around", layered)
    problems, _ = problems_of(some, store, orders)
    assert "writes to another" in problems["id0"]


def test_a_node_that_cannot_write_is_named(ask: Any, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some, orders = ask(Machine(store, VERSIONS))
    real = open

    def refusing(path: Any, mode: str = "r", **options: Any) -> Any:
        if mode == "x":
            raise PermissionError(13, "Permission denied")
        return real(path, mode, **options)

    monkeypatch.setattr(probe, "open", refusing, raising=False)
    problems, _ = problems_of(some, store, orders)
    assert problems["id0"].startswith("cannot write there (Permission denied): ")


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"torch": "2.9.1+cu128"}, "has no prunebench"),
        ({"prunebench": "0.9", "torch": "2.9.1+cu128"}, "has prunebench 0.9, the driver 1.0"),
        ({"prunebench": "1.0", "torch": "2.8.0"}, "has torch 2.8.0, the driver 2.9.1+cu128"),
    ],
)
def test_a_node_with_other_versions_is_named(
    ask: Any, store: Path, versions: dict[str, str], said: str
) -> None:
    some, orders = ask(Machine(store, VERSIONS), Machine(store, versions))
    assert problems_of(some, store, orders)[0] == {"id1": said}


def test_nodes_whose_builds_of_torch_differ_are_named(ask: Any, store: Path) -> None:
    """The same numbers would not be the same bits."""
    some, orders = ask(Machine(store, VERSIONS), Machine(store, {**VERSIONS, "torch": "2.9.1+cpu"}))
    assert problems_of(some, store, orders)[0] == {
        "id0": "has torch 2.9.1+cu128; all must have the same build",
        "id1": "has torch 2.9.1+cpu; all must have the same build",
    }


def test_what_else_a_node_lacks_is_named(ask: Any, store: Path) -> None:
    some, orders = ask(Machine(store, VERSIONS), Machine(store, VERSIONS, "lacks data: mnist"))
    assert problems_of(some, store, orders)[0] == {"id1": "lacks data: mnist"}


def test_of_many_nodes_ten_are_named(ask: Any, store: Path, tmp_path: Path) -> None:
    some, orders = ask(*(Machine(tmp_path / "elsewhere", VERSIONS) for _ in range(12)))
    with pytest.raises(UsageError, match="and 2 more"):
        checked(some, store, orders)


@pytest.mark.parametrize(
    ("needs", "resources", "slots"),
    [
        (Needs(1), {"CPU": 4.0}, 4),
        (Needs(3), {"CPU": 8.0, "GPU": 2.0}, 2),
        (Needs(2), {"CPU": 1.0}, 0),
        (Needs(1), {"memory": 1e9}, 0),
        (Needs(1, gpus=1, share=3), {"CPU": 16.0, "GPU": 2.0}, 6),
        (Needs(4, gpus=1, share=3), {"CPU": 16.0, "GPU": 2.0}, 4),
        (Needs(1, gpus=2), {"CPU": 16.0, "GPU": 7.0}, 3),
        (Needs(1, gpus=1), {"CPU": 16.0}, 0),
    ],
)
def test_how_many_jobs_a_node_has_room_for(needs: Needs, resources: dict[str, float], slots: int) -> None:
    assert needs.slots(resources) == slots


@pytest.mark.parametrize("share", [1, 2, 3, 6, 7, 16])
def test_so_many_jobs_as_are_to_share_a_gpu_fit(share: int) -> None:
    """Ray counts in ten-thousandths: a third that is rounded up fits twice."""
    of_gpu = round(Needs(1, gpus=1, share=share).of_gpu * 10_000)
    assert 10_000 // of_gpu == share


def test_only_living_nodes_that_are_large_enough_get_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")

    def node(number: int, cpus: float, alive: bool = True) -> dict[str, Any]:
        return {
            "NodeID": f"{number}" * 8,
            "NodeManagerHostname": f"host{number}",
            "NodeManagerAddress": f"10.0.0.{number}",
            "Alive": alive,
            "Resources": {"CPU": cpus} if cpus else {},
        }

    monkeypatch.setattr(ray, "nodes", lambda: [node(1, 0), node(2, 4), node(3, 4, alive=False)])
    assert nodes_for(Needs(2)) == [Node("22222222", "host2 (10.0.0.2, node 22222222)", 2)]
