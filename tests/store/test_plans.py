"""Frozen plans: a checksum over all of the file, its name included."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunebench.store import Damaged, Store

PLAN = b'{"suite":{"name":"quick"},"cells":[["main","a",0.25]]}'


@pytest.fixture
def path(store: Store) -> Path:
    """A plan's file."""
    return store.write_plan("quick-0123456789ab", PLAN)


def test_a_plan_comes_back(store: Store, path: Path) -> None:
    """What was written is what is read."""
    assert store.read_plan(path, bytes) == PLAN


def test_every_flipped_bit_is_found(store: Store, path: Path) -> None:
    """Whichever bit of the file is flipped, the plan is not used; its neighbours do not notice."""
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
            try:
                assert store.read_plan(path, bytes) is None, (place, bit)
            except Damaged:
                assert not path.exists()


def test_every_truncation_is_found(store: Store, path: Path) -> None:
    """So is every length that is too short, and what was added."""
    whole = path.read_bytes()
    for content in [*(whole[:length] for length in range(len(whole))), whole + b" ", whole + whole]:
        path.write_bytes(content)
        with pytest.raises(Damaged):
            store.read_plan(path, bytes)


def test_another_plans_file_is_found(store: Store, path: Path) -> None:
    """A whole plan under another one's name is set aside."""
    other = path.with_name("quick-ba9876543210.json")
    other.write_bytes(path.read_bytes())
    with pytest.raises(Damaged, match="another plan's"):
        store.read_plan(other, bytes)
    assert store.read_plan(path, bytes) == PLAN


def test_plans_without_a_checksum_are_not_trusted(store: Store, path: Path) -> None:
    """A plan of format 1 stays where it is and is not used, but to say what has changed since."""
    old = b'{"format":1,' + PLAN[1:]
    path.write_bytes(old)
    assert store.read_plan(path, bytes) is None
    assert store.read_plan(path, bytes, unsealed=True) == old
    assert path.read_bytes() == old
    assert store.damaged == []


def test_plans_of_a_newer_format_are_left_alone(store: Store, path: Path) -> None:
    """They are not used, and not set aside either."""
    path.write_bytes(b'{"format":3,' + PLAN[1:])
    assert store.read_plan(path, bytes) is None
    assert store.read_plan(path, bytes, unsealed=True) is None
    assert path.exists()


def test_what_cannot_be_thawed_is_set_aside(store: Store, path: Path) -> None:
    """A plan with the right checksum that makes no plan is damaged, and the reason is said."""

    def refuse(content: bytes) -> None:
        raise ValueError("no cells")

    with pytest.raises(Damaged, match="no cells"):
        store.read_plan(path, refuse)
    assert not path.exists()
