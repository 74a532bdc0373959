"""SynFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.func import functional_call

from prunebench.errors import UsageError
from prunebench.pruning import Product, RandomStream, ScoringNetwork
from prunebench.pruning.nested import arguments, tensors


def score(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, Product]:
    """SynFlow: |w · ∂R/∂w|, R the sum of the outputs for an input of ones, with absolute weights.

    In a network of linear layers, convolutions and ReLUs it is the sum over all paths through the weight of
    the products of the magnitudes along them.

    Source: Tanaka et al. (2020), Pruning neural networks without any data by iteratively conserving synaptic
    flow; as replicated by Frankle et al. (2021), App. D.

    Variant: one input of the data set's own shape; float64 (float32 overflows in deep networks); BatchNorm in
    evaluation mode; all parameters and buffers are made absolute, biases, BatchNorm's and its running means
    too, as in the authors' code. Where a network returns several tensors, R is the sum of all; where it takes
    several inputs, all are ones. This is a single scoring; the method `synflow` prunes in 100 rounds of it.
    """
    net.absolute()
    ones = net.ones()
    outputs = tensors(net.outputs(ones))
    flow = _flow(outputs)
    gradients = torch.autograd.grad(flow, list(net.weights.values()), materialize_grads=True)
    if not net.restored and _might_be_constant(net, outputs, gradients):
        _refuse_constant(net, ones)
    return {
        name: Product(weight.detach(), gradient)
        for (name, weight), gradient in zip(net.weights.items(), gradients, strict=True)
    }


def _flow(outputs: list[torch.Tensor]) -> torch.Tensor:
    """Return R, the sum of all that the network returns."""
    sums = [tensor.sum() for tensor in outputs if tensor.is_floating_point()]
    if not sums:
        raise UsageError("the network returns no floating-point tensor, so it has no flow")
    return sums[0] if len(sums) == 1 else torch.stack(sums).sum()


def _might_be_constant(
    net: ScoringNetwork, outputs: list[torch.Tensor], gradients: Sequence[torch.Tensor]
) -> bool:
    """True if it is worth a closer look: no layer's scores amount to anything beside the outputs, or these
    are shares.

    Where R is flow alone, the scores of each layer that all paths cross sum to R.
    """
    flow, size = float(_flow(outputs).detach()), _size(outputs)
    number = sum(tensor.numel() for tensor in outputs)
    if 0.5 < flow <= number and abs(flow - round(flow)) < number * _rounding(net):
        return True
    weights = net.weights.values()
    sums = [float((w.detach() * g).sum()) for w, g in zip(weights, gradients, strict=True)]
    return max(map(abs, sums)) <= 1e-6 * size


def _refuse_constant(net: ScoringNetwork, ones: Any) -> None:
    """Refuse a network whose outputs have one sum whatever its weights are: its scores are rounding noise.

    Seen with each weight between a half and the whole of what it is, and without the biases: a flow beside
    which they are large, so that it is lost in rounding, is real all the same.
    """
    steady = {
        name: torch.zeros_like(tensor)
        for name, tensor in (*net.module.named_parameters(), *net.module.named_buffers())
        if name.rpartition(".")[2] in ("bias", "running_mean")
    }
    factors = {
        name: torch.linspace(0.5, 1, weight.numel(), dtype=net.dtype, device=net.device).view(weight.shape)
        for name, weight in net.weights.items()
    }
    changed = {name: weight.detach() * factors[name] for name, weight in net.weights.items()}
    positional, named = arguments(net.module, ones)
    with torch.no_grad():
        one, other = (
            tensors(functional_call(net.module, values, positional, named))
            for values in (steady, {**steady, **changed})
        )
    flow = float(_flow(one))
    if abs(flow - float(_flow(other))) <= _rounding(net) * _size(one) > 0:
        raise UsageError(
            f"the network's outputs sum to {flow:.6g} whatever its weights are, so their flow (SynFlow) "
            "ranks nothing: its outputs are normalised, as by a Softmax or LayerNorm at the end; score it "
            "without that"
        )


def _rounding(net: ScoringNetwork) -> float:
    """Return what a sum may differ by, beside it, and still be the same: far above float64's rounding."""
    return min(max(1e-9, 64 * torch.finfo(net.dtype).eps), 0.05)


def _size(outputs: list[torch.Tensor]) -> float:
    return sum(float(tensor.detach().abs().sum()) for tensor in outputs if tensor.is_floating_point())
