"""What networks are trained for: the loss that training minimises, and the evaluation (imports no torch).

A data set names its task. A new task is an entry of `TASKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from prunebench.training.images.data import Data
    from prunebench.training.recipe import Recipe

    Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """(outputs, targets of a batch) → the mean over its examples."""

__all__ = ["CLASSIFICATION", "TASKS", "Task"]

CLASSIFICATION = "classification"
"""The task of data sets that name none; no key and no record spells it."""


@dataclass(frozen=True)
class Task:
    """The loss of a training under a recipe, and how a network is evaluated."""

    loss: Callable[[Recipe], Loss]
    evaluate: Callable[[nn.Module, Data, bool], Mapping[str, Any]]
    """(network, data, channels last) → what a point of the curve says of the evaluation part.

    Its "loss" is one without label smoothing; where that is not finite the run has diverged."""


def _cross_entropy(recipe: Recipe) -> Loss:
    from torch.nn import functional

    smoothing = recipe.label_smoothing
    return lambda outputs, labels: functional.cross_entropy(outputs, labels, label_smoothing=smoothing)


def _accuracy(module: nn.Module, data: Data, channels_last: bool) -> dict[str, Any]:
    from prunebench.training.evaluate import evaluate

    correct, examples, loss = evaluate(
        module,
        data.evaluation_images,
        data.evaluation_labels,
        mean=data.mean,
        std=data.std,
        channels_last=channels_last,
    )
    return {"correct": correct, "examples": examples, "loss": loss}


TASKS: dict[str, Task] = {CLASSIFICATION: Task(loss=_cross_entropy, evaluate=_accuracy)}
