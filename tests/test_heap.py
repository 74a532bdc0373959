"""Memory that is freed stays with the process that frees it, until it is given back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from prunebench import heap

ROUNDS = """
import os, resource
import numpy as np
from prunebench import heap

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1])

told = heap.keep_freed()
faults = []
for _ in range(4):
    before = pages()
    taken = [np.ones(1 << 20) for _ in range(8)]  # eight pieces of 8 MiB
    del taken
    faults.append(pages() - before)
kept = resident()
heap.give_back()
print(told, faults[0], faults[-1], kept - resident())
"""

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="thresholds are glibc's"
)


def rounds(**variables: str) -> tuple[bool, int, int, int]:
    """Return, of a new process: whether it keeps memory, pages made in the first and last round, given back."""
    clean = {name: value for name, value in os.environ.items() if name not in heap.USERS_OWN}
    told = subprocess.run(
        [sys.executable, "-c", ROUNDS],
        env={**clean, "GLIBC_TUNABLES": "", **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    return told[0] == "True", int(told[1]), int(told[2]), int(told[3])


def test_what_is_freed_is_not_made_anew() -> None:
    """Taking 64 MiB again makes none of their 16,384 pages of 4 KiB; all of them are given back when asked."""
    keeps, first, last, given = rounds()
    pages = 64 * 1024 // (os.sysconf("SC_PAGE_SIZE") // 1024)
    assert keeps
    assert first > 0.01 * pages  # pages may be large
    assert last < 0.01 * first
    assert given > 0.9 * pages


@pytest.mark.parametrize(
    "variables",
    [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}],
)
def test_the_users_own_thresholds_stand(variables: dict[str, str]) -> None:
    """Who has set them is not overruled: the pages are made anew in every round."""
    keeps, first, last, _ = rounds(**variables)
    assert not keeps
    assert last > 0.5 * first


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where glibc's functions are not to be found nothing is told, and nothing fails."""
    monkeypatch.setattr(heap, "_glibc", lambda: None)
    assert not heap.keep_freed()
    heap.give_back()
