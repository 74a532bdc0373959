"""Claims: one claimant at a time, dead ones are taken over, living ones are not."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from prunebench.errors import StoreError
from prunebench.store import Claim, Store, claims
from prunebench.store._process import Owner

from .conftest import Clock

Start = Callable[..., "subprocess.Popen[str]"]
Until = Callable[[Callable[[], object]], None]

CONTENDER = """
import os, sys, time
from pathlib import Path
from prunebench.store import Store
store = Store.open(sys.argv[1])
ready = Path(sys.argv[2]); (ready / str(os.getpid())).touch()
while not (ready / "go").exists():
    pass
claim = store.claim(sys.argv[3])
print("mine" if claim else "none", flush=True)
time.sleep(60)
"""


def path_of(store: Store, key: str) -> Path:
    """A claim's file."""
    return store.root / "claims" / f"{key}.json"


def foreign(store: Store, key: str, age: float, **changes: object) -> Path:
    """Write the claim of a process of another host, last touched `age` seconds ago."""
    path = path_of(store, key)
    path.parent.mkdir(exist_ok=True)
    claim = {
        "key": key,
        "host": "elsewhere-00000000",
        "pid": 1,
        "start": 1,
        "token": "ab" * 8,
        "time": "",
        **changes,
    }
    path.write_text(json.dumps(claim))
    os.utime(path, (time.time() - age,) * 2)
    return path


def contend(
    store: Store, key: str, start: Start, until: Until, ready: Path, count: int = 4
) -> list[tuple[str, subprocess.Popen[str]]]:
    """Let several processes claim one key at the same moment; return what each got."""
    ready.mkdir()
    processes = [start(CONTENDER, ready, key) for _ in range(count)]
    until(lambda: len(os.listdir(ready)) == count)
    (ready / "go").touch()
    return [
        (process.stdout.readline().strip(), process) for process in processes if process.stdout is not None
    ]


def test_a_claim_is_held_until_it_is_released(store: Store, key: str) -> None:
    """While a claim is held nobody gets it, in this process neither; then it is free."""
    with store.claim(key) or pytest.fail("not free") as claim:
        assert claim.key == key
        assert store.claim(key) is None
        assert Store.open(store.root).claim(key) is None
        said = json.loads(path_of(store, key).read_text())
        assert (said["pid"], said["key"]) == (os.getpid(), key)
    assert not path_of(store, key).exists()
    again = store.claim(key)
    assert again is not None
    again.release()
    again.release()
    assert list((store.root / "claims").iterdir()) == []


def test_claims_on_other_keys_are_free(store: Store, key: str) -> None:
    """A claim is on its key alone; states have claims of their own."""
    with store.claim(key) or pytest.fail("not free"), store.claim(f"{key}@100") or pytest.fail("not free"):
        assert store.claim(f"{key}@200") is not None


def test_one_of_many_processes_gets_it(
    store: Store, key: str, start: Start, until: Until, tmp_path: Path
) -> None:
    """Of four processes that claim a key at once exactly one gets it; when it is killed it is free."""
    got = contend(store, key, start, until, tmp_path / "ready")
    assert sorted(word for word, _ in got) == ["mine", "none", "none", "none"]
    assert store.claim(key) is None
    winner = next(process for word, process in got if word == "mine")
    winner.send_signal(signal.SIGKILL)
    until(lambda: Owner.dead(Owner(Owner.me().host, winner.pid, 0)))
    claim = store.claim(key)  # its parent has not waited for it: a zombie is dead too
    assert claim is not None
    claim.release()


def test_one_of_many_processes_takes_a_dead_ones_claim_over(
    store: Store, key: str, start: Start, until: Until, tmp_path: Path
) -> None:
    """Of four processes that find a dead process's claim exactly one takes it over."""
    me = Owner.me()
    foreign(store, key, 0, host=me.host, pid=2**22 - 3, start=5)
    got = contend(store, key, start, until, tmp_path / "ready")
    assert sorted(word for word, _ in got) == ["mine", "none", "none", "none"]
    assert [path.name for path in (store.root / "claims").iterdir()] == [f"{key}.json"]


