"""How much memory a training step or a scoring takes: counted on the meta device, which computes nothing."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from prunebench.training.evaluate import BATCH
from prunebench.training.images.normalize import normalize
from prunebench.training.optimizers import OPTIMIZERS
from prunebench.training.recompute import recomputing
from prunebench.training.tasks import CLASSIFICATION, TASKS

if TYPE_CHECKING:
    from prunebench.training.recipe import Recipe

__all__ = ["LiveBytes", "TrainingMemory", "scoring_memory", "training_memory"]

FLOAT = 4
"""Bytes of a number in float32."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes on a device while a network trains."""

    held: int
    """Between steps: weights and buffers, what the optimiser keeps, a mask's factors; and once more all but
    those, as the state to go back to where a loss turns out not to be finite. Of several devices each has
    gradients in buckets as well."""
    step: int
    """What a step adds at its largest: images, activations, gradients."""
    evaluation: int
    """What an evaluation adds."""

    @property
    def total(self) -> int:
        """Return the most that is there at once."""
        return self.held + max(self.step, self.evaluation)


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors that are made meanwhile: of those there now, and the most there were."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: int = 0
        self.most: int = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count the memory that is new in what it returns."""
        returned = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(returned):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return returned

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        weakref.finalize(storage, self._gone, key, size)
        self.now += size
        self.most = max(self.most, self.now)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def training_memory(
    module: nn.Module,
    recipe: Recipe,
    shape: tuple[int, int, int],
    *,
    prunable: int = 0,
    task: str = CLASSIFICATION,
) -> TrainingMemory:
    """Return what training under a recipe takes on each of its devices, without the data themselves.

    module: the network on the meta device; it is left without gradients
    shape: (C, H, W) of an image
    prunable: how many weights a mask is for

    cuDNN's workspaces, CUDA's own memory and the gaps between tensors are not in it.

    Raises: whatever the network raises that cannot run on the meta device.
    """
    weights = sum(parameter.numel() for parameter in module.parameters())
    slots = sum(slot.per_weight for slot in OPTIMIZERS[recipe.optimizer].slots(recipe).values())
    buffers = sum(buffer.nbytes for buffer in module.buffers())
    state = (1 + slots) * weights * FLOAT + buffers
    return TrainingMemory(
        held=2 * state + prunable * FLOAT + (weights * FLOAT if recipe.devices else 0),
        step=_step(module, recipe, shape, task),
        evaluation=_evaluation(module, shape),
    )


def _images(examples: int, shape: tuple[int, int, int]) -> torch.Tensor:
    raw = torch.empty((examples, *shape), dtype=torch.uint8, device="meta")
    return normalize(raw, [0.5] * shape[0], [0.5] * shape[0])


def _step(module: nn.Module, recipe: Recipe, shape: tuple[int, int, int], task: str) -> int:
    """Return what a step adds: with micro-batches two forward passes are enough to see it."""
    examples = -(-recipe.batch // (recipe.devices or 1))
    micro = min(recipe.micro_batch or examples, examples)
    module.train()
    forward = recomputing(module) if recipe.recompute else module
    loss = TASKS[task].loss(recipe)
    live = LiveBytes()
    with live:
        x = _images(examples, shape)
        y = torch.empty(examples, dtype=torch.int64, device="meta")
        for start in range(0, examples, micro)[:2]:
            part = slice(start, start + micro)
            loss(forward(x[part]), y[part]).backward()  # type: ignore[no-untyped-call]
    for parameter in module.parameters():
        parameter.grad = None
    return live.most


def _evaluation(module: nn.Module, shape: tuple[int, int, int]) -> int:
    module.eval()
    live = LiveBytes()
    with torch.no_grad(), live:
        module(_images(BATCH, shape))
    return live.most


def scoring_memory(
    module: nn.Module,
    shape: tuple[int, int, int],
    examples: int,
    *,
    chunk: int | None = None,
    training: bool = True,
    second_order: bool = False,
    task: str = CLASSIFICATION,
) -> int:
    """Return what scoring by gradients of the loss on a batch takes, or by derivatives of those.

    module: the network on the meta device, all of whose parameters are differentiated by
    shape: (C, H, W) of an image
    examples, chunk: of the batch, and how many are worked on at once; in chunks the others stay bytes
    training: the mode of BatchNorm; second_order: the gradient is differentiated along itself once more

    Beside the network there are its private copy and what that is put back to.

    Raises: whatever the network raises that cannot run on the meta device.
    """
    from prunebench.training.recipe import Recipe

    at_once = min(chunk or examples, examples)
    batch = examples * math.prod(shape) if chunk is not None else 0
    state = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    module.train(training)
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
    loss = TASKS[task].loss(Recipe(epochs=1, batch=1, lr=1))
    live = LiveBytes()
    with live:
        x, y = _images(at_once, shape), torch.empty(at_once, dtype=torch.int64, device="meta")
        gradients = torch.autograd.grad(
            loss(module(x), y), weights, create_graph=second_order, materialize_grads=True
        )
        if second_order:
            along = torch.stack([(g * g.detach()).sum() for g in gradients]).sum()
            torch.autograd.grad(along, weights, materialize_grads=True)
    return 3 * state + batch + live.most
