"""How long checks take to be judged: those of `pai` on its simulated results, as often as makes 780 of them.

Measured in seconds of this process's processor time, so that others on the machine do not count.

python benchmarks/checks.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

WANTED, SECONDS = 780, 5.0


def main() -> int:
    from simulated import simulate

    from prunebench.checks.evaluate import evaluate

    results = simulate("pai")
    own = results.suite["checks"]
    names = {check["name"] for check in own}
    more = [
        {**check, "name": f"{check['name']}.again"}
        for check in own
        if "all" not in check and "any" not in check
    ]
    checks = [*own, *more[: max(0, WANTED - len(own))]]
    assert len(names) == len(own)
    suite = {**results.suite, "checks": checks}
    began = time.process_time()
    verdicts = evaluate(suite, results.cells, results.measures, results.quantities)
    seconds = time.process_time() - began
    print(f"{len(results.cells):,} cells, {len(results.measures):,} numbers of measures")
    found = f"{len(verdicts.outcomes)} checks, {len(verdicts.claims)} claims"
    print(f"evaluate             {seconds:6.2f} s   {found}")
    return int(seconds > SECONDS)


if __name__ == "__main__":
    sys.exit(main())
