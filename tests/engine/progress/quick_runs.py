"""Two real runs of the quick suite: which worker ran which job, and when (`data/quick_runs.json`).

After a change of the suite's keys they are recorded anew, each from the store of a run that began with nothing:

    python -m tests.engine.progress.quick_runs STORE STORE
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prunebench.plan import Plan
from prunebench.store import Store

__all__ = ["QuickRun", "quick_runs"]

FILE = Path(__file__).parents[2] / "data" / "quick_runs.json"


@dataclass
class QuickRun:
    """One run: of each job when it began and ended, in seconds, its key and the number of its worker."""

    jobs: list[tuple[float, float, str, int]]

    @property
    def end(self) -> float:
        return max(until for _, until, _, _ in self.jobs)

    @property
    def workers(self) -> int:
        return len({worker for *_, worker in self.jobs})


def quick_runs(plan: Plan) -> list[QuickRun]:
    """Return the recorded runs. Raises: KeyError where the suite has other keys by now."""
    keys = {_short(key): key for key in plan.jobs}
    return [
        QuickRun([(at, until, keys[key], worker) for key, worker, at, until in run])
        for run in json.loads(FILE.read_text())
    ]


def _short(key: str) -> str:
    digest, at, step = key.partition("@")
    return digest[:10] + at + step


def _recorded(store: Path) -> list[tuple[str, int, float, float]]:
    """Return a store's times, from the beginning of its first job on."""
    times = Store.open(store).times.reader().new()
    ends = [datetime.strptime(time.at, "%Y%m%dT%H%M%S.%f%z").timestamp() for time in times]
    first = min(end - time.seconds for end, time in zip(ends, times, strict=True))
    workers = {process: n for n, process in enumerate(sorted({time.process for time in times}))}
    rows = [
        (_short(time.key), workers[time.process], round(end - time.seconds - first, 3), round(end - first, 3))
        for end, time in zip(ends, times, strict=True)
    ]
    return sorted(rows, key=lambda row: row[2])


if __name__ == "__main__":
    runs = [_recorded(Path(store)) for store in sys.argv[1:]]
    FILE.write_text(json.dumps(runs).replace("], [", "],\n[") + "\n")
