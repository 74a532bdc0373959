"""Attempts, plans and logs: what stands beside results."""

from __future__ import annotations

import os
from pathlib import Path

from prunebench.store import Store


def test_attempts_come_newest_last(store: Store, key: str) -> None:
    """Every failure is kept, in the order in which they happened, with all that was told."""
    for i in range(3):
        store.write_attempt(
            key, f"error {i}", log_tail="a\nb", signal=9 if i else None, job={"kind": "train"}
        )
    found = store.attempts(key)
    assert [attempt["error"] for attempt in found] == ["error 0", "error 1", "error 2"]
    assert found[2]["signal"] == 9
    assert found[2]["job"] == {"kind": "train"}
    assert found[2]["log_tail"] == "a\nb"
    assert found[2]["pid"] == os.getpid()


def test_an_attempt_is_no_result(store: Store, key: str) -> None:
    """A failure leaves nothing that could be taken for a result."""
    store.write_attempt(key, "out of memory")
    assert not store.has_artifact(key)
    assert not store.has_record(key)
    assert not store.has_measure(key)
    assert store.attempts("0" * 64) == []


def test_an_attempt_can_always_be_told(store: Store, key: str) -> None:
    """Text with bytes of another encoding, and values that JSON does not know, do not hide the failure."""
    store.write_attempt(key, "bad \udcff", log_tail="\ud800", job={"loss": float("nan"), "path": Path("x")})
    (attempt,) = store.attempts(key)
    assert attempt["error"] == "bad ?"
    assert attempt["job"] == {"loss": None, "path": "PosixPath('x')"}


def test_a_damaged_attempt_is_left_out(store: Store, key: str) -> None:
    """An attempt that cannot be read is set aside, said, and does not hide the others."""
    store.write_attempt(key, "first").write_text("{")
    store.write_attempt(key, "second")
    assert [attempt["error"] for attempt in store.attempts(key)] == ["second"]
    (damaged,) = store.damaged
    assert damaged.aside is not None
    assert "not JSON" in damaged.reason


def test_attempts_may_belong_to_states(store: Store, key: str) -> None:
    """Failures of making a state are kept under the state's key."""
    store.write_attempt(f"{key}@100", "out of memory")
    assert len(store.attempts(f"{key}@100")) == 1
    assert store.attempt_keys() == {f"{key}@100"}


def test_plans_are_replaced_and_listed(store: Store) -> None:
    """The plans of a suite come newest last, and those of a suite with a longer name are not among them."""
    first = store.write_plan("pai-0123456789ab", b"1")
    second = store.write_plan("pai-ba9876543210", b"2")
    store.write_plan("pai-lenet-0123456789ab", b"3")
    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    assert store.plans("pai") == [first, second]
    assert store.write_plan("pai-0123456789ab", b"1 again") == first
    assert store.plans("pai") == [second, first]
    assert store.read_plan(first, bytes) == b"1 again"
    assert len(store.plans()) == 3
    assert store.plans("quick") == []


def test_logs_have_a_folder(store: Store, key: str) -> None:
    """A job's log can be written at once, states' logs too."""
    store.log_path(key).write_text("hello")
    store.log_path(f"{key}@100").write_text("hello")
    assert store.log_path(key) == store.root / "logs" / f"{key}.log"
