"""`run --engine ray` on a small cluster of several nodes on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from prunebench import stopping
from prunebench.engine.on_pytest.run import Outcome, run_cells
from prunebench.engine.on_ray import RayFront
from prunebench.engine.on_ray.cluster import joined
from prunebench.engine.on_ray.nodes import nodes_for
from prunebench.engine.on_ray.remote import Remote
from prunebench.engine.on_ray.values import Came, Needs, Orders
from tests.engine.on_ray.conftest import OBJECTS

pytest.importorskip("ray")


def run(project: Any, cluster: Any, path: Path, store: str = "store", **options: Any) -> Outcome:
    """Run a suite on the cluster."""
    session = project.session(path, store, **options.pop("request", {}))
    front = RayFront(Needs(1), address=cluster.address, checkpoint_seconds=0.2)
    return run_cells(session, project.store(store), front=front, **options)


def digests(project: Any, path: Path, store: str, **request: Any) -> dict[str, str]:
    """Return the digest of every result of a suite."""
    results: dict[str, str] = project.results(project.engine(path, store, **request))
    return results


def meanwhile(function: Callable[[], Any]) -> threading.Thread:
    """Call a function in a thread."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def when(condition: Callable[[], Any], seconds: float = 300.0) -> Any:
    """Return what a condition is, once that is something."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
    return value


def under_way(store: Any) -> int | None:
    """Return the process of a run that has left a checkpoint and goes on, None where there is none."""
    files = store.root.joinpath("artifacts").rglob("*.checkpoint.safetensors")
    runs = {file.name.partition("@")[0] for file in files}
    return next((int(c["pid"]) for c in store.running() if c["key"].partition("@")[0] in runs), None)


@pytest.mark.slow
def test_results_have_the_bits_of_a_local_run(project: Any, cluster: Any, capsys: Any) -> None:
    """All kinds of jobs, on two nodes: the same digests, a line a cell, nothing computed twice."""
    path = project.suite(["snip", "ltr"], seeds=2, sparsities=(0.5, 0.9), measures=["layer-sparsity"])
    project.run(path, "alone")
    capsys.readouterr()
    outcome = run(project, cluster, path)
    said = capsys.readouterr().out
    assert (outcome.exit_code, len(outcome.made), outcome.failed) == (0, 10, {})
    assert digests(project, path, "store") == digests(project, path, "alone")
    assert re.search(r"^\[10/10\] main::\S+ +\d+\.\d\d %  \d+\.\d s$", said, re.MULTILINE)
    assert "Ray with 2 nodes: 2 jobs at once; prunebench" in said
    logs = [log.read_text() for log in project.store().root.joinpath("logs").iterdir()]
    assert outcome.jobs == len(logs)
    assert all(log.count(" INFO done") == 1 for log in logs)
    assert not list(project.store().root.glob(".ray-*"))


@pytest.mark.slow
def test_a_node_is_killed_in_the_middle_of_training(
    project: Any, cluster: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job goes on elsewhere from a checkpoint, with the same bits; nothing committed is computed again."""
    monkeypatch.setattr("prunebench.engine.on_ray.remote.LOOK", 0.2)
    path = project.suite(["snip"], epochs=100)
    project.run(path, "alone")
    store, killed = project.store(), []

    def kill() -> None:
        pid = when(lambda: under_way(store))
        raylet = psutil.Process(pid).parent().ppid()
        for node in list(cluster.worker_nodes):
            if node.all_processes["raylet"][0].process.pid == raylet:
                os.kill(pid, signal.SIGKILL)
                cluster.remove_node(node, allow_graceful=False)
                killed.append(node)

    thread = meanwhile(kill)
    outcome = run(project, cluster, path)
    thread.join()
    cluster.add_node(num_cpus=1, object_store_memory=OBJECTS)
    assert len(killed) == 1
    assert (outcome.exit_code, len(outcome.made)) == (0, 2)
    assert digests(project, path, "store") == digests(project, path, "alone")
    logs = [log.read_text() for log in store.root.joinpath("logs").iterdir()]
    assert any(re.search(r"going on from the checkpoint at step [1-9]", log) for log in logs)
    assert all(log.count(" INFO done") == 1 for log in logs)
    said = capsys.readouterr()
    assert re.search(r"^Ray lost \S+ \(\S+, node \w+\): its jobs go on elsewhere$", said.out, re.MULTILINE)
    assert "raylet" not in (said.out + said.err).lower()


