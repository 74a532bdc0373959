"""What checkpoints cost of training: the seconds that one takes, and the share of a run's time that all take.

    python benchmarks/checkpoints.py [--store DIR] [--seconds N]

For each network: the size of a checkpoint with momentum, the median seconds of writing one (flushed to disk),
and the share of a run that has one a minute, as `prunebench run` does, by its own rule for slow disks. Then a
network is trained for some seconds with checkpoints every two seconds, and the share is measured: the seconds
inside `save` of all seconds, and from that what one a minute takes.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import torch
from throughput import random_data

from prunebench.host import Host
from prunebench.jobs import train as jobs
from prunebench.jobs.states import pack_state
from prunebench.store import Store
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

NETWORKS = {
    "lenet-300-100": ((1, 28, 28), 10),
    "resnet20": ((3, 32, 32), 10),
    "vgg16": ((3, 32, 32), 10),
    "resnet50": ((3, 224, 224), 1000),
}
RECIPE = Recipe(epochs=1000, batch=128, lr=0.01, momentum=0.9)
MINUTE = 60.0


def state_of(name: str) -> tuple[torch.nn.Module, State]:
    shape, classes = NETWORKS[name]
    architecture = Host.load(third_party=False).get("architectures", name)
    module = architecture.build(shape, classes, **architecture.parameters)
    state = State.of(module, mask=None, step=0)
    slots = {"momentum": {key: torch.zeros_like(value) for key, value in state.parameters.items()}}
    return module, State(state.parameters, state.buffers, slots, None, 0)


def saving(store: Store, state: State, times: int = 5) -> tuple[float, float]:
    """Return the median seconds of writing a checkpoint, and its bytes."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        tensors, meta = pack_state(state)
        key = f"{number:064x}@0"
        store.write_artifact(key, tensors, {"kind": "state", **meta}, checkpoint=True)
        took.append(time.perf_counter() - began)
        size = store.artifact_path(key, checkpoint=True).stat().st_size
        store.drop_artifact(key, checkpoint=True)
    return statistics.median(took), size


class NowAndThen:
    """Saves every two seconds, and measures what that takes."""

    def __init__(self, store: Store, every: float = 2.0) -> None:
        self.store, self.every, self.last = store, every, time.perf_counter()
        self.took: list[float] = []

    def due(self, step: int) -> bool:
        return time.perf_counter() - self.last >= self.every

    def save(self, state: State) -> None:
        began = time.perf_counter()
        tensors, meta = pack_state(state)
        key = f"{'ab' * 32}@{state.step}"
        self.store.write_artifact(key, tensors, {"kind": "state", **meta}, checkpoint=True)
        self.store.drop_artifact(key, checkpoint=True)
        self.last = time.perf_counter()
        self.took.append(self.last - began)


class Enough(Exception):
    """The seconds are over."""


def trained(store: Store, name: str, seconds: float) -> tuple[float, float]:
    """Return the seconds of a training, and those of its checkpoints."""
    module, state = state_of(name)
    data = random_data(NETWORKS[name][0], 512)
    saves = NowAndThen(store)
    began = time.perf_counter()

    def stop(step: int, to_step: int) -> None:
        if time.perf_counter() - began > seconds:
            raise Enough

    with contextlib.suppress(Enough):
        train(module, state, RECIPE, data, seed=0, to_step=4000, checkpoint=saves, on_step=stop)
    return time.perf_counter() - began, sum(saves.took) / max(1, len(saves.took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", type=Path, default=None, help="where checkpoints are written")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the training that is measured")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=options.store) as folder:
        store = Store.open(Path(folder) / "store")
        for name in NETWORKS:
            took, size = saving(store, state_of(name)[1])
            interval = max(MINUTE, took / jobs.SHARE)
            share = 100 * took / (interval + took)
            print(f"{name:14} {size / 1e6:7.1f} MB  {1000 * took:7.1f} ms  {share:.2f} %", flush=True)
        for name in ("lenet-300-100", "resnet20"):
            whole, one = trained(store, name, options.seconds)
            print(f"{name:14} trained {whole:.0f} s: {1000 * one:.1f} ms each, {100 * one / MINUTE:.3f} %")


if __name__ == "__main__":
    main()
