"""The driver of a run on Ray, with hands that are no Ray: what it hands over, and what it tells of cells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from prunebench import stopping
from prunebench.engine.failures import JobFailed
from prunebench.engine.jobs_left import JobsLeft
from prunebench.engine.on_ray.driver import UNFIT, Driver
from prunebench.engine.on_ray.values import Came
from prunebench.errors import StoreError
from prunebench.plan import Job, Plan, PlannedCell
from prunebench.plan.params import ShuffleParams
from prunebench.store import Missing


def plan_of(**inputs: tuple[str, ...]) -> Plan:
    """Return a plan of jobs that read each other; every job named `r…` is the record of a cell."""
    jobs = {key: Job(key, ShuffleParams(seed=0), needs) for key, needs in inputs.items()}
    cells = [cell(key) for key in inputs if key.startswith("r")]
    return Plan(suite={}, cells=cells, jobs=jobs, costs={}, identities={})


def cell(key: str) -> PlannedCell:
    return PlannedCell("m", key, key, (key,), {}, "0.5", 0, 1, 2, 1.0, ())


@dataclass
class Hands:
    """Makes jobs one a turn, those first that were handed over first and whose prerequisites have ended."""

    comes: Mapping[str, list[str]] = field(default_factory=dict)
    """For a job, how its first attempts come out; then, and without an entry: `made`."""
    each: Callable[[str], Any] = lambda key: None
    slots: int = 2
    handed: list[tuple[str, list[str]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    deaf: Collection[str] = ()
    """Jobs that go on when they are cancelled."""
    holds: dict[str, list[str]] = field(default_factory=dict)
    most: int = 0

    def submit(self, key: str, before: Iterable[str]) -> None:
        self.handed.append((key, list(before)))
        self.holds[key] = list(before)
        self.most = max(self.most, len(self.holds))

    def ended(self, seconds: float) -> list[Came]:
        for key, before in self.holds.items():
            if key in self.cancelled and key not in self.deaf:
                del self.holds[key]
                return [Came(key, "cancelled")]
            if not any(one in self.holds for one in before):
                if key in self.deaf:
                    continue
                del self.holds[key]
                self.each(key)
                left = self.comes.get(key) or ["made"]
                return [Came(key, left.pop(0), 1.5, key, f"{key} broke")]
        return []

    def cancel(self, keys: Iterable[str], *, kill: bool = False) -> None:
        (self.killed if kill else self.cancelled).extend(keys)

    def news(self) -> list[str]:
        return []


@dataclass
class Told:
    """What was said."""

    cells: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def cell(
        self,
        name: str,
        *,
        result: str = "",
        error: str | None = None,
        jobs: int = 1,
        seconds: float | None = None,
    ) -> None:
        assert name not in self.cells, "told once"
        self.cells[name] = (error,) if error is not None else (result, jobs, seconds)

    def note(self, text: str) -> None:
        self.notes.append(text)


def drive(
    plan: Plan, hands: Hands, *, have: Collection[str] = (), result: Any = lambda cell: "97 %", **options: Any
) -> tuple[Told, Driver]:
    """Run a plan's cells; what was told, and the driver."""
    told = Told()
    wanted = [key for one in plan.cells for key in one.targets]
    driver = Driver(
        JobsLeft(plan, wanted, have.__contains__, options.pop("given_up", {})),
        plan.cells,
        hands,
        told,
        result=result,
        lost=lambda key, message: JobFailed(plan.jobs[key], f"lost: {message}"),
        failed=lambda key: f"{key} had failed before",
        **options,
    )
    driver.run()
    return told, driver


def test_every_cell_is_told_of_once_with_the_jobs_and_seconds_that_it_took() -> None:
    """What two cells share counts for the first that is told of."""
    plan = plan_of(a=(), b=("a",), r1=("b",), r2=("b", "a"))
    hands = Hands()
    told, driver = drive(plan, hands)
    assert told.cells == {"m::r1": ("97 %", 3, 4.5), "m::r2": ("97 %", 1, 1.5)}
    assert driver.jobs == 4
    assert [key for key, _ in hands.handed] == ["a", "b", "r1", "r2"]
    assert dict(hands.handed)["r1"] == ["b"]


def test_a_cell_that_another_run_made_is_told_of_as_such() -> None:
    """No job of it ran here."""
    told, _ = drive(plan_of(r1=(), r2=()), Hands({"r1": ["there"]}))
    assert told.cells == {"m::r1": ("97 %", 0, 0), "m::r2": ("97 %", 1, 1.5)}


def test_what_is_there_at_the_start_is_told_of_and_not_handed_over() -> None:
    hands = Hands()
    told, _ = drive(plan_of(r1=(), r2=()), hands, have={"r1"})
    assert set(told.cells) == {"m::r1", "m::r2"}
    assert [key for key, _ in hands.handed] == ["r2"]


