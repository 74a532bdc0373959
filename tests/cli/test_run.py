"""`run`, `plan`, `status`, `leaderboard` on a tiny suite: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import Result

from .conftest import PLUGIN, TINY, Place, make_place


def blocks(text: str) -> list[str]:
    """Return the paragraphs of an output, times and folders made equal."""
    text = re.sub(r"\d+\.\d s$", "T s", text, flags=re.MULTILINE)
    text = re.sub(r"in (less than a second|\d+ s|\d+ min \d+ s)", "in T", text)
    text = re.sub(r"\d+–\d+ (s|min) (in all|to do)", r"BETWEEN \2", text)
    text = re.sub(r"\S*/store", "STORE", text)
    text = re.sub(r" +\d+\.\d\d %", "  A %", text)
    return text.strip().split("\n\n")


# Eight trainings of 23 steps of 64 examples, three passes each, and of one evaluation of 355 examples; the
# network has 64·4 + 4·10 weights: 11.3 million multiply-accumulates. Scoring adds some thousands.
assert round(8 * (3 * 23 * 64 + 355) * (64 * 4 + 4 * 10) / 1e6, 1) == 11.3
HEADING = """\
suite tiny, version 3: 8 cells in 1 matrix; 0 done, 8 to do
30 jobs; 30 to do
estimated cost: 11.3 MMAC in all, 11.3 MMAC to do
estimated time: BETWEEN in all, BETWEEN to do \
(a guess: nothing was measured here yet; assumed 20 GMAC/s a worker, 0.5 ms a step, 0.1 s a job)"""


def test_run_says_what_it_will_do_then_each_cell_then_the_summary(done: tuple[Any, Result]) -> None:
    """The whole output: heading, a line a cell, a summary, the leaderboard."""
    _, result = done
    heading, cells, summary, *leaderboard = blocks(result.stdout)
    assert heading == HEADING
    lines = cells.splitlines()
    assert len(lines) == 8
    assert all(re.fullmatch(r"\[\d/8\] main::\S+  A %  T s", line) for line in lines), cells
    assert summary == "8 cells made now, 0 done before; 30 jobs in T. Logs: STORE/logs."
    assert leaderboard[0] == "# tiny (version 3): leaderboard"
    assert result.stderr == ""


def test_run_again_does_nothing_and_says_so(done: tuple[Any, Result]) -> None:
    """A second run prints that nothing is to do, and the leaderboard."""
    place, first = done
    result = place.call("run", place.suite, *place.plugin)
    said, *leaderboard = result.stdout.split("\n\n")
    assert said == "all 8 cells are done: nothing to do"
    assert leaderboard == first.stdout.split("\n\n")[3:]


def test_no_table(done: tuple[Any, Result]) -> None:
    """--no-table leaves the leaderboard out, of the JSON too."""
    place, _ = done
    result = place.call("run", place.suite, "--no-table", *place.plugin)
    assert result.stdout == "all 8 cells are done: nothing to do\n"
    assert place.json("run", place.suite, "--no-table", *place.plugin)["leaderboard"] is None


def test_run_as_json(done: tuple[Any, Result]) -> None:
    """Standard output is one JSON object: the outcome and the leaderboard."""
    place, _ = done
    found = place.json("run", place.suite, *place.plugin)
    assert found["exit_code"] == 0
    assert len(found["before"]) == 8
    assert found["leaderboard"]["suite"] == {"name": "tiny", "version": "3"}


def test_plan_before_and_after(place: Any, done: tuple[Any, Result]) -> None:
    """Plan lists each cell with its status and why it has to run; it writes nothing."""
    before = place.files()
    result = place.call("plan", place.suite, *place.plugin)
    heading, jobs, cells = result.stdout.split("\n\n")
    assert heading.splitlines()[0] == HEADING.splitlines()[0]
    assert [line.split() for line in jobs.splitlines()[2:]] == [
        ["train", "dense", "4", "4"],
        ["train", "pruned", "6", "6"],
        ["score", "6", "6"],
        ["mask", "6", "6"],
        ["record", "8", "8"],
    ]
    assert len(cells.splitlines()) == 10
    assert all(line.endswith("  missing   not run yet") for line in cells.strip().splitlines()[2:])
    assert place.files() == before
    other, _ = done
    after = other.call("plan", other.suite, *other.plugin).stdout
    assert "8 done, 0 to do" in after
    assert "estimated time" not in after


def test_plan_as_json_tells_everything(done: tuple[Any, Result]) -> None:
    """Cells with key, status, labels and cost; jobs by kind; the estimate with its basis."""
    place, _ = done
    found = place.json("plan", place.suite, *place.plugin)
    assert found["counts"] == {"cells": 8, "done": 8}
    assert {cell["method"] for cell in found["cells"]} == {
        "none",
        "random",
        "own",
        "magnitude-after-training",
    }
    assert all(len(cell["key"]) == 64 for cell in found["cells"])
    assert re.fullmatch(r"measured: \d+ runs in this store, [\d.e+-]+ GMAC/s", found["estimate"]["basis"])
    assert found["estimate"]["remaining_macs"] == 0
    assert sum(row["to_do"] for row in found["jobs"]) == 0


def test_plan_says_which_component_changed(done: tuple[Any, Result], tmp_path: Any) -> None:
    """After a scorer's code has changed, its cells alone have to run, and the reason names it."""
    import shutil

    shutil.copytree(done[0].folder, tmp_path / "copy")
    place = Place(tmp_path / "copy")
    place.write("mine.py", PLUGIN.replace(".abs() ** power", ".abs() ** (power + 1)"))
    found = place.json("plan", place.suite, *place.plugin)
    changed = {cell["method"]: cell["why"] for cell in found["cells"] if cell["status"] != "done"}
    assert "scorer own changed: " in changed["own"]


