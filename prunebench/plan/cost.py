"""What a forward pass of a network costs, found without computing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from prunebench.isolation.threads import threads

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["forward_macs"]


def forward_macs(meta: nn.Module, build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> int:
    """Return the multiply-accumulates of one forward pass of one example, of convolutions and linear layers.

    `meta` is the network on the meta device; it is moved and changed. Its weights get memory that is never
    touched, its convolutions and linear layers return zeros of the right shape, its BatchNorm what goes in:
    ResNet-50 and VGG-16 on ImageNet take a fraction of a second and the memory of their activations. (The
    meta device itself could tell the shapes too, but the first pass on it makes torch import its compiler,
    two seconds of every start; `to_empty` costs a part of that.) A network that cannot be run so is built by
    `build` and really run.
    """
    with threads(1):
        return _counted_macs(meta, build, shape)


def _counted_macs(meta: nn.Module, build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> int:
    import torch

    changed: list[Any] = []
    try:
        module = cast(Any, meta)._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))
        for layer, forward in _forwards(module):
            layer.forward = forward
            changed.append(layer)
        return _run(module, shape)
    except Exception:  # its forward pass wants weights or buffers that mean something
        with torch.random.fork_rng(devices=[]):
            module = build()
        return _run(module, shape)
    finally:
        for layer in changed:  # which holds itself by it: nothing would go without looking for garbage
            del layer.forward


def _forwards(module: nn.Module) -> list[tuple[Any, Callable[..., torch.Tensor]]]:
    """Return which layers get another forward pass, and which."""
    counted = [(layer, _shape_alone(layer)) for layer in _counted(module)]
    return counted + [(layer, _as_it_is(layer)) for layer in _normalizing(module)]


def _counted(module: nn.Module) -> list[nn.Module]:
    from torch import nn

    return [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)]


def _normalizing(module: nn.Module) -> list[Any]:
    from torch import nn

    return [m for m in module.modules() if type(m) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)]


def _as_it_is(layer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a forward pass that gives what goes in: of values that mean nothing BatchNorm may take long."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        layer._check_input_dim(x)
        if x.shape[1] != layer.num_features:
            raise ValueError(f"BatchNorm of {layer.num_features} channels was given {x.shape[1]}")
        return x

    return forward


def _shape_alone(layer: nn.Module) -> Callable[..., torch.Tensor]:
    """Return a forward pass that gives zeros of the shape that the layer's own would have."""
    from torch import nn

    original = layer.forward
    dimensions = cast("torch.Tensor", layer.weight).dim()

    def forward(x: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, nn.Linear):
            return x.new_zeros((*x.shape[:-1], layer.out_features))
        if x.dim() != dimensions:  # no batch
            return cast("torch.Tensor", original(x))
        # of no examples: padding and stride are the layer's own affair
        return x.new_zeros((len(x), *original(x[:0]).shape[1:]))

    return forward


def _run(module: nn.Module, shape: tuple[int, int, int]) -> int:
    import torch

    macs = 0

    def count(layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal macs
        weight = cast("torch.Tensor", layer.weight)
        positions = output.numel() // weight.shape[0]
        macs += weight.numel() * positions

    hooks = [layer.register_forward_hook(count) for layer in _counted(module)]
    try:
        with torch.no_grad():
            module.eval()(torch.zeros((1, *shape)))
    finally:
        for hook in hooks:
            hook.remove()
    return macs
