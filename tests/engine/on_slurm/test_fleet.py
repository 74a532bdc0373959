"""How pilots are looked after, in a simulated queue: how many, when, those of others, those that end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prunebench import stopping
from prunebench.cli.work import command
from prunebench.engine.on_slurm.fleet import Fleet, SlurmFront
from prunebench.engine.on_slurm.options import Wishes
from prunebench.engine.on_slurm.pilot import Pilot
from prunebench.engine.on_slurm.queue import InQueue
from prunebench.engine.on_slurm.submissions import PilotState, Submission
from prunebench.engine.request import Request
from prunebench.errors import PrunebenchError
from prunebench.inventory.making import Making
from prunebench.store import Store


@dataclass
class Simulated:
    """A queue in which jobs do what a test says."""

    jobs: dict[str, InQueue] = field(default_factory=dict)
    submitted: list[tuple[int, int]] = field(default_factory=list)
    """The size of each array, and after how many seconds its jobs may start."""
    cancelled: list[str] = field(default_factory=list)
    answers: bool = True
    pilots: list[Pilot] = field(default_factory=list)

    def submit(self, pilot: Pilot, count: int, after: float) -> list[str]:
        self.pilots.append(pilot)
        self.submitted.append((count, round(after)))
        number = 100 + len(self.submitted)
        jobs = [f"{number}_{place}" for place in range(count)] if count > 1 else [str(number)]
        self.jobs |= dict.fromkeys(jobs, InQueue("PENDING", "Priority"))
        return jobs

    def look(self, arrays: Collection[str]) -> Mapping[str, InQueue] | None:
        asked = {job: one for job, one in self.jobs.items() if job.split("_")[0] in arrays}
        return asked if self.answers else None

    def cancel(self, arrays: Collection[str], *, waiting_only: bool = False) -> None:
        self.cancelled += [f"{'waiting of ' if waiting_only else ''}{array}" for array in sorted(arrays)]
        of = {job: one for job, one in self.jobs.items() if job.split("_")[0] in arrays}
        for job, one in of.items():
            if one.pending or not waiting_only:
                del self.jobs[job]

    def run(self, *jobs: str) -> None:
        for job in jobs or list(self.jobs):
            self.jobs[job] = InQueue("RUNNING", "None")


@dataclass
class Place:
    """A store, a queue and what is told."""

    store: Store
    queue: Simulated = field(default_factory=Simulated)
    told: list[str] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)
    """More of what the user asked for."""

    def assignment(self, cells: int) -> Any:
        asked: Any = {"data": "/data", "device": "auto", "threads": 2, "keep_states": True, **self.asked}
        request = Request("quick", str(self.store.root), **asked)
        plan = SimpleNamespace(suite={"name": "quick"})
        session = SimpleNamespace(
            frozen=self.store.root / "plans" / "quick-01.json",
            plan=plan,
            request=request,
            path=Path("quick.toml"),
        )
        named = [SimpleNamespace(id=f"main::{number}") for number in range(cells)]
        return SimpleNamespace(
            session=session, store=self.store, cells=named, since="20261129T120000.000000Z-0123abcd"
        )

    def fleet(self, workers: int, cells: int = 1000, **wishes: Any) -> Fleet:
        asked = {"queued": 1000, "starts": 10, "detach": False, "device": "cuda", "parameters": {}, **wishes}
        return Fleet(
            Wishes(workers=workers, **asked),
            lambda folder, name, parameters: self.queue,
            self.assignment(cells),
            self.told.append,
        )

    def cells(self, number: int = 1000) -> list[Any]:
        return list(self.assignment(number).cells)

    def submission(self) -> Submission:
        (folder,) = (self.store.root / "pilots").iterdir()
        submission = Submission.read(folder)
        assert submission is not None
        return submission

    def end(self, job: str, stage: str = "", **said: str) -> None:
        """Let a pilot leave the queue; `stage` is what it said last, if anything."""
        del self.queue.jobs[job]
        if stage:
            self.submission().say(PilotState(job, stage, **said))  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("prunebench.engine.on_slurm.fleet.LOOK", 0.0)
    monkeypatch.setattr("prunebench.engine.on_slurm.fleet.NAP", 0.0)
    return Place(Store.open(tmp_path / "store"))


# -- how many, and when ----------------------------------------------------------------------------------


def test_pilots_start_ten_a_minute(place: Place) -> None:
    """Arrays of ten, a minute between them; once they are there nothing more is submitted."""
    fleet = place.fleet(64)
    fleet.tend(place.cells())
    assert place.queue.submitted == [(10, 60 * minute) for minute in range(6)] + [(4, 360)]
    fleet.tend(place.cells())
    assert len(place.queue.submitted) == 7
    assert place.submission().arrays == [str(number) for number in range(101, 108)]
    assert "submitted 64 pilots" in place.told[0]
    assert "the last to start in 6 min at the earliest" in place.told[0]


def test_a_pilot_is_told_what_to_make_and_with_what(place: Place) -> None:
    """The frozen plan, the cells of this run, and the run's own options, as arguments of `work`."""
    place.fleet(1).tend(place.cells())
    (pilot,) = place.queue.pilots
    assert pilot.folder == place.submission().folder
    assert list(pilot.arguments) == [
        *(str(place.store.root / "plans" / "quick-01.json"), "--data", "/data", "--device", "cuda"),
        *("--threads", "2", "--kernels", "dense", "--run", "20261129T120000.000000Z-0123abcd"),
        *("--cells", str(place.submission().cells_file), "--memory-limit", "auto", "--keep-states"),
    ]


