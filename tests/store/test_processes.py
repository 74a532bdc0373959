"""What is known of a process: dead, at work, or neither for certain, so that only time can tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prunebench.store import Store, _process
from prunebench.store._process import Owner

from .conftest import Clock


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A living process."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    return _process._owner_of.__wrapped__(process.pid)


def known(owner: Owner) -> tuple[bool, bool]:
    """Return (certainly dead, certainly at work)."""
    return owner.dead(), owner.works()


def test_a_living_process_is_at_work_and_a_killed_one_dead(sleeper: subprocess.Popen[bytes]) -> None:
    """A zombie too: its parent has not looked yet."""
    owner = owner_of(sleeper)
    assert known(owner) == (False, True)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert known(owner) == (True, False)
    sleeper.wait()
    assert known(owner) == (True, False)


def test_a_suspended_process_may_go_on_or_not(
    sleeper: subprocess.Popen[bytes], until: Callable[[Callable[[], object]], None]
) -> None:
    owner = owner_of(sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    until(lambda: known(owner) == (False, False))
    sleeper.send_signal(signal.SIGCONT)
    until(lambda: known(owner) == (False, True))


def test_of_another_host_nothing_is_certain(sleeper: subprocess.Popen[bytes]) -> None:
    owner = owner_of(sleeper)
    assert known(Owner("elsewhere-00000000", owner.pid, owner.start)) == (False, False)
    assert known(Owner("elsewhere-00000000", 2**22 - 3, 1)) == (False, False)


@pytest.mark.parametrize("pid", [0, -1])
def test_what_is_no_process_number_is_dead(pid: int) -> None:
    """0 and -1 mean groups of processes to the system, which live."""
    assert Owner(Owner.me().host, pid, 1).dead()


def test_a_process_that_proc_hides_is_not_taken_for_dead(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user's under hidepid: it lives, but may be another of that number. A dead one is dead."""
    owner = owner_of(sleeper)
    read = Path.read_bytes

    def hidden(self: Path) -> bytes:
        if self == Path(f"/proc/{sleeper.pid}/stat"):
            raise FileNotFoundError
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", hidden)
    assert known(owner) == (False, False)
    sleeper.kill()
    sleeper.wait()
    assert known(owner) == (True, False)


def test_a_proc_of_another_namespace_is_not_believed(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There each number is another process."""
    owner = owner_of(sleeper)
    link = os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: "1" if path == "/proc/self" else link(path))
    assert known(owner) == (False, False)
    sleeper.kill()
    sleeper.wait()
    assert known(owner) == (True, False)


HIDDEN = """
import os, sys
sys.path[:] = sys.argv[1].split(":")
from prunebench.store._process import Owner
parent = os.getppid()
from prunebench.store import _process
owner = _process._owner_of(parent)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
assert not os.path.exists(f"/proc/{parent}/stat")
print(owner.dead(), owner.works())
"""


def test_under_hidepid_another_users_process_is_not_taken_for_dead() -> None:
    """Really: /proc is mounted so, and the process that asks becomes somebody else."""
    command = ["unshare", "--mount", "sh", "-c", 'mount -o remount,hidepid=2 /proc && "$@"; exit $?', "sh"]
    if os.geteuid() != 0 or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root can hide processes")
    done = subprocess.run(
        [*command, sys.executable, "-c", HIDDEN, ":".join(sys.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "False False\n", done.stderr


def test_a_suspended_claimant_blocks_for_a_minute_at_most(
    store: Store,
    key: str,
    start: Callable[..., subprocess.Popen[str]],
    clock: Clock,
    until: Callable[[Callable[[], object]], None],
) -> None:
    """And learns of it, once it goes on."""
    program = """
    import sys, time
    from prunebench.store import Store
    claim = Store.open(sys.argv[1]).claim(sys.argv[2], stale_after=0.4)
    print("mine", flush=True)
    while not claim.lost: time.sleep(0.01)
    print("lost", flush=True)
    """
    process = start(program, key)
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    clock.forward(3600)
    assert store.claim(key) is None  # it works, however long
    process.send_signal(signal.SIGSTOP)
    owner = _process._owner_of.__wrapped__(process.pid)
    until(lambda: not owner.works())
    assert store.claim(key) is None
    clock.forward(61)
    claim = store.claim(key)
    assert claim is not None
    process.send_signal(signal.SIGCONT)
    assert process.stdout.readline() == "lost\n"
    claim.release()
