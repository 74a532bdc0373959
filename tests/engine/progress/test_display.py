"""What people see of a run: lines that keep their place and width, and ends said as precisely as they are known."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from prunebench.engine.progress.display import Board, ending, line_of
from prunebench.engine.progress.ending import Ends
from prunebench.engine.progress.progress import Running, State

NOON = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))


def job(pid: int, seconds: float = 12.0, host: str = "here-0a1b2c3d", **more: object) -> Running:
    return Running(f"key{pid}", host, pid, seconds, **more)  # type: ignore[arg-type]


def state(running: tuple[Running, ...] = (), **more: object) -> State:
    values: dict[str, object] = {
        "moment": NOON,
        "cells": 102,
        "done": 41,
        "failed": 1,
        "blocked": 9,
        "left": 51,
        "jobs": 210,
        "running": running,
        "workers": 2,
        "begun": True,
        "images": 1234.5,
        "ends": Ends(300.0, 600.0, 1100.0, True),
    }
    return State(**{**values, **more})  # type: ignore[arg-type]


def drawn(board: Board, now: State, width: int = 80, height: int = 24, note: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(board.render(now, now.moment, width=width, height=height, note=note))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    board = Board(
        lambda key: f"train a-very-long-name-of-a-network-{key} snip+shuffle d0.05 s1", "here-0a1b2c3d"
    )
    running = tuple(job(n, worker=f"worker {n}", place="gpu 0", step=10**5, to_step=10**6) for n in range(3))
    lines = drawn(board, state(running), width)
    assert len(lines) == 5
    assert max(map(len, lines)) <= width


def test_it_says_what_runs_where_and_how_far() -> None:
    board = Board(lambda key: "train resnet20 snip d0.05 s1", "here-0a1b2c3d")
    mine = job(7, worker="worker 0", place="gpu 3", step=1200, to_step=3900)
    other = job(4242, 4000.0, "node-17-ffffffff", place="cpu")
    lines = drawn(board, state((other, mine)), 110, note="12 pilots queued")
    assert "41 of 102 cells done, 51 left, 1 failed, 9 blocked" in lines[0]
    assert lines[1] == "2 jobs running, 210 left, 1,234 images/s, ends 12:05–12:19; 12 pilots queued"
    assert lines[2].split() == [
        "here:gpu",
        "3/worker",
        "0",
        "train",
        "resnet20",
        "snip",
        "d0.05",
        "s1",
        "step",
        "1,200",
        "of",
        "3,900",
        "12",
        "s",
    ]
    assert lines[3].split() == [
        "node-17:cpu/process",
        "4242",
        "train",
        "resnet20",
        "snip",
        "d0.05",
        "s1",
        "66:40",
        "min",
    ]


def test_a_narrow_terminal_shows_names_rather_than_steps() -> None:
    """The name of the job is what one looks for: its end too, with density and seed."""
    board = Board(lambda key: "train vgg16 magnitude-after-training d0.02 s0", "here-0a1b2c3d")
    line = drawn(board, state((job(1, worker="worker 1", place="gpu 1", step=22200, to_step=31200),)), 80)[2]
    assert line.split() == [
        "gpu",
        "1/worker",
        "1",
        "train",
        "vgg16",
        "magnitude-after-training",
        "d0.02",
        "s0",
        "71",
        "%",
        "12",
        "s",
    ]


def test_lines_keep_their_place_between_two_jobs() -> None:
    """A worker that has no job at this moment keeps its line; names stay in their column."""
    board = Board(lambda key: f"score {key}", "here-0a1b2c3d")
    both = drawn(board, state((job(1, worker="worker 1"), job(10, worker="worker 10"))))
    one = drawn(board, state((job(10, worker="worker 10"),), moment=NOON + 1))
    assert len(one) == len(both) == 4
    assert one[2].split() == ["worker", "1", "–"]
    assert one[3].index("score") == both[3].index("score") == both[2].index("score")
    gone = drawn(board, state((job(10, worker="worker 10"),), moment=NOON + 60))
    assert len(gone) == 3


def test_more_workers_than_lines_are_counted() -> None:
    board = Board(lambda key: key, "here-0a1b2c3d")
    lines = drawn(board, state(tuple(job(n, worker=f"worker {n}") for n in range(64))), height=20)
    assert len(lines) == 18
    assert lines[-1] == "and 49 more workers"
    assert [line.split()[1] for line in lines[2:5]] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("low", "high", "measured", "wanted"),
    [
        (0.4, 1.2, True, "ends in 1 s"),
        (3, 9, True, "ends in 3–9 s"),
        (22, 41, True, "ends in 20–40 s"),
        (300, 1200, True, "ends 12:05–12:20"),
        (600, 610, True, "ends 12:10–12:11"),
        (2 * 3600, 4 * 3600, True, "ends 14:00–16:00"),
        (2.1 * 3600, 4.1 * 3600, True, "ends 14:00–16:15"),
        (9 * 3600, 20 * 3600, False, "ends Wed 04 Mar 21:00–Thu 05 Mar 08:00 (a guess)"),
        (19 * 3600, 20 * 3600 + 1800, True, "ends Thu 05 Mar 07:00–08:30"),
    ],
)
def test_an_end_is_said_as_precisely_as_it_is_known(
    low: float, high: float, measured: bool, wanted: str
) -> None:
    """Seconds where it is near, minutes, quarters or hours by the width of the range, the day where it is far."""
    assert ending(Ends(low, (low + high) / 2, high, measured), NOON, NOON) == wanted


def test_time_that_has_passed_since_it_was_reckoned_is_taken_off() -> None:
    assert ending(Ends(60.0, 70.0, 80.0, True), NOON, NOON + 30) == "ends in 30–50 s"


def test_a_log_has_all_of_it_in_one_line() -> None:
    assert line_of(state((job(1),)), NOON, "3 pilots queued") == (
        "41 of 102 cells done, 51 left, 1 failed, 9 blocked; 1 job running; 1,234 images/s; ends 12:05–12:19; "
        "3 pilots queued"
    )
    assert line_of(state(workers=0), NOON).endswith("1,234 images/s; nobody works on it now")
    assert line_of(state(begun=False), NOON).endswith("1,234 images/s; workers are starting")
    over = state(done=102, left=0, failed=0, blocked=0, images=None, ends=Ends(0, 0, 0, True))
    assert line_of(over, NOON) == "102 of 102 cells done, 0 left; 0 jobs running"
