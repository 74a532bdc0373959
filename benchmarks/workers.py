"""What workers cost beside the jobs: seconds a job, what a second worker brings, memory over many cells.

    python benchmarks/workers.py [--part overhead|two|memory]

Each part runs suites on digits by `prunebench run` as a program of its own, and reads from the store which
process ran which job from when to when; the start of the workers is left out.

    overhead  `-n 2`, jobs of a few milliseconds: what passes between jobs, a job. Limit: 30 ms.
    two       `-n 2` against `-n 1`, in turns: cells a second. Limit: 1.8 × on two cores that are free.
    memory    one worker over 500 cells: its resident memory after each hundred. Limit: no growth.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil

SUITE = """
schema = 1
name = "work"
version = "1"

[[matrix]]
name = "main"
architecture = "digits-mlp"
dataset = "digits"
recipe = {{name = "digits", epochs = {epochs}}}
methods = ["random", "magnitude", "snip"]
sparsities = [0.5]
seeds = {seeds}
dense = false
"""


def run(folder: Path, *, epochs: float, seeds: int, workers: int | None) -> tuple[Path, list[int]]:
    """Run a suite in a new store; return that, and the most memory of a process of it, each half second."""
    folder.mkdir()
    (folder / "work.toml").write_text(SUITE.format(epochs=epochs, seeds=seeds))
    command = [sys.executable, "-m", "prunebench", "run", "work.toml", "--store", "store", "--no-plugins"]
    command += ["--no-table", "-q", *(["-n", str(workers)] if workers else [])]
    process = psutil.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    memory = []
    while process.poll() is None:
        sizes = []
        for child in process.children(recursive=True):
            try:
                sizes.append(child.memory_info().rss)
            except psutil.Error:
                continue
        memory.append(max(sizes, default=0))
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}")
    return folder / "store", memory


def jobs_of(store: Path) -> dict[str, list[tuple[float, float]]]:
    """Return for each process the jobs that it ran: from when, to when."""
    from prunebench.store import Store

    jobs = defaultdict(list)
    for one in Store.open(store, create=False, write=False).times.reader().new():
        ended = datetime.strptime(one.at, "%Y%m%dT%H%M%S.%fZ").timestamp()
        jobs[one.process].append((ended - one.seconds, ended))
    return {process: sorted(spans) for process, spans in jobs.items()}


def overhead(folder: Path) -> None:
    """Print what passes between two jobs of a worker."""
    store, _ = run(folder / "overhead", epochs=0.05, seeds=40, workers=2)
    between = [
        after[0] - before[1]
        for spans in jobs_of(store).values()
        for before, after in pairwise(spans[1:])  # its first imports what it needs
    ]
    mean, median = statistics.mean(between), statistics.median(between)
    print(f"overhead: {1000 * mean:.1f} ms a job (median {1000 * median:.1f}) over {len(between)} jobs, -n 2")


def two(folder: Path) -> None:
    """Print how many times as many jobs a second two workers do, and how much of their time goes into jobs.

    The second number holds on a machine that is not free, too.
    """
    speeds: dict[int, list[float]] = {1: [], 2: []}
    shares = []
    for turn in range(2):
        for workers in (1, 2):
            store, _ = run(folder / f"two-{turn}-{workers}", epochs=20, seeds=8, workers=workers)
            jobs = jobs_of(store)
            spans = [spans[1:] for spans in jobs.values()]
            done = sum(map(len, spans))
            seconds = max(s[-1][1] for s in spans) - min(s[0][0] for s in spans)
            speeds[workers].append(done / seconds)
            if workers == 2:
                busy = sum(end - begin for jobs_of_one in spans for begin, end in jobs_of_one)
                shares.append(busy / (2 * seconds))
    one, both = (max(speeds[workers]) for workers in (1, 2))
    print(
        f"two workers: {both:.1f} jobs/s against {one:.1f}: {both / one:.2f} ×; "
        f"in jobs for {100 * max(shares):.0f} % of their time"
    )


def memory(folder: Path) -> None:
    """Print the memory of one worker over 500 cells."""
    store, sizes = run(folder / "memory", epochs=0.05, seeds=167, workers=1)
    records = len(list(store.glob("records/*/*.json")))
    settled = sizes[len(sizes) // 5 :]
    fifths = [settled[len(settled) * part // 5 : len(settled) * (part + 1) // 5] for part in range(5)]
    shown = ", ".join(f"{statistics.median(part) / 2**20:.0f}" for part in fifths if part)
    print(f"memory of a worker over {records} cells, by fifths of its time: {shown} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parts = {"overhead": overhead, "two": two, "memory": memory}
    parser.add_argument("--part", choices=list(parts), help="only this one")
    arguments = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        for part, function in parts.items():
            if arguments.part in (None, part):
                function(Path(name))


if __name__ == "__main__":
    main()
