"""A small cluster of several nodes on this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

OBJECTS = 80 * 2**20
"""Bytes of a node's object store: what jobs make goes to prunebench's store."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that runs no jobs, and two nodes of one core each; all of it is gone afterwards."""
    pytest.importorskip("ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
    os.environ |= {"RAY_worker_niceness": "0"}  # else 15: beside another test a worker takes minutes to start
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    from ray.cluster_utils import Cluster

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    head = {"num_cpus": 0, "object_store_memory": OBJECTS, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=OBJECTS)
    try:
        yield cluster
    finally:
        cluster.shutdown()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        left = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
        _, alive = psutil.wait_procs(left, timeout=20)
        assert not alive
