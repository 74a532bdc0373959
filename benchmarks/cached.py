"""How long a run takes of which all is there: 20,000 cells, from the command to its end, with and without -n.

    python benchmarks/cached.py [--cells 20000]

The store is made up: a record and a measure for every cell of a plan, as a run would have written them. Then
`prunebench run` is timed as a program of its own, its start and the leaderboard included: alone, with `-n 2`,
with a few cells missing, and `prunebench work`. Limit of each: 15 s, for all but the few cells to make.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

SUITE = """
schema = 1
name = "large"
version = "1"

[[matrix]]
name = "main"
architecture = "digits-mlp"
dataset = "digits"
recipe = {{name = "digits", epochs = 1}}
methods = ["random", "magnitude", "snip", "grasp", "synflow"]
ablations = ["none", "shuffle", "reinit", "invert"]
sparsities = {{keep = 0.9, count = 50}}
seeds = {seeds}
dense = false
measures = ["layer-sparsity"]
"""


def fill(plan: Any, store: Any, missing: int) -> int:
    """Write what a run would have written of all cells but the last `missing`; return how many files."""
    from prunebench.plan.params import MeasureParams

    number = 0
    for cell in plan.cells[: len(plan.cells) - missing]:
        store.write_record(cell.key, result_of(plan, cell), PROVENANCE)
        number += 1
        for target in cell.targets:
            job = plan.jobs[target]
            if isinstance(job.params, MeasureParams):
                result = {
                    "diagnostic": job.params.diagnostic.name,
                    "of": job.params.of,
                    "outcome": "finished",
                }
                made_from = {job.inputs[0]: "0" * 64}
                store.write_measure(target, {**result, "made_from": made_from, "value": LAYERS}, PROVENANCE)
                number += 1
    return number


PROVENANCE = {"numerics": "made up", "time": {"train_seconds": 0.1, "trained_steps": 23}}
LAYERS = {"fc1.weight": 0.5, "fc2.weight": 0.5, "fc3.weight": 0.5}


def result_of(plan: Any, cell: Any) -> dict[str, Any]:
    """Return a record's result for a cell of a plan."""
    from prunebench.plan.params import RecordParams

    job = plan.jobs[cell.key]
    test = {
        "correct": 200 + int(cell.key[:2], 16) % 100,
        "examples": 355,
        "loss": int(cell.key[:8], 16) / 2**32,
    }
    state, *masks = job.inputs
    kept = cell.target
    layers = [{"name": "fc1.weight", "kept": kept, "prunable": cell.prunable}]
    mask = {"key": masks[0], "kept": kept, "prunable": cell.prunable, "layers": layers} if masks else None
    return {
        "cell": job.params_as(RecordParams).cell.plain(),
        "state": state,
        "curve": [{"step": 23, "train_loss": 1.88, **test}],
        **({"mask": mask} if mask else {}),
        "outcome": "finished",
        "test": test,
    }


def timed(what: str, *command: str, folder: Path, code: int = 0) -> None:
    """Run prunebench and print how long it took, and how long processors were busy with it."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "prunebench", *command], cwd=folder, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode != code:
        raise SystemExit(f"{what}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = next((line for line in done.stdout.splitlines() if "done" in line), "").strip()
    print(f"{what:25} {seconds:6.2f} s   processor {busy:6.2f} s   {said[:70]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cells", type=int, default=20_000)
    arguments = parser.parse_args()
    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.store import Store

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "large.toml"
        path.write_text(SUITE.format(seeds=max(1, arguments.cells // 1000)))
        session = Session.prepare(Request(str(path), str(folder / "store"), str(folder), third_party=False))
        store = Store.open(folder / "store")
        with mock.patch.object(os, "fsync"):  # of made up files none matters
            number = fill(session.plan, store, missing=4)
        frozen = session.freeze(store)
        print(f"{len(session.plan.cells):,} cells, {len(session.plan.jobs):,} jobs; {number:,} files")
        at = ("--store", "store", "--data", str(folder), "--no-plugins")
        timed("four cells missing, -n 2", "run", "large.toml", *at, "-n", "2", folder=folder)
        timed("nothing to do", "run", "large.toml", *at, folder=folder)
        timed("nothing to do, -n 2", "run", "large.toml", *at, "-n", "2", folder=folder)
        timed("nothing to do, no table", "run", "large.toml", *at, "--no-table", folder=folder)
        timed("plan", "plan", "large.toml", *at, folder=folder)
        timed("status", "status", "large.toml", *at, folder=folder)
        timed("work", "work", str(frozen), folder=folder)


if __name__ == "__main__":
    main()
