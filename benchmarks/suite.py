"""A suite of 24 pruned LeNet-300-100 from command to end, and how soon a process trains: against other ways.

    python benchmarks/suite.py [--part suite|start] [--turns 3] [--epochs 1] [--against ../before]

suite: four methods at three densities and two seeds, trained for an epoch of 60,000 images each and evaluated
on 10,000; the images are random bytes, so nothing is downloaded. Timed as whole programs, which take turns:

    prunebench           `prunebench run` of this checkout, of a new store, without its table
    prunebench, sparse   the same with `--kernels sparse`
    prunebench, -n 2     the same with two workers
    another              that of the checkout at `--against` (`benchmarks/checkouts.py`), also with `-n 2`
    plain                one process that makes the same masks and trainings by hand: torch.optim.SGD, all
                         images normalised once, no DataLoader, nothing stored

start: from the start of a program to the first step of its first training, in process, and with `-n 2` to the
first step of the later worker. (Processors and memory are of the whole program, a few short trainings.)

Seconds are the clock's (the least of the turns, and the median) and of all processors together; ratios are of
the median of the turns. Of each the most memory that one process held. All on one thread. Records of both
checkouts, and of two workers, are compared: where their digests are the same, so are all their bits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from checkouts import HERE, checkout, timed_program

METHODS = ("random", "magnitude", "snip", "synflow")
DENSITIES = (0.5, 0.1, 0.02)
SEEDS = 2
SIZES = {"train": 60_000, "test": 10_000}
BATCH, RATE, MEAN, STD = 128, 0.1, 0.5, 0.29

HEAD = """
schema = 1
name = "work"
version = "1"
plugins = ["bytes.py"]

[[matrix]]
name = "main"
dataset = "bytes"
recipe = {{name = "pai-lenet", epochs = {epochs}}}
"""

SUITE = f"""
architecture = "lenet-300-100"
methods = {list(METHODS)}
densities = {list(DENSITIES)}
seeds = {SEEDS}
dense = false
"""

START = """
architecture = "marking-lenet"
methods = ["random"]
densities = [0.1]
seeds = 4
dense = false
"""

PLUGIN = f'''
"""Random bytes in MNIST's shape, and a LeNet-300-100 that notes when each process trained it first."""

import os
import time
from pathlib import Path

import prunebench

HERE = Path(__file__).parent
SIZES = {SIZES!r}


def load(root, part):
    """Random images, and labels that have nothing to do with them."""
    import numpy as np
    import torch

    draw = np.random.default_rng(0 if part == "train" else 1)
    images = draw.integers(256, size=(SIZES[part], 1, 28, 28), dtype=np.uint8)
    return torch.from_numpy(images), torch.from_numpy(draw.integers(10, size=SIZES[part]))


def fingerprint(root):
    return "random bytes"


def marking_lenet(input_shape, classes):
    """LeNet-300-100."""
    from prunebench_plugins.architectures import lenet_300_100

    net = lenet_300_100(input_shape, classes)

    def note(module, inputs):
        path = HERE / f"{{os.getpid()}}.first"
        if module.training and not path.exists():
            path.write_text(repr(time.time()))

    net.register_forward_pre_hook(note)
    return net


@prunebench.hookimpl
def prunebench_datasets():
    sizes = {{"train": SIZES["train"], "test": SIZES["test"], "shape": (1, 28, 28), "classes": 10}}
    look = {{"mean": ({MEAN},), "std": ({STD},), "margin": 0.2}}
    return [prunebench.Dataset("bytes", load, fingerprint=fingerprint, version="1", **sizes, **look)]


@prunebench.hookimpl
def prunebench_architectures():
    return [prunebench.Architecture("marking-lenet", marking_lenet, version="1")]