EXTRA = """
import prunebench

def score(net, batch, rng):
    "The size of a weight."
    return {name: weight.detach().abs() for name, weight in net.weights.items()}

@prunebench.hookimpl
def prunebench_scorers():
    return [prunebench.Scorer("obd", score)]
"""


def test_plan_says_what_changed_also_after_a_run_with_other_scorers(place: Any) -> None:
    """The last plan of the suite did not have the scorer; the one before it had."""
    options = [place.suite, *place.plugin, "--plugin", place.write("extra.py", EXTRA)]
    for scorer in ("obd", "snip"):
        place.call("run", *options, "--scorer", scorer, "-k", "random and s0")
    place.write("extra.py", EXTRA.replace("abs()", "square()"))
    found = place.json("plan", *options, "--scorer", "obd")
    whys = {cell["why"] for cell in found["cells"] if cell["method"] == "obd"}
    assert len(whys) == 1
    assert whys.pop().startswith("scorer obd changed: ")


def test_k_does_not_match_the_folders_above(tmp_path: Any) -> None:
    """A folder of a selected name does not select everything."""
    (tmp_path / "s0").mkdir()
    place = make_place(tmp_path / "s0")
    result = place.call("run", place.suite, "-k", "s0 and random", *place.plugin)
    assert "1 cell made now" in result.stdout


def test_plan_selects_as_pytest_does(done: tuple[Any, Result]) -> None:
    """-k selects for `plan` the very cells that pytest selects for `run`."""
    place, _ = done
    expression = "(RANDOM or own) and not s1"
    found = place.json("plan", place.suite, "-k", expression, *place.plugin)
    ours = [f"{cell['matrix']}::{cell['cell']}" for cell in found["cells"]]
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", place.suite, "--collect-only", "-q", "-k", expression,
         "--prunebench-store", str(place.store), "--prunebench-plugin", place.plugin[1],
         "-p", "no:cacheprovider", "--assert=plain"],
        capture_output=True, text=True, cwd=place.folder, check=True,
    )  # fmt: skip
    theirs = [line.split("::", 1)[1] for line in listed.stdout.splitlines() if "tiny.toml::" in line]
    assert ours == theirs
    assert len(ours) == 2


