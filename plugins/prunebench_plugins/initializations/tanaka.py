"""The initial values of Tanaka et al. (2020), as their published code gives them to each kind of network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunebench_plugins.initializations.kaiming import _normal, _uniform, fan_in, fan_out

if TYPE_CHECKING:
    from prunebench.training.streams import Stream

__all__ = ["tanaka_cifar_vgg", "tanaka_resnet18", "tanaka_tinyimagenet_vgg"]


def _constant(parameter: torch.Tensor, value: float) -> torch.Tensor:
    return torch.full(tuple(parameter.shape), value, dtype=parameter.dtype)


def _norm(module: nn.Module, name: str, parameter: torch.Tensor) -> torch.Tensor | None:
    """γ = 1 and β = 0; None for anything but BatchNorm."""
    if isinstance(module, _BatchNorm) and name in ("weight", "bias"):
        return _constant(parameter, 1.0 if name == "weight" else 0.0)
    return None


def tanaka_cifar_vgg(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Tanaka et al.'s for VGGs on CIFAR: weights from normal(0, √(2/fan-in)), all biases 0, γ = 1, β = 0.

    For convolutions and linear layers alike. It differs from `kaiming-normal` in the biases and in γ.
    """
    if isinstance(module, _ConvNd | nn.Linear):
        if name == "weight":
            return _normal(parameter, math.sqrt(2 / fan_in(parameter)), rng)
        return _constant(parameter, 0.0) if name == "bias" else None
    return _norm(module, name, parameter)


def tanaka_resnet18(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Tanaka et al.'s for ResNet-18: convolutions from normal(0, √(2/fan-out)), γ = 1, β = 0.

    Linear layers keep PyTorch's default: weights and biases from uniform(±1/√fan-in). So do biases of
    convolutions, of which that network has none.
    """
    if isinstance(module, _ConvNd) and name == "weight":
        return _normal(parameter, math.sqrt(2 / fan_out(parameter)), rng)
    if isinstance(module, _ConvNd | nn.Linear):
        bound = 1 / math.sqrt(fan_in(module.weight))
        return _uniform(parameter, -bound, bound, rng) if name in ("weight", "bias") else None
    return _norm(module, name, parameter)


def tanaka_tinyimagenet_vgg(
    module: nn.Module, name: str, parameter: torch.Tensor, rng: Stream
) -> torch.Tensor | None:
    """Tanaka et al.'s for VGGs on TinyImageNet: convolutions by fan-out, linear layers from normal(0, 0.01).

    Convolutions' weights from normal(0, √(2/fan-out)); all biases 0, γ = 1, β = 0. 0.01 is the standard
    deviation.
    """
    if isinstance(module, _ConvNd | nn.Linear):
        if name == "weight":
            std = math.sqrt(2 / fan_out(parameter)) if isinstance(module, _ConvNd) else 0.01
            return _normal(parameter, std, rng)
        return _constant(parameter, 0.0) if name == "bias" else None
    return _norm(module, name, parameter)