def test_a_failed_job_fails_its_cells_with_its_error_and_takes_back_what_needs_it() -> None:
    """Nothing that descends from it is made; the rest is."""
    plan = plan_of(a=(), b=("a",), r1=("b",), r2=("b",), c=(), r3=("c",))
    hands = Hands({"a": ["failed"]}, slots=1)
    told, driver = drive(plan, hands)
    assert told.cells["m::r1"] == told.cells["m::r2"]
    assert "failed: a broke" in told.cells["m::r1"][0]
    assert told.cells["m::r3"] == ("97 %", 2, 3.0)
    assert driver.failures == 2
    assert set(hands.cancelled) <= {"b", "r1", "r2"}
    assert driver.jobs == 2


def test_a_job_whose_processes_died_again_and_again_has_failed() -> None:
    """And what waited for it has not died of anything itself, whatever Ray says of it."""
    plan = plan_of(a=(), r1=("a",), r2=())
    told, _ = drive(plan, Hands({"a": ["lost"], "r1": ["lost"]}))
    assert "failed: lost: a broke" in told.cells["m::r1"][0]
    assert told.cells["m::r2"] == ("97 %", 1, 1.5)


def test_a_job_that_came_back_undone_is_handed_over_again() -> None:
    told, _ = drive(plan_of(a=(), r1=("a",)), Hands({"a": ["cancelled", "unfit"]}))
    assert told.cells == {"m::r1": ("97 %", 2, 3.0)}
    assert told.notes == ["a broke; its jobs go elsewhere"]


def test_where_no_node_is_fit_the_run_ends_with_the_reason() -> None:
    with pytest.raises(StoreError, match="r1 broke"):
        drive(plan_of(r1=()), Hands({"r1": ["unfit"] * UNFIT}))


def test_a_store_that_cannot_be_written_ends_the_run() -> None:
    with pytest.raises(StoreError, match="r1 broke"):
        drive(plan_of(r1=(), r2=()), Hands({"r1": ["stuck"]}))


def test_the_first_failure_ends_the_run_where_that_is_asked() -> None:
    """What runs is cancelled; what was handed over and not begun is taken back."""
    hands = Hands({"r1": ["failed"]}, slots=1)
    told, driver = drive(plan_of(r1=(), r2=(), r3=(), r4=()), hands, first_failure=True)
    assert list(told.cells) == ["m::r1"]
    assert driver.failures == 1
    assert {"r2", "r3"} <= set(hands.cancelled)
    assert not hands.holds


def test_what_failed_before_is_not_tried_again() -> None:
    """By a process of this run that died of it."""
    hands = Hands()
    told, _ = drive(plan_of(a=(), r1=("a",), r2=()), hands, given_up={"a": "boom"})
    assert told.cells["m::r1"] == ("a had failed before",)
    assert [key for key, _ in hands.handed] == ["r2"]


def test_a_result_that_is_gone_when_it_is_to_be_told_of_is_kept_for_another_round() -> None:
    """A damaged record was set aside just then."""

    def result(one: PlannedCell) -> str:
        if one.key == "r1":
            raise Missing("gone")
        return "97 %"

    told, driver = drive(plan_of(r1=(), r2=()), Hands(), result=result)
    assert list(told.cells) == ["m::r2"]
    assert [one.id for one in driver.again] == ["m::r1"]


def test_told_to_stop_it_cancels_all_and_waits_for_what_is_still_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that does not heed it is ended with its process; what ended in time is told of."""
    import signal

    monkeypatch.setattr("prunebench.engine.on_ray.driver.PATIENCE", 0.05)
    hands = Hands(each=lambda key: signal.raise_signal(signal.SIGINT), deaf={"r2"}, slots=4)
    told = Told()
    with stopping.listening():
        plan = plan_of(r1=(), r2=(), r3=())
        work = JobsLeft(plan, ["r1", "r2", "r3"], lambda key: False)
        driver = Driver(
            work,
            plan.cells,
            hands,
            told,
            result=lambda cell: "97 %",
            lost=lambda key, message: pytest.fail("a job that was cancelled has not failed"),
            failed=str,
        )
        with pytest.raises(stopping.Stopped):
            driver.run()
        stopping.heard()
    assert told.cells == {"m::r1": ("97 %", 1, 1.5)}
    assert hands.cancelled == ["r2", "r3"]
    assert hands.killed == ["r2"]


def test_ray_holds_a_bounded_number_of_jobs_however_many_there_are() -> None:
    plan = plan_of(**{f"r{number}": () for number in range(3000)})
    hands = Hands(slots=16)
    told, _ = drive(plan, hands)
    assert len(told.cells) == 3000
    assert hands.most <= 3 * 16 + 16
