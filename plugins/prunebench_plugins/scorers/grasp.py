"""GraSP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from prunebench.errors import UsageError
from prunebench.pruning import RandomStream, ScoringNetwork
from prunebench.pruning.nested import mapped
from prunebench_plugins.scorers._chunks import Batch, check_chunk, chunks, total


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
    in turn and are weighted as of SNIP: without BatchNorm the scores are those of the whole batch. BatchNorm
    sees a chunk, so the size is part of what is measured. The gradient is computed twice then: 12 forward
    passes' work in place of 9. 10,000 images of 224 × 224 and a ResNet-50, 8 at once, take 6 GB.
    """
    check_chunk("grasp", chunk)
    if temperature <= 0:
        raise UsageError(f"grasp: temperature must be positive; found {temperature}")
    weights = list(net.weights.values())

    def softened(outputs: torch.Tensor) -> torch.Tensor:
        return outputs / temperature if outputs.is_floating_point() else outputs

    def gradient(x: Any, y: Any, share: float, graph: bool) -> list[torch.Tensor]:
        """Return a part's share of g: of the mean over the whole batch."""
        loss = net.criterion(mapped(softened, net.outputs(x)), y) * share
        return list(torch.autograd.grad(loss, weights, create_graph=graph, materialize_grads=True))

    def derivative(g: list[torch.Tensor], share: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the part's share of Hg: the gradient of g · (its share of g), with g held constant."""
        along = torch.stack([(a * b).sum() for a, b in zip(g, share, strict=True)]).sum()
        if not along.requires_grad:  # a loss that is linear in the weights: H is 0
            return [torch.zeros_like(w) for w in weights]
        return list(torch.autograd.grad(along, weights, materialize_grads=True))

    if chunk is None:
        whole = gradient(*batch, 1.0, graph=True)
        product = derivative([g.detach() for g in whole], whole)
    else:
        g = total(gradient(*part, graph=False) for part in chunks(net, batch, chunk))
        product = total(derivative(g, gradient(*part, graph=True)) for part in chunks(net, batch, chunk))
    return {name: (w * p).detach() for (name, w), p in zip(net.weights.items(), product, strict=True)}


def passes(parameters: Mapping[str, Any]) -> float:
    """The gradient with its graph and the gradient of g · g'; in chunks g is needed before, once more."""
    return 9.0 if parameters["chunk"] is None else 12.0
