"""Killed at chosen points, whoever it is: the bits are the same, and nothing is made twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

PLACES = (
    "right after its claim",
    "in an epoch",
    "while an artifact is written",
    "while a mask is computed",
    "just before its commit",
    "between record and log",
)


@pytest.mark.parametrize(
    "places",
    [
        ["in an epoch", "while an artifact is written", "between record and log", "before its line"],
        pytest.param([*PLACES, "before its line"], marks=pytest.mark.slow),
    ],
    ids=["four", "all seven"],
)
def test_a_process_that_is_killed_at_several_points_is_replaced_and_goes_on(
    injected: Any, places: list[str]
) -> None:
    """In one run: after each SIGKILL a new process does the rest, and the run has made everything. A cell has a
    line also where its process dies between the two, with a claim or with none."""
    place = injected(epochs=2)
    out = place.run(said={"kills": [(name, "itself") for name in places], "checkpoints": 0.0})
    assert place.kills() == places
    assert "4 cells made now, 0 done before; " in out
    assert "failed" not in out
    numbers = [int(line[1]) for line in out.splitlines() if line.startswith("[")]
    assert numbers == [1, 2, 3, 4], "each cell is told of once"
    assert place.notes("went on from"), "a training that was killed goes on from a checkpoint"
    place.check()


@pytest.mark.slow
def test_what_a_worker_made_that_was_killed_is_the_runs_own(injected: Any) -> None:
    """Killed between a record and its time, after it helped with others' jobs: nobody else has made anything."""
    place = injected(epochs=2)
    kills = [("between record and log", "itself")] * 2
    out = place.run("-n", "2", "--json", said={"kills": kills})
    told = json.JSONDecoder().raw_decode(out[out.index("{") :])[0]
    assert place.kills() == ["between record and log"] * 2
    assert len(told["made"]) == 4
    assert told["elsewhere"] == []
    assert told["jobs"] == len(place.notes("committed"))
    place.check()


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["itself", "parent", "first", "all"])
@pytest.mark.parametrize("name", PLACES)
def test_with_two_workers_whoever_is_killed_the_same_command_goes_on(
    injected: Any, whom: str, name: str
) -> None:
    """A worker, the process that leads the workers, the one that was started, or all of them."""
    place = injected(epochs=2)
    said = {"kills": [(name, whom)], "checkpoints": 0.0}
    place.run("-n", "2", said=said, code=0 if whom == "itself" else None)
    assert place.kills() == [name]
    if whom != "itself":
        place.check_nobody_is_left()
    place.run("-n", "2", said=said)
    place.check()
    if name == "in an epoch":
        assert place.notes("went on from")
