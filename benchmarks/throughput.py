"""Training throughput: prunebench's loop against a plain hand-written one, in alternating blocks of one run.

    python benchmarks/throughput.py [--quick] [--network lenet|resnet20]

Prints images a second of each and the ratio of the medians, for the dense network and with a mask (which the
plain loop multiplies into the gradients, a line a layer). Times are the processor's, so that other work on
the machine counts little; one thread; both take the same batches. A block is an epoch. prunebench's loop is
one call, as in a run, and lets the plain loop do a block after each of its own; the plain loop has no checks
and no deterministic algorithms.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from prunebench.pruning.mask import Mask
from prunebench.training.images.batches import Batches
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet20(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        widths = [16] * 3 + [32] * 3 + [64] * 3
        self.blocks = nn.Sequential(
            *(Block(a, b, 1 if a == b else 2) for a, b in zip([16, *widths], widths, strict=False))
        )
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.blocks(functional.relu(self.bn(self.conv(x))))
        logits: torch.Tensor = self.fc(out.mean((2, 3)))
        return logits


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def random_data(shape: tuple[int, int, int], examples: int) -> Data:
    generator = torch.Generator().manual_seed(0)

    def part(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randint(256, (n, *shape), dtype=torch.uint8, generator=generator)
        return images, torch.randint(10, (n,), generator=generator)

    return Data.prepare(part(examples), part(10), [0.5] * shape[0], [0.25] * shape[0], 10)


def random_mask(module: nn.Module) -> Mask:
    generator = torch.Generator().manual_seed(1)
    weights = {name: p for name, p in module.named_parameters() if p.ndim > 1}
    return Mask({name: torch.rand(p.shape, generator=generator) < 0.2 for name, p in weights.items()})


def plain(
    module: nn.Module, mask: Mask | None, recipe: Recipe, data: Data, convolutional: bool
) -> Callable[[int], None]:
    """Return an ordinary loop over so many steps, as one would write it by hand."""
    if convolutional:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = Batches(data, recipe, 0, channels_last=convolutional)
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    kept = []
    if mask is not None:
        mask.apply(module)
        for name, p in module.named_parameters():
            if name in mask:
                kept.append((p, torch.empty_like(p, requires_grad=False).copy_(mask[name])))
    done = 0

    def run(steps: int) -> None:
        nonlocal done
        module.train()
        for step in range(done, done + steps):
            x, y = batches(step)
            optimizer.zero_grad()
            loss = functional.cross_entropy(module(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            for p, factor in kept:
                assert p.grad is not None
                p.grad.mul_(factor)
            optimizer.step()
        done += steps

    return run


def alternate(name: str, kind: str, blocks: int, steps: int) -> dict[str, list[float]]:
    """Return the seconds of alternating epochs of `steps` steps, on a pair of new networks."""
    convolutional = name == "resnet20"
    build = ResNet20 if convolutional else lenet
    shape = (3, 32, 32) if convolutional else (1, 28, 28)
    data = random_data(shape, 128 * steps)
    recipe = Recipe(
        epochs=blocks + 1,  # the split is evaluated at the end alone, which is never reached
        evaluate=blocks + 1,
        batch=128,
        lr=0.01,
        momentum=0.9 if convolutional else 0.0,
        weight_decay=1e-4 if convolutional else 0.0,
        augment=("flip", "shift4") if convolutional else (),
    )
    module = build()
    mask = random_mask(module) if kind == "masked" else None
    plain_block = plain(build(), mask, recipe, data, convolutional)
    times: dict[str, list[float]] = {"plain": [], "prunebench": []}
    started = time.process_time()

    def on_step(step: int, to_step: int) -> None:
        nonlocal started
        if step % steps == 0:
            times["prunebench"].append(time.process_time() - started)
            torch.use_deterministic_algorithms(False)
            started = time.process_time()
            plain_block(steps)
            times["plain"].append(time.process_time() - started)
            torch.use_deterministic_algorithms(True)
            started = time.process_time()

    state = train(
        module, State.of(module, mask), recipe, data, seed=0, to_step=blocks * steps, on_step=on_step
    )
    if state.diverged is not None:
        raise SystemExit(f"the benchmark diverged at step {state.diverged}: its times mean nothing")
    return {loop: values[1:] for loop, values in times.items()}  # the first block warms up


def compare(name: str, kind: str, pairs: int, blocks: int, steps: int) -> None:
    """Time several pairs of networks (where one lies in memory moves its speed by some percent) and print."""
    times = [alternate(name, kind, blocks, steps) for _ in range(pairs)]
    speed, plainly = (
        128 * steps / statistics.median([seconds for pair in times for seconds in pair[loop]])
        for loop in ("prunebench", "plain")
    )
    print(
        f"{name} {kind}: plain {plainly:,.0f} images/s, prunebench {speed:,.0f} images/s, "
        f"ratio {speed / plainly:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks")
    parser.add_argument("--network", choices=["lenet", "resnet20"], help="only this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = (
        {"lenet": (4, 5, 100), "resnet20": (2, 5, 4)}
        if arguments.quick
        else {"lenet": (8, 9, 200), "resnet20": (4, 8, 5)}
    )
    for name, (pairs, blocks, steps) in sizes.items():
        if arguments.network in (None, name):
            for kind in ("dense", "masked"):
                compare(name, kind, pairs, blocks, steps)


if __name__ == "__main__":
    main()
