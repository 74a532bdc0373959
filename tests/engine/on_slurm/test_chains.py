"""Chains of levels under two pilots, one of which is killed while it trains a level."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from prunebench.engine.session import Session
from prunebench.store import Store

from .test_pilot import Place, place, until

__all__ = ["place"]  # a fixture

CHAINS = """
schema = 1
name = "tiny"
version = "1"

[[matrix]]
name = "main"
architecture = "digits-mlp"
dataset = "digits"
recipe = {name = "digits", epochs = 60}
sparsities = {keep = 0.8, count = 3}
seeds = 2
[[matrix.methods]]
as = "chain"
scorer = "magnitude"
score_at = "end"
schedule = {levels = 0.2}
train_from = "rewind"
clock = "rewind"
"""


@pytest.fixture
def chains(place: Place) -> Place:
    (place.folder / "tiny.toml").write_text(CHAINS)
    return place


def levels(place: Place) -> list[list[str]]:
    """The keys of the trainings of each chain, level by level."""
    plan = Session.prepare(place.request()).plan
    trained: dict[int, list[str]] = {}
    for cell in plan.cells:
        if cell.labels["method"] == "chain":
            trained.setdefault(cell.seed, []).append(plan.jobs[cell.key].inputs[0])
    return list(trained.values())


def moment(log: str, word: str) -> str:
    """When a log has this word first."""
    return next(line[:23] for line in log.splitlines() if word in line)


@pytest.mark.slow
def test_a_pilot_is_killed_in_a_level(chains: Place, tmp_path: Path) -> None:
    """The other one goes on: each level trained to its end once, none before the one that it is made of."""
    ours, store = levels(chains), Store.open(chains.store)
    killed: list[str] = []

    def under_way() -> Any:
        claimed = {str(claim["key"]): int(claim["pid"]) for claim in store.running()}
        return next(((key, claimed[key]) for chain in ours for key in chain[1:] if key in claimed), None)

    def kill() -> None:
        until(under_way)
        if claim := under_way():
            key, pid = claim
            os.kill(pid, signal.SIGKILL)
            killed.append(key)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    result = chains.run("--engine", "slurm", "--workers", "2")
    thread.join()
    assert len(killed) == 1
    assert "8 cells made now, 0 done before; " in result.output
    logs = {log.stem: log.read_text() for log in (chains.store / "logs").iterdir()}
    assert all(log.count(" INFO done") == 1 for log in logs.values())
    assert [logs[key].count(" INFO train ") for key in killed] == [2]
    for chain in ours:  # the next begins when the one before it is done
        begun, done = ([moment(logs[key], word) for key in chain] for word in (" INFO train ", " INFO done"))
        assert all(later > earlier for later, earlier in zip(begun[1:], done, strict=False))
    chains.store = tmp_path / "here"
    chains.run()
    here = Store.open(chains.store)
    assert store.record_keys() == here.record_keys() != set()
    for key in here.record_keys():
        assert store.read_record(key).digest == here.read_record(key).digest
    assert not store.claimed_keys()