STUB = """
import json, os, sys, time
from multiprocessing.connection import Connection
from prunebench.engine.on_ray.values import Came

pipe = Connection(int(sys.argv[1]))
while True:
    try:
        asked, began = pipe.recv(), time.monotonic()
    except EOFError:
        break
    time.sleep(0.1)
    said = [os.environ["CUDA_VISIBLE_DEVICES"], began, time.monotonic()]
    pipe.send(Came(asked.key, "made", message=json.dumps(said)))
"""


def on_its_gpu(orders: list[Any], key: str, *before: Came) -> Came:
    """Make a job, which says what GPU it sees and when; say which GPU Ray gave, and note that this began."""
    import ray

    from prunebench.engine.on_ray import maker, tasks

    maker.PROGRAM = f"exec({STUB!r})"
    with open(ray.get(orders[0]).frozen, "a") as file:
        file.write(f"{key}\n")
    context = ray.get_runtime_context()
    came = tasks.make(orders, key, *before)
    return replace(came, at=context.get_accelerator_ids()["GPU"][0], log_path=context.get_task_name())


def test_every_job_computes_on_the_gpu_that_ray_gave_it_and_no_process_of_rays_ends(
    project: Any, cluster: Any
) -> None:
    """Ray pairs idle processes with GPUs as they come. A GPU is shared by as many jobs as were asked for."""
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    needs, starts = Needs(1, gpus=1, share=2), project.folder / "starts"
    orders = Orders(run="r", request="{}", frozen=str(starts), since="", needs=needs)
    node = cluster.add_node(num_cpus=6, num_gpus=3, object_store_memory=OBJECTS)
    came: list[Came] = []
    with joined(cluster.address, needs, None):
        remote = Remote(orders, needs, nodes_for(needs), lambda key: f"train {key}", task=on_its_gpu)
        assert remote.slots == 6
        for number in range(8):  # a few at a time: between these all processes are idle
            jobs = 12 if number == 7 else 2
            for job in range(jobs):
                remote.submit(f"job-{number}-{job}", [])
            until = len(came) + jobs
            when(lambda until=until: came.extend(remote.ended(1.0)) or len(came) >= until)
    cluster.remove_node(node)
    keys = [one.key for one in came]
    assert sorted(starts.read_text().split()) == sorted(keys), "each began once"
    assert len(keys) == 26
    spans: dict[str, list[tuple[float, float]]] = {}
    for one in came:
        seen, began, ended = json.loads(one.message)
        assert (one.how, seen, one.log_path) == ("made", one.at, f"train {one.key}")
        spans.setdefault(seen, []).append((began, ended))
    assert {"0", "1", "2"} >= spans.keys()
    assert len(spans) > 1, "a third is used where the others are still busy"
    assert max(at_once(times) for times in spans.values()) == 2


def at_once(spans: list[tuple[float, float]]) -> int:
    """Return how many of some spans of time overlap at most."""
    return max(sum(began <= moment < ended for began, ended in spans) for moment, _ in spans)


BROKEN = """
import prunebench

def score(net, batch, rng):
    raise RuntimeError("not today")

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("mine", score)]
"""


def test_a_failed_job_fails_what_needs_it_and_nothing_else(project: Any, cluster: Any, capsys: Any) -> None:
    """With its error and its log, by a plugin file; the rest is done, and --lf finds what failed."""
    plugin = project.folder / "mine.py"
    plugin.write_text(BROKEN)
    path = project.suite(["mine", "snip"], sparsities=(0.5, 0.9))
    outcome = run(project, cluster, path, request={"plugins": (str(plugin),)})
    said = capsys.readouterr().out
    assert (outcome.exit_code, len(outcome.made)) == (1, 3)
    assert sorted(outcome.failed) == [f"main::digits-mlp-digits-mine-d{d}-s0" for d in ("0.1", "0.5")]
    assert len(set(outcome.failed.values())) == 1
    assert re.search(r"FAILED  \w+ \w+ failed: .*not today", said)
    assert len(project.store().attempt_keys()) == 1
    assert "Traceback" not in said


@pytest.mark.slow
def test_told_to_stop_every_job_ends_at_a_checkpoint(project: Any, cluster: Any) -> None:
    """Nothing is blamed; the same command goes on from there, with the same bits."""
    path = project.suite(["snip"], epochs=100)
    store = project.store()

    def interrupt() -> None:
        when(lambda: under_way(store))
        os.kill(os.getpid(), signal.SIGINT)

    with stopping.listening():
        thread = meanwhile(interrupt)
        began = time.monotonic()
        stopped = run(project, cluster, path)
        thread.join()
        assert stopped.exit_code == 130
        assert time.monotonic() - began < 60
    assert not store.attempt_keys()
    assert not store.running()
    assert checkpoint_steps(store)
    again = run(project, cluster, path)
    assert again.exit_code == 0
    logs = [log.read_text() for log in store.root.joinpath("logs").iterdir()]
    assert any(re.search(r"going on from the checkpoint at step [1-9]", log) for log in logs)


