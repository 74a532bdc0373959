"""Scores, masks, rounds and allocations from the papers' definitions; a higher score is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reference.networks import Network

Tensors = dict[str, Tensor]
Batch = tuple[Tensor, Tensor]
Scorer = Callable[[Tensors], Tensors]
"""score(parameters) → scores of the prunable ones."""


def prunable(parameters: Mapping[str, Tensor]) -> list[str]:
    """Names of the weights of convolutions and linear layers: parameters of two or four dimensions."""
    return [name for name, tensor in parameters.items() if tensor.dim() in (2, 4)]


def _live(parameters: Mapping[str, Tensor]) -> tuple[Tensors, list[Tensor]]:
    live = {name: tensor.detach().clone().requires_grad_() for name, tensor in parameters.items()}
    return live, [live[name] for name in prunable(live)]


def _copied(buffers: Mapping[str, Tensor]) -> Tensors:
    return {name: tensor.clone() for name, tensor in buffers.items()}


def magnitude(parameters: Mapping[str, Tensor]) -> Tensors:
    """|w|."""
    return {name: parameters[name].detach().abs() for name in prunable(parameters)}


def snip_gradients(
    network: Network, parameters: Tensors, buffers: Tensors, batch: Batch
) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and gradients of the loss, BatchNorm with the batch's statistics."""
    live, inputs = _live(parameters)
    loss = F.cross_entropy(network(live, _copied(buffers), batch[0], True), batch[1])
    return inputs, list(torch.autograd.grad(loss, inputs))


def snip(network: Network, parameters: Tensors, buffers: Tensors, batch: Batch) -> Tensors:
    """|w · g|."""
    pairs = zip(*snip_gradients(network, parameters, buffers, batch), strict=True)
    return {name: (w * g).detach().abs() for name, (w, g) in zip(prunable(parameters), pairs, strict=True)}


def grasp(network: Network, parameters: Tensors, buffers: Tensors, batch: Batch) -> Tensors:
    """w · Hg, the loss of logits / 200: the published −w · Hg turned, since the highest of that go."""
    live, inputs = _live(parameters)
    loss = F.cross_entropy(network(live, _copied(buffers), batch[0], True) / 200, batch[1])
    gradients = torch.autograd.grad(loss, inputs, create_graph=True)
    flow = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
    products = torch.autograd.grad(flow, inputs)
    return {name: (w * h).detach() for name, w, h in zip(prunable(parameters), inputs, products, strict=True)}


def synflow(network: Network, parameters: Tensors, buffers: Tensors, shape: tuple[int, ...]) -> Tensors:
    """|w · ∂R/∂w| in float64: everything absolute, BatchNorm in evaluation mode, an input of ones."""
    live, inputs = _live({name: tensor.double().abs() for name, tensor in parameters.items()})
    fixed = {name: tensor.double().abs() for name, tensor in buffers.items()}
    flow = network(live, fixed, torch.ones(1, *shape, dtype=torch.float64), False).sum()
    gradients = torch.autograd.grad(flow, inputs)
    return {
        name: (w * g).detach().abs()
        for name, w, g in zip(prunable(parameters), inputs, gradients, strict=True)
    }


def keep_highest(scores: Mapping[str, Tensor], kept: int) -> Tensors:
    """The mask (bool) of the highest scores of all layers together, by a full stable sort."""
    flat = torch.cat([score.flatten() for score in scores.values()])
    chosen = torch.zeros(len(flat), dtype=torch.bool)
    chosen[torch.sort(flat, descending=True, stable=True).indices[:kept]] = True
    parts = chosen.split([score.numel() for score in scores.values()])
    return {name: part.view(score.shape) for (name, score), part in zip(scores.items(), parts, strict=True)}


def keep_in_each(scores: Mapping[str, Tensor], counts: Mapping[str, int]) -> Tensors:
    """The mask of the highest scores of each layer, so many a layer."""
    return {name: keep_highest({name: score}, counts[name])[name] for name, score in scores.items()}


def masked(parameters: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> Tensors:
    """Parameters with what is removed at zero."""
    return {name: t * mask[name] if name in mask else t for name, t in parameters.items()}


def round_count(density: float, k: int, rounds: int, total: int) -> int:
    """Weights kept after round k of n: density^(k/n) of all."""
    return round(density * total) if k == rounds else round(density ** (k / rounds) * total)


def iterative(score: Scorer, parameters: Tensors, density: float, rounds: int) -> Tensors:
    """Score what is left, remove the lowest, again and again; what is removed stays so."""
    mask = {name: torch.ones_like(parameters[name], dtype=torch.bool) for name in prunable(parameters)}
    total = sum(m.numel() for m in mask.values())
    for k in range(1, rounds + 1):
        scores = score(masked(parameters, mask))
        live = {name: torch.where(mask[name], s, -torch.inf) for name, s in scores.items()}
        mask = keep_highest(live, round_count(density, k, rounds, total))
    return mask


def force(
    network: Network,
    parameters: Tensors,
    buffers: Tensors,
    batch: Batch,
    density: float,
    rounds: int,
    sign: int = 1,
) -> tuple[Tensors, list[Tensors]]:
    """FORCE (de Jorge et al. 2020): |w · g| of every weight, g of the pruned network; what is removed may return.

    The mask, and those of all rounds. With sign −1 the lowest scores are kept.
    """
    mask = {name: torch.ones_like(parameters[name], dtype=torch.bool) for name in prunable(parameters)}
    total = sum(m.numel() for m in mask.values())
    history = []
    for k in range(1, rounds + 1):
        _, gradients = snip_gradients(network, masked(parameters, mask), buffers, batch)
        scores = {
            name: sign * (parameters[name] * g).detach().abs()
            for name, g in zip(mask, gradients, strict=True)
        }
        mask = keep_highest(scores, round_count(density, k, rounds, total))
        history.append(mask)
    return mask, history


def uniform_counts(shapes: Mapping[str, tuple[int, ...]], kept: int) -> dict[str, int]:
    """The same share of each layer; fractions by the largest remainder, then the earlier layer."""
    return _apportion({name: Fraction(int(np.prod(shape))) for name, shape in shapes.items()}, shapes, kept)


def erk_counts(shapes: Mapping[str, tuple[int, ...]], kept: int) -> dict[str, int]:
    """Erdős–Rényi-Kernel: weights in proportion to n_in + n_out (+ k_h + k_w), a full layer's excess re-spread."""
    return _apportion({name: Fraction(sum(shape)) for name, shape in shapes.items()}, shapes, kept)


def _apportion(
    wanted: Mapping[str, Fraction], shapes: Mapping[str, tuple[int, ...]], kept: int
) -> dict[str, int]:
    """Find the factor at which the layers' capped quotas sum to `kept`; round by the largest remainder."""
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    full: set[str] = set()
    while True:
        left = kept - sum(sizes[name] for name in full)
        factor = left / sum(share for name, share in wanted.items() if name not in full)
        over = {n for n, share in wanted.items() if n not in full and share * factor > sizes[n]}
        if not over:
            break
        full |= over
    quotas = {n: Fraction(sizes[n]) if n in full else share * factor for n, share in wanted.items()}
    counts = {name: int(quota) for name, quota in quotas.items()}
    by_remainder = sorted(quotas, key=lambda name: counts[name] - quotas[name])
    for name in by_remainder[: kept - sum(counts.values())]:
        counts[name] += 1
    return counts


def jaccard(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """What two masks share over what either has."""
    pairs = [(one[name], other[name]) for name in other]
    return sum(int((a & b).sum()) for a, b in pairs) / sum(int((a | b).sum()) for a, b in pairs)
