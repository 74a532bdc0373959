"""How long planning takes, after imports: 20,000 cells, twice, every shipped suite; statistics of as many.

Nothing is run. In seconds of one core, whatever else the machine does. 20,000 cells are to take 2 at most,
and `scaling`, with 28,080 cells of 59 networks, 5.

python benchmarks/planning.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

SUITE = """
schema = 1
name = "large"
version = "1"

[[matrix]]
name = "main"
architecture = "lenet-300-100"
dataset = "mnist"
recipe = "pai-lenet"
methods = ["random", "magnitude", "snip", "grasp", "synflow"]
ablations = ["none", "shuffle", "reinit", "invert"]
sparsities = {keep = 0.9, count = 50}
seeds = 20
dense = false
measures = ["layer-sparsity"]
"""


def main() -> None:
    import torch  # noqa: F401

    import prunebench.vision  # noqa: F401
    from prunebench.engine.request import Request
    from prunebench.plan.frozen import frozen, thawed
    from prunebench.plan.make import make_plan
    from prunebench.suite import load_suite, shipped_suites

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.toml"
        path.write_text(SUITE)
        request = Request(suite=str(path), store=folder, data=folder, third_party=False)
        began = time.process_time()
        host = request.host()
        print(f"loading plugins      {time.process_time() - began:6.2f} s")
        for _ in range(2):
            began = time.process_time()
            plan = make_plan(request.read_suite(host), host, Path(folder))
            seconds = time.process_time() - began
            print(
                f"planning             {seconds:6.2f} s   {len(plan.cells):,} cells, {len(plan.jobs):,} jobs"
            )
        began = time.process_time()
        left = plan.remaining([t for c in plan.cells for t in c.targets], lambda key: False)
        print(f"what is left to do   {time.process_time() - began:6.2f} s   {len(left):,} jobs")
        began = time.process_time()
        import orjson

        content = orjson.dumps(frozen(plan))
        print(f"freezing             {time.process_time() - began:6.2f} s   {len(content) / 1e6:.0f} MB")
        began = time.process_time()
        thawed(orjson.loads(content))
        print(f"thawing              {time.process_time() - began:6.2f} s")
        for name in shipped_suites():
            began = time.process_time()
            plan = make_plan(load_suite(name, host), host, Path(folder))
            print(f"{name:20} {time.process_time() - began:6.2f} s   {len(plan.cells):,} cells")
    statistics()


def statistics() -> None:
    """Ten methods, twenty sparsities, five seeds, twenty settings: spreads, pairs, places."""
    import numpy as np

    from prunebench.analysis import compare, places, summarize, table

    rng = np.random.default_rng(0)
    rows = [
        {"architecture": f"net{a}", "dataset": "d", "method": f"m{m}", "density": f"{0.8**k:.12f}", "seed": s}
        | {"status": "finished", "correct": int(rng.integers(9000, 9900)), "examples": 10_000}
        for a in range(20)
        for m in range(10)
        for k in range(20)
        for s in range(5)
    ]
    began = time.process_time()
    frame = table(rows)
    places(summarize(frame), compare(frame))
    print(f"statistics           {time.process_time() - began:6.2f} s   {len(rows):,} cells")


if __name__ == "__main__":
    main()
