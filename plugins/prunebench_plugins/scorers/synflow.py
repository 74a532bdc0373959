"""SynFlow."""

from __future__ import annotations

import torch

from prunebench.pruning import Product, RandomStream, ScoringNetwork


def score(net: ScoringNetwork, batch: None, rng: RandomStream) -> dict[str, Product]:
    """SynFlow: |w · ∂R/∂w|, R the sum of the outputs for an input of ones, with absolute weights.

    In a network of linear layers, convolutions and ReLUs it is the sum over all paths through the weight of
    the products of the magnitudes along them.

    Source: Tanaka et al. (2020), Pruning neural networks without any data by iteratively conserving synaptic
    flow; as replicated by Frankle et al. (2021), App. D.

    Variant: one input of the data set's own shape; float64 (float32 overflows in deep networks); BatchNorm in
    evaluation mode; all parameters and buffers are made absolute, biases, BatchNorm's and its running means
    too, as in the authors' code. This is a single scoring; the method `synflow` prunes in 100 rounds of it.
    """
    net.absolute()
    ones = torch.ones(1, *net.input_shape, dtype=net.dtype, device=net.device)
    flow = net.outputs(ones).sum()
    gradients = torch.autograd.grad(flow, list(net.weights.values()), materialize_grads=True)
    return {
        name: Product(weight.detach(), gradient)
        for (name, weight), gradient in zip(net.weights.items(), gradients, strict=True)
    }
