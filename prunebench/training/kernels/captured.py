"""The device's part of a training step, captured once and replayed: a CUDA graph.

A step has a host's part (whose turn it is: order, draws, rate, noise) and a device's part (gather, augment,
forward, backward, mask, update). The second reads and writes the same memory in every step, once what the
host chooses lies in buffers that stay: then its hundred kernels can be launched as one. The bits are those of
the same kernels launched one by one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from prunebench.training.images.batches import Choice

__all__ = ["Capture", "CapturedStep", "can_be_captured", "cuda_graph", "wanted"]

log = logging.getLogger("prunebench.training")

Compute = Callable[[Choice], torch.Tensor]
"""Makes the device's part of a step and returns its loss (no dimension, on the device)."""

Capture = Callable[[Callable[[], None]], Callable[[], object]]
"""Takes a function and returns what does again, in the same memory, what the function does on the device."""

WARM_UP = 3
"""Steps made one by one before one is captured: cuDNN chooses, and memory is taken, in the first of them."""

VARIABLE = "PRUNEBENCH_CUDA_GRAPHS"


class CapturedStep:
    """Steps of one size, at one learning rate at a time.

    A step at another rate, or after `forget`, is made by itself, as are those before the capture, and all of
    a network that cannot be captured.

    choose: (steps done) → the host's part of the next
    """

    def __init__(self, choose: Callable[[int], Choice], compute: Compute, capture: Capture) -> None:
        self._choose, self._compute, self._capture = choose, compute, capture
        self._refused = False
        self.replayed = 0
        """Steps that were replayed so far."""
        self.forget()

    def forget(self) -> None:
        """Capture anew: mask, state or optimiser lie elsewhere in memory now."""
        self._replay: Callable[[], object] | None = None
        self._rate: float | None = None
        self._alike = 0

    def step(self, done: int, rate: float) -> torch.Tensor:
        """Make the step after `done` steps and return its loss, a tensor of its own."""
        choice = self._choose(done)
        if rate != self._rate:
            self.forget()
            self._rate = rate
        if self._replay is None and self._alike >= WARM_UP and not self._refused:
            self._begin(choice)
        if self._replay is None:
            self._alike += 1
            return self._compute(choice)
        self._buffers.fill(choice)
        self._replay()
        self.replayed += 1
        return self._loss.clone()

    def _begin(self, choice: Choice) -> None:
        """Capture the step, computing nothing; a network that waits for its device is left as it is."""
        self._buffers = choice.copied()

        def once() -> None:
            self._loss = self._compute(self._buffers)

        try:
            self._replay = self._capture(once)
        except RuntimeError as error:
            self._refused = True
            log.info("no CUDA graph: %s", str(error).strip().splitlines()[0])


def wanted(device: torch.device) -> bool:
    """True if steps are to be captured on a device: on a GPU, where the variable says so."""
    return device.type == "cuda" and os.environ.get(VARIABLE, "0") not in ("", "0")


def can_be_captured(module: nn.Module) -> bool:
    """True if no layer computes with a number that the device has to tell the host.

    BatchNorm with a cumulative average divides by the number of batches seen.
    """
    return not any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm)
        and layer.momentum is None
        and layer.track_running_stats
        for layer in module.modules()
    )


def cuda_graph(function: Callable[[], None]) -> Callable[[], object]:
    """Capture a function as a CUDA graph and return what replays it. Raises: RuntimeError where it waits."""
    graph: Any = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        function()
    replay: Callable[[], object] = graph.replay
    return replay
