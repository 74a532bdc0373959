"""A scoring batch in chunks that take the classes in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from prunebench.errors import UsageError
from prunebench.pruning import ScoringNetwork
from prunebench.pruning.nested import taken, tensors

Batch = tuple[Any, Any]


def chunks(net: ScoringNetwork, batch: Batch, size: int) -> Iterator[tuple[Any, Any, float]]:
    """Yield (x, y, share of the batch's loss) for `size` examples at a time, on the network's device.

    The first example of each class comes first, then the second of each, …, so that a chunk has all classes
    or as many as go into it. A chunk's share is what its loss divides by over what the batch's divides by
    (labels that count, say); a chunk without a share is left out. Of x only the examples of the chunk are
    asked: it may be something that makes its examples when they are wanted.

    Raises: UsageError where a loss of the user's does not say what it divides by, and where inputs or targets
    cannot be taken apart by example.
    """
    x, y = batch
    order = _classes_in_turn(y, x)
    examples = len(order)
    whole = net.divisor(y, examples)
    if not whole:
        raise UsageError("what the loss divides by is 0 for the whole batch: does no label count (-100)?")
    for start in range(0, examples, size):
        part = order[start : start + size]
        targets = net.moved(taken(y, part, examples, "y"))
        share = net.divisor(targets, len(part)) / whole
        if share:
            yield net.moved(taken(x, part, examples, "x")), targets, share


def total(terms: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """Return the sum of lists of tensors, entry by entry."""
    sums: list[Tensor] = []
    for term in terms:
        sums = [a + b for a, b in zip(sums, term, strict=True)] if sums else list(term)
    return sums


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


def _classes_in_turn(labels: Any, inputs: Any) -> Tensor:
    """Order examples: the first of each class, the second of each, …; as they are where y is no labels."""
    if not isinstance(labels, Tensor):
        name, held = ("y", tensors(labels)) if tensors(labels) else ("x", tensors(inputs))
        lengths = {len(tensor) for tensor in held if tensor.dim()}
        if len(lengths) != 1:
            contents = (
                f"tensors of {' and '.join(map(str, sorted(lengths)))} entries" if lengths else "no tensor"
            )
            raise UsageError(
                f"chunk: how many examples the batch has cannot be told: {name} holds {contents}"
            )
        return torch.arange(lengths.pop())
    if labels.dim() != 1 or labels.is_floating_point():
        return torch.arange(len(labels))
    seen: dict[int, int] = {}
    place = []
    for label in labels.tolist():
        seen[label] = seen.get(label, -1) + 1
        place.append((seen[label], label))
    return torch.tensor(sorted(range(len(place)), key=place.__getitem__))
