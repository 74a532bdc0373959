"""What a plan costs: every job once, a prolonged run once, time by the rate that was measured."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from prunebench.cli._output import amount, between, counted, duration, say
from prunebench.engine.selection import select
from prunebench.errors import UsageError
from prunebench.inventory.estimate import START, Machine, estimate, job_seconds, logged_seconds, measured_rate
from prunebench.inventory.frozen import newest_frozen
from prunebench.inventory.snapshot import Snapshot
from prunebench.plan import Plan
from prunebench.plan.cells import PlannedCell
from prunebench.store import Store

WEIGHTS = 64 * 4 + 4 * 10
"""Of the tiny network; the multiply-accumulates of a forward pass."""


def thawed(place: Any) -> tuple[Plan, Store]:
    store = Store.open(place.store, write=False)
    found = newest_frozen(place.suite, store)
    assert found is not None
    return found[0], store


def test_a_run_that_is_read_at_several_steps_costs_once(place: Any) -> None:
    """A dense run read at steps 0, 10 and 23 is one training, whatever reads it."""
    suite = (place.folder / "tiny.toml").read_text("utf-8").replace("seeds = 2", "seeds = 1")
    steps = 'seeds = 1\nscore_at = ["init", {step = 10}, "end"]'
    place.write("steps.toml", suite.replace("seeds = 1", steps).replace(', "magnitude-after-training"', ""))
    found = place.json("plan", "steps.toml", *place.plugin)
    whole = 3 * 23 * 64 + 355
    trainings = [job for job in found["jobs"] if job["kind"].startswith("train")]
    pruned = next(job["jobs"] for job in trainings if job["kind"] == "train pruned")
    assert pruned == 6
    total = found["estimate"]["total_macs"] / WEIGHTS
    scoring = total - (1 + pruned) * whole
    assert 0 < scoring < 100
    dense = next(cell for cell in found["cells"] if cell["method"] == "none")
    assert dense["macs"] == whole * WEIGHTS


def test_the_rate_is_that_of_the_runs_in_the_store(done: tuple[Any, Result]) -> None:
    """Cost over time of the runs trained in one go."""
    plan, store = thawed(done[0])
    rate = measured_rate(plan, store)
    assert rate is not None
    assert set(rate.by_architecture) == {"tiny-net"}
    assert 1 <= rate.runs <= 8
    seconds = []
    for cell in plan.cells:
        time = store.read_record(cell.key).provenance["time"]
        if time["trained_steps"] == 23:
            seconds.append(time["train_seconds"])
    assert rate.runs == len(seconds)
    assert rate.general == pytest.approx(WEIGHTS * (3 * 23 * 64 + 355) * len(seconds) / sum(seconds))
    found = estimate(Snapshot(plan, store), plan.cells)
    assert found.remaining_macs == found.remaining_seconds == 0
    assert found.measured
    assert found.basis.startswith(f"measured: {rate.runs} runs in this store, ")
    assert measured_rate(plan, store, "cuda") is None


def test_workers_share_the_work_as_far_as_there_are_cores(done: tuple[Any, Result]) -> None:
    """More workers than cores are no faster, and take longer to start; threads are cores too."""
    plan, store = thawed(done[0])
    snapshot = Snapshot(plan, store)

    def seconds(workers: int, cores: int, threads: int = 1) -> float:
        machine = Machine(cores, 0.0)
        found = estimate(snapshot, plan.cells, workers=workers, threads=threads, machine=machine)
        return found.total_seconds - (START * max(1, workers * threads / cores) if workers > 1 else 0)

    alone = seconds(1, 8)
    assert seconds(2, 8) == pytest.approx(alone / 2)
    assert seconds(8, 2) == pytest.approx(alone / 2)
    assert seconds(4, 4, threads=2) == pytest.approx(alone / 2)
    few = estimate(snapshot, plan.cells, workers=8, machine=Machine(2, 0.0))
    assert "cores for 2 of 8 workers" in few.basis


def test_no_number_of_workers_beats_the_longest_chain(done: tuple[Any, Result]) -> None:
    """Jobs that wait for each other take their sum, however many workers there are."""
    plan, store = thawed(done[0])
    cells = [cell for cell in plan.cells if cell.labels["method"] == "magnitude-after-training"][:1]
    machine = Machine(1000, 0.0)
    alone = estimate(Snapshot(plan, store), cells, machine=machine)
    many = estimate(Snapshot(plan, store), cells, workers=1000, machine=machine)
    chain = many.total_seconds - START
    assert alone.total_seconds / 2 < chain <= alone.total_seconds * (1 + 1e-9)


def test_a_guess_is_a_range_and_says_so(place: Any) -> None:
    """Nothing was run: the range is wide, wider on a busy machine, and the basis says that it is a guess."""
    found = place.json("plan", place.suite, *place.plugin)["estimate"]
    assert not found["measured"]
    low, high = found["total_range"]
    assert 0 < low < found["total_seconds"] < high
    assert high >= 5 * low
    assert found["basis"].startswith("a guess: nothing was measured here yet; assumed ")
    text = place.call("plan", place.suite, *place.plugin).stdout
    assert re.search(
        r"^estimated time: .* to do \(a guess: nothing was measured here yet", text, re.MULTILINE
    )


def test_a_busy_machine_widens_a_guess(done: tuple[Any, Result], tmp_path: Path) -> None:
    """Other programs may take most of the cores; of what was measured that is part already."""
    plan, store = thawed(done[0])
    empty = Store.open(tmp_path / "none", create=False, write=False, absent_ok=True)
    idle, busy = (
        estimate(Snapshot(plan, empty), plan.cells, machine=Machine(2, load)).total_range for load in (0, 5)
    )
    assert busy == (idle[0], pytest.approx(3 * idle[1]))
    idle, busy = (
        estimate(Snapshot(plan, store), plan.cells, machine=Machine(2, load)).total_range for load in (0, 5)
    )
    assert busy == idle


def test_other_jobs_take_what_they_took(done: tuple[Any, Result], tmp_path: Path) -> None:
    """The time between the first and the last line of their logs, the mean over their kind."""
    plan, store = thawed(done[0])
    taken = job_seconds(Snapshot(plan, store))
    assert {kind for kind, _, _ in taken} == {"score", "mask", "record"}
    assert all(0 <= seconds < 60 for seconds in taken.values())
    log = tmp_path / "abc.log"
    lines = [
        "2026-01-01 10:00:00,000 INFO score abc",
        "2026-01-01 10:00:09,000 ERROR failed: no luck",
        "Traceback (most recent call last):",
        "2026-01-02 10:00:00,250 INFO score abc",
        "2026-01-02 10:00:02,500 INFO done",
    ]
    log.write_text("\n".join(lines))
    assert logged_seconds(log) == 2.25
    log.write_text("\n".join(lines[:3]))
    assert logged_seconds(log) is None
    log.write_bytes(b"\xff\x00 INFO done\n INFO \n")
    assert logged_seconds(log) is None
    assert logged_seconds(tmp_path / "none.log") is None


@pytest.mark.parametrize(
    ("keyword", "count"),
    [("none", 2), ("NONE or own", 4), ("not s0", 4), ("s0 and not (random or own)", 2), ("tiny", 8)],
)
def test_select(done: tuple[Any, Result], keyword: str, count: int) -> None:
    """Names match parts of names and labels, whatever their case."""
    plan, _ = thawed(done[0])
    assert len(select(plan, Path("tiny.toml"), keyword=keyword)) == count


def test_select_refuses(done: tuple[Any, Result]) -> None:
    """Nothing selected is an error, and so is what is no expression."""
    plan, _ = thawed(done[0])
    for keyword in ("nosuch", "own and", "own(1)", "own(a=1)"):
        with pytest.raises(UsageError):
            select(plan, Path("tiny.toml"), keyword=keyword)


def test_select_finds_a_density_with_all_its_digits_and_tells_the_nearest() -> None:
    """Names of cells have five of them; a part of a number of many digits is none of the cell's names."""
    densities = ("0.512", "0.262144", "0.018014398509")
    cells = [
        PlannedCell("m", f"net-imp-d{float(one):.5g}-s0", one, (), {"method": "imp"}, one, 0, 1, 2, 0.0, ())
        for one in densities
    ]
    plan: Any = SimpleNamespace(cells=cells, suite={})
    for keyword, wanted in (("d0.262144", "0.262144"), ("imp and d0.018014398509", "0.018014398509")):
        assert [cell.density for cell in select(plan, None, keyword=keyword)] == [wanted]
    assert len(select(plan, None, keyword="d0.5")) == 1  # a part of a name, as pytest has it
    for keyword, said in (("d0.27", "did you mean 'd0.26214'"), ("d0.0181", "did you mean 'd0.018014'")):
        with pytest.raises(UsageError, match=said):
            select(plan, None, keyword=keyword)
    with pytest.raises(UsageError):
        select(plan, None, keyword="0.262144")


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (counted(1, "cell"), "1 cell"),
        (counted(1200, "cell"), "1,200 cells"),
        (duration(0.4), "less than a second"),
        (duration(42.4), "42 s"),
        (duration(59.7), "1 min"),
        (duration(400), "6 min 40 s"),
        (duration(9000), "2 h 30 min"),
        (duration(200_000), "2 d 7 h"),
        (duration(3600 * 24 * 365), "365 d"),
        (duration(1_173_099 * 86400), "3,212 years"),
        (between(0.1, 0.6), "less than a second"),
        (between(0.1, 3), "1–3 s"),
        (between(32, 190), "1–3 min"),
        (between(60, 61), "60–61 s"),
        (between(9000, 9100), "150–152 min"),
        (between(100, 1e11), "3,169 years"),
        (amount(0), "0 MAC"),
        (amount(1.5e9), "1.5 GMAC"),
        (amount(2e16), "20 PMAC"),
        (amount(6.56e20), "656 EMAC"),
        (amount(2.03e21), "2,030 EMAC"),
    ],
)
def test_numbers_in_words(found: str, wanted: str) -> None:
    """As precise as an estimate deserves."""
    assert found == wanted


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_colour", [True, False])
def test_styles_are_for_terminals(monkeypatch: pytest.MonkeyPatch, no_colour: bool) -> None:
    """Colour on a terminal, unless NO_COLOR is set; the text is the same."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    say("[bold] stays 12", "red")
    assert ("\x1b[31m" in terminal.getvalue()) is not no_colour
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()) == "[bold] stays 12\n"