BY_THE_PLAN = {"suite", "scorers", "seeds", "limit", "sparsities"}
"""What of a request is in the frozen plan, or in the list of cells."""

ASKED = {
    "data": "/d",
    "threads": 3,
    "kernels": "sparse",
    "keep_states": True,
    "job_timeout": 90.5,
    "memory_limit": 2**31,
}


@pytest.mark.parametrize("more", [{}, {"job_timeout": None, "memory_limit": None, "keep_states": False}])
def test_whatever_a_run_was_asked_for_its_pilots_are_told(place: Place, more: dict[str, Any]) -> None:
    """As `prunebench work` reads it. A new field of a request has to be told too, or stand in the plan."""
    place.asked = {**ASKED, **more}
    place.fleet(1, device="cpu").tend(place.cells())
    (pilot,) = place.queue.pilots
    read = command.make_context("work", list(pilot.arguments)).params
    wanted = {**place.asked, "device": "cpu"}
    assert {name: read[name] for name in wanted} == wanted
    assert Path(read["plan"]).parent.parent == place.store.root
    by_plan = BY_THE_PLAN | set(Making.model_fields)
    assert {one.name for one in fields(Request)} <= by_plan | wanted.keys() | {"store"}


@pytest.mark.parametrize(("starts", "sizes"), [(3, [(3, 0), (3, 60), (1, 120)]), (100, [(7, 0)])])
def test_another_number_of_starts(place: Place, starts: int, sizes: list[tuple[int, int]]) -> None:
    """--starts N."""
    place.fleet(7, starts=starts).tend(place.cells())
    assert place.queue.submitted == sizes


def test_a_replacement_does_not_wait_for_a_whole_minute_to_be_used_up(place: Place) -> None:
    """One pilot that starts takes its tenth of a minute."""
    fleet = place.fleet(2)
    fleet.tend(place.cells())
    place.queue.run()
    place.end("101_0", "ended", why="told to stop")
    fleet.tend(place.cells())
    assert place.queue.submitted == [(2, 0), (1, 12)]


def test_so_many_wait_in_the_queue_at_most(place: Place) -> None:
    """The others are submitted once those run."""
    fleet = place.fleet(50, queued=20, starts=100)
    fleet.tend(place.cells())
    fleet.tend(place.cells())
    assert [size for size, _ in place.queue.submitted] == [20]
    place.queue.run("101_0", "101_1", "101_2")
    fleet.tend(place.cells())
    place.queue.run()
    fleet.tend(place.cells())
    assert [size for size, _ in place.queue.submitted] == [20, 3, 20]


def test_there_are_no_more_pilots_than_cells(place: Place) -> None:
    """A pilot without a cell would have nothing to do."""
    place.fleet(64, cells=3).tend(place.cells(3))
    assert place.queue.submitted == [(3, 0)]


