"""What reaches Slurm's commands, and what is made of what they say: stand-ins for them write it down."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.on_slurm.options import wishes_of
from prunebench.engine.on_slurm.pilot import Pilot
from prunebench.engine.on_slurm.queue import InQueue, SlurmQueue, have_gpus, look_at
from prunebench.errors import PrunebenchError, UsageError
from prunebench.kin import OWNER

from .test_options import NOTHING, no_gpus


class Commands:
    """Shell scripts in place of Slurm's commands; each writes its arguments down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {self.folder}/{name}.called\n{script}\n')
        path.chmod(0o755)

    def called(self, name: str) -> list[str]:
        return (self.folder / f"{name}.called").read_text().splitlines()


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands(tmp_path / "bin")
    commands.add("srun", "")
    commands.add("sbatch", f'cp "$1" {tmp_path}/script; env > {tmp_path}/env; echo Submitted batch job 77')
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    return commands


def queue(tmp_path: Path, **options: Any) -> SlurmQueue:
    return SlurmQueue(
        tmp_path / "jobs", "prunebench-quick", wishes_of({**NOTHING, **options}, no_gpus).parameters
    )


PILOT = Pilot(Path("/store/pilots/x"), ["plan.json", "--cells", "c.json"], 10)


def test_an_array_of_pilots_is_submitted(commands: Commands, tmp_path: Path) -> None:
    """The script asks for what was asked for, each pilot's pickle is there under its number."""
    jobs = queue(tmp_path, partition="gpu", slurm=("nice=5",)).submit(PILOT, 3, after=61.0)
    assert jobs == ["77_0", "77_1", "77_2"]
    script = (tmp_path / "script").read_text()
    asked = {line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")}
    assert asked >= {
        *("array=0-2%3", "begin=now+61", "partition=gpu", "nice=5", "requeue", "time=60", "nodes=1"),
        *("signal=USR2@120", "job-name=prunebench-quick", "cpus-per-task=1", "open-mode=append"),
        f"output={tmp_path}/jobs/%A_%a_0_log.out",
    }
    before_srun = script[: script.index("\nsrun ")]
    assert "export PYTHONSAFEPATH=1" in before_srun
    for job in jobs:
        submitted = pickle.loads((tmp_path / "jobs" / f"{job}_submitted.pkl").read_bytes())
        assert submitted.function == PILOT
        assert submitted._timeout_countdown >= 1_000_000


def test_one_pilot_is_a_job_of_its_own(commands: Commands, tmp_path: Path) -> None:
    """It starts at once, unless said otherwise."""
    assert queue(tmp_path).submit(PILOT, 1, after=0.0) == ["77"]
    script = (tmp_path / "script").read_text()
    assert "--array" not in script
    assert "--begin" not in script


def test_what_sbatch_refuses_is_said_in_its_words(commands: Commands, tmp_path: Path) -> None:
    """Without submitit's traceback around them."""
    commands.add("sbatch", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1")
    with pytest.raises(PrunebenchError) as caught:
        queue(tmp_path, partition="gpuu").submit(PILOT, 2, after=0.0)
    assert str(caught.value) == "Slurm takes no pilots: invalid partition specified: gpuu"


def test_a_job_submits_pilots_that_know_nothing_of_it(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within an interactive job sbatch would take that one's variables for what is asked of the new ones; and
    the mark by which what a run has started ends with it is no pilot's.
    """
    for name in (OWNER, "SLURM_JOB_ID", "SLURM_MEM_PER_CPU", "SLURM_CONF", "SBATCH_ACCOUNT"):
        monkeypatch.setenv(name, "1")
    queue(tmp_path).submit(PILOT, 2, after=0.0)
    told = {line.split("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert told & {OWNER, "SLURM_JOB_ID", "SLURM_MEM_PER_CPU", "SLURM_CONF", "SBATCH_ACCOUNT"} == {
        "SLURM_CONF",
        "SBATCH_ACCOUNT",
    }
    assert os.environ["SLURM_MEM_PER_CPU"] == os.environ[OWNER] == "1"


def test_pilots_outlive_the_run_that_submits_them(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of jobs too nothing says that a pilot is a process of that run."""
    monkeypatch.setenv(OWNER, "somebody")
    queue(tmp_path).submit(PILOT, 2, after=0.0)
    assert OWNER not in (tmp_path / "env").read_text()


def test_a_machine_that_submits_to_no_cluster_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be found is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="--engine slurm: sbatch and srun cannot be found here; start it on"):
        SlurmQueue.check_here()


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
        "sbatch: fatal: Could not establish a configuration source",
        "sbatch: error: Unable to contact slurm controller (connect failure)",
    ],
)
def test_a_cluster_that_does_not_answer_is_refused_before_anything_is_submitted(
    commands: Commands, tmp_path: Path, said: str
) -> None:
    """With the last of sbatch's words, and what to do."""
    commands.add("sbatch", f"echo '{said}' >&2; exit 1")
    with pytest.raises(UsageError, match="no cluster answers here; start it where `sinfo` shows one"):
        queue(tmp_path).check()


