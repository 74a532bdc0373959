"""Runs on one store, started at the same moment, do each job once between them, and say who made what."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from prunebench.inventory.frozen import newest_frozen
from prunebench.store import Store


@pytest.mark.parametrize(
    "asked",
    [([], ["-k", "snip"]), pytest.param((["-n", "2"], [], ["-k", "snip"]), marks=pytest.mark.slow)],
    ids=["two", "three"],
)
def test_runs_that_start_together_share_what_is_to_be_done(place: Any, asked: tuple[list[str], ...]) -> None:
    """One with two workers, one alone, and one that was asked for some of the cells, which ends with those."""
    text = (place.folder / "tiny.toml").read_text().replace("tiny-net", "digits-mlp")
    text = text.replace('"own"', '"snip"').replace("epochs = 1", "epochs = 3").replace("[0.5]", "[0.5, 0.9]")
    suite = place.write("together.toml", text)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "prunebench", "run", suite, "--no-plugins", "--json", *args],
            cwd=place.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for args in asked
    ]
    said = [run.communicate(timeout=180) for run in runs]
    assert [run.returncode for run in runs] == [0] * len(asked), said
    told = [json.loads(out) for out, _ in said]
    store = Store.open(place.store)
    newest = newest_frozen(suite, store)
    assert newest is not None
    plan = newest[0]
    assert sum(one["jobs"] for one in told) == len(plan.jobs)
    makers = Counter(cell for one in told for cell in one["made"])
    assert set(makers) == set(plan.by_id)
    assert set(makers.values()) == {1}
    for one, args in zip(told, asked, strict=True):
        there = [*one["made"], *one["elsewhere"], *one["before"]]
        assert len(there) == len(set(there))
        assert set(there) == {cell for cell in plan.by_id if "-k" not in args or "snip" in cell}
        assert not one["failed"]
    assert not store.claimed_keys()
    assert not store.attempt_keys()