def test_while_the_queue_does_not_answer_nothing_is_done(place: Place) -> None:
    """A controller that is down has ended nobody's pilots."""
    fleet = place.fleet(2)
    fleet.tend(place.cells())
    place.queue.answers = False
    fleet.tend(place.cells())
    assert place.queue.submitted == [(2, 0)]


def test_what_is_refused_leaves_nothing_behind(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of pilots that there are not."""

    def refuse(*_: object) -> list[str]:
        raise PrunebenchError("Slurm takes no pilots: no such partition")

    monkeypatch.setattr(place.queue, "submit", refuse)
    with pytest.raises(PrunebenchError, match="no such partition"):
        place.fleet(2).tend(place.cells())
    assert list((place.store.root / "pilots").iterdir()) == []


def test_why_no_pilot_runs_is_told_once(place: Place) -> None:
    """In Slurm's word; not that a pilot waits for its turn, and nothing while one runs."""
    fleet = place.fleet(2)
    for reason in ("BeginTime", "Priority", "PartitionTimeLimit"):
        fleet.tend(place.cells())
        place.queue.jobs = dict.fromkeys(place.queue.jobs, InQueue("PENDING", reason))
    fleet.tend(place.cells())
    place.queue.run("101_0")
    fleet.tend(place.cells())
    assert [text for text in place.told if "no pilot runs" in text] == [
        "no pilot runs yet: Slurm says Priority",
        "no pilot runs yet: Slurm says PartitionTimeLimit",
    ]


# -- with others -----------------------------------------------------------------------------------------


def test_a_second_run_joins_the_pilots_of_the_first(place: Place) -> None:
    """Of the same cells, or fewer; once they have ended, it submits its own."""
    first, second = place.fleet(4), place.fleet(4, cells=10)
    first.tend(place.cells())
    second.tend(place.cells(10))
    assert place.queue.submitted == [(4, 0)]
    assert place.told[-1] == "pilots of another run are there (Slurm job 101): joining them"
    second.end(cancelled=True)
    assert place.queue.cancelled == []
    first.end(cancelled=True)
    second.tend(place.cells(10))
    assert place.queue.submitted[1:] == [(4, 0)]


def test_it_submits_what_they_are_too_few(place: Place) -> None:
    """Six at work in all, wherever they are from."""
    place.fleet(4).tend(place.cells())
    place.fleet(6).tend(place.cells())
    assert [size for size, _ in place.queue.submitted] == [4, 2]


def test_pilots_that_make_other_cells_do_not_count(place: Place) -> None:
    """Those of a run with -k would leave before this one's cells are made."""
    place.fleet(4, cells=10).tend(place.cells(10))
    place.fleet(4).tend(place.cells())
    assert [size for size, _ in place.queue.submitted] == [4, 4]


# -- pilots that end -------------------------------------------------------------------------------------


def lose(place: Place, fleet: Fleet, times: int, end: Callable[[str], object]) -> None:
    """Let a pilot end so often, and be replaced."""
    for _ in range(times):
        end(sorted(place.queue.jobs)[-1])
        fleet.tend(place.cells())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "it has not begun, and wrote no log"),
        ({"stage": "starting"}, "it was killed while it was starting"),
        ({"stage": "working"}, "it was killed while it was working"),
        ({"stage": "ended", "why": "left"}, "its worker left cells that it cannot make"),
        (
            {
                "stage": "ended",
                "why": "told to stop",
                "started": "20261129T120000.000000Z",
                "time": "20261129T120059.000000Z",
            },
            "it was told to stop as soon as it had started",
        ),
        (
            {"stage": "ended", "why": "cannot start", "error": "no plugin mine.py here"},
            "its worker cannot start\n  no plugin mine.py here",
        ),
    ],
)
def test_three_pilots_that_end_for_nothing_end_the_run(place: Place, said: dict[str, str], told: str) -> None:
    """With the error of the last one, and where its log is."""
    fleet = place.fleet(1)
    fleet.tend(place.cells())
    lose(place, fleet, 2, lambda job: place.end(job, **said))
    with pytest.raises(PrunebenchError) as caught:
        lose(place, fleet, 1, lambda job: place.end(job, **said))
    assert str(caught.value).startswith("pilots end for nothing: 3 in a row. The last one, job 103: ")
    assert told in str(caught.value)
    assert f"  log: {place.submission().logs}/103_0_log.out" in str(caught.value)


