"""What networks compute in place: the numbers, and first and second derivatives, of the same network without it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from prunebench.host.registry import Host
from prunebench.training.initialize import make_network

NETWORKS = {
    "resnet20": (3, 32, 32),
    "imagenet-resnet": (3, 64, 64),
    "vgg16": (3, 32, 32),
    "cifar-densenet": (3, 32, 32),
    "small-convnet": (1, 28, 28),
    "alexnet": (3, 32, 32),
}


class OutOfPlace(TorchFunctionMode):
    """Within, what would overwrite activations returns new tensors instead."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        instead = {torch.relu_: torch.relu, Tensor.relu_: torch.relu, Tensor.add_: torch.add}.get(func)
        if instead is not None and args[0].dim():  # a number is BatchNorm's count
            self.replaced += 1
            return instead(*args, **(kwargs or {}))
        if func is functional.relu and (kwargs or {}).get("inplace"):  # a layer of torch's
            self.replaced += 1
            return torch.relu(args[0])
        return func(*args, **(kwargs or {}))


def derivatives(net: nn.Module, x: Tensor, y: Tensor) -> list[Tensor]:
    """Return logits, the gradient g of the loss, and the Hessian times g, all in training mode."""
    weights = [weight for weight in net.parameters() if weight.dim() > 1]
    logits = net.train()(x)
    loss = functional.cross_entropy(logits, y)
    gradient = torch.autograd.grad(loss, weights, create_graph=True)
    product = torch.autograd.grad(sum((g * g.detach()).sum() for g in gradient), weights)
    return [logits.detach(), *(g.detach() for g in gradient), *product]


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_that_is_computed_changes(name: str) -> None:
    """Outputs, gradients, Hessian products and running statistics, to the bit."""
    host = Host.load(third_party=False)
    architecture, drawn = host.get("architectures", name), host.get("initializations", "kaiming-normal")
    shape = NETWORKS[name]
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([1, 0])

    def network() -> nn.Module:
        build: Any = lambda: architecture.build(shape, 10)  # type: ignore[union-attr]  # noqa: E731
        return make_network(build, drawn.draw, 0, "init")  # type: ignore[union-attr]

    net, plain = network(), network()
    torch.manual_seed(5)  # for dropout
    here = derivatives(net, x, y)
    torch.manual_seed(5)
    with OutOfPlace() as mode:
        there = derivatives(plain, x, y)
    assert mode.replaced > 0
    assert all(torch.equal(one, other) for one, other in zip(here, there, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(net.buffers(), plain.buffers(), strict=True))