def test_the_queue_is_looked_at_once_for_all(commands: Commands) -> None:
    """Pilots by number, with their states and reasons; those that have ended are not among them."""
    commands.add("squeue", "printf '7_0|RUNNING|None\\n7_1|PENDING|Priority\\n9|COMPLETING|None\\n'")
    assert look_at(["9", "7"]) == {
        "7_0": InQueue("RUNNING", "None"),
        "7_1": InQueue("PENDING", "Priority"),
        "9": InQueue("COMPLETING", "None"),
    }
    assert commands.called("squeue") == ["--noheader --array --format=%i|%T|%r --jobs=7,9"]
    assert look_at([]) == {}
    assert len(commands.called("squeue")) == 1


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", {}),
        ("echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", None),
    ],
)
def test_jobs_long_ended_are_no_silence(commands: Commands, script: str, told: dict[str, Any] | None) -> None:
    """squeue fails of a job that it has forgotten, and of a controller that is down: only that is no answer."""
    commands.add("squeue", script)
    assert look_at(["7"]) == told


def test_without_squeue_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that only mounts the store."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look_at(["7"]) is None


@pytest.mark.parametrize(
    ("state", "pending"),
    [
        ("PENDING", True),
        ("REQUEUED", True),
        ("REQUEUE_HOLD", True),
        ("CONFIGURING", True),
        ("RUNNING", False),
        ("COMPLETING", False),
        ("SUSPENDED", False),
    ],
)
def test_which_pilots_wait(state: str, pending: bool) -> None:
    """Those that Slurm has not started, or will start again."""
    assert InQueue(state).pending is pending


def test_pilots_are_cancelled_by_their_arrays(commands: Commands, tmp_path: Path) -> None:
    """What Slurm refuses is said, with the command that does it."""
    commands.add("scancel", "")
    queue(tmp_path).cancel(["9", "7"])
    queue(tmp_path).cancel(["9"], waiting_only=True)
    assert commands.called("scancel") == ["7 9", "--state=PENDING 9"]
    commands.add("scancel", "exit 1")
    with pytest.raises(PrunebenchError, match="`scancel 7 9` does it"):
        queue(tmp_path).cancel(["9", "7"])


@pytest.mark.parametrize(
    ("partition", "have"),
    [(None, False), ("gpu", True), ("mixed", False), ("cpu", False), ("none", False), ("gpu,cpu", False)],
)
def test_whether_the_nodes_of_a_partition_have_gpus(
    commands: Commands, partition: str | None, have: bool
) -> None:
    """All of them, or a pilot that asks for one might wait for ever for the others' room."""
    rows = ("cpu|cpu*|(null)", "gpu|gpu|gpu:a100:4(S:0-1)", "mixed|mixed|gpu:2", "mixed|mixed|(null)")
    commands.add("sinfo", "".join(f"echo '{row}'\n" for row in rows))
    assert have_gpus(partition) is have


def test_without_sinfo_no_gpus_are_known_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is asked for that a cluster might not have."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert have_gpus("gpu") is False