def test_many_cells_are_grouped(place: Any) -> None:
    """More than forty cells are shown by matrix and method, unless --cells asks for all."""
    many = place.write(
        "many.toml", (place.folder / "tiny.toml").read_text().replace("seeds = 2", "seeds = 20")
    )
    text = place.call("plan", many, *place.plugin).stdout
    groups = text.split("\n\n")[2].splitlines()
    assert [line.split()[:5] for line in groups[2:6]] == [
        ["main", "none", "20", "0", "20"],
        ["main", "random", "20", "0", "20"],
        ["main", "own", "20", "0", "20"],
        ["main", "magnitude-after-training", "20", "0", "20"],
    ]
    assert groups[6] == "(grouped; --cells lists all 80 cells)"
    assert len(place.call("plan", many, "--cells", *place.plugin).stdout.splitlines()) > 80


def test_status_counts(done: tuple[Any, Result]) -> None:
    """Status prints a row for each matrix, from the last run's plan; no plugin is needed for that."""
    place, _ = done
    head, table = place.call("status", place.suite).stdout.strip().split("\n\n")
    assert head == "suite tiny, version 3 (as last run): 8 of 8 cells done"
    assert [line.split() for line in table.splitlines()] == [
        ["matrix", "cells", "done", "diverged", "failed", "not", "run"],
        ["-" * 8, "-" * 7, "-" * 6, "-" * 10, "-" * 8, "-" * 9],
        ["main", "8", "8", "0", "0", "0"],
    ]


def test_status_of_what_was_never_run(place: Any) -> None:
    """Without a frozen plan the suite is planned, and all is missing; nothing is written."""
    before = place.files()
    found = place.json("status", place.suite, *place.plugin)
    assert found["frozen"] is False
    assert found["total"] == {"cells": 8, "done": 0, "diverged": 0, "failed": 0, "missing": 8}
    assert found["run"] is None
    assert "nothing has been run" in place.call("status", place.suite, *place.plugin).stdout
    assert place.files() == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--device", "cuda:9"], "--device: cuda:9 was asked for"),
        (["--engine", "slurmm"], "--engine: no engine 'slurmm'"),
        (["-n", "2", "--workers-per-gpu", "0"], "--workers-per-gpu"),
        (["--workers-per-gpu", "2", "--device", "cpu"], "--workers-per-gpu 2: no GPU is used"),
        (["--partition", "gpu"], "--partition belongs to --engine slurm"),
        (["--memory-limit", "much"], "--memory-limit"),
    ],
)
def test_an_option_that_cannot_be_is_refused_where_nothing_is_to_do_too(
    done: tuple[Any, Result], args: list[str], said: str
) -> None:
    place, _ = done
    before = place.files()
    result = place.call("run", place.suite, *place.plugin, *args, code=2)
    assert said in result.stderr
    assert "nothing to do" not in result.output
    assert place.files() == before