def test_threads_take_over_once(store: Store, key: str, clock: Clock) -> None:
    """Of many threads that find stale claims, one takes each over, again and again."""
    barrier = threading.Barrier(6)

    def run(claims: list[Claim | None]) -> None:
        barrier.wait()
        claims.append(store.claim(key))

    for turn in range(20):
        foreign(store, key, 3600, token=f"{turn:016x}")
        assert store.claim(key) is None
        clock.forward(15)
        claims: list[Claim | None] = []
        threads = [threading.Thread(target=run, args=(claims,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        held = [claim for claim in claims if claim is not None]
        assert len(held) == 1
        held[0].release()


def test_a_reused_process_number_is_not_the_claimant(store: Store, key: str) -> None:
    """A living process of the same number that started at another time does not hold a dead one's claim."""
    me = Owner.me()
    foreign(store, key, 0, host=me.host, pid=os.getpid(), start=me.start - 5)
    claim = store.claim(key)
    assert claim is not None
    claim.release()


@pytest.mark.parametrize(
    ("age", "watched"),
    [(120, 13), (86400, 13), (20, 61), (0, 61), (-7200, 61), (-1e8, 61)],
    ids=["old", "very old", "young", "new", "of a clock two hours ahead", "of a clock years ahead"],
)
def test_a_silent_claim_of_another_host_is_taken_over(
    store: Store, key: str, clock: Clock, age: float, watched: float
) -> None:
    """Within a minute of looking at it, whatever its time says; sooner where it looks old."""
    foreign(store, key, age)
    assert store.claim(key) is None
    clock.forward(watched - 2)
    assert store.claim(key) is None
    clock.forward(2)
    claim = store.claim(key)
    assert claim is not None
    assert json.loads(path_of(store, key).read_text())["pid"] == os.getpid()
    claim.release()


@pytest.mark.parametrize("jump", [7200, -7200, 1e8, -1e8])
def test_a_living_claim_of_another_host_is_left_when_clocks_jump(
    store: Store, key: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """The server's, the other host's or one's own: what is touched again and again lives, whatever its time."""
    for beat in range(40):
        path = foreign(store, key, 0)
        os.utime(path, (time.time() + (jump if beat > 20 else 0) + beat,) * 2)
        if beat == 10:
            monkeypatch.setattr(claims, "server_now", lambda _: 1e9 + jump)
        assert store.claim(key) is None
        assert store.bury() == []
        clock.forward(5)


def test_a_longer_patience_is_kept(store: Store, key: str, clock: Clock) -> None:
    foreign(store, key, 120)
    for _ in range(5):
        assert store.claim(key, stale_after=600) is None
        clock.forward(100)
    assert store.sweep() == []


def test_what_is_younger_than_it_looks_is_watched_for_long(store: Store, key: str, clock: Clock) -> None:
    """Only a claim that looks older than a minute is taken over after the shorter watch."""
    foreign(store, key, 30)
    assert store.claim(key) is None
    clock.forward(29)
    assert store.claim(key) is None
    clock.forward(32)
    assert store.claim(key) is not None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"host": 3}', b'{"host":"x","pid":"a","start":1,"token":"t"}']
)
def test_an_unreadable_claim_waits_for_its_time(store: Store, key: str, content: bytes, clock: Clock) -> None:
    """A claim that says nothing may be being written: it is watched for a minute, then taken over."""
    path = foreign(store, key, 0)
    path.write_bytes(content)
    assert store.claim(key) is None
    clock.forward(61)
    claim = store.claim(key)
    assert claim is not None
    claim.release()


def test_the_heartbeat_touches_the_claim(store: Store, key: str, until: Until) -> None:
    """While a claim is held its file is touched again and again."""
    with store.claim(key, stale_after=0.2) or pytest.fail("not free"):
        path = path_of(store, key)
        os.utime(path, (1, 1))
        until(lambda: path.stat().st_mtime > 1)
        os.utime(path, (1, 1))
        until(lambda: path.stat().st_mtime > 1)


def test_a_lost_claim_is_noticed_and_left_to_its_taker(store: Store, key: str, until: Until) -> None:
    """A claimant that was taken over learns of it, and neither touches nor releases the taker's claim."""
    claim = store.claim(key, stale_after=0.2)
    assert claim is not None
    path = path_of(store, key)
    path.unlink()
    foreign(store, key, 30)
    before = path.stat().st_mtime
    until(lambda: claim.lost)
    claim.release()
    assert path.exists()
    assert path.stat().st_mtime == before


@pytest.mark.parametrize(
    ("code", "taken", "lost"),
    [(errno.ESTALE, True, True), (errno.ESTALE, False, False), (errno.EIO, True, False)],
    ids=["removed by another host", "the server has started anew", "the file system is away"],
)
def test_a_claim_is_lost_only_where_another_has_its_name(
    store: Store, key: str, until: Until, monkeypatch: pytest.MonkeyPatch, code: int, taken: bool, lost: bool
) -> None:
    """On NFS a file that another host has removed is stale: touching it fails with that."""
    claim = store.claim(key, stale_after=0.1)
    assert claim is not None
    beats = []

    def touch() -> None:
        beats.append(code)
        raise OSError(code, os.strerror(code))

    if taken:
        path_of(store, key).unlink()
        foreign(store, key, 0)
    monkeypatch.setattr(claim, "_touch", touch)
    until(lambda: claim.lost if lost else len(beats) > 3)
    assert claim.lost == lost
    claim.release()


def test_a_dead_takers_mark_blocks_nobody(store: Store, key: str, clock: Clock) -> None:
    """A process that died in the middle of taking a claim over does not hold the key for ever."""
    path = foreign(store, key, 3600)
    assert store.claim(key) is None
    clock.forward(15)
    mark = path.with_name(f".{key}.{'ab' * 8}.takeover")
    said = {"key": key, "host": Owner.me().host, "pid": 2**22 - 3, "start": 5, "token": "ab" * 8, "time": ""}
    mark.write_text(json.dumps(said))
    claim = store.claim(key)
    assert claim is not None
    claim.release()
    assert list((store.root / "claims").iterdir()) == []


@pytest.mark.parametrize("bad", ["", "../x", "a/b", ".hidden", "x" * 121, "a\nb"])
def test_names_with_tricks_are_refused(store: Store, bad: str) -> None:
    """Claims, attempts, logs and plans have plain names: none leads out of the store."""
    for use in (store.claim, store.attempts, store.log_path):
        with pytest.raises(StoreError, match="not a name for a file"):
            use(bad)


def test_living_claims_are_listed(store: Store, key: str, clock: Clock) -> None:
    """Who is working on what can be shown: living claims with key, host and process, the oldest first. One of
    another host that looks dead is watched first, whether the store may be written or not."""
    foreign(store, "old", 3600)
    foreign(store, "younger", 5, time="19990102T000000.000000Z")
    foreign(store, "young", 5, time="19990101T000000.000000Z")
    reading = Store.open(store.root, write=False)
    with store.claim(key) or pytest.fail("not free"):
        for looking in (store, reading):
            assert [entry["key"] for entry in looking.running()] == ["old", "young", "younger", key]
        clock.forward(13)
        found = store.running()
        assert [entry["key"] for entry in found] == ["young", "younger", key]
        assert [entry["pid"] for entry in found] == [1, 1, os.getpid()]
        assert reading.running() == found


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("hours", [-5.0, 5.0])
def test_a_living_claim_of_another_host_is_one_however_far_clocks_are_apart(
    store: Store, monkeypatch: pytest.MonkeyPatch, write: bool, hours: float
) -> None:
    """Its host touches it, by its own clock: seen within a beat. One that is as old and stands still is dead."""
    living, dead = foreign(store, "living", hours * 3600), foreign(store, "dead", hours * 3600)
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds
        if passed[0] % 5 < seconds:
            os.utime(living, (time.time() - hours * 3600 + passed[0],) * 2)

    ours = SimpleNamespace(monotonic=lambda: 1000.0 + passed[0], time=time.time, sleep=sleep)
    monkeypatch.setattr(claims, "time", ours)
    looking = Store.open(store.root, write=write)
    keys = {entry["key"] for entry in looking.running(sure=True)}
    if write and hours < 0:  # it is of the file server's future: it is watched for as long as a fresh one
        assert keys == {"living", "dead"}
        sleep(61)
        keys = {entry["key"] for entry in looking.running(sure=True)}
    assert keys == {"living"}
    assert passed[0] < 75
    assert dead.exists()


def test_whoever_has_to_be_sure_waits_for_nothing_where_all_is_plain(
    store: Store, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign(store, "fresh", 5)
    monkeypatch.setattr(claims.time, "sleep", lambda seconds: pytest.fail("it waits"))
    with store.claim(key) or pytest.fail("not free"):
        assert [entry["key"] for entry in store.running(sure=True)] == ["fresh", key]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, " (killed, or out of memory)"),
        (-9, ": it was killed by SIGKILL (perhaps as memory ran out)"),
        (3, ": it left with exit code 3"),
    ],
)
def test_a_killed_claimant_leaves_an_attempt(
    store: Store, key: str, start: Start, until: Until, tmp_path: Path, code: int | None, said: str
) -> None:
    """Burying a killed process's claim writes down that it died, with the end of its log; nobody else's.

    Who has seen it end says how.
    """
    store.log_path(key).write_text("step 17")
    foreign(store, "elsewhere", 3600)
    ((word, process),) = contend(store, key, start, until, tmp_path / "ready", 1)
    assert word == "mine"
    assert store.bury() == []
    process.kill()
    until(lambda: Owner.dead(Owner(Owner.me().host, process.pid, 0)))
    ended = {process.pid: code} if code is not None else None
    assert [path.stem for path in store.bury(ended)] == [key]
    (attempt,) = store.attempts(key)
    assert attempt["error"] == f"process {process.pid} died while it worked on this{said}"
    assert attempt["signal"] == (9 if "SIGKILL" in said else None)
    assert attempt["log_tail"] == "step 17"
    assert store.attempt_keys() == {key}
    assert store.claim(key) is not None


