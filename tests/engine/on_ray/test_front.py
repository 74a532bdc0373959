"""`--engine ray` before anything of Ray is started: its options, and what is refused."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.fronts import front_of
from prunebench.engine.on_ray import RayFront, cluster, front
from prunebench.engine.on_ray.cluster import joined
from prunebench.engine.on_ray.values import Needs
from prunebench.errors import UsageError


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, RayFront(Needs(1, gpus=1), anywhere=True)),
        ({"device": "cpu"}, RayFront(Needs(1))),
        ({"device": "cpu", "address": "auto", "threads": 4, "workers": "3"}, RayFront(Needs(4), "auto", 3)),
        ({"device": "cpu", "address": "[::1]:79", "workers": "auto"}, RayFront(Needs(1), "[::1]:79")),
        ({"device": "cuda"}, RayFront(Needs(1, gpus=1))),
        ({"device": "cuda", "workers_per_gpu": "4"}, RayFront(Needs(1, gpus=1, share=4))),
        ({"device": "cuda", "gpus_per_worker": 2}, RayFront(Needs(1, gpus=2))),
        ({"device": "cpu", "workers_per_gpu": "4"}, RayFront(Needs(1))),
    ],
)
def test_options_say_which_cluster_and_what_a_job_takes(options: dict[str, Any], wanted: RayFront) -> None:
    assert front(options) == wanted


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "ray://head:10001"}, "HOST:PORT of Ray's head node, on a machine of the cluster"),
        ({"address": "head"}, "found 'head', allowed: auto, or HOST:PORT"),
        ({"address": "head:99999"}, "found 'head:99999', allowed"),
        ({"address": ""}, "found '', allowed"),
        ({"device": "cuda:1"}, "Ray says which GPU; allowed with --engine ray: auto, cpu, cuda"),
        ({"device": "cuda", "workers_per_gpu": "auto"}, "--workers-per-gpu auto: Ray is told a number"),
        (
            {"device": "cuda", "workers_per_gpu": "2", "gpus_per_worker": 2},
            "--workers-per-gpu 2 and --gpus-per-worker 2: give one of them",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        front(options)
    assert said in str(caught.value)


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else real(name))
    with pytest.raises(UsageError, match=r'pip install "prunebench\[ray\]"'):
        front_of("ray", {})


def test_an_address_where_nobody_answers_is_refused_at_once() -> None:
    """Ray itself would try for a minute. Nothing has been started."""
    pytest.importorskip("ray")
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match="nothing answers there"), joined(address, Needs(1), None):
        pytest.fail("it was joined")


class FakeRay:
    """Ray as far as joining goes."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.fails = fails
        self.options: dict[str, Any] = {}
        self.where = ""
        self.left = 0

    def init(self, **options: Any) -> None:
        self.options, self.where = options, os.getcwd()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(signal.SIGTERM))
        if self.fails is not None:
            raise self.fails

    def shutdown(self) -> None:
        self.left += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(cluster, "_reach", lambda address: None)
    monkeypatch.setattr(cluster, "_silence", lambda: None)
    return ray


def test_a_ray_of_this_machine_has_room_for_the_workers_and_leaves_no_file(fake: FakeRay) -> None:
    """It imports nothing from the folder that the user is in, and reports to nobody."""
    here = os.getcwd()
    before = {name: os.environ.get(name) for name in os.environ if name.startswith("RAY_")}
    with joined(None, Needs(2), 3):
        folder = Path(fake.options["_temp_dir"])
        assert folder.is_dir()
        assert fake.options["address"] == "local"
        assert fake.options["num_cpus"] == 6
        assert fake.options["num_gpus"] == 0
        assert fake.options["object_store_memory"] <= 200 * 2**20
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert os.getcwd() == here
    assert fake.where == "/"
    assert fake.left == 1
    assert not folder.exists()
    assert {name: os.environ.get(name) for name in os.environ if name.startswith("RAY_")} == before


def test_on_a_machine_with_gpus_ray_counts_them_itself(fake: FakeRay) -> None:
    with joined(None, Needs(1, gpus=1), None):
        assert fake.options["num_gpus"] is None


def test_a_cluster_is_joined_and_left(fake: FakeRay) -> None:
    with joined("head:6379", Needs(1), 3):
        assert fake.options == {
            "address": "head:6379",
            "log_to_driver": False,
            "configure_logging": False,
        }
    assert fake.left == 1


def test_signals_stay_ours(fake: FakeRay) -> None:
    """Ray takes SIGTERM for itself, and would end the process without a checkpoint."""
    mine = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with joined(None, Needs(1), None):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == mine
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == mine


def test_a_sigterm_while_ray_starts_stops_the_run(fake: FakeRay) -> None:
    fake.fails = SystemExit(signal.SIGTERM)
    with stopping.listening():
        with pytest.raises(stopping.Stopped), joined(None, Needs(1), None):
            pytest.fail("it was joined")
        assert stopping.exit_code() == 143
        stopping.heard()
    assert fake.left == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "auto",
            "--address auto: no Ray cluster can be joined there: Could not find any (`ray start --head`",
        ),
        (None, "--engine ray: Ray does not start here: Could not find any"),
    ],
)
def test_a_ray_that_cannot_be_joined_is_said(fake: FakeRay, address: str | None, said: str) -> None:
    fake.fails = ConnectionError("Could not find\nany")
    with pytest.raises(UsageError) as caught, joined(address, Needs(1), None):
        pytest.fail("it was joined")
    assert str(caught.value).startswith(said)