def test_a_node_that_is_out_of_order_does_not_end_a_run_that_goes_on(place: Place) -> None:
    """Twenty may end for nothing in a row while another works."""
    fleet = place.fleet(2)
    fleet.tend(place.cells())
    place.queue.run("101_0")
    place.submission().say(PilotState("101_0", "working"))
    lose(place, fleet, 19, place.end)
    with pytest.raises(PrunebenchError, match="20 in a row"):
        lose(place, fleet, 1, place.end)


def test_pilots_that_did_their_part_are_replaced_without_end(place: Place) -> None:
    """They reached their limit and could not be requeued, say, whether or not a cell was done in that time."""
    at = {"started": "20261129T120000.000000Z", "time": "20261129T120101.000000Z"}
    fleet = place.fleet(1)
    fleet.tend(place.cells())
    lose(place, fleet, 10, lambda job: place.end(job, "ended", why="told to stop", **at))
    lose(place, fleet, 10, lambda job: place.end(job, "requeued"))
    assert len(place.queue.submitted) == 21


def test_a_requeued_pilot_is_still_one(place: Place) -> None:
    """It waits in the queue again: none is submitted in its place."""
    fleet = place.fleet(1)
    fleet.tend(place.cells())
    place.submission().say(PilotState("101", "requeued"))
    place.queue.jobs["101"] = InQueue("PENDING", "BeginTime")
    fleet.tend(place.cells())
    assert place.queue.submitted == [(1, 0)]


# -- the whole front -------------------------------------------------------------------------------------


class Watch:
    """A watch that is over after so many looks; the first of them may raise."""

    def __init__(self, place: Place, looks: int, raises: BaseException | None = None) -> None:
        self.looks, self.raises = looks, raises
        self.left = place.cells(5)
        self.report = SimpleNamespace(detached="")
        self.teller = SimpleNamespace(note=place.told.append)

    @property
    def over(self) -> bool:
        return self.looks == 0

    def look(self) -> bool:
        self.looks -= 1
        if self.over:
            self.left = []
        return True

    def pause(self) -> None:
        if self.raises is not None:
            raise self.raises


def front(place: Place, **wishes: Any) -> SlurmFront:
    asked: dict[str, Any] = {
        "queued": 1000,
        "starts": 10,
        "detach": False,
        "device": "cuda",
        "parameters": {},
        **wishes,
    }
    return SlurmFront(Wishes(workers=2, **asked), lambda folder, name, parameters: place.queue)


def test_at_the_end_no_pilot_is_left_waiting(place: Place) -> None:
    """Those that Slurm has not started yet would find nothing to do; it is not worth a word."""
    front(place).run(place.assignment(5), Watch(place, 3))  # type: ignore[arg-type]
    assert place.queue.cancelled == ["waiting of 101"]
    assert place.submission().cancelled
    assert not any("cancelled" in text for text in place.told)


def test_pilots_that_do_not_leave_at_the_end_are_cancelled(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have a moment to leave by themselves."""
    monkeypatch.setattr("prunebench.engine.on_slurm.fleet.PATIENCE", 0.01)
    watch = Watch(place, 3)
    monkeypatch.setattr(watch, "pause", place.queue.run)
    front(place).run(place.assignment(5), watch)  # type: ignore[arg-type]
    assert place.queue.cancelled == ["waiting of 101", "101"]
    assert place.queue.jobs == {}


def test_a_run_that_is_told_to_stop_cancels_its_pilots(place: Place) -> None:
    """And says so."""
    watch = Watch(place, 3, stopping.Stopped())
    with pytest.raises(stopping.Stopped):
        front(place).run(place.assignment(5), watch)  # type: ignore[arg-type]
    assert place.queue.cancelled == ["101"]
    assert place.told[-1] == "cancelled the pilots (Slurm job 101)"


def test_detached_pilots_are_submitted_and_left(place: Place) -> None:
    """It says how to look at them and how to end them."""
    watch = Watch(place, 3)
    front(place, detach=True).run(place.assignment(5), watch)  # type: ignore[arg-type]
    assert place.queue.submitted == [(2, 0)]
    assert place.queue.cancelled == []
    assert watch.report.detached == (
        "`prunebench status quick.toml` shows how far the pilots are; `scancel 101` ends them"
    )
