"""Training throughput: prunebench's loop against a plain hand-written one, and against another checkout's.

    python benchmarks/throughput.py [--quick] [--network lenet|resnet20] [--kernels dense|sparse]
                                    [--against ../before]

Prints, for the dense network and with masks that keep 10 % and 2 % of the weights, images a second of

    plain       an ordinary loop on a network as one writes it, torch.optim.SGD, the mask multiplied into the
                gradients, a line a layer; no checks, no deterministic algorithms
    another     prunebench's loop and network of the checkout at `--against` (`benchmarks/checkouts.py`)
    prunebench  those of this checkout, and, of a masked LeNet, with `--kernels sparse`

and the median of ratios to the first two; the most memory of each; and of both checkouts a hash of
parameters, buffers and momentum after 300 steps of LeNet and 10 of ResNet-20, dense and at 10 %: where it is
the same, so are all bits.

Each loop is a process of its own, on one thread, and they take turns, a block of steps each, while the others
wait. prunebench's processes are set up as those of `prunebench run` are (memory that is freed is kept:
`prunebench/heap.py`), the plain one is as Python starts it. All take the same batches, by prunebench's data
path. prunebench's loop is one call, as in a run. Speeds are by processor time, so that other work on the
machine counts little; ratios by the clock stand behind, for a machine that is idle.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from checkouts import HERE, Clock, Served, answer, asked, asked_again, check_imported, checkout, most_memory
from torch import nn
from torch.nn import functional

from prunebench.process import prepare_process
from prunebench.pruning.mask import Mask
from prunebench.training.images.batches import Batches
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

DENSITIES = (1.0, 0.1, 0.02)
BATCH = 128
HASHED = {"lenet": 300, "resnet20": 10}
"""Steps after which both checkouts' states are compared."""
PLAIN, OURS, SPARSE, OTHER = "plain", "prunebench", "prunebench, sparse", "another"


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


def random_mask(module: nn.Module, density: float = 0.2) -> Mask:
    generator = torch.Generator().manual_seed(1)
    weights = {name: p for name, p in module.named_parameters() if p.ndim > 1}
    return Mask({name: torch.rand(p.shape, generator=generator) < density for name, p in weights.items()})


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


def recipe_of(network: str, epochs: int, momentum: float) -> Recipe:
    """Return a recipe for so many epochs and one more, at whose end alone the split is evaluated: never."""
    convolutional = network == "resnet20"
    return Recipe(
        epochs=epochs + 1,
        evaluate=epochs + 1,
        batch=BATCH,
        lr=0.01,
        momentum=momentum,
        weight_decay=1e-4 if convolutional else 0.0,
        augment=("flip", "shift4") if convolutional else (),
    )


def network_of(network: str) -> nn.Module:
    """Return prunebench's own network, its weights always the same."""
    from prunebench_plugins.architectures import cifar_resnet, lenet_300_100

    torch.manual_seed(0)
    return cifar_resnet((3, 32, 32), 10) if network == "resnet20" else lenet_300_100((1, 28, 28), 10)


def mask_of(module: nn.Module, density: float) -> Mask | None:
    return None if density == 1 else random_mask(module, density)


