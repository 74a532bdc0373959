"""What a pilot asks itself: is it its turn to start, and is Slurm ending its job anyway?"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from prunebench.engine.on_slurm.pilot import Pilot, _is_over
from prunebench.engine.on_slurm.submissions import PilotState, Submission
from prunebench.store import Store

from .test_queue import Commands


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%S.%fZ")


def pilot(
    job: str, stage: str, *, started: float | None = None, said: float = 0, off: float = 0
) -> PilotState:
    """Return what a pilot says of itself that started, and said so, that many seconds ago, on a node whose
    clock is `off` by so many seconds."""
    began = "" if started is None else ago(started - off)
    return PilotState(job, stage, started=began, time=ago(said - off), touched=time.time() - said)


def ahead(tmp_path: Path, *others: PilotState) -> int:
    """Return how many others have to start before job 12_5 may."""
    submission = Submission.new(Store.open(tmp_path / "store"), "quick-01", "", [])
    for other in others:
        submission.say(other)
        os.utime(submission.folder / "states" / f"{other.job}.json", (other.touched,) * 2)
    pilot = Pilot(submission.folder, [], 10)
    pilot._submission, pilot._job = submission, "12_5"
    return pilot._ahead()


@pytest.mark.parametrize("off", [-7200.0, 0.0, 7200.0])
@pytest.mark.parametrize(
    ("job", "stage", "times", "counts"),
    [
        ("12_1", "working", {"started": 30}, 1),
        ("12_9", "starting", {"started": 1}, 1),
        ("12_1", "working", {"started": 90}, 0),
        ("12_1", "working", {"started": 90, "said": 80}, 0),
        ("12_1", "working", {"started": 50, "said": 40}, 1),
        ("12_1", "ended", {"started": 30}, 1),  # it has read from the file server all the same
        ("12_1", "waiting", {}, 1),
        ("11_40", "waiting", {}, 1),
        ("12_40", "waiting", {}, 0),
        ("12_1", "waiting", {"said": 60}, 0),  # it has died while it waited
        ("12_5", "waiting", {}, 0),  # itself
    ],
)
def test_who_starts_before_whom(
    tmp_path: Path, job: str, stage: str, times: dict[str, float], counts: int, off: float
) -> None:
    """Those that have started in the last minute count, and those that wait and come before; whatever the
    clocks of their nodes say."""
    assert ahead(tmp_path, pilot(job, stage, off=off, **times)) == counts


def test_of_a_hundred_pilots_let_in_at_once_ten_start(tmp_path: Path) -> None:
    """Whichever looks first: the others see that as many are ahead of them."""
    submission = Submission.new(Store.open(tmp_path / "store"), "quick-01", "", [])
    for number in range(100):
        submission.say(PilotState(f"12_{number}", "waiting"))
    pilot = Pilot(submission.folder, [], 10)
    pilot._submission = submission
    may = []
    for number in range(0, 100, 7):
        pilot._job = f"12_{number}"
        if pilot._ahead() < pilot.starts:
            may.append(number)
    assert may == [0, 7]


@pytest.mark.parametrize(
    ("told", "over"),
    [
        ("JobId=7 JobState=RUNNING Reason=None PreemptTime=2026-11-29T12:20:50", False),
        ("JobId=7 JobState=SIGNALING Reason=None", False),
        ("JobId=7 JobState=COMPLETING Reason=None Restarts=1", True),
        ("JobId=7 JobState=CANCELLED Reason=None", True),
        ("", True),
    ],
)
def test_a_job_that_slurm_is_ending_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, over: bool
) -> None:
    """One that was cancelled must not be started again, and one that is requeued already need not be asked for."""
    commands = Commands(tmp_path / "bin")
    commands.add("scontrol", f"echo '{told}'")
    monkeypatch.setenv("PATH", f"{commands.folder}:/usr/bin:/bin")
    assert _is_over("7_1") is over
    assert commands.called("scontrol") == ["show job -o 7_1"]


def test_where_slurm_does_not_answer_nothing_is_asked_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node without scontrol: the pilot ends, and the run that waits submits another."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _is_over("7_1")


@pytest.mark.parametrize(("cluster", "told"), [("slurm", []), ("local", [15])])
def test_a_worker_is_told_to_stop_once(tmp_path: Path, cluster: str, told: list[int]) -> None:
    """Slurm sends SIGTERM to every process of a job itself: a second one would mean "at once"."""
    pilot = Pilot(tmp_path, [], 10)
    sent: list[int] = []
    pilot._environment = SimpleNamespace(name=lambda: cluster)
    pilot._told = False
    pilot._tell_worker = sent.append  # type: ignore[method-assign]
    pilot._hear(15, None)
    pilot._hear(15, None)
    assert sent == told
    assert pilot._told
