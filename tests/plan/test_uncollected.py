"""What is made while no garbage is looked for."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from prunebench.plan.uncollected import uncollected


def old(value: Any) -> bool:
    return any(one is value for one in gc.get_objects(generation=2))


@uncollected()
def made() -> list[list[int]]:
    assert not gc.isenabled()
    return [[]]


def test_it_counts_as_old_afterwards() -> None:
    """As the youngest of all, a million values would be looked through at once."""
    value = made()
    assert gc.isenabled()
    assert old(value)
    assert gc.get_freeze_count() == 0


def test_what_somebody_has_frozen_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    thawed: list[None] = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 1)
    monkeypatch.setattr(gc, "unfreeze", lambda: thawed.append(None))
    made()
    assert gc.isenabled()
    assert not thawed


def test_within_another_it_leaves_that_one_to_end_it() -> None:
    with uncollected():
        made()
        assert not gc.isenabled()
    assert gc.isenabled()
