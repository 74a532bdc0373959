"""Networks as functions of named parameters, buffers and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = Mapping[str, Tensor]
Network = Callable[[Tensors, dict[str, Tensor], Tensor, bool], Tensor]
"""network(parameters, buffers, x, training) → logits; running statistics are updated while training."""


def _batchnorm(p: Tensors, b: dict[str, Tensor], name: str, x: Tensor, training: bool) -> Tensor:
    return F.batch_norm(
        x,
        b[f"{name}.running_mean"],
        b[f"{name}.running_var"],
        p[f"{name}.weight"],
        p[f"{name}.bias"],
        training=training,
        momentum=0.1,
        eps=1e-5,
    )


def lenet(p: Tensors, b: dict[str, Tensor], x: Tensor, training: bool) -> Tensor:
    """LeNet-300-100."""
    x = torch.relu(F.linear(x.flatten(1), p["fc1.weight"], p["fc1.bias"]))
    x = torch.relu(F.linear(x, p["fc2.weight"], p["fc2.bias"]))
    return F.linear(x, p["fc3.weight"], p["fc3.bias"])


def convnet(p: Tensors, b: dict[str, Tensor], x: Tensor, training: bool) -> Tensor:
    """3×3 convolutions with BatchNorm, the later ones with stride 2; the mean over positions; a linear layer."""
    number = 1
    while (name := f"conv{number}.weight") in p:
        x = F.conv2d(x, p[name], stride=1 if number == 1 else 2, padding=1)
        x = torch.relu(_batchnorm(p, b, f"bn{number}", x, training))
        number += 1
    return F.linear(x.mean((2, 3)), p["fc.weight"], p["fc.bias"])


def resnet(p: Tensors, b: dict[str, Tensor], x: Tensor, training: bool) -> Tensor:
    """A CIFAR ResNet of any depth: three groups of blocks, shortcuts of 1×1 convolution and BatchNorm."""
    x = torch.relu(_batchnorm(p, b, "bn", F.conv2d(x, p["conv.weight"], padding=1), training))
    number, channels = 0, x.shape[1]
    while (block := f"blocks.{number}") + ".conv1.weight" in p:
        first = p[f"{block}.conv1.weight"]
        stride = 1 if first.shape[0] == channels else 2
        y = F.conv2d(x, first, stride=stride, padding=1)
        y = torch.relu(_batchnorm(p, b, f"{block}.bn1", y, training))
        y = F.conv2d(y, p[f"{block}.conv2.weight"], padding=1)
        y = _batchnorm(p, b, f"{block}.bn2", y, training)
        if stride == 2:
            x = F.conv2d(x, p[f"{block}.shortcut.0.weight"], stride=2)
            x = _batchnorm(p, b, f"{block}.shortcut.1", x, training)
        x = torch.relu(y + x)
        number, channels = number + 1, first.shape[0]
    return F.linear(x.mean((2, 3)), p["fc.weight"], p["fc.bias"])


def vgg(p: Tensors, b: dict[str, Tensor], x: Tensor, training: bool) -> Tensor:
    """VGG-16 for images of 32×32: names do not matter, only the order of parameters and buffers.

    Convolution with bias, BatchNorm, ReLU; a max-pool after convolutions 2, 4, 7 and 10; the mean of what is
    left (2×2) and one linear layer.
    """
    parameters, buffers = iter(p.values()), iter([t for t in b.values() if t.dim() == 1])
    for number in range(1, 14):
        weight, bias, gamma, beta = (next(parameters) for _ in range(4))
        x = F.conv2d(x, weight, bias, padding=1)
        x = F.batch_norm(x, next(buffers), next(buffers), gamma, beta, training, 0.1, 1e-5)
        x = torch.relu(x)
        if number in (2, 4, 7, 10):
            x = F.max_pool2d(x, 2)
    weight, bias = parameters
    return F.linear(F.avg_pool2d(x, 2).flatten(1), weight, bias)
