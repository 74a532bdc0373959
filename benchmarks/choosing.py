"""What choosing the next job of pai's plan of 69,633 jobs takes: ms a decision, at worst and on average.

    python benchmarks/choosing.py [--workers N]

Simulated workers run the shipped suite pai from its beginning to its end; time is that of the
processor. Limit: 2 ms a decision.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from prunebench.engine.choose import choose  # noqa: E402
from prunebench.engine.request import Request  # noqa: E402
from prunebench.engine.session import Session  # noqa: E402
from prunebench.inventory.estimate import assumed_seconds  # noqa: E402
from prunebench.shipped import shipped_suites  # noqa: E402
from tests.engine.simulated_workers import Simulation  # noqa: E402

LIMIT = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=8)
    workers = parser.parse_args().workers
    with tempfile.TemporaryDirectory() as folder:
        request = Request(
            str(shipped_suites()["pai"]), str(Path(folder) / "store"), folder, third_party=False
        )
        plan = Session.prepare(request).plan
    seconds = assumed_seconds(plan, "cpu", 1)
    took: list[float] = []

    def timed(*what: Any) -> Any:
        began = time.thread_time()
        choice = choose(*what)
        took.append(1000 * (time.thread_time() - began))
        return choice

    cells = [cell.targets for cell in plan.cells]
    simulation = Simulation(
        plan, cells, {key: seconds(key) for key in plan.jobs}, [1.0] * workers, decide=timed
    )
    simulation.run()
    print(
        f"{len(plan.jobs):,} jobs, {workers} workers, {len(took):,} decisions: {sum(took) / len(took):.3f} ms"
    )
    print(f"on average, {max(took):.2f} ms at worst; limit {LIMIT} ms")
    return int(max(took) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