@pytest.mark.parametrize("format", ["md", "csv", "json"])
def test_leaderboard_formats(done: tuple[Any, Result], format: str, tmp_path: Any) -> None:
    """Each format goes to standard output, or the same bytes to a file."""
    place, _ = done
    text = place.call("leaderboard", place.suite, "--format", format).stdout
    place.call("leaderboard", place.suite, "--format", format, "-o", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text("utf-8") == text
    if format == "json":
        assert json.loads(text)["suite"] == {"name": "tiny", "version": "3"}
    else:
        assert "magnitude-after-training" in text


def test_leaderboard_of_an_empty_store(place: Any) -> None:
    """Says that nothing has been run, exit code 1, and writes nothing."""
    before = place.files()
    result = place.call("leaderboard", place.suite, *place.plugin, code=1)
    assert result.stdout == ""
    assert "nothing of suite tiny has been run in" in result.stderr
    assert place.files() == before


def test_a_failed_job_is_exit_code_1_and_lf_tries_it_again(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is told with its log; the rest is made; --lf runs the failed cells alone."""
    monkeypatch.setenv("MOODY", "1")
    result = place.call("run", place.suite, "--scorer", "moody", "--seeds", "1", *place.plugin, code=1)
    assert "4 cells made now, 0 done before, 1 failed" in result.stderr
    assert "RuntimeError: in a mood" in result.stderr
    assert "with --lf tries those that failed again" in result.stderr
    status = place.json("status", place.suite, "--seeds", "1", "--scorer", "moody", *place.plugin)
    assert status["total"]["failed"] == 1
    assert status["failures"][0]["kind"] == "score"
    assert status["failures"][0]["error"].endswith("failed: RuntimeError: in a mood")
    assert (place.store / "logs" / status["failures"][0]["log"]).is_file()
    plan = place.json("plan", place.suite, "--scorer", "moody", "--seeds", "1", "--lf", *place.plugin)
    assert [(cell["method"], cell["status"]) for cell in plan["cells"]] == [("moody", "failed")]
    assert plan["cells"][0]["why"] == "failed (score): " + status["failures"][0]["error"]
    monkeypatch.delenv("MOODY")
    result = place.call("run", place.suite, "--scorer", "moody", "--seeds", "1", "--lf", *place.plugin)
    assert "1 cell made now, 0 done before" in result.stdout


@pytest.mark.slow
def test_two_workers(place: Any) -> None:
    """-n 2 makes the cells that -k selects, and says so as one process does."""
    found = subprocess.run(
        [sys.executable, "-m", "prunebench", "run", place.suite, "-n", "2", "-k", "s0", *place.plugin],
        capture_output=True, text=True, cwd=place.folder, check=False, timeout=120,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert re.search(r"\d cells? made now, \d done before; 15 jobs in", found.stdout), found.stdout
    assert len(re.findall(r"^\[\d/4\] .*-s0 ", found.stdout, re.MULTILINE)) >= 3
    assert "with 2 workers" in found.stdout


def test_interrupted_is_exit_code_130_and_the_same_command_goes_on(place: Any) -> None:
    """Ctrl-C in the middle of a run: told, nothing lost."""
    long = place.write(
        "long.toml", (place.folder / "tiny.toml").read_text().replace("epochs = 1", "epochs = 3000")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "prunebench", "run", long, *place.plugin],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=place.folder,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored behind a shell's "&"
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(place.store.glob("claims/*.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    running = place.json("status", long)["running"]
    assert psutil.Process(running[0]["pid"]).ppid() == process.pid  # it works for the one that was called
    assert running[0]["what"].startswith("train ")
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Interrupted: 0 cells made now" in err
    assert place.json("status", long)["running"] == []


def test_one_cause_of_many_failures_is_told_once(place: Any, tmp_path: Path) -> None:
    """A damaged file fails every job that reads it: one line with their number, the first job and its log."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-10-python.tar.gz").write_bytes(b"half of an archive")
    text = (place.folder / place.suite).read_text(encoding="utf-8").replace('"digits"', '"cifar10"', 1)
    suite = tmp_path / "damaged.toml"
    suite.write_text(text, encoding="utf-8")
    data = ("--data", str(tmp_path / "data"))
    result = place.call("run", str(suite), "--seeds", "1", *data, *place.plugin, code=1)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("  ") and " failed: " in line]
    assert re.match(r"  \d+ cells: \w+ [0-9a-f]{12} failed: .*cifar-10-python\.tar\.gz is damaged", line)
    assert result.stderr.count("\n    log: ") == 1


def test_the_end_of_a_run_warns_of_masks_that_position_chose(place: Place) -> None:
    """Scores that are all 1 rank nothing: every cell is named, beside the footnote under the table."""
    text = PLUGIN.replace('"own", own)', '"own", own), prunebench.Scorer("same", same)') + (
        "\n\ndef same(net, batch, rng):\n"
        "    return {name: torch.ones_like(weight) for name, weight in net.weights.items()}\n"
    )
    place.write("mine.py", text)
    place.write("tiny.toml", TINY.replace('["random", "own", "magnitude-after-training"]', '["same", "own"]'))
    run = place.call("run", "tiny.toml", *place.plugin, "--seeds", "1")
    told = "Warning: in 1 cell most weights kept were chosen by position, because their scores were equal: "
    assert f"{told}main::tiny-net-digits-same-d0.5-s0\n" in run.stderr
    assert "In 1 of 1 masks most weights kept were chosen by position" in run.stdout
