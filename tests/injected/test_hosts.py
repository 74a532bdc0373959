"""Several hosts, users and runs on one store: each cell is made once, and what a dead host held goes on elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOSTS = ("one-00000001", "two-00000002", "three-00000003")


def unshared(*what: str) -> list[str]:
    """Return how a command is run in namespaces of its own; skip where that is not allowed."""
    command = ["unshare", *what]
    try:
        able = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    if not able:
        pytest.skip("namespaces can be made by root alone, where the system has them")
    return command


def together(place: Any, *runs: dict[str, Any]) -> list[str]:
    """Start runs at once, wait for all, and return what they printed."""
    processes = [place.start(*run.pop("more", ()), **run) for run in runs]
    outs = [process.communicate(timeout=300)[0] for process in processes]
    for process, out in zip(processes, outs, strict=True):
        assert process.returncode == 0, out
    return outs


def made(outs: list[str]) -> int:
    """Return how many cells runs say that they have made."""
    return sum(int(out.split(" cell")[-2].split()[-1]) if " made now" in out else 0 for out in outs)


# -- two at once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"links": False}, marks=pytest.mark.slow),
        pytest.param({"lag": 2.0}, marks=pytest.mark.slow),
        {"links": False, "lag": 2.0, "stale": 4.0},
    ],
    ids=["as it is", "no hard links", "listings that lag", "all of it"],
)
def test_two_hosts_at_once_make_each_cell_once(injected: Any, said: dict[str, Any]) -> None:
    """On a local file system; without hard links; where listings show what was two seconds ago."""
    place = injected(seeds=2, epochs=1)
    together(place, *({"said": {**said, "host": host}} for host in HOSTS[:2]))
    place.check()
    hosts = {words[-1] for words in place.notes("began")}
    assert len(hosts) == 2, "one of them has done nothing"


@pytest.mark.slow
def test_three_runs_of_one_host_with_two_workers_each_make_each_cell_once(injected: Any) -> None:
    place = injected(seeds=4, epochs=2, sparsities=(0.5, 0.9))
    together(place, *({"more": ("-n", "2")} for _ in range(3)))
    place.check()


@pytest.mark.parametrize("links", [True, False], ids=["", "no hard links"])
@pytest.mark.slow
def test_what_a_killed_host_was_doing_goes_on_at_another(injected: Any, links: bool) -> None:
    """From its checkpoint, once its claim has been silent for as long as that takes (here four seconds)."""
    place = injected(epochs=3)
    said = {"stale": 4.0, "links": links, "checkpoints": 0.0}
    kills = [("in an epoch", "all")]
    place.run(said={**said, "host": HOSTS[0], "kills": kills}, code=None)
    assert place.kills() == ["in an epoch"]
    began = time.monotonic()
    place.run(said={**said, "host": HOSTS[1]})
    assert time.monotonic() - began > 4
    assert place.notes("went on from")
    place.check()


# -- namespaces ------------------------------------------------------------------------------------------

NAMED = ("sh", "-c", 'hostname "$0" && exec "$@"')


@pytest.mark.parametrize(
    "proc",
    [pytest.param("--mount-proc", marks=pytest.mark.slow), "--mount"],
    ids=["", "with the /proc of others"],
)
def test_two_namespaces_with_hosts_and_processes_of_their_own(injected: Any, proc: str) -> None:
    """A process number that lives here is another process there, also where /proc shows those of elsewhere."""
    names = unshared("--uts", "--net", "--pid", "--fork", proc)
    place = injected(seeds=2)
    together(place, *({"before": [*names, *NAMED, host]} for host in ("alpha", "beta")))
    place.check()


@pytest.mark.slow
def test_a_namespace_that_is_killed_blocks_no_claim_for_longer_than_a_minute(injected: Any) -> None:
    """In real time: what it held is taken over within a minute by one that began after its death."""
    names = unshared("--uts", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
    place = injected(epochs=40)
    said = {"checkpoints": 0.1}
    first = place.start(said=said, before=[*names, *NAMED, "alpha"])
    while not place.notes("began") or not list(place.folder.rglob("*.checkpoint.safetensors")):
        assert first.poll() is None
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    place.check_nobody_is_left()
    count = len(place.notes("began"))
    second = place.start(said=said, before=[*names, *NAMED, "beta"])
    end = time.monotonic() + 90
    while len(place.notes("began")) == count:
        assert time.monotonic() < end, "the dead host's claim blocks for longer than a minute"
        time.sleep(0.1)
    assert second.communicate(timeout=120)
    place.check()
    assert place.notes("went on from")


# -- users -----------------------------------------------------------------------------------------------

USER = """
import os, resource, sys, tempfile
import psutil
from prunebench.cli import main
user = int(sys.argv.pop(1))
with tempfile.TemporaryDirectory() as store:  # Python itself may be where other users cannot read
    main([*sys.argv[1:3], "--store", store, "--no-plugins", "-q", "--seeds", "1"], standalone_mode=False)
os.setgroups([60000]); os.setgid(user); os.setuid(user); os.umask(0o022)
os.environ["HOME"] = "/nonexistent"
sys.exit(main())
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that the users of a group may write to."""
    if os.geteuid() != 0:
        pytest.skip("only root can become other users")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        (path / "store").mkdir()
        os.chown(path / "store", 0, 60000)
        (path / "store").chmod(0o2775)
        yield path


def as_user(user: int, suite: str, folder: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-c",
        USER,
        str(user),
        "run",
        suite,
        "--store",
        str(folder / "store"),
        "--no-plugins",
    ]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_two_users_of_a_group_share_a_store(project: Any, shared: Path) -> None:
    """Both at once, with a umask that lets nobody write to their files, and later one what the other began."""
    suite = project.suite(["snip", "magnitude"], seeds=2)
    (shared / "a.toml").write_text(suite.read_text())
    (shared / "b.toml").write_text(suite.read_text().replace("seeds = 2", "seeds = 3"))
    (shared / "store" / "logs").mkdir(mode=0o755)  # made before somebody thought of sharing
    os.chown(shared / "store" / "logs", 60001, 60000)
    (shared / "store" / "logs").chmod(0o2775)
    for suites in (("a.toml", "a.toml"), ("b.toml", "b.toml")):
        processes = [as_user(60001 + n, name, shared) for n, name in enumerate(suites)]
        for process in processes:
            out, _ = process.communicate(timeout=300)
            assert process.returncode == 0, out
    store = shared / "store"
    owners = {path.stat().st_uid for path in store.rglob("*.json") if "records" in path.parts}
    assert owners == {60001, 60002}
    for folder in (path for path in store.rglob("*") if path.is_dir()):
        assert folder.stat().st_mode & 0o070 == 0o070, folder
        assert folder.stat().st_gid == 60000, folder
