"""How long a report over 20,000 records takes, how large its page is, and how soon it opens.

Two suites, of which nothing is trained: one of 20,000 records in a store, reported by the command; and `pai`
with seven seeds, its data sets, measures, checks and claims, on simulated results. Each number stands beside
what it may be; exits with 1 where one is over.

python benchmarks/report.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SUITE = """
schema = 1
name = "large"
version = "1"

[[matrix]]
name = "main"
dataset = "cifar10"
recipe = "pai-cifar10"
architecture = ["resnet20", "vgg16", "vgg11", "vgg19"]
methods = ["random", "magnitude", "snip", "grasp", "synflow", "iterative-snip", "grasp-magnitude",
  "force", "erk", "uniform-magnitude", "magnitude-after-training"]
ablations = ["none", "shuffle", "reinit", "invert", "shuffle+reinit"]
sparsities = {keep = 0.8, count = 18}
seeds = 5
"""
LIMITS = {"s on the clock": 20.0, "MB of memory": 1000.0, "MB of page": 2.5, "s until it opens": 2.0}
EMPTY = {"MB of page": 1.2, "s until it opens": 2.0}


def main() -> int:
    if sys.argv[1:2] == ["simulated"]:
        return simulated(int(sys.argv[2]), Path(sys.argv[3]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "large.toml"
        path.write_text(SUITE)
        print(f"{records(path, folder / 'store'):,} records are made up")
        over = judged(
            "a page of nothing", EMPTY, folder / "empty", report(path, folder / "nothing", folder / "empty")
        )
        over |= judged(
            "20,000 records", LIMITS, folder / "large", report(path, folder / "store", folder / "large")
        )
        here = [sys.executable, __file__, "simulated", "7", str(folder / "pai")]
        over |= judged("pai, simulated, seven seeds", LIMITS, folder / "pai", here)
    return int(over)


def judged(what: str, limits: Mapping[str, float], out: Path, command: Sequence[str]) -> bool:
    """Run what writes a page into a folder, print what it took, and return whether that is too much."""
    seconds, memory = measured(command)
    page = out / "index.html"
    numbers: dict[str, float | None] = {
        "s on the clock": seconds,
        "MB of memory": memory,
        "MB of page": page.stat().st_size / 1e6,
        "s until it opens": opens(page),
    }
    print(what)
    over = False
    for name, most in limits.items():
        number = numbers[name]
        if number is not None:
            over |= number > most
            print(f"  {number:8.2f} {name:17} at most {most:g}{'  over' if number > most else ''}")
    return over


def measured(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return its seconds on the clock, or those that it says, and its peak memory in MB."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, text=True)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        said.seek(0)
        text = said.read()
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: not all runs are there
        raise SystemExit(text)
    own = re.search(r"^(\d+\.\d+) s$", text, re.MULTILINE)
    return float(own[1]) if own else seconds, used.ru_maxrss / 1024


def simulated(seeds: int, out: Path) -> int:
    """Write the page of `pai` with so many seeds; say how long that took, less simulating its results."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from simulated import simulate

    from prunebench.host import Host
    from prunebench.report.page import PAGE, Content, render, write
    from prunebench.suite import load_suite, with_seeds

    host = Host.load(third_party=False)
    results = simulate(with_seeds(load_suite("pai", host), seeds, host)).results
    began = time.perf_counter()
    write(out, PAGE, render(Content(results, files=False)))
    print(f"{len(results.cells):,} cells")
    print(f"{time.perf_counter() - began:.2f} s")
    return 0


def records(path: Path, root: Path) -> int:
    """Write a plausible record for every cell of a suite into a store; return how many."""
    import numpy as np

    from prunebench.engine.request import Request
    from prunebench.engine.session import Session
    from prunebench.inventory.frozen import freeze
    from prunebench.plan.params import RecordParams
    from prunebench.store import Store

    request = Request(suite=str(path), store=str(root), data=str(root.parent), third_party=False)
    plan = Session.prepare(request).plan
    store = Store.open(root)
    freeze(plan, store)
    rng = np.random.default_rng(0)
    keys = list(dict.fromkeys(cell.key for cell in plan.cells))
    for key in keys:
        job = plan.jobs[key]
        cell = job.params_as(RecordParams).cell.plain()
        density, end = float(cell["density"]), int(job.inputs[0].partition("@")[2])
        correct = int(min(9300, 9300 - 900 * (1 - density) ** 6 + rng.normal(0, 20)))
        curve = [
            {
                "step": end - 390 * (19 - i),
                "train_loss": 1 / (i + 1),
                "correct": correct,
                "examples": 10000,
                "loss": 0.3,
            }
            for i in range(20)
        ]
        result: dict[str, Any] = {
            "cell": cell,
            "state": job.inputs[0],
            "curve": curve,
            "outcome": "finished",
            "test": {"correct": correct, "examples": 10000, "loss": 0.3},
        }
        if len(job.inputs) > 1:
            sizes = {"kept": cell["kept"], "prunable": cell["prunable"]}
            result["mask"] = {"key": job.inputs[1], **sizes, "layers": [{"name": "fc.weight", **sizes}]}
        store.write_record(key, result, {"numerics": "made up", "suite": {"name": "large", "version": "1"}})
    return len(keys)


def report(path: Path, store: Path, out: Path) -> list[str]:
    """Return the command as a reader would give it."""
    store.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "prunebench", "report", str(path), "--store", str(store), "-o", str(out)]
    return [*command, "--no-files", "--data", str(path.parent)]


def opens(page: Path) -> float | None:
    """Return how long headless Chromium takes until the page has its first figure; None without it."""
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or browser is None:
        print("no chromium: how soon the page opens is not measured")
        return None
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        began = time.perf_counter()
        started.get(f"file://{page}")
        figure = "document.querySelector('.chart svg, #places tr') !== null"
        there = f"return {figure} || document.body.classList.contains('drawn')"  # of nothing none
        WebDriverWait(started, 60, 0.02).until(lambda _: started.execute_script(there))
        return time.perf_counter() - began
    finally:
        started.quit()


if __name__ == "__main__":
    sys.exit(main())
