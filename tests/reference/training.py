"""A plain training loop: SGD with momentum and weight decay, flips and shifts, a mask, a pruning schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from reference import draws
from reference.data import normalised
from reference.networks import Network
from reference.scores import keep_highest, prunable

Tensors = dict[str, Tensor]


@dataclass
class Task:
    """Data and hyper-parameters of a run.

    fused: a step is torch's own fused one, on one thread: its roundings are those of any loop that uses it,
        while a step in elementary operations is a rounding apart
    warmup: so many steps over which the learning rate rises from 0
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor
    lr: float
    batch: int
    momentum: float = 0.0
    decay: float = 0.0
    augment: bool = False
    seed: int = 0
    fused: bool = False
    warmup: int = 0
    _orders: dict[int, Tensor] = field(default_factory=dict)

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch; the last may be short."""
        return -(-len(self.images) // self.batch)

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return self.lr * min(1.0, step / self.warmup) if self.warmup else self.lr

    def examples(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step: images normalised and, where wanted, flipped and shifted one by one."""
        epoch, place = divmod(step, self.per_epoch)
        n = len(self.images)
        order = torch.from_numpy(draws.order(n, self.seed, "order", epoch))
        part = slice(place * self.batch, (place + 1) * self.batch)
        chosen = order[part]
        images = self.images[chosen]
        if self.augment:
            flips = draws.integers(n, 2, self.seed, "augment", epoch, "flip")[part].tolist()
            shifts = draws.integers(2 * n, 9, self.seed, "augment", epoch, "shift4").view(n, 2)[part].tolist()
            images = torch.stack(
                [_moved(image, *how) for image, *how in zip(images, flips, shifts, strict=True)]
            )
        return normalised(images, self.mean, self.std), self.labels[chosen]


class WideTask(Task):
    """The same in float64."""

    @classmethod
    def of(cls, task: Task) -> WideTask:
        """A task's data and hyper-parameters."""
        return cls(**{f.name: getattr(task, f.name) for f in fields(Task)})

    def examples(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step, normalised in float32 and only then widened."""
        x, y = super().examples(step)
        return x.double(), y


def _moved(image: Tensor, flipped: int, corner: tuple[int, int]) -> Tensor:
    """An image mirrored or not, then cut at a corner out of a frame of four black pixels."""
    _, height, width = image.shape
    if flipped:
        image = image.flip(2)
    framed = F.pad(image, (4, 4, 4, 4))
    top, left = corner
    return framed[:, top : top + height, left : left + width]


@dataclass
class Run:
    """A network in training: what a step reads and leaves."""

    parameters: Tensors
    buffers: Tensors
    momentum: Tensors
    mask: Tensors | None = None
    losses: list[float] = field(default_factory=list)

    @classmethod
    def start(cls, parameters: Tensors, buffers: Tensors, mask: Tensors | None = None) -> Run:
        """Begin with these weights; nothing is shared."""
        own = {name: tensor.clone() for name, tensor in parameters.items()}
        if mask is not None:
            own = {name: t * mask[name] if name in mask else t for name, t in own.items()}
        zeros = {name: torch.zeros_like(t) for name, t in own.items()}
        return cls(own, {name: t.clone() for name, t in buffers.items()}, zeros, mask)


def train(
    network: Network,
    run: Run,
    task: Task,
    steps: range,
    *,
    prune: Callable[[int, Tensors], Tensors | None] | None = None,
) -> Run:
    """Make these steps of the schedule in place; `prune(steps done, parameters)` may give a new mask after each."""
    for step in steps:
        x, y = task.examples(step)
        live = {name: t.requires_grad_() for name, t in run.parameters.items()}
        loss = F.cross_entropy(network(live, run.buffers, x, True), y)
        gradients = torch.autograd.grad(loss, list(live.values()))
        run.losses.append(loss.item())
        with torch.no_grad():
            rate = task.rate(step)
            moved = (
                _fused(task, run, gradients, rate) if task.fused else _moved_by(task, run, gradients, rate)
            )
            for name, w in moved.items():
                if run.mask is not None and name in run.mask:
                    w = w * run.mask[name]
                    run.momentum[name] = run.momentum[name] * run.mask[name]
                run.parameters[name] = w
            if prune is not None and (mask := prune(step + 1, run.parameters)) is not None:
                run.mask = mask
                for name, m in mask.items():
                    run.parameters[name] = run.parameters[name] * m
                    run.momentum[name] = run.momentum[name] * m
    return run


def _moved_by(task: Task, run: Run, gradients: Sequence[Tensor], rate: float) -> Tensors:
    """The weights after a step; momentum is changed in place."""
    moved = {}
    for (name, w), g in zip(run.parameters.items(), gradients, strict=True):
        run.momentum[name] = task.momentum * run.momentum[name] + g + task.decay * w
        moved[name] = w.detach() - rate * run.momentum[name]
    return moved


def _fused(task: Task, run: Run, gradients: Sequence[Tensor], rate: float) -> Tensors:
    """The same by torch's fused step."""
    moved = {name: w.detach().clone() for name, w in run.parameters.items()}
    momentum = {name: tensor.clone() for name, tensor in run.momentum.items()}
    torch._fused_sgd_(
        list(moved.values()),
        list(gradients),
        [momentum[name] for name in moved],
        weight_decay=task.decay,
        momentum=task.momentum,
        lr=rate,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
    run.momentum.update(momentum)
    return moved


def gradual(
    density: float, first: int, last: int, every: int, total: int
) -> Callable[[int, Tensors], Tensors | None]:
    """Zhu and Gupta (2018): the sparsity follows s − s·(1 − (t − t0)/(n·Δt))³, the smallest magnitudes go.

    A weight that was removed is zero and stays so.
    """

    def prune(step: int, parameters: Tensors) -> Tensors | None:
        if step < first or step > last or (step - first) % every:
            return None
        sparsity = (1 - density) * (1 - (1 - (step - first) / (last - first)) ** 3)
        magnitudes = {name: parameters[name].detach().abs() for name in prunable(parameters)}
        return keep_highest(magnitudes, round((1 - sparsity) * total))

    return prune
