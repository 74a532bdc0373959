"""DenseNet for CIFAR, computed again from its definition with functions alone; what it refuses."""

from __future__ import annotations

import pytest
import torch
from prunebench_plugins.architectures import cifar_densenet
from torch import Tensor, nn
from torch.nn import functional

from prunebench.errors import UsageError

GROWTH, BLOCKS = 2, (6, 12, 24, 16)


def filled() -> nn.Module:
    """A network of growth 2 whose every tensor has its own values."""
    net = cifar_densenet((3, 32, 32), 10, width=GROWTH / 16)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in net.state_dict().items():
        if "running_var" in name:
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.is_floating_point():
            tensor.uniform_(-0.5, 0.5, generator=generator)
    return net.eval()


def test_it_computes_its_definition() -> None:
    """BatchNorm, ReLU, 1×1 to 4g; BatchNorm, ReLU, 3×3 to g, beside the input; transitions halve both."""
    net = filled()
    w = net.state_dict()

    def activated(x: Tensor, name: str) -> Tensor:
        mean, var, gamma, beta = (
            w[f"{name}.{key}"].view(1, -1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (var + 1e-5).sqrt() * gamma + beta).clamp(min=0)

    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    x = functional.conv2d(images, w["conv.weight"], padding=1)
    assert x.shape[1] == 2 * GROWTH
    for number, layers in enumerate(BLOCKS, start=1):
        for layer in range(layers):
            name = f"block{number}.{layer}"
            inner = functional.conv2d(activated(x, f"{name}.bn1"), w[f"{name}.conv1.weight"])
            assert inner.shape[1] == 4 * GROWTH
            new = functional.conv2d(activated(inner, f"{name}.bn2"), w[f"{name}.conv2.weight"], padding=1)
            x = torch.cat((x, new), 1)
        if number < 4:
            name, before = f"transition{number}", x.shape
            x = functional.conv2d(activated(x, f"{name}.bn"), w[f"{name}.conv.weight"])
            x = functional.avg_pool2d(x, 2)
            assert x.shape[1:] == (before[1] // 2, before[2] // 2, before[3] // 2)
    x = activated(x, "bn")
    logits = x.mean((2, 3)) @ w["fc.weight"].T + w["fc.bias"]
    with torch.no_grad():
        torch.testing.assert_close(net(images), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "parameters", "said"),
    [
        ((3, 32, 32), {"depth": 120}, "depth = 120; allowed: 121, 169, 201"),
        ((3, 32, 32), {"width": 0}, "width = 0; allowed: a number above 0"),
        ((3, 7, 8), {}, "images of 3×7×8"),
    ],
)
def test_what_cannot_be_built_is_refused(given, parameters, said) -> None:
    """With what was found, and what is allowed."""
    with pytest.raises(UsageError) as caught:
        cifar_densenet(given, 10, **parameters)
    assert said in str(caught.value)
