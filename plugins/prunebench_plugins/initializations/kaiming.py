"""Initial values of convolutions, linear layers and BatchNorm, drawn from a stream of random numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

if TYPE_CHECKING:
    from prunebench.training.streams import Stream

__all__ = [
    "fan_in",
    "fan_out",
    "kaiming_normal",
    "kaiming_normal_fan_out",
    "kaiming_normal_fan_out_gamma_one",
    "kaiming_normal_gamma_one",
    "kaiming_uniform",
    "kaiming_uniform_fan_out",
    "kaiming_uniform_fan_out_gamma_one",
    "kaiming_uniform_gamma_one",
    "unit_variance",
]


def fan_in(weight: torch.Tensor) -> int:
    """Return the inputs of one unit: a weight's entries per entry of its first dimension."""
    return math.prod(weight.shape[1:])


def fan_out(weight: torch.Tensor) -> int:
    """Return the outputs times the kernel's positions, as torch.nn.init counts them.

    In a convolution with groups these are the outputs of all groups, in a transposed convolution torch takes
    the first dimension, its inputs; both as torch.nn.init does.
    """
    return math.prod(weight.shape) // weight.shape[1]


def _normal(parameter: torch.Tensor, std: float, rng: Stream) -> torch.Tensor:
    return torch.from_numpy(rng.normal(tuple(parameter.shape))).mul_(std).to(parameter.dtype)


def _uniform(parameter: torch.Tensor, low: float, high: float, rng: Stream) -> torch.Tensor:
    # scaled in float64, rounded once: the same values on every machine
    return torch.from_numpy(low + (high - low) * rng.uniform(tuple(parameter.shape))).to(parameter.dtype)


def _is_layer_weight(module: nn.Module, name: str) -> bool:
    return isinstance(module, _ConvNd | nn.Linear) and name == "weight"


def _rest(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream, *, gamma_one: bool = False
) -> torch.Tensor | None:
    """Everything but the weights of convolutions and linear layers."""
    if isinstance(module, _ConvNd | nn.Linear) and name == "bias":
        bound = 1 / math.sqrt(fan_in(module.weight))
        return _uniform(parameter, -bound, bound, rng)
    if isinstance(module, _BatchNorm):
        if name == "weight":
            if gamma_one:
                return torch.ones(tuple(parameter.shape), dtype=parameter.dtype)
            return _uniform(parameter, 0.0, 1.0, rng)
        if name == "bias":
            return torch.zeros(tuple(parameter.shape), dtype=parameter.dtype)
    return None


def kaiming_normal(module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream) -> torch.Tensor | None:
    """Kaiming normal: convolutions' and linear layers' weights from normal(0, √(2/fan-in)) (He et al. 2015).

    As in Frankle et al. (2021): fan-in for both kinds of layer; BatchNorm's γ from uniform(0, 1) and β zero;
    biases of convolutions and linear layers from uniform(±1/√fan-in), PyTorch's own default. The fan-in is
    the product of the weight's dimensions but the first. Parameters of other layers keep their constructor's
    values.
    """
    if _is_layer_weight(module, name):
        return _normal(parameter, math.sqrt(2 / fan_in(parameter)), rng)
    return _rest(module, name, parameter, rng)


def kaiming_uniform(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming uniform: convolutions' and linear layers' weights from uniform(±√(6/fan-in)) (He et al. 2015).

    The gain is ReLU's (variance 2 / fan-in), not that of PyTorch's constructors, which take a = √5. Named by
    Rosenfeld et al. (2021, App. B.4), who say no more: everything else is as in `kaiming-normal`.
    """
    if _is_layer_weight(module, name):
        bound = math.sqrt(6 / fan_in(parameter))
        return _uniform(parameter, -bound, bound, rng)
    return _rest(module, name, parameter, rng)


def kaiming_normal_gamma_one(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming normal with γ one: as `kaiming-normal`, but BatchNorm's γ begins at 1, PyTorch's default.

    Weights, biases and β have the very values that `kaiming-normal` draws for the same seed.
    """
    if _is_layer_weight(module, name):
        return _normal(parameter, math.sqrt(2 / fan_in(parameter)), rng)
    return _rest(module, name, parameter, rng, gamma_one=True)


def kaiming_normal_fan_out(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming normal by fan-out: weights of convolutions and linear layers from normal(0, √(2/fan-out)).

    The fan-out is the number of outputs times the kernel's positions, as torch.nn.init counts it. Everything
    but the weights' scale is as in `kaiming-normal`: γ from uniform(0, 1), biases by fan-in.
    """
    if _is_layer_weight(module, name):
        return _normal(parameter, math.sqrt(2 / fan_out(parameter)), rng)
    return _rest(module, name, parameter, rng)


def kaiming_normal_fan_out_gamma_one(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming normal by fan-out with γ one: as `kaiming-normal-fan-out`, but BatchNorm's γ begins at 1.

    What TorchVision's ResNets draw for convolutions; linear layers have the fan-out too here, not PyTorch's
    default (that is `tanaka-resnet18`).
    """
    if _is_layer_weight(module, name):
        return _normal(parameter, math.sqrt(2 / fan_out(parameter)), rng)
    return _rest(module, name, parameter, rng, gamma_one=True)


def kaiming_uniform_gamma_one(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming uniform with γ one: as `kaiming-uniform`, but BatchNorm's γ begins at 1.

    Weights, biases and β have the very values that `kaiming-uniform` draws for the same seed.
    """
    if _is_layer_weight(module, name):
        bound = math.sqrt(6 / fan_in(parameter))
        return _uniform(parameter, -bound, bound, rng)
    return _rest(module, name, parameter, rng, gamma_one=True)


def kaiming_uniform_fan_out(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming uniform by fan-out: weights of convolutions and linear layers from uniform(±√(6/fan-out)).

    The fan-out is the number of outputs times the kernel's positions, as torch.nn.init counts it. Everything
    but the weights' scale is as in `kaiming-uniform`: γ from uniform(0, 1), biases by fan-in.
    """
    if _is_layer_weight(module, name):
        bound = math.sqrt(6 / fan_out(parameter))
        return _uniform(parameter, -bound, bound, rng)
    return _rest(module, name, parameter, rng)


def kaiming_uniform_fan_out_gamma_one(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Kaiming uniform by fan-out with γ one: as `kaiming-uniform-fan-out`, but BatchNorm's γ begins at 1.

    Nothing else differs, values of one seed included.
    """
    if _is_layer_weight(module, name):
        bound = math.sqrt(6 / fan_out(parameter))
        return _uniform(parameter, -bound, bound, rng)
    return _rest(module, name, parameter, rng, gamma_one=True)


def unit_variance(module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream) -> torch.Tensor | None:
    """Fixed variance: weights of every convolution and linear layer from normal(0, 1), whatever their fan-in.

    The initialisation of an ablation in Frankle et al. (2021, §5): magnitude pruning then removes the same
    share of every layer. Everything but the weights is as in `kaiming-normal`.
    """
    if _is_layer_weight(module, name):
        return _normal(parameter, 1.0, rng)
    return _rest(module, name, parameter, rng)
