"""How long a report over 20,000 records takes, how large its page is, and how soon it opens.

Nothing is trained: the records are made up. Each number stands beside what it may be; exits with 1 where one
is over.

python benchmarks/report.py
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
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
LIMITS = {"seconds": 20.0, "memory, MB": 1000.0, "empty page, MB": 1.2, "page, MB": 2.5, "opens in, s": 2.0}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "large.toml"
        path.write_text(SUITE)
        began = time.perf_counter()
        count = records(path, folder / "store")
        print(f"{count:,} records made up in {time.perf_counter() - began:.0f} s")
        found = {"empty page, MB": size(report(path, folder / "nothing", folder / "empty"))}
        before, began = processor(), time.perf_counter()
        page = report(path, folder / "store", folder / "report")
        print(f"on the clock     {time.perf_counter() - began:8.2f}   s, whatever else the machine does")
        found["seconds"] = processor() - before
        found["memory, MB"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        found["page, MB"] = size(page)
        if (opened := opens(page)) is not None:
            found["opens in, s"] = opened
    for what, most in LIMITS.items():
        if what in found:
            over = "  over" if found[what] > most else ""
            print(f"{what:16} {found[what]:8.2f}   at most {most:g}{over}")
    return int(any(found.get(what, 0) > most for what, most in LIMITS.items()))


def records(path: Path, root: Path) -> int:
    """Write a plausible record for every cell of a suite into a store; return how many."""
    import numpy as np

    from prunebench.engine.session import Request, Session
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


def report(path: Path, store: Path, out: Path) -> Path:
    """Run the command as a reader would, and return the page."""
    store.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "prunebench", "report", str(path), "--store", str(store), "-o", str(out)]
    command += ["--no-files"]
    done = subprocess.run([*command, "--data", str(path.parent)], capture_output=True, text=True)
    if not (out / "index.html").is_file():
        raise SystemExit(done.stderr)
    return out / "index.html"


def processor() -> float:
    """Return the processor's seconds that commands took so far: the report is one process of one thread."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def size(page: Path) -> float:
    return page.stat().st_size / 1e6


def opens(page: Path) -> float | None:
    """Return how long headless Chromium takes until the page has its first figure; None without one."""
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
        there = "return document.querySelector('.chart svg, #places tr') !== null"
        WebDriverWait(started, 60, 0.02).until(lambda _: started.execute_script(there))
        return time.perf_counter() - began
    finally:
        started.quit()


if __name__ == "__main__":
    sys.exit(main())
