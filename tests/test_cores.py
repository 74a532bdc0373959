"""How many cores a process may use, by made-up files of the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prunebench import cores
from prunebench.cores import cores_allowed, usable_cores


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight threads of four cores (0 and 4, 1 and 5, …), all of them this process's."""
    monkeypatch.setattr(cores, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for thread in range(8):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{thread}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{thread % 4},{thread % 4 + 4}\n")
    return tmp_path


def group(machine: Path, line: str, folder: str, **files: str) -> None:
    """Be in a control group, with these files in a folder of the system's."""
    (machine / "proc/self").mkdir(parents=True, exist_ok=True)
    (machine / "proc/self/cgroup").write_text(line + "\n")
    (machine / "sys/fs/cgroup" / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (machine / "sys/fs/cgroup" / folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.mark.usefixtures("machine")
def test_two_threads_of_a_core_are_one() -> None:
    assert usable_cores() == 4


@pytest.mark.parametrize(("threads", "expected"), [({0}, 1), ({0, 4}, 1), ({1, 2}, 2), (set(range(6)), 4)])
@pytest.mark.usefixtures("machine")
def test_of_a_machine_a_scheduler_may_leave_some_cores(
    monkeypatch: pytest.MonkeyPatch, threads: set[int], expected: int
) -> None:
    """As taskset and Slurm do."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: threads, raising=False)
    assert usable_cores() == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("250000 100000", 2), ("50000 100000", 1), ("max 100000", 4), ("900000 100000", 4)],
)
def test_a_containers_quota_leaves_no_more_than_it_allows(machine: Path, limit: str, expected: int) -> None:
    """At least one, however little it is."""
    group(machine, "0::/pod/worker", "pod/worker", cpu__max=limit)
    assert usable_cores() == expected


def test_the_tightest_group_around_a_process_counts(machine: Path) -> None:
    group(machine, "0::/pod/worker", "pod/worker", cpu__max="300000 100000")
    group(machine, "0::/pod/worker", "pod", cpu__max="200000 100000")
    assert cores_allowed() == 2.0


def test_the_first_version_of_control_groups_counts_too(machine: Path) -> None:
    """There -1 is no limit."""
    line = "4:memory:/a\n1:cpu,cpuacct:/docker/b"
    group(machine, line, "cpu", cpu__cfs_quota_us="150000", cpu__cfs_period_us="50000")
    assert cores_allowed() == 3.0
    group(machine, line, "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="50000")
    assert cores_allowed() is None


def test_where_the_kernel_says_nothing_the_affinity_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cores, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 5, 7}, raising=False)
    assert usable_cores() == 3
