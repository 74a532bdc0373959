"""Trains small networks as one of two processes, for tests of several devices: `python … NUMBER FOLDER [DEVICE]`.

Two processes that share a GPU meet by gloo alone, as NCCL wants a GPU for each; with GPUs of their own they
meet as prunebench's do.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from prunebench.process import prepare_process
from prunebench.pruning import prunable_weights
from prunebench.pruning.mask import Mask
from prunebench.schedules.gradual import Cubic
from prunebench.training import devices as module_devices
from prunebench.training import loop
from prunebench.training.devices import ALONE, Devices, Together
from prunebench.training.gradual import GradualMask
from prunebench.training.images.data import Data
from prunebench.training.loop import train
from prunebench.training.recipe import Recipe
from prunebench.training.state import State

CLASSES, EXAMPLES = 4, 51
"""In batches of eight the last has three: one process has one example of them, the other two."""


def data() -> Data:
    rng = np.random.default_rng(0)

    def part(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.from_numpy(rng.integers(0, 256, (n, 2, 6, 6), dtype=np.uint8))
        return images, torch.from_numpy(rng.integers(0, CLASSES, n))

    return Data.prepare(part(EXAMPLES), part(23), [0.4] * 2, [0.25] * 2, CLASSES)


class Block(nn.Module):
    """A convolution with BatchNorm and dropout."""

    def __init__(self, inputs: int, drop: float) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(inputs, 6, 3), nn.BatchNorm2d(6), nn.Dropout(drop)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(torch.relu(self.norm(self.conv(x))))


def convnet(drop: float = 0.2) -> nn.Module:
    return nn.Sequential(nn.Sequential(Block(2, drop), Block(6, drop)), nn.Flatten(), nn.Linear(24, CLASSES))


def mlp(drop: float = 0.3) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(72, 16), nn.ReLU(), nn.Dropout(drop), nn.Linear(16, CLASSES), Unused()
    )


class Unused(nn.Module):
    """A layer that no forward pass reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@dataclass(frozen=True)
class Case:
    """A network and a recipe; `alone` is the recipe of one device that computes the same."""

    network: Any
    changes: Mapping[str, Any] = field(default_factory=dict)
    alone: Mapping[str, Any] = field(default_factory=dict)
    masked: bool = False
    gradual: bool = False
    block: int = 1
    """Steps between looks at the loss, as on a GPU; the first process then saves a checkpoint whenever it may."""
    steps: tuple[int, ...] = (14,)

    def recipe(self, **changes: Any) -> Recipe:
        values = {"epochs": 2, "batch": 8, "lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}
        return Recipe.model_validate({**values, **changes})

    def trained(self, recipe: Recipe, devices: Devices, device: str = "cpu") -> list[State]:
        """Return the states at the steps, each going on from the one before as if the run had been stopped."""
        torch.manual_seed(0)
        module = self.network()
        state, states = State.of(module), []
        if self.masked:
            rng = np.random.default_rng(1)
            weights = prunable_weights(module)
            state.mask = Mask(
                {n: torch.from_numpy(rng.random(tuple(p.shape)) < 0.3) for n, p in weights.items()}
            )
        for step in self.steps:
            policy = Gradual(module, devices).policy if self.gradual else None
            saves = Always() if self.block > 1 and devices.first else None
            if devices is not ALONE:  # in a process of its own
                loop._block = lambda _device: self.block
            state = train(
                module,
                state,
                recipe,
                data(),
                seed=3,
                to_step=step,
                device=device,
                policy=policy,
                checkpoint=saves,
                devices=devices,
            )
            states.append(state)
            module = self.network()
        return states


class Always:
    """Wants every state."""

    def due(self, step: int) -> bool:
        return True

    def save(self, state: State) -> None:
        pass


class Gradual:
    """Keeps the largest weights, fewer every other step; the second process could not tell which."""

    def __init__(self, module: nn.Module, devices: Devices) -> None:
        self.module, self.devices = module, devices
        full = Mask.full(prunable_weights(module))
        shrinking = Cubic(start=0, stop=8, every=2, prunable=full.prunable, kept=full.prunable // 4)
        self.policy = GradualMask(shrinking, full, devices.chosen(self.select))

    def select(self, step: int, mask: Mask, kept: int) -> Mask:
        assert self.devices.first
        sizes = {n: w.detach().abs().cpu() for n, w in prunable_weights(self.module).items()}
        weights = torch.cat([size.flatten() for size in sizes.values()])
        least = weights.sort(descending=True).values[kept - 1]
        return Mask({n: (size >= least) & mask[n].cpu() for n, size in sizes.items()})


TWO = {"devices": 2}
CASES = {
    "dropout, a mask, a layer that is not reached": Case(mlp, TWO, masked=True),
    "micro-batches": Case(lambda: mlp(0.0), {**TWO, "micro_batch": 2}, {"micro_batch": 4}, masked=True),
    "BatchNorm synchronised": Case(
        convnet,
        {**TWO, "batch_norm": "synchronized", "augment": ["flip", "shift2"]},
        {"augment": ["flip", "shift2"]},
        masked=True,
    ),
    "BatchNorm synchronised, recomputed": Case(
        convnet, {**TWO, "batch_norm": "synchronized", "recompute": True}
    ),
    "BatchNorm per device": Case(
        lambda: convnet(0.0),
        {**TWO, "last_batch": "drop"},
        {"micro_batch": 4, "last_batch": "drop"},
        steps=(12,),
    ),
    "looked at now and then": Case(mlp, TWO, masked=True, block=5),
    "diverges now and then": Case(mlp, {**TWO, "lr": 1e25}, {"lr": 1e25}, block=5),
    "diverges": Case(mlp, {**TWO, "lr": 1e25}, {"lr": 1e25}),
    "pruned while training": Case(mlp, TWO, gradual=True),
    "stopped on the way": Case(convnet, TWO, steps=(5, 9, 14)),
    "not stopped": Case(convnet, TWO, steps=(14,)),
}


def main(number: int, folder: Path, device: str = "cpu") -> None:
    """Train every case and write its states, and those of every process's parameters."""
    torch.set_num_threads(1)
    backend = "gloo"
    if device == "cuda":
        prepare_process()  # cuBLAS asks for its workspaces once
        device = f"cuda:{number % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
        if torch.cuda.device_count() > 1:
            backend = "cpu:gloo,cuda:nccl"
        else:
            module_devices._summed = summed_and_waited_for
    torch.distributed.init_process_group(
        backend,
        init_method=f"file://{folder}/meeting",
        rank=number,
        world_size=2,
        timeout=datetime.timedelta(minutes=1),
    )
    states = {
        name: case.trained(case.recipe(**case.changes), Together(number, 2), device)
        for name, case in CASES.items()
    }
    torch.save(states, folder / f"states-{number}")
    torch.distributed.destroy_process_group()


def summed_and_waited_for(bucket: Any) -> Any:
    """Add up gradients by gloo, which brings them back to a GPU on streams of its own: only who waits for the
    sum itself, not for its future, has the stream that computes wait for these."""
    buffer = bucket.buffer()
    torch.distributed.all_reduce(buffer)
    future: Any = torch.futures.Future(devices=[buffer.device])
    future.set_result(buffer)
    return future


def alone(case: Case, device: str = "cpu") -> list[State]:
    """Train a case on one device, which looks at every loss."""
    return replace(case, block=1).trained(case.recipe(**case.alone), ALONE, device)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
