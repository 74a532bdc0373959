"""GraSP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from prunebench.errors import UsageError
from prunebench.pruning import RandomStream, ScoringNetwork

Batch = tuple[torch.Tensor, torch.Tensor]


def score(
    net: ScoringNetwork,
    batch: Batch,
    rng: RandomStream,
    *,
    temperature: float = 200.0,
    chunk: int | None = None,
) -> dict[str, torch.Tensor]:
    """GraSP: w · Hg, with g the gradient and H the Hessian of the loss over the prunable weights.

    The paper scores −w · Hg, what removing a weight adds to the gradient flow gᵀg (up to a factor), and
    removes the highest. Here the sign is turned, so that the highest are kept: `keep = "high"` is GraSP,
    "low" is GraSP inverted, "far" is GraSP by magnitude (Frankle et al. 2021, App. H).

    Source: Wang et al. (2020), Picking winning tickets before training by preserving gradient flow, Eq. 8
    and Alg. 2; as replicated by Frankle et al. (2021), App. C.

    Variant: the loss is the mean cross entropy of logits / `temperature` (200, as in the authors' code) on
    ten examples of every class; BatchNorm in training mode (the batch's statistics; running ones are left
    alone); float32; no weight is drawn anew. Hg is exact: the gradient of g · g' with g held constant.

    `chunk`: examples worked on at once, where the whole batch does not fit in memory. Chunks take the classes
    in turn and are weighted by size: without BatchNorm the scores are those of the whole batch. BatchNorm
    sees a chunk, so the size is part of what is measured.
    """
    if temperature <= 0 or (chunk is not None and chunk < 1):
        raise UsageError(f"grasp: temperature and chunk must be positive; found {temperature} and {chunk}")
    weights = list(net.weights.values())

    def gradient(part: Batch, graph: bool) -> list[torch.Tensor]:
        """Return the part's share of g: of the mean over the whole batch."""
        x, y = part
        loss = net.criterion(net.outputs(x) / temperature, y) * (len(x) / len(batch[0]))
        return list(torch.autograd.grad(loss, weights, create_graph=graph, materialize_grads=True))

    def derivative(g: list[torch.Tensor], share: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the part's share of Hg: the gradient of g · (its share of g), with g held constant."""
        along = torch.stack([(a * b).sum() for a, b in zip(g, share, strict=True)]).sum()
        return list(torch.autograd.grad(along, weights, materialize_grads=True))

    if chunk is None:
        whole = gradient(batch, graph=True)
        product = derivative([g.detach() for g in whole], whole)
    else:
        parts = list(_chunks(batch, chunk))
        total = _sum(gradient(part, graph=False) for part in parts)
        product = _sum(derivative(total, gradient(part, graph=True)) for part in parts)
    return {name: (w * p).detach() for (name, w), p in zip(net.weights.items(), product, strict=True)}


def _sum(terms: Iterable[list[torch.Tensor]]) -> list[torch.Tensor]:
    total: list[torch.Tensor] = []
    for term in terms:
        total = [a + b for a, b in zip(total, term, strict=True)] if total else term
    return total


def _chunks(batch: Batch, size: int) -> Iterator[Batch]:
    x, y = batch
    order = _classes_in_turn(y)
    for start in range(0, len(x), size):
        part = order[start : start + size]
        yield x[part], y[part]


def _classes_in_turn(labels: torch.Tensor) -> torch.Tensor:
    """Order examples: the first of each class, the second of each, …; as they are where y is no labels."""
    if labels.dim() != 1 or labels.is_floating_point():
        return torch.arange(len(labels), device=labels.device)
    seen: dict[int, int] = {}
    place = []
    for label in labels.tolist():
        seen[label] = seen.get(label, -1) + 1
        place.append((seen[label], label))
    return torch.tensor(sorted(range(len(place)), key=place.__getitem__), device=labels.device)
