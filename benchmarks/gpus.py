"""Training throughput on a GPU: prunebench's loop against a plain one, by 1, 2 and 4 processes that share it.

    python benchmarks/gpus.py [--device cuda] [--steps 200] [--workers 1 2 4]

Prints images a second of all processes together, of ResNet-20 with a mask on images of CIFAR-10's size, and
the ratio of prunebench's loop to the plain one (deterministic algorithms are on in both: they are what is
slow, not the loop). Processes begin together, after a warm-up of as many steps as are timed; time is the
clock's.
Where there is no GPU it says so; `--device cpu` tries the program there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import torch
from throughput import ResNet20, plain, random_data, random_mask

from prunebench.process import prepare_process
from prunebench.training.loop import train
from prunebench.training.numerics import deterministic
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

BATCH = 128


def prunebench_loop(recipe: Recipe, data: Any, device: str) -> Callable[[int], None]:
    """Return prunebench's loop over so many steps: each call goes on where the last ended."""
    module = ResNet20()
    state = State.of(module, mask=random_mask(module))

    def run(steps: int) -> None:
        nonlocal state
        state = train(module, state, recipe, data, seed=0, to_step=state.step + steps, device=device)

    return run


def work(which: str, device: str, steps: int, together: Any, seconds: Any) -> None:
    """Train in a process of its own; note how long the timed steps took."""
    torch.set_num_threads(1)
    recipe = Recipe(epochs=4, evaluate=4, batch=BATCH, lr=0.01, momentum=0.9, augment=("flip", "shift4"))
    data = random_data((3, 32, 32), BATCH * steps).to(device)
    with deterministic(device):
        if which == "prunebench":
            run = prunebench_loop(recipe, data, device)
        else:
            module = ResNet20().to(device)
            run = plain(module, random_mask(module), recipe, data, convolutional=True)
        run(steps)
        wait_for(device)
        together.wait()
        began = time.perf_counter()
        run(steps)
        wait_for(device)
    seconds.put(time.perf_counter() - began)


def wait_for(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def images_a_second(which: str, workers: int, device: str, steps: int) -> float:
    """Return what so many processes do together."""
    context = multiprocessing.get_context("spawn")
    together, seconds = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=work, args=(which, device, steps, together, seconds)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    spent = [seconds.get() for _ in processes]
    for process in processes:
        process.join()
    return float(workers * steps * BATCH / max(spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    asked = parser.parse_args()
    prepare_process()
    if asked.device.startswith("cuda"):
        if not torch.cuda.is_available():
            print("There is no GPU that torch sees: nothing is measured (--device cpu tries the program).")
            return
        print(torch.cuda.get_device_name(asked.device))
    for workers in asked.workers:
        ours, theirs = (
            images_a_second(which, workers, asked.device, asked.steps) for which in ("prunebench", "plain")
        )
        print(f"{workers} workers: {ours:,.0f} images/s, plain {theirs:,.0f}, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
