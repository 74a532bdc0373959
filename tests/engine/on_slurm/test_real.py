"""A cluster of one node, started here from Debian's slurm-wlm: preempted, limited, joined, cancelled, for real."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from prunebench.engine.on_slurm.submissions import PilotState, Submission
from prunebench.store import Store

from .test_pilot import SUITE, WAITS

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
MISSING = [name for name in (*DAEMONS, "sbatch", "srun") if shutil.which(name, path=PATH) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no Slurm here: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="slurmd wants to be root"),
]

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={port}
SlurmdPort={other}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SchedulerParameters=bf_interval=2,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
CredType=cred/munge
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName=low Nodes=ALL Default=YES MaxTime=60 PriorityTier=1 GraceTime=30
PartitionName=high Nodes=ALL MaxTime=60 PriorityTier=10 PreemptMode=OFF
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(true: Callable[[], object], seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)


class Cluster:
    """A cluster, and a folder with a suite whose one scorer waits while a file is there."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        (folder / "tiny.toml").write_text(SUITE)
        (folder / "waits.py").write_text(WAITS)
        self.store = folder / "store"

    def ask(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a run in the cluster."""
        command = [sys.executable, "-m", "prunebench", "run", str(self.folder / "tiny.toml")]
        fixed = ["--store", str(self.store), "--no-plugins", "--plugin", str(self.folder / "waits.py")]
        return subprocess.Popen(
            [*command, *fixed, "--engine", "slurm", *args],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pilots(self) -> list[PilotState]:
        folder = self.store / "pilots"
        submissions = map(Submission.read, folder.iterdir() if folder.is_dir() else ())
        return [state for one in submissions if one is not None for state in one.states().values()]

    @property
    def reached(self) -> Path:
        """A file that is there once the scorer waits."""
        return self.folder / "reached"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    host = socket.gethostname().split(".")[0]
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, port=free_port(), other=free_port()))
    environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(conf), "PRUNEBENCH_DATA": str(folder)}
    munge = [
        "--socket",
        f"{folder}/munge.socket",
        "--key-file",
        str(key),
        "--pid-file",
        f"{folder}/munge.pid",
    ]
    munge += ["--log-file", f"{folder}/munge.log", "--seed-file", f"{folder}/munge.seed"]
    started = []
    try:
        for command in (
            ["munged", "--foreground", "--force", *munge],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D", "-N", host],
        ):
            started.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            time.sleep(1.0)
        one = Cluster(folder, environment)
        until(lambda: "idle" in one.ask("sinfo", "--noheader", "--format=%T"), 60)
        yield one
        one.ask("scancel", "--user", "root")
        until(lambda: not one.ask("squeue", "--noheader"), 60)
    finally:
        for process in reversed(started):
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            process.kill()
            process.wait()


def test_preempted_requeued_joined_and_done(cluster: Cluster) -> None:
    """A job of higher priority takes the node; the pilots come back after it; a second run waits with the first."""
    (cluster.folder / "wait").touch()
    first = cluster.start("--workers", "2", "--time", "30")
    until(lambda: cluster.reached.exists() and [one.stage for one in cluster.pilots()] == ["working"] * 2)
    second = cluster.start("--workers", "2", "--time", "30", "--no-table")
    cluster.ask("sbatch", "-p", "high", "-c", "4", "-o", "/dev/null", "--wrap", "sleep 5")
    until(lambda: "requeued" in {one.stage for one in cluster.pilots()})
    assert not Store.open(cluster.store).attempt_keys()
    cluster.reached.unlink(missing_ok=True)
    until(cluster.reached.exists)  # Slurm holds what it requeues for as long as a credential is valid
    assert max(one.starts for one in cluster.pilots()) == 2
    (cluster.folder / "wait").unlink()
    told, _ = first.communicate(timeout=300)
    assert first.returncode == 0, told
    assert "3 cells made now" in told
    told, _ = second.communicate(timeout=300)
    assert second.returncode == 0, told
    assert "pilots of another run are there (Slurm job " in told
    assert len(list((cluster.store / "pilots").iterdir())) == 1
    until(lambda: not cluster.ask("squeue", "--noheader"), 60)
    store = Store.open(cluster.store)
    assert len(store.record_keys()) == 3
    assert not store.attempt_keys()
    assert not store.claimed_keys()


def test_cancelled_by_ctrl_c(cluster: Cluster) -> None:
    """The pilots leave the queue, nothing is left claimed and nothing has failed; the same command goes on."""
    shutil.rmtree(cluster.store, ignore_errors=True)
    cluster.reached.unlink(missing_ok=True)
    (cluster.folder / "wait").touch()
    run = cluster.start("--workers", "1", "--time", "30", "--no-table")
    until(cluster.reached.exists)
    run.send_signal(signal.SIGINT)
    told, _ = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "cancelled the pilots (Slurm job " in told
    assert "Interrupted: " in told
    until(lambda: not cluster.ask("squeue", "--noheader"), 60)
    store = Store.open(cluster.store)
    assert not store.claimed_keys()
    assert not store.attempt_keys()
    (cluster.folder / "wait").unlink()
    again = cluster.start("--workers", "1", "--no-table")
    told, _ = again.communicate(timeout=200)
    assert again.returncode == 0, told


def test_a_partition_that_there_is_not(cluster: Cluster) -> None:
    """Slurm's own words, exit code 2."""
    shutil.rmtree(cluster.store, ignore_errors=True)
    run = cluster.start("--workers", "1", "--partition", "gpuu")
    told, _ = run.communicate(timeout=120)
    assert run.returncode == 2
    assert "Error: Slurm takes no pilots: invalid partition specified: gpuu" in told