def test_a_dead_claimant_is_written_down_when_its_claim_is_taken(store: Store, key: str) -> None:
    """Whoever takes a dead process's claim over leaves an attempt in its name."""
    me = Owner.me()
    foreign(store, key, 0, host=me.host, pid=2**22 - 3, start=5)
    with store.claim(key) or pytest.fail("not free"):
        assert "died while it worked on this" in store.attempts(key)[0]["error"]


def test_what_a_claimant_tells_is_seen_by_all_and_renewed_by_its_heartbeat(
    store: Store, key: str, until: Callable[[Callable[[], object]], None]
) -> None:
    """At once the first time, then with each beat; in place, so that no file comes or goes."""
    reading = Store.open(store.root, write=False)
    with store.claim(key, stale_after=0.2) as claim:  # type: ignore[union-attr]
        assert [one["told"] for one in reading.running()] == [{}]
        claim.tell({"worker": "gw1", "step": 1})
        assert [one["told"] for one in reading.running()] == [{"worker": "gw1", "step": 1}]
        for step in range(2, 500):
            claim.tell({"worker": "gw1", "step": step})
        until(lambda: reading.running()[0]["told"] == {"worker": "gw1", "step": 499})
        assert os.listdir(store.root / "claims") == [f"{key}.json"]
        claim.tell({"step": "x" * 10_000})  # too long: what was told before stands
        time.sleep(0.2)
        assert reading.running()[0]["told"]["step"] == 499
        assert store.claim(key) is None
    assert not store.running()


def test_a_claim_whose_telling_is_torn_is_a_claim_all_the_same(store: Store, key: str) -> None:
    """Half a line, or something else: nothing is told, and the claim is whose it was."""
    with store.claim(key) as claim:  # type: ignore[union-attr]
        claim.tell({"step": 7})
        path = store.root / "claims" / f"{key}.json"
        first = path.read_bytes().split(b"\n")[0]
        for second in (b'{"step": 8', b"[1]", b"\xff", b'{"a": ' * 40):
            path.write_bytes(first + b"\n" + second)
            (one,) = store.running()
            assert (one["told"], one["pid"]) == ({}, os.getpid())