class Loop:
    """What a measured process does: blocks of steps of one of the loops, when it is asked for one."""

    def __init__(self, loop: str, network: str, steps: int) -> None:
        self.loop, self.network, self.steps = loop, network, steps
        shape = (3, 32, 32) if network == "resnet20" else (1, 28, 28)
        self.data = random_data(shape, BATCH * steps)
        self.momentum = 0.9 if network == "resnet20" else 0.0

    def blocks(self, density: float, blocks: int) -> None:
        """Train a new network; after each block say what it took, and wait to be asked for the next."""
        recipe = recipe_of(self.network, blocks, self.momentum)
        if self.loop == PLAIN:
            self._plain_blocks(recipe, density, blocks)
        else:
            self._train_blocks(recipe, density, blocks)

    def _plain_blocks(self, recipe: Recipe, density: float, blocks: int) -> None:
        convolutional = self.network == "resnet20"
        module = ResNet20() if convolutional else lenet()
        run = plain(module, mask_of(module, density), recipe, self.data, convolutional)
        for block in range(blocks):
            if block:
                asked_again()
            clock = Clock()
            run(self.steps)
            answer(clock.seconds())

    def _train_blocks(self, recipe: Recipe, density: float, blocks: int) -> None:
        clock = Clock()

        def on_step(step: int, to_step: int) -> None:
            nonlocal clock
            if step % self.steps == 0:
                answer(clock.seconds())
                if step < to_step:
                    asked_again()
                clock = Clock()

        self._train(recipe, density, blocks * self.steps, on_step)

    def _train(
        self, recipe: Recipe, density: float, to_step: int, on_step: Callable[[int, int], None] | None = None
    ) -> State:
        module = network_of(self.network)
        state = State.of(module, mask_of(module, density))
        others: dict[str, Any] = {"kernels": "sparse"} if self.loop == SPARSE else {}
        after = train(module, state, recipe, self.data, seed=0, to_step=to_step, on_step=on_step, **others)
        if after.diverged is not None:
            raise SystemExit(f"the benchmark diverged at step {after.diverged}: its times mean nothing")
        return after

    def digest(self, density: float) -> str:
        """Return a hash of a state's tensors: parameters, buffers, momentum."""
        to_step = HASHED[self.network]
        recipe = recipe_of(self.network, -(-to_step // self.steps), momentum=0.9)
        state = self._train(recipe, density, to_step)
        digest = hashlib.sha256()
        for part in (state.parameters, state.buffers, state.slots["momentum"]):
            for name, tensor in sorted(part.items()):
                digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def serve(loop: str, network: str, steps: int, folder: Path) -> None:
    """Do what is asked for in a process of its own."""
    check_imported(folder)
    torch.set_num_threads(1)
    if loop != PLAIN:
        prepare_process()
    ours = Loop(loop, network, steps)
    while (question := asked()) is not None:
        if "blocks" in question:
            ours.blocks(question["density"], question["blocks"])
        elif "digest" in question:
            answer(ours.digest(question["digest"]))
        else:
            answer(most_memory())


def speeds(
    loops: dict[str, Served], density: float, pairs: int, blocks: int
) -> dict[str, dict[str, list[float]]]:
    """Return the seconds of blocks that all loops made in turns, by loop and clock.

    Of several networks, one after the other: where one lies in memory moves its speed by some percent.
    """
    taken: dict[str, dict[str, list[float]]] = {loop: {"processor": [], "wall": []} for loop in loops}
    for _ in range(pairs):
        for block in range(blocks):
            for loop, process in loops.items():
                seconds = process.ask(density=density, blocks=blocks) if block == 0 else process.ask(go=block)
                if block:  # the first warms up
                    for clock, values in taken[loop].items():
                        values.append(seconds[clock])
    return taken


def say(network: str, density: float, steps: int, taken: dict[str, dict[str, list[float]]]) -> None:
    """Print a line for each loop."""
    for loop, clocks in taken.items():
        speed = BATCH * steps / statistics.median(clocks["processor"])
        ratios = []
        for base in (PLAIN, OTHER):
            if base in taken and loop not in (PLAIN, base):
                processor, wall = (
                    statistics.median(b / a for a, b in zip(clocks[clock], taken[base][clock], strict=True))
                    for clock in ("processor", "wall")
                )
                ratios.append(f"{processor:5.2f} × {base} (clock {wall:.2f})")
        print(f"{network:9} {density:5g}  {loop:19} {speed:9,.0f} images/s  {'  '.join(ratios)}", flush=True)


def compare(network: str, sizes: tuple[int, int, int], kernels: str | None, against: Path | None) -> None:
    """Time all loops of a network in turns, and print."""
    pairs, blocks, steps = sizes
    folders = {PLAIN: HERE}
    if against is not None:
        folders[OTHER] = against
    if kernels != "sparse" or network != "lenet":
        folders[OURS] = HERE
    if kernels != "dense" and network == "lenet":
        folders[SPARSE] = HERE
    loops = {
        loop: Served(folder, __file__, "--serve", loop, network, str(steps), str(folder))
        for loop, folder in folders.items()
    }
    for density in DENSITIES:
        those = {loop: process for loop, process in loops.items() if loop != SPARSE or density < 1}
        say(network, density, steps, speeds(those, density, pairs, blocks))
    held = {loop: process.ask(memory=True) for loop, process in loops.items()}
    said = ", ".join(f"{loop} {amount / 1e6:.0f} MB" for loop, amount in held.items())
    print(f"{network:9} most memory: {said}", flush=True)
    for density in (1.0, 0.1):
        hashes = {loop: loops[loop].ask(digest=density) for loop in (OTHER, OURS) if loop in loops}
        if not hashes:
            break
        same = (
            "" if len(hashes) < 2 else ": the same bits" if len(set(hashes.values())) == 1 else ": OTHER BITS"
        )
        said = ", ".join(f"{loop} {digest}" for loop, digest in hashes.items())
        print(f"{network:9} {density:5g}  after {HASHED[network]} steps: {said}{same}", flush=True)
    for process in loops.values():
        process.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks")
    parser.add_argument("--network", choices=["lenet", "resnet20"], help="only this one")
    parser.add_argument("--kernels", choices=["dense", "sparse"], help="of LeNet these alone; default: both")
    parser.add_argument(
        "--against", type=checkout, metavar="PATH", help="another checkout, measured in turns"
    )
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        loop, network, steps, folder = arguments.serve
        serve(loop, network, int(steps), Path(folder))
        return
    sizes = (
        {"lenet": (2, 4, 50), "resnet20": (1, 4, 2)}
        if arguments.quick
        else {"lenet": (4, 8, 200), "resnet20": (2, 7, 4)}
    )
    for network, size in sizes.items():
        if arguments.network in (None, network):
            compare(network, size, arguments.kernels, arguments.against)


if __name__ == "__main__":
    main()