def checkpoint_steps(store: Any) -> list[int]:
    """Return the steps of the checkpoints that a store holds."""
    files = store.root.joinpath("artifacts").rglob("*.checkpoint.safetensors")
    return [int(file.name.partition("@")[2].partition(".")[0]) for file in files]


FATAL = """
import os
import prunebench

def score(net, batch, rng):
    os._exit(7)

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("fatal", score)]
"""


@pytest.mark.slow
def test_a_job_that_ends_its_process_fails_after_the_second(project: Any, cluster: Any, capsys: Any) -> None:
    """And takes nothing with it."""
    plugin = project.folder / "fatal.py"
    plugin.write_text(FATAL)
    path = project.suite(["fatal", "snip"])
    outcome = run(project, cluster, path, request={"plugins": (str(plugin),)})
    assert (outcome.exit_code, len(outcome.made), len(outcome.failed)) == (1, 2, 1)
    assert "died while it worked on this: it left with exit code 7" in next(iter(outcome.failed.values()))


UNBOUNDED = """
import ctypes
import signal
import prunebench

def hang(net, batch, rng):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    ctypes.PyDLL(None).sleep(60)

def eat(net, batch, rng):
    held = []
    while True:
        held.append(bytearray(b"x" * 2**25))

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("hang", hang), prunebench.Scorer("eat", eat)]
"""


@pytest.mark.slow
def test_limits_hold_on_the_nodes(project: Any, cluster: Any) -> None:
    """A job that hangs in C, and one that takes all memory, have failed with that; the rest goes on."""
    plugin = project.folder / "unbounded.py"
    plugin.write_text(UNBOUNDED)
    path = project.suite(["hang", "eat", "snip"])
    limits = {"job_timeout": 10.0, "memory_limit": 900 * 2**20}
    outcome = run(project, cluster, path, request={"plugins": (str(plugin),), **limits})
    assert (outcome.exit_code, len(outcome.made), len(outcome.failed)) == (1, 2, 2)
    said = {name.split("-")[3]: error for name, error in outcome.failed.items()}
    assert "no sign of life for 10 s (--job-timeout); nothing could interrupt it" in said["hang"]
    assert "and --memory-limit allows 900 MiB" in said["eat"]


@pytest.mark.slow
def test_a_second_run_on_the_same_store_helps(project: Any, cluster: Any) -> None:
    """Claims are taken: what a local worker makes meanwhile is made once."""
    path = project.suite(["snip", "synflow"], seeds=2, epochs=20)
    engine = project.engine(path)

    def help_out() -> None:
        when(lambda: engine.store.running())
        engine.selected = list(engine.plan.cells)
        engine.help()

    thread = meanwhile(help_out)
    outcome = run(project, cluster, path)
    thread.join(60)
    assert outcome.exit_code == 0
    assert engine.made
    logs = [log.read_text() for log in engine.store.root.joinpath("logs").iterdir()]
    assert all(log.count(" INFO done") == 1 for log in logs)


@pytest.mark.slow
def test_a_worker_is_killed_in_a_level_of_a_chain(project: Any, cluster: Any) -> None:
    """The level goes on from its checkpoint, those behind it wait; nothing committed is computed again."""
    chain = {"scorer": "magnitude", "as": "chain", "score_at": "end", "schedule": {"levels": 0.2}}
    row = {**chain, "train_from": "rewind", "clock": "rewind"}
    path = project.suite([row], sparsities={"keep": 0.8, "count": 3}, seeds=2, epochs=40)
    plan = project.run(path, "alone").plan
    levels = {job.key.partition("@")[0] for job in plan.jobs.values() if job.prunes}
    store, killed = project.store(), []

    def kill() -> None:
        claims = lambda: (c for c in store.running() if c["key"].partition("@")[0] in levels)  # noqa: E731
        claim = when(lambda: next(claims(), None), 900)
        os.kill(int(claim["pid"]), signal.SIGKILL)
        killed.append(claim["key"])

    thread = meanwhile(kill)
    outcome = run(project, cluster, path)
    thread.join()
    assert (outcome.exit_code, len(outcome.made), outcome.failed) == (0, 8, {})
    assert digests(project, path, "store") == digests(project, path, "alone")
    logs = {log.stem: log.read_text() for log in store.root.joinpath("logs").iterdir()}
    assert all(log.count(" INFO done") == 1 for log in logs.values())
    assert [logs[key].count(" INFO train ") for key in killed] == [2]
