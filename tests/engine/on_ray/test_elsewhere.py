"""`run --engine ray` with a node that sees another file system: one in a mount namespace of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from prunebench.errors import PrunebenchError
from tests.engine.on_ray.conftest import OBJECTS
from tests.engine.on_ray.test_ray import meanwhile, run, under_way, when

APART = ["unshare", *(["-r"] if os.getuid() else []), "-m", "--propagation", "private", "sh", "-c"]


@pytest.fixture(autouse=True)
def _namespaces(tmp_path: Path) -> None:
    """Without them there is nothing to test."""
    covered = [*APART, f"mount -t tmpfs none '{tmp_path}'"]
    if shutil.which("unshare") is None or subprocess.run(covered, check=False).returncode:
        pytest.skip("nobody may make namespaces here")


@contextmanager
def node_elsewhere(cluster: Any, hidden: Path, log: Path) -> Iterator[None]:
    """Have a node meanwhile to which another folder lies over `hidden`."""
    ray = Path(sys.executable).with_name("ray")
    start = f"'{ray}' start --address {cluster.address} --num-cpus 1 --object-store-memory {OBJECTS} --block"
    with log.open("wb") as output:
        script = f"mount -t tmpfs none '{hidden}' && exec {start}"
        node = subprocess.Popen([*APART, script], stdout=output, stderr=output, start_new_session=True)
    try:
        when(lambda: b"runtime started" in log.read_bytes() or node.poll() is not None, 60.0)
        assert node.poll() is None, log.read_text()
        yield
    finally:
        node.terminate()
        node.wait(30)


@pytest.mark.slow
def test_it_is_named_and_nothing_starts_or_where_it_joins_later_its_jobs_go_elsewhere(
    project: Any,
    cluster: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("prunebench.engine.on_ray.remote.LOOK", 0.2)
    path = project.suite(["snip"], seeds=4, epochs=300)
    store, stack = project.store(), ExitStack()

    def join() -> None:
        when(lambda: under_way(store))
        stack.enter_context(node_elsewhere(cluster, project.folder, tmp_path / "log"))

    with stack:
        thread = meanwhile(join)
        outcome = run(project, cluster, path)
        thread.join(60)
        said = capsys.readouterr().out
        assert (outcome.exit_code, len(outcome.made)) == (0, 8)
        assert not store.attempt_keys()
        assert re.search(
            rf"^Ray has \S+ \(\S+, node \w+\) now, which cannot start: no store at {store.root}", said, re.M
        )
        assert "; its jobs go elsewhere\n" in said
        with pytest.raises(
            PrunebenchError, match=r"1 of 3 nodes .* cannot work:\n  \S+ \(\S+, node \w+\) has no such"
        ):
            run(project, cluster, path, "other")
    assert not (project.folder / "other" / "records").exists()
