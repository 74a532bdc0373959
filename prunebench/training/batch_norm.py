"""BatchNorm over the examples of all devices.

torch's SyncBatchNorm is for GPUs alone; this one is for any device, so that what it computes can be tested.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn

from prunebench.training.devices import Shared

__all__ = ["synchronize"]


def synchronize(module: nn.Module) -> None:
    """Let the BatchNorm layers of a network take mean and variance over all processes of the group.

    In evaluation, and without statistics of a batch, they are as they were.
    """
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            vars(layer)["forward"] = _Forward(layer)


class _Forward(Shared):
    """A BatchNorm layer's forward pass."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._alone = layer.forward

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        layer = self._layer
        if not layer.training:
            alone: torch.Tensor = self._alone(x)
            return alone
        returned: Any = _Normalize.apply(x, layer.weight, layer.bias, layer.eps)  # type: ignore[no-untyped-call]
        outputs: torch.Tensor = returned[0]
        if layer.track_running_stats and layer.running_mean is not None:
            _note(layer, *returned[1:])
        return outputs


@torch.no_grad()
def _note(layer: Any, mean: torch.Tensor, variance: torch.Tensor, count: torch.Tensor) -> None:
    """Update the running statistics, with the variance that divides by one less, as torch does."""
    layer.num_batches_tracked.add_(1)
    momentum = layer.momentum
    if momentum is None:
        momentum = 1.0 / float(layer.num_batches_tracked)
    unbiased = variance * (count / (count - 1))
    layer.running_mean.mul_(1 - momentum).add_(mean.to(layer.running_mean.dtype), alpha=momentum)
    layer.running_var.mul_(1 - momentum).add_(unbiased.to(layer.running_var.dtype), alpha=momentum)


class _Normalize(torch.autograd.Function):
    """y = x̂ · γ + β with x̂ = (x − mean) / √(variance + ε), over all examples and positions of all processes.

    With n the number of values of a channel and g the gradient of x̂, that of y times γ, the gradient of x is
    (g − Σg / n − x̂ Σ(g x̂) / n) / √(variance + ε) (Ioffe and Szegedy 2015), with sums over all processes.
    Gradients of γ and β are those of the examples here.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float
    ) -> Any:
        """Return y, mean, biased variance and n."""
        over = [dimension for dimension in range(x.dim()) if dimension != 1]
        shape = (1, -1, *[1] * (x.dim() - 2))
        values = x.new_tensor([x.numel() // x.shape[1]], dtype=torch.float64)
        sums = torch.cat([x.sum(over).double(), values])
        distributed.all_reduce(sums)
        count = sums[-1]
        mean = (sums[:-1] / count).to(x.dtype)
        y = x - mean.view(shape)
        squares = y.square().sum(over).double()
        distributed.all_reduce(squares)
        variance = squares / count
        scale = (variance + eps).rsqrt().to(x.dtype)
        y.mul_(scale.view(shape))
        if weight is not None and bias is not None:
            y.mul_(weight.view(shape)).add_(bias.view(shape))
        ctx.save_for_backward(x, weight, mean, scale, count)
        ctx.over, ctx.shape = over, shape
        ctx.mark_non_differentiable(mean, variance, count)
        return y, mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> Any:
        """Return the gradients of x, γ and β."""
        x, weight, mean, scale, count = ctx.saved_tensors
        normalized = (x - mean.view(ctx.shape)).mul_(scale.view(ctx.shape))
        of_bias, of_weight = gradient.sum(ctx.over), (gradient * normalized).sum(ctx.over)
        sums = torch.stack([of_bias, of_weight]).double()
        distributed.all_reduce(sums)
        first, second = (sums / count).to(x.dtype)
        moved = (gradient - first.view(ctx.shape)).sub_(normalized.mul_(second.view(ctx.shape)))
        factor = scale if weight is None else scale * weight
        moved.mul_(factor.view(ctx.shape))
        return (moved, None, None, None) if weight is None else (moved, of_weight, of_bias, None)