'''

PLAIN, OURS, SPARSE, TWO, OTHER, OTHER_TWO = (
    "plain",
    "prunebench",
    "prunebench, sparse",
    "prunebench, -n 2",
    "another",
    "another, -n 2",
)
OPTIONS: dict[str, list[str]] = {SPARSE: ["--kernels", "sparse"], TWO: ["-n", "2"], OTHER_TWO: ["-n", "2"]}
BASES: dict[str, list[str]] = {
    PLAIN: [],
    OURS: [PLAIN, OTHER],
    SPARSE: [PLAIN, OURS, OTHER],
    TWO: [OURS, OTHER_TWO],
    OTHER: [PLAIN],
    OTHER_TWO: [OTHER],
}
"""What each is compared with."""


def run_command(suite: str, options: list[str]) -> list[str]:
    """Return the arguments for Python that run a suite on the CPU in a new store."""
    command = ["-m", "prunebench", "run", suite, "--store", "store", "--data", ".", "--no-plugins"]
    return [*command, "--no-table", "-q", "--device", "cpu", *options]


# -- the suite ---------------------------------------------------------------------------------------------


def plain(epochs: float) -> None:
    """Make the same masks and trainings by hand, in this process."""
    import runpy

    import torch

    torch.set_num_threads(1)
    load = runpy.run_path("bytes.py")["load"]
    parts = {part: load(Path(), part) for part in SIZES}
    data = {part: (x.flatten(1).float().div_(255).sub_(MEAN).div_(STD), y) for part, (x, y) in parts.items()}
    for method, density, seed in product(METHODS, DENSITIES, range(SEEDS)):
        torch.manual_seed(seed)
        net = lenet()
        correct = train_by_hand(net, mask_by_hand(net, method, density, *data["train"]), epochs, data)
        print(method, density, seed, correct)


def lenet() -> Any:
    from torch import nn

    layers = [nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)]
    for layer in layers[::2]:
        nn.init.kaiming_normal_(layer.weight)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


def train_by_hand(net: Any, masks: list[Any], epochs: float, data: dict[str, Any]) -> int:
    """Train a network under masks; return how many test images it gets right."""
    import torch
    from torch.nn import functional

    weights = [p for p in net.parameters() if p.dim() > 1]
    with torch.no_grad():
        for weight, mask in zip(weights, masks, strict=True):
            weight.mul_(mask)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, fused=True)
    x, y = data["train"]
    per_epoch = -(-len(x) // BATCH)
    for step in range(round(epochs * per_epoch)):
        if step % per_epoch == 0:
            parts = torch.split(torch.randperm(len(x)), BATCH)
        part = parts[step % per_epoch]
        optimizer.zero_grad()
        functional.cross_entropy(net(x[part]), y[part]).backward()  # type: ignore[no-untyped-call]
        for weight, mask in zip(weights, masks, strict=True):
            weight.grad.mul_(mask)
        optimizer.step()
    with torch.no_grad():
        x, y = data["test"]
        return sum(
            int((net(a).argmax(1) == b).sum()) for a, b in zip(x.split(1000), y.split(1000), strict=True)
        )


def mask_by_hand(net: Any, method: str, density: float, x: Any, y: Any) -> list[Any]:
    """Return a mask (float32) for each weight: the largest scores of all layers together."""
    import copy

    import torch
    from torch.nn import functional

    weights = [p for p in net.parameters() if p.dim() > 1]
    if method == "random":
        return largest([torch.rand_like(w) for w in weights], density)
    if method == "magnitude":
        return largest([w.detach().abs() for w in weights], density)
    if method == "snip":
        gradients = torch.autograd.grad(functional.cross_entropy(net(x[:100]), y[:100]), weights)
        return largest([(w * g).detach().abs() for w, g in zip(weights, gradients, strict=True)], density)
    flowing = copy.deepcopy(net).double()
    with torch.no_grad():
        for p in flowing.parameters():
            p.abs_()
    weights = [p for p in flowing.parameters() if p.dim() > 1]
    masks = []
    for k in range(1, 101):
        gradients = torch.autograd.grad(flowing(torch.ones(1, 784, dtype=torch.float64)).sum(), weights)
        scores = [(w * g).detach() for w, g in zip(weights, gradients, strict=True)]
        masks = largest(scores, density ** (k / 100))
        with torch.no_grad():
            for weight, mask in zip(weights, masks, strict=True):
                weight.mul_(mask)
    return masks


def largest(scores: list[Any], density: float) -> list[Any]:
    import torch

    flat = torch.cat([score.flatten() for score in scores])
    threshold = flat.kthvalue(len(flat) - round(density * len(flat)) + 1).values
    return [(score >= threshold).float() for score in scores]


def digests(store: Path) -> dict[str, str]:
    """Return the digest of each record by its key."""
    records = [json.loads(path.read_text()) for path in store.glob("records/*/*.json")]
    return {record["key"]: record["digest"] for record in records}


def suite(folder: Path, turns: int, epochs: float, against: Path | None) -> None:
    """Time the suite in all ways in turns, and print."""
    write(folder, SUITE, epochs)
    ways = {PLAIN: HERE, OURS: HERE, SPARSE: HERE, TWO: HERE}
    if against is not None:
        ways |= {OTHER: against, OTHER_TWO: against}
    records: dict[str, dict[str, str]] = {}

    def once(way: str) -> dict[str, float]:
        place = new_place(folder)
        if way == PLAIN:
            return timed_program(HERE, [__file__, "--plain", str(epochs)], place)
        took = timed_program(ways[way], run_command("work.toml", OPTIONS.get(way, [])), place)
        records[way] = digests(place / "store")
        if len(records[way]) != len(METHODS) * len(DENSITIES) * SEEDS:
            raise SystemExit(f"{way}: {len(records[way])} records")
        return took

    taken = in_turns(list(ways), turns, once)
    for way, took in taken.items():
        print_line("suite", way, took, [(base, taken[base]) for base in BASES[way] if base in taken])
    for way in (TWO, OTHER, OTHER_TWO):
        if way in records:
            same = "the same as" if records[way] == records[OURS] else "OTHER than"
            print(f"suite: records of {way} are {same} those of {OURS}")


# -- the start ---------------------------------------------------------------------------------------------


def start(folder: Path, turns: int, against: Path | None) -> None:
    """Time in turns how long it is until the first step, and print."""
    write(folder, START, 0.1)
    ways = {OURS: HERE, TWO: HERE}
    if against is not None:
        ways |= {OTHER: against, OTHER_TWO: against}

    def once(way: str) -> dict[str, float]:
        place = new_place(folder)
        began = time.time()
        took = timed_program(ways[way], run_command("work.toml", OPTIONS.get(way, [])), place)
        firsts = [float(path.read_text()) - began for path in place.glob("*.first")]
        if len(firsts) != (2 if way in (TWO, OTHER_TWO) else 1):
            raise SystemExit(f"{way}: {len(firsts)} processes trained")
        return {**took, "wall": max(firsts)}

    taken = in_turns(list(ways), turns, once)
    for way, took in taken.items():
        print_line("start", way, took, [(base, taken[base]) for base in BASES[way] if base in taken])


# -- both --------------------------------------------------------------------------------------------------


def write(folder: Path, matrix: str, epochs: float) -> None:
    """Write the suite's file and its plugin."""
    (folder / "work.toml").write_text(HEAD.format(epochs=epochs) + matrix)
    (folder / "bytes.py").write_text(PLUGIN)


def new_place(folder: Path) -> Path:
    """Return a new folder with the suite in it: what is measured finds nothing of what was before it."""
    place = Path(tempfile.mkdtemp(dir=folder))
    for name in ("work.toml", "bytes.py"):
        (place / name).write_bytes((folder / name).read_bytes())
    return place


def in_turns(
    ways: list[str], turns: int, once: Callable[[str], dict[str, float]]
) -> dict[str, list[dict[str, float]]]:
    """Return what each way took in each turn, every other in the reverse order; print it meanwhile."""
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for turn in range(turns):
        for way in ways if turn % 2 == 0 else reversed(ways):
            took = once(way)
            taken[way].append(took)
            print(
                f"  turn {turn + 1}: {way} {took['wall']:.2f} s, processors {took['processor']:.2f} s",
                flush=True,
            )
    return taken


def print_line(
    part: str, way: str, took: list[dict[str, float]], bases: list[tuple[str, list[dict[str, float]]]]
) -> None:
    """Print the seconds of a way, and how many times as quick it is as others."""
    wall, processor = ([one[clock] for one in took] for clock in ("wall", "processor"))
    ratios = []
    for base, theirs in bases:
        quicker, less = (
            statistics.median(b[clock] / a[clock] for a, b in zip(took, theirs, strict=True))
            for clock in ("wall", "processor")
        )
        ratios.append(f"{quicker:.2f} × {base} (processors {less:.2f})")
    print(
        f"{part} {way:19} {min(wall):6.2f} s (median {statistics.median(wall):.2f}), "
        f"processors {statistics.median(processor):6.2f} s, "
        f"{max(one['memory'] for one in took) / 1e6:4.0f} MB  {'  '.join(ratios)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--part", choices=["suite", "start"], help="only this one")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=1.0, help="of each training; 0.1 for a try")
    parser.add_argument("--against", type=checkout, metavar="PATH", help="another checkout, in turns")
    parser.add_argument("--plain", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        plain(arguments.plain)
        return
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for part in ("start", "suite"):
        if arguments.part in (None, part):
            with tempfile.TemporaryDirectory() as name:
                if part == "start":
                    start(Path(name), arguments.turns, arguments.against)
                else:
                    suite(Path(name), arguments.turns, arguments.epochs, arguments.against)


if __name__ == "__main__":
    main()
