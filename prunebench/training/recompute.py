"""Activation checkpointing: what goes into a network's blocks is kept, the rest is computed again.

The second forward pass of a block gives the same bits as the first, for it draws the same noise and begins
with the same buffers; what it does to those is forgotten, so that BatchNorm counts each batch once. So
nothing that training makes changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

__all__ = ["blocks_of", "recomputing"]

Forward = Callable[..., Any]

FEW = 4
"""So many layers with weights, in a row, are worth being cut into segments."""


def recomputing(module: nn.Module) -> Forward:
    """Return what computes a network's outputs as the network itself does, and keeps less until `backward`.

    Its blocks (`blocks_of`) are changed for the length of each forward pass alone.
    """
    instead = blocks_of(module)

    def forward(*inputs: Any) -> Any:
        with _replaced(instead):
            return module(*inputs)

    return forward


def blocks_of(module: nn.Module) -> list[tuple[nn.Module, Forward]]:
    """Return the modules of which only the inputs are kept, each with the forward pass that it has then.

    A block is a module with parts of its own in a `Sequential` or a `ModuleList`: a residual block, say. A
    `Sequential` of single layers is cut into about √n segments of its n layers with weights. A network that
    has neither keeps what it always keeps.
    """
    blocks: list[tuple[nn.Module, Forward]] = []
    _collect(module, blocks, within=False)
    return blocks


def _collect(module: nn.Module, blocks: list[tuple[nn.Module, Forward]], *, within: bool) -> None:
    in_turn = type(module).forward is nn.Sequential.forward
    holds_parts = in_turn or isinstance(module, nn.ModuleList | nn.ModuleDict)
    parts = [child for child in module.children() if any(child.children())]
    if in_turn and not parts and sum(map(_has_weights, module.children())) >= FEW:
        layers = list(module._modules.values())  # `children` leaves out the second of one that is there twice
        blocks.append((module, partial(_in_turn, _segments(cast("list[nn.Module]", layers)))))
    elif within and not (holds_parts and parts):
        blocks.append((module, _kept_apart(module.forward, [module])))
    else:
        for child in parts:
            _collect(child, blocks, within=holds_parts)


def _has_weights(layer: nn.Module) -> bool:
    weight = getattr(layer, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.dim() > 1


def _segments(layers: Sequence[nn.Module]) -> list[Forward]:
    """Return the layers in turn as segments, each beginning with a layer that has weights."""
    starts = [number for number, layer in enumerate(layers) if _has_weights(layer)]
    size = math.ceil(len(starts) / math.isqrt(len(starts)))
    cuts = [0, *starts[size::size], len(layers)]
    parts = [layers[start:stop] for start, stop in pairwise(cuts)]
    return [_kept_apart(partial(_in_turn, part), part) for part in parts]


def _in_turn(functions: Sequence[Forward], x: Any) -> Any:
    for function in functions:
        x = function(x)
    return x


def _kept_apart(forward: Forward, modules: Sequence[nn.Module]) -> Forward:
    """Return a forward pass of which the inputs are kept, and what buffers held before it."""

    def contexts() -> tuple[_Noted, _Again]:
        noted = _Noted(modules)
        return noted, _Again(noted)

    return partial(checkpoint, forward, use_reentrant=False, context_fn=contexts)


class _Noted(AbstractContextManager[None]):
    """What buffers hold when it is entered: running statistics, say."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.owners = [part for one in modules for part in one.modules() if part._buffers]
        self.values: list[dict[str, torch.Tensor | None]] = []

    def __enter__(self) -> None:
        copied = torch.Tensor.clone
        self.values = [
            {name: None if buffer is None else copied(buffer) for name, buffer in owner._buffers.items()}
            for owner in self.owners
        ]

    def __exit__(self, *_: object) -> None:
        pass


class _Again(AbstractContextManager[None]):
    """Within, modules have the buffers that were noted; whatever is done to those is forgotten."""

    def __init__(self, noted: _Noted) -> None:
        self._noted = noted
        self._own: list[dict[str, torch.Tensor | None]] = []

    def __enter__(self) -> None:
        self._own = [owner._buffers for owner in self._noted.owners]
        for owner, values in zip(self._noted.owners, self._noted.values, strict=True):
            owner._buffers = values

    def __exit__(self, *_: object) -> None:
        for owner, own in zip(self._noted.owners, self._own, strict=True):
            owner._buffers = own


@contextmanager
def _replaced(instead: Sequence[tuple[nn.Module, Forward]]) -> Iterator[None]:
    """Let modules have other forward passes meanwhile."""
    before = [(module, vars(module).get("forward")) for module, _ in instead]
    for module, forward in instead:
        vars(module)["forward"] = forward
    try:
        yield
    finally:
        for module, own in before:
            del vars(module)["forward"]
            if own is not None:
                vars(module)["forward"] = own
