"""A scoring batch in chunks that take the classes in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from prunebench.errors import UsageError
from prunebench.pruning import ScoringNetwork

Batch = tuple[Any, Tensor]


def chunks(net: ScoringNetwork, batch: Batch, size: int) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Yield (x, y, share of the batch) for `size` examples at a time, on the network's device.

    The first example of each class comes first, then the second of each, …, so that a chunk has all classes
    or as many as go into it. Of x only `x[part]` is asked, with the examples' numbers: it may be something
    that makes its examples when they are wanted.
    """
    x, y = batch
    order = _classes_in_turn(y)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        inputs = x[part]
        if isinstance(inputs, Tensor):
            inputs = inputs.to(net.device, net.dtype if inputs.is_floating_point() else inputs.dtype)
        yield inputs, y[part].to(net.device), len(part) / len(order)


def total(terms: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """Return the sum of lists of tensors, entry by entry."""
    found: list[Tensor] = []
    for term in terms:
        found = [a + b for a, b in zip(found, term, strict=True)] if found else list(term)
    return found


def loss_gradient(scorer: str, net: ScoringNetwork, batch: Batch, chunk: int | None) -> list[Tensor]:
    """Return the gradient of the batch's mean loss by the prunable weights, in one piece or in chunks."""
    check_chunk(scorer, chunk)
    weights = list(net.weights.values())
    if chunk is None:
        return list(torch.autograd.grad(net.loss(batch), weights, materialize_grads=True))
    return total(
        torch.autograd.grad(net.loss((x, y)) * share, weights, materialize_grads=True)
        for x, y, share in chunks(net, batch, chunk)
    )


def check_chunk(scorer: str, chunk: int | None) -> None:
    """Refuse a chunk that is no positive whole number.

    Raises: UsageError.
    """
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        raise UsageError(f"{scorer}: chunk must be positive, a number of examples; found {chunk!r}")


def _classes_in_turn(labels: Tensor) -> Tensor:
    """Order examples: the first of each class, the second of each, …; as they are where y is no labels."""
    if labels.dim() != 1 or labels.is_floating_point():
        return torch.arange(len(labels))
    seen: dict[int, int] = {}
    place = []
    for label in labels.tolist():
        seen[label] = seen.get(label, -1) + 1
        place.append((seen[label], label))
    return torch.tensor(sorted(range(len(place)), key=place.__getitem__))
